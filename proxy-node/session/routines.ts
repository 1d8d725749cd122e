/**
 * What stored routines do with statements that are prepared by text: it is done on the server that runs
 * the routine, and no OK tells of it. From the first CALL on, texts and further CALLs go where the last
 * one ran; a name that may be known elsewhere is refused, never answered as unknown.
 * Source: proxy-protocol.md §6.5.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import { PINS } from './pins.ts'

export class Routines {
  private server: ServerSession | undefined
  /** A transaction held the session elsewhere when another routine ran. */
  private isSplit = false
  private isLost = false

  /** Where the last routine ran; undefined when none did, or when that server is gone. */
  get home(): ServerSession | undefined {
    if (this.server?.isClosed === true) {
      this.server = undefined
      this.isLost = true
    }
    return this.server
  }

  ranOn(server: ServerSession): void {
    const { home } = this
    if (home !== undefined && home !== server) this.isSplit = true
    this.server = server
  }

  /**
   * Why a text cannot be executed or deallocated: routines may have made it, or another of its name,
   * where it cannot run now. `isKnown` when the client has prepared it. A loss is told once.
   */
  refusal(isKnown: boolean, bound: ServerSession | undefined): Fault | undefined {
    const { home, isLost } = this
    this.isLost = false
    if (isLost) return new Fault('session.state-lost', { what: PINS.routineTexts.lost })
    if (isKnown || home === undefined) return undefined
    const isElsewhere = this.isSplit || (bound !== undefined && bound !== home)
    return isElsewhere ? new Fault('statement.other-server') : undefined
  }

  /** The session is another, or begins anew. */
  forget(): void {
    this.server = undefined
    this.isSplit = false
    this.isLost = false
  }
}
