/**
 * A worker's copy of the blacklist: the flags that its supervisor tells, and which statements it has let
 * through itself. Source: proxy-routing.md §9.4.
 */
import type { BlacklistChange, BlacklistSettings } from './blacklist.ts'
import { CONGESTED, type Verdicts } from './model.ts'

type Mirrored = { readonly flags: number; triedAtMs: number }

export class BlacklistMirror implements Verdicts {
  private readonly settings: () => Pick<BlacklistSettings, 'detectMode' | 'retryIntervalMs'>
  /** Of the servers that are avoided only: as many as a cluster has at most. */
  private readonly avoided = new Map<string, Mirrored>()

  constructor(settings: () => Pick<BlacklistSettings, 'detectMode' | 'retryIntervalMs'>) {
    this.settings = settings
  }

  get size(): number {
    return this.avoided.size
  }

  apply({ key, flags, atMs }: BlacklistChange): void {
    if (flags === 0) this.avoided.delete(key)
    else this.avoided.set(key, { flags, triedAtMs: atMs })
  }

  /** Everything is told anew, which is no reason to wait longer with a server that is as it was. */
  replace(avoided: readonly BlacklistChange[]): void {
    const before = new Map(this.avoided)
    this.avoided.clear()
    for (const { key, flags, atMs } of avoided) {
      const known = before.get(key)
      const triedAtMs = known?.flags === flags ? Math.max(known.triedAtMs, atMs) : atMs
      this.avoided.set(key, { flags, triedAtMs })
    }
  }

  get isEmpty(): boolean {
    return this.avoided.size === 0
  }

  congestionOf(key: string): number {
    return this.avoided.get(key)?.flags ?? 0
  }

  letsOneThrough(key: string, nowMs: number): boolean {
    const mirrored = this.avoided.get(key)
    const { detectMode, retryIntervalMs } = this.settings()
    if (mirrored?.flags !== CONGESTED.alive || detectMode !== 0) return false
    if (nowMs - mirrored.triedAtMs < retryIntervalMs) return false
    mirrored.triedAtMs = nowMs
    return true
  }
}
