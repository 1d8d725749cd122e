/**
 * What servers said of one kind of thing (tables, partitions, routines): a bounded cache by key. A
 * missing entry is fetched once for all who ask; a dirty one serves on while one refresh runs; who
 * keeps copies hears of what a refresh changed. Source: proxy-routing.md §4.6–4.10.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import { invariant } from '../base/invariant.ts'
import { EntryShelf, type Packing } from './entry-shelf.ts'
import type { FlowControl } from './flow-control.ts'
import { SLICE, Sweeps } from './sweeps.ts'
import { isUnexpected } from './unanswered.ts'

/**
 * state → event → next. An entry is in the map from its first state on until it is deleted; what is
 * heard of a deleted one goes to those who asked and changes nothing.
 */
export const ENTRY_TABLE = {
  building: { fetched: 'avail', failed: 'deleted', missed: 'building', evicted: 'deleted' },
  avail: { missed: 'dirty', evicted: 'deleted' },
  dirty: { refreshStarted: 'updating', missed: 'dirty', evicted: 'deleted' },
  updating: { fetched: 'avail', failed: 'dirty', missed: 'updating', evicted: 'deleted' },
  deleted: {},
} as const satisfies Record<string, Record<string, string>>

export type EntryState = keyof typeof ENTRY_TABLE
export type EntryEvent = {
  [S in EntryState]: Extract<keyof (typeof ENTRY_TABLE)[S], string>
}[EntryState]

/** The state that `event` leads to from `state`; an event the table does not allow is a bug. */
export function nextEntryState(state: EntryState, event: EntryEvent): EntryState {
  const row: Partial<Record<EntryEvent, EntryState>> = ENTRY_TABLE[state]
  const next = row[event]
  invariant(next !== undefined, `location entry: ${event} while ${state}`)
  return next
}

/** An entry; times are of the store's clock. */
export type Entry<V> = {
  readonly key: string
  state: EntryState
  value: V | undefined
  readonly createdAt: number
  /** When it was last fetched, or last put off. */
  updatedAt: number
  /** When servers last told its value. Statements that find it right do not say so. */
  validAt: number
  usedAt: number
  size: number
  /** While it is asked for. */
  waiting: Promise<V | undefined> | undefined
}

export type StoreLimits = {
  /** `delay_update_entry_interval`: between two refreshes of one entry. */
  readonly refreshGapMs: number
  /** `enable_async_pull_location_cache`: a dirty entry is answered at once. */
  readonly isAsync: boolean
}

export type StorePort<V> = {
  /** `isFlushed`: the server is to ask again itself. Undefined: there is no such thing. @throws Error */
  readonly fetch: (key: string, isFlushed: boolean) => Promise<V | undefined>
  readonly limits: () => StoreLimits
  /** Bytes, more or less. */
  readonly sizeOf: (key: string, value: V) => number
  readonly isSame: (before: V, after: V) => boolean
  /** Of an entry that is not in use. */
  readonly packing: Packing<V>
  /** A refresh found another value; undefined: it is there no more. */
  readonly changed: (key: string, value: V | undefined) => void
  /** Hears of errors that nobody expected. */
  readonly broke: (error: unknown) => void
}

/** "There is no such thing" is believed for so long, and of so many names. */
const MISSING_AGE_MS = 1_000
const MAX_MISSING = 10_000
/** A refresh that was asked for with emphasis does not run more often: who asks sooner waits. */
const URGENT_GAP_MS = 200
/** Entries that are looked at for one that has to go. */
const EVICTION_SAMPLE = 16

export class LocationStore<V> {
  private readonly port: StorePort<V>
  private readonly clock: Clock
  private readonly flow: FlowControl
  private readonly entries: EntryShelf<V>
  /** Apart, so that made-up names push no real ones out. */
  private readonly missing = new Map<string, number>()
  /** Where eviction looks next. */
  private turn: Generator<Entry<V>, undefined> | undefined
  private readonly sweeps: Sweeps<Entry<V>>
  /** An expiry is under way. */
  private isExpiring = false
  /** Bytes that all may take, while there is more to delete. */
  private bound = 0
  private shrinking: TimerHandle | undefined
  /** Bytes of all entries, more or less. */
  size = 0

