/** Locks on names, one table for all sessions: GET_LOCK and its family. */
import type { Session } from './session.ts'

type Held = { readonly owner: Session; count: number }

/** A fuzzer must not fill the table. */
const MAX_LOCKS = 10_000

export class UserLocks {
  private readonly held = new Map<string, Held>()
  private readonly waiting = new Map<string, Set<() => void>>()

  /** Takes the lock when it is free or already one's own; false when it is another's. */
  take(name: string, session: Session): boolean {
    const key = name.toLowerCase()
    const held = this.held.get(key)
    if (held === undefined && this.held.size >= MAX_LOCKS) return false
    if (held !== undefined && held.owner !== session) return false
    if (held === undefined) this.held.set(key, { owner: session, count: 1 })
    else held.count += 1
    session.locksHeld += 1
    return true
  }

  /** Calls `freed` once when somebody gives the lock back; what it returns takes that back. */
  onFreed(name: string, freed: () => void): () => void {
    const key = name.toLowerCase()
    const waiting = this.waiting.get(key) ?? new Set()
    this.waiting.set(key, waiting)
    waiting.add(freed)
    return () => {
      waiting.delete(freed)
      if (waiting.size === 0) this.waiting.delete(key)
    }
  }

  ownerOf(name: string): Session | undefined {
    return this.held.get(name.toLowerCase())?.owner
  }

  /** 1 given back, 0 another's, null nobody's. */
  release(name: string, session: Session): 1 | 0 | null {
    const key = name.toLowerCase()
    const held = this.held.get(key)
    if (held === undefined) return null
    if (held.owner !== session) return 0
    held.count -= 1
    session.locksHeld -= 1
    if (held.count === 0) this.free(key)
    return 1
  }

  /** How many were given back. */
  releaseAll(session: Session): number {
    let released = 0
    for (const [key, held] of this.held) {
      if (held.owner !== session) continue
      released += held.count
      this.free(key)
    }
    session.locksHeld = 0
    return released
  }

  private free(key: string): void {
    this.held.delete(key)
    for (const freed of [...(this.waiting.get(key) ?? [])]) freed()
  }
}
