/**
 * Whether a server is alive: it is, when it greets. Nothing is sent, nothing logs in.
 * Source: proxy-routing.md §9.5, §14 row 13.
 */
import type { Clock } from '../base/clock.ts'
import type { Address, Connection, ConnectionEvents, Transport } from '../net/transport.ts'

/** True when bytes came within `timeoutMs` of the call. Never rejects. */
export function greets(
  transport: Transport,
  clock: Clock,
  server: Address,
  timeoutMs: number,
): Promise<boolean> {
  return new Promise(resolve => {
    let connection: Connection | undefined
    let isOver = false
    const end = (isAlive: boolean) => {
      if (isOver) return
      isOver = true
      timer.cancel()
      connection?.destroy()
      resolve(isAlive)
    }
    const timer = clock.after(timeoutMs, () => end(false))
    const events: ConnectionEvents = {
      opened: () => {},
      received: () => end(true),
      drained: () => {},
      ended: () => end(false),
      closed: () => end(false),
    }
    try {
      connection = transport.connect({ ...server, timeoutMs }, events)
    } catch {
      end(false)
    }
    if (isOver) connection?.destroy()
  })
}
