/**
 * Pictures by name, asked of the table at most once a second, and served on for as long as the table
 * does not answer: a proxy cluster that was asked for before outlives table and API. Bounded by count.
 */
import type { Clock } from '../domain/clock.ts'
import { refused } from './envelope.ts'

const FRESH_MS = 1_000
/** While the table does not answer it is tried this often, and nobody waits for that who can be served. */
const BROKEN_MS = 2_000
const MAX_ENTRIES = 4_096

type Entry<T> = {
  value: T | null | undefined
  readAt: number
  brokenUntil: number
  reading: Promise<void> | undefined
}

export class Cache<T> {
  private readonly read: (name: string) => Promise<T | null>
  private readonly clock: Clock
  private readonly failed: (error: unknown) => void
  private readonly entries = new Map<string, Entry<T>>()

  constructor(
    read: (name: string) => Promise<T | null>,
    clock: Clock,
    failed: (error: unknown) => void,
  ) {
    this.read = read
    this.clock = clock
    this.failed = failed
  }

  /** Null when there is none of that name. @throws Refusal 503 when nothing is known and the table is away. */
  async get(name: string): Promise<T | null> {
    const entry = this.entryOf(name)
    const now = this.clock.now()
    const isKnown = entry.value !== undefined
    if (isKnown && now - entry.readAt < FRESH_MS) return entry.value ?? null
    const isBroken = entry.brokenUntil > 0
    if (now >= entry.brokenUntil || !isKnown) {
      const reading = this.refresh(name, entry)
      if (!isBroken || !isKnown) await reading
    }
    if (entry.value === undefined) throw refused(503, 'the table does not answer')
    return entry.value
  }

  /** What was written is to be seen at once, here at least. */
  forget(name: string): void {
    const entry = this.entries.get(name)
    if (entry !== undefined) entry.readAt = Number.NEGATIVE_INFINITY
  }

  private refresh(name: string, entry: Entry<T>): Promise<void> {
    entry.reading ??= this.readInto(name, entry).finally(() => {
      entry.reading = undefined
    })
    return entry.reading
  }

  private async readInto(name: string, entry: Entry<T>): Promise<void> {
    const since = this.clock.now()
    try {
      entry.value = await this.read(name)
      entry.readAt = since
      entry.brokenUntil = 0
    } catch (error) {
      entry.brokenUntil = this.clock.now() + BROKEN_MS
      this.failed(error)
    }
  }

  /** The least recently asked makes room; names that do not exist go before those that do. */
  private entryOf(name: string): Entry<T> {
    const known = this.entries.get(name)
    const entry = known ?? {
      value: undefined,
      readAt: Number.NEGATIVE_INFINITY,
      brokenUntil: 0,
      reading: undefined,
    }
    if (known === undefined && this.entries.size >= MAX_ENTRIES) this.makeRoom()
    this.entries.delete(name)
    this.entries.set(name, entry)
    return entry
  }

  private makeRoom(): void {
    for (const [name, { value }] of this.entries)
      if (value === null || value === undefined) return void this.entries.delete(name)
    const [oldest] = this.entries.keys()
    if (oldest !== undefined) this.entries.delete(oldest)
  }
}