  constructor(port: StorePort<V>, clock: Clock, flow: FlowControl) {
    this.port = port
    this.entries = new EntryShelf(port.packing)
    this.clock = clock
    this.flow = flow
    this.sweeps = new Sweeps(clock, () => this.entries.values())
  }

  /** Deletes nothing more. */
  stop(): void {
    this.sweeps.stop()
    this.shrinking?.cancel()
  }

  get count(): number {
    return this.entries.size
  }

  /** For looking only. */
  all(): Generator<Entry<V>, undefined> {
    return this.entries.values()
  }

  /** Of all entries, also while some come and go. */
  keys(): Generator<string, undefined> {
    return this.entries.keys()
  }

  /** For looking only. */
  look(key: string): Entry<V> | undefined {
    return this.entries.look(key)
  }

  /** What is known now; undefined also while it is fetched for the first time. */
  peek(key: string): V | undefined {
    return this.entries.peek(key)
  }

  /** What is known, at once and however old; never rejects. */
  find(key: string): V | undefined | Promise<V | undefined> {
    const entry = this.used(key)
    if (entry === undefined) return this.isMissing(key) ? undefined : this.build(key)
    entry.usedAt = this.clock.now()
    if (entry.state === 'building') return entry.waiting
    if (entry.state === 'dirty') this.refreshIfDue(entry)
    const mustWait = entry.waiting !== undefined && !this.port.limits().isAsync
    return mustWait ? entry.waiting : entry.value
  }

  /** A statement that went by this entry found it wrong; `isLater`: not before the gap is over (§4.8). */
  missed(key: string, isLater: boolean): void {
    const entry = this.used(key)
    if (entry === undefined) return
    const wasRight = entry.state === 'avail'
    move(entry, 'missed')
    // Put off once: if each miss did it, an entry that is missed all the time would never be refreshed.
    if (isLater && wasRight) entry.updatedAt = this.clock.now()
    else if (entry.state === 'dirty') this.refreshIfDue(entry)
  }

  /**
   * As it is now: asked of the servers, with all who ask meanwhile, and a moment later when it has just
   * been asked. What is known, if nobody answers.
   */
  renewed(key: string): V | undefined | Promise<V | undefined> {
    const entry = this.used(key)
    if (entry === undefined) return this.build(key)
    if (entry.waiting !== undefined) return entry.waiting
    if (entry.state === 'avail') move(entry, 'missed')
    const leftMs = Math.min(entry.updatedAt + URGENT_GAP_MS - this.clock.now(), URGENT_GAP_MS)
    if (leftMs <= 0) return this.refreshAtOnce(entry)
    // Why not what is known: the statement that asks has been refused where that leads to.
    const passed = new Promise<void>(resolve => this.clock.after(leftMs, resolve))
    entry.waiting = passed.then(() => {
      entry.waiting = undefined
      return entry.state === 'dirty' ? this.refreshAtOnce(entry) : entry.value
    })
    return entry.waiting
  }

  private refreshAtOnce(entry: Entry<V>): V | undefined | Promise<V | undefined> {
    return this.flow.admits() ? this.refresh(entry, true) : entry.value
  }

  /** Whether there is an entry, fetched or being fetched. */
  has(key: string): boolean {
    return this.used(key) !== undefined
  }

  /** Deletes the entries that `isGone` says are, and says so to who keeps copies; slice by slice, once at a time. */
  expire(isGone: (entry: Entry<V>) => boolean): void {
    if (this.isExpiring) return
    this.isExpiring = true
    this.sweeps.begin(
      isGone,
      entry => {
        this.remove(entry)
        this.port.changed(entry.key, undefined)
      },
      () => {
        this.isExpiring = false
      },
    )
  }

  /** Deletes the entries that `isGone` says are: for who asks at once, from memory slice by slice. */
  forget(isGone: (entry: Entry<V>) => boolean): void {
    this.sweeps.begin(isGone, entry => this.remove(entry))
  }

  /** Deletes entries not used for long until all take at most `bytes`, slice by slice. */
  shrink(bytes: number): void {
    this.bound = bytes
    this.shrinkOn()
  }

  private shrinkOn(): void {
    this.shrinking?.cancel()
    let left = SLICE
    while (this.size > this.bound && left > 0) {
      const old = this.oldOnes()
      if (old.length === 0) return
      for (const entry of old) {
        if (this.size <= this.bound) return
        this.remove(entry)
        left -= 1
      }
    }
    if (this.size > this.bound) this.shrinking = this.clock.after(0, () => this.shrinkOn())
  }

