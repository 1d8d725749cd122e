/** Faults that a test or a person orders of the endpoint (PL8, ssm-run-command.md §8 item 6, §9). */
import { z } from 'zod'

const count = z.int().min(0).max(1000)

export const faultOrders = z.strictObject({
  /** The next calls of this operation are answered with ThrottlingException. */
  throttle: z.strictObject({ operation: z.string(), times: count }).optional(),
  /** The next SendCommands are carried out and answered with InternalServerError. */
  loseResponses: count.optional(),
  /** Invocations are not shown for so long after SendCommand. */
  visibilityMs: z.int().min(0).max(60_000).optional(),
  /** Pages of lists are this short, whatever was asked for. */
  pageItems: z.int().min(1).max(50).optional(),
  events: z
    .strictObject({
      /** Share of status events that are never sent, 0..1. */
      lose: z.number().min(0).max(1).optional(),
      /** Each event is sent so many times. */
      copies: z.int().min(1).max(5).optional(),
      /** Each is sent after a random time up to this, so that they overtake each other. */
      delayMs: z.int().min(0).max(600_000).optional(),
    })
    .optional(),
  /** Commands for these instances stay undelivered. */
  undelivered: z.array(z.string()).optional(),
  /** The next messages are delivered a second time after their end. */
  deliverTwice: count.optional(),
})

export type FaultOrders = z.infer<typeof faultOrders>

export class Faults {
  private orders: FaultOrders = {}

  /** The last orders win as a whole; `{}` ends all faults. */
  set(orders: FaultOrders): void {
    this.orders = structuredClone(orders)
  }

  isThrottled(operation: string): boolean {
    const { throttle } = this.orders
    if (throttle === undefined || throttle.operation !== operation || throttle.times === 0)
      return false
    throttle.times -= 1
    return true
  }

  isResponseLost(): boolean {
    const left = this.orders.loseResponses ?? 0
    this.orders.loseResponses = Math.max(0, left - 1)
    return left > 0
  }

  isDeliveredTwice(): boolean {
    const left = this.orders.deliverTwice ?? 0
    this.orders.deliverTwice = Math.max(0, left - 1)
    return left > 0
  }

  get visibilityMs(): number {
    return this.orders.visibilityMs ?? 0
  }

  pageItems(asked: number): number {
    return Math.min(asked, this.orders.pageItems ?? asked)
  }

  isUndelivered(instanceId: string): boolean {
    return this.orders.undelivered?.includes(instanceId) ?? false
  }

  get events(): { readonly lose: number; readonly copies: number; readonly delayMs: number } {
    const { lose = 0, copies = 1, delayMs = 0 } = this.orders.events ?? {}
    return { lose, copies, delayMs }
  }
}
