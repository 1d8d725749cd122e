/**
 * What a session has lost with a server, until its client has been told. The client hears of it in
 * the answer to its next command and goes on without it; nothing is ignored. Source: proxy-protocol.md §5.5.
 */
import { Fault } from '#contract/fault'
import { STATUS } from '../wire/protocol.ts'
import type { SessionMemory } from './memory.ts'
import { lostWith, PINS } from './pins.ts'

export class LossNotice {
  private readonly memory: SessionMemory
  private fault: Fault | undefined

  constructor(memory: SessionMemory) {
    this.memory = memory
  }

  get isPending(): boolean {
    return this.fault !== undefined
  }

  /** The server in use is gone: takes out of the session what went with it. */
  note(): void {
    const { memory } = this
    const others = [
      lostWith(memory.pins),
      memory.user?.hasGuesses === true ? PINS.userValues.lost : '',
    ]
      .filter(lost => lost !== '')
      .join(', ')
    if (memory.inTransaction && memory.heldBegin === undefined)
      this.fault = new Fault('server.lost-transaction', {
        also: others && `; also lost: ${others}`,
      })
    else if (others !== '') this.fault = new Fault('session.state-lost', { what: others })
    memory.pins = 0
    memory.user?.noMoreGuesses([])
    if (memory.heldBegin === undefined) memory.status &= ~STATUS.inTransaction
  }

  /** The fault to tell; it is told once. */
  take(): Fault {
    const fault = this.fault ?? new Fault('proxy.internal')
    this.fault = undefined
    return fault
  }

  forget(): void {
    this.fault = undefined
  }
}