  /** For use; undefined when it is not there, or is to go. */
  private used(key: string): Entry<V> | undefined {
    const entry = this.entries.get(key)
    return entry === undefined || this.sweeps.takes(entry) ? undefined : entry
  }

  /** Of some entries that follow each other, the half that was not used for longest, the oldest first. */
  private oldOnes(): readonly Entry<V>[] {
    const met: Entry<V>[] = []
    while (met.length < EVICTION_SAMPLE) {
      const entry = this.nextInTurn()
      if (entry === undefined || met.some(({ key }) => key === entry.key)) break
      met.push(entry)
    }
    met.sort((one, other) => one.usedAt - other.usedAt)
    return met.slice(0, Math.ceil(met.length / 2))
  }

  /** Round and round. Why not from the start each time: what was deleted there is passed over again and again. */
  private nextInTurn(): Entry<V> | undefined {
    for (let round = 0; round < 2; round++) {
      this.turn ??= this.entries.values()
      const { value, done } = this.turn.next()
      if (done !== true && value !== undefined) return value
      this.turn = undefined
    }
    return undefined
  }

  private remove(entry: Entry<V>): void {
    move(entry, 'evicted')
    this.size -= entry.size
    this.entries.delete(entry.key)
  }

  private isMissing(key: string): boolean {
    const at = this.missing.get(key)
    if (at === undefined) return false
    if (this.clock.now() - at < MISSING_AGE_MS) return true
    this.missing.delete(key)
    return false
  }

  private refreshIfDue(entry: Entry<V>): void {
    if (entry.waiting !== undefined) return
    const isDue = this.clock.now() - entry.updatedAt >= this.port.limits().refreshGapMs
    if (isDue && this.flow.admits()) void this.refresh(entry, false)
  }

  private build(key: string): Promise<V | undefined> {
    const now = this.clock.now()
    const entry: Entry<V> = {
      key,
      state: 'building',
      value: undefined,
      createdAt: now,
      updatedAt: now,
      validAt: now,
      usedAt: now,
      size: 0,
      waiting: undefined,
    }
    this.entries.set(entry)
    entry.waiting = this.ask(entry, false)
    return entry.waiting
  }

  private refresh(entry: Entry<V>, isFlushed: boolean): Promise<V | undefined> {
    move(entry, 'refreshStarted')
    entry.waiting = this.ask(entry, isFlushed)
    return entry.waiting
  }

  /** Never rejects: without an answer the old one serves on, and the next question waits for the gap. */
  private async ask(entry: Entry<V>, isFlushed: boolean): Promise<V | undefined> {
    const { key } = entry
    const answer = await this.port.fetch(key, isFlushed).then(
      value => ({ value }),
      (error: unknown) => {
        if (isUnexpected(error)) this.port.broke(error)
        return undefined
      },
    )
    entry.waiting = undefined
    // Deleted meanwhile, and maybe another one has its key: the answer is for those who wait only.
    if (this.entries.get(key) !== entry) return answer?.value ?? entry.value
    entry.updatedAt = this.clock.now()
    const before = entry.value
    if (answer === undefined) {
      move(entry, 'failed')
      if (entry.state === 'deleted') this.entries.delete(key)
      return before
    }
    move(entry, 'fetched')
    this.heard(entry, answer.value)
    return answer.value
  }

  private heard(entry: Entry<V>, value: V | undefined): void {
    const { key, value: before } = entry
    if (value === undefined) {
      this.remove(entry)
      keep(this.missing, key, this.clock.now())
    } else {
      entry.value = value
      entry.validAt = this.clock.now()
      this.size -= entry.size
      entry.size = this.port.sizeOf(key, value)
      this.size += entry.size
    }
    if (before === undefined) return
    if (value === undefined || !this.port.isSame(before, value)) this.port.changed(key, value)
  }
}

function move<V>(entry: Entry<V>, event: EntryEvent): void {
  entry.state = nextEntryState(entry.state, event)
}

function keep(missing: Map<string, number>, key: string, at: number): void {
  missing.set(key, at)
  if (missing.size <= MAX_MISSING) return
  const oldest = missing.keys().next()
  if (!oldest.done) missing.delete(oldest.value)
}
