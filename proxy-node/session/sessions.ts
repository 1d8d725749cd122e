/** All client sessions of one worker: accepts, counts, lists, and lets them go. */
import type { ConnectionEvents } from '../net/transport.ts'
import { ClientSession } from './client-session.ts'
import type { SessionDeps } from './ports.ts'

export class Sessions {
  private readonly deps: SessionDeps
  private readonly open = new Map<number, ClientSession>()
  accepted = 0
  private finishedStatements = 0

  constructor(deps: SessionDeps) {
    this.deps = deps
  }

  get size(): number {
    return this.open.size
  }

  /** Statements of all sessions, closed ones included. */
  get statements(): number {
    let sum = this.finishedStatements
    for (const session of this.open.values()) sum += session.statements
    return sum
  }

  /** The events of a new client; beyond the limit it is told so at once. */
  accept(): ConnectionEvents {
    this.accepted += 1
    const session = new ClientSession(this.deps, closed => {
      this.open.delete(closed.id)
      this.finishedStatements += closed.statements
    })
    const isFull = this.open.size >= this.deps.maxSessions()
    this.open.set(session.id, session)
    if (!isFull) return session.events
    return {
      ...session.events,
      opened: connection => {
        session.events.opened(connection)
        session.giveUp('login.too-many')
      },
    }
  }

  list(): readonly ClientSession[] {
    return [...this.open.values()]
  }

  /** Ends one session with 1317 to its client; false when it is not here. */
  kill(id: number): boolean {
    const session = this.open.get(id)
    session?.giveUp('session.killed')
    return session !== undefined
  }

  /** Closes sessions that are between transactions; the rest when `force`. */
  drain(force: boolean): void {
    for (const session of this.open.values())
      if (force || session.isIdle) session.giveUp('proxy.draining')
  }
}
