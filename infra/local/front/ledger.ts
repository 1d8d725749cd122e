/**
 * What reached a front, command by command, the newest ones: a suite proves with it that nothing was
 * carried out twice, and in which order what was restored came.
 */

import { COMMAND_NAMES, type Command } from './commands.ts'
import type { Touched, Verdict } from './engine.ts'

/** Entries that are kept; older ones are dropped. */
const MAX_ENTRIES = 10_000
/** Bytes of a command's text that an entry keeps. */
const TEXT_BYTES = 200

/** Tables that are counted apart; the rest is counted under `''`. */
const MAX_TABLES = 10_000

/**
 * `passed` on to the engine, `refused` there because another server leads, `answered` by an order or
 * from the picture, or `dropped` with its connection.
 */
export type Fate = 'passed' | 'refused' | 'answered' | 'dropped'

export type LedgerEntry = {
  /** Counts up from 1, without gaps, over the life of the front. */
  readonly number: number
  /** Milliseconds since 1970, with fractions: entries of several fronts can be put in order. */
  readonly atMs: number
  /** `host:port` of the front. */
  readonly front: string
  /** The id of the server session, as its greeting says it, and the one that the proxy named. */
  readonly session: number
  readonly client: number
  /** `query`, `prepare`, `execute`, `init-db`, … */
  readonly command: string
  /** First word of a text, in small letters; otherwise the command. */
  readonly word: string
  readonly table: string | undefined
  /** The first 200 bytes; of an execution, its statement's id and what is readable of its values. */
  readonly text: string
  readonly bytes: number
  readonly tenant: string
  fate: Fate
  /** What the engine said that it needs; of several statements in one text, the first that missed. */
  touched: Touched | undefined
  isHit: boolean | undefined
}

/** Statements by where their partitions were, since the front exists. */
export type Reached = {
  strongHits: number
  strongMisses: number
  /** Not executed: another server leads. */
  refused: number
  /** Weak reads by the replica that was here. */
  weakLeader: number
  weakFollower: number
  weakMisses: number
}

export type Origin = Pick<LedgerEntry, 'front' | 'session' | 'client' | 'tenant'>

const NOTHING: Reached = {
  strongHits: 0,
  strongMisses: 0,
  refused: 0,
  weakLeader: 0,
  weakFollower: 0,
  weakMisses: 0,
}
const LEADERS_ONLY = 2

function count(reached: Reached, { isWeak }: Touched, verdict: Verdict): void {
  const { isHit, isRefused, feedback } = verdict
  if (isRefused) reached.refused += 1
  else if (!isWeak) reached[isHit ? 'strongHits' : 'strongMisses'] += 1
  else if (!isHit) reached.weakMisses += 1
  else reached[feedback === LEADERS_ONLY ? 'weakLeader' : 'weakFollower'] += 1
}

export class Ledger {
  private readonly entries: LedgerEntry[] = []
  private written = 0
  /** By `database.table`. */
  readonly reached = new Map<string, Reached>()
  /** Hears of every entry when it is written, however many are kept. */
  watcher: ((entry: LedgerEntry) => void) | undefined

  add(origin: Origin, command: Command, fate: Fate): LedgerEntry {
    const entry: LedgerEntry = {
      number: ++this.written,
      atMs: performance.timeOrigin + performance.now(),
      ...origin,
      command: COMMAND_NAMES[command.code] ?? `0x${command.code.toString(16)}`,
      word: command.word,
      table: command.table,
      text: command.text(TEXT_BYTES),
      bytes: command.bytes,
      fate,
      touched: undefined,
      isHit: undefined,
    }
    this.entries[(entry.number - 1) % MAX_ENTRIES] = entry
    this.watcher?.(entry)
    return entry
  }

  /** What the engine needed for an entry, and what the front said to it. */
  touch(entry: LedgerEntry | undefined, touched: Touched, verdict: Verdict): void {
    count(this.reachedOf(touched.table), touched, verdict)
    if (entry === undefined) return
    if (verdict.isRefused) entry.fate = 'refused'
    if (entry.touched !== undefined && (verdict.isHit || entry.isHit === false)) return
    entry.touched = touched
    entry.isHit = verdict.isHit
  }

  private reachedOf(table: string): Reached {
    const key = this.reached.size < MAX_TABLES || this.reached.has(table) ? table : ''
    let reached = this.reached.get(key)
    if (reached === undefined) {
      reached = { ...NOTHING }
      this.reached.set(key, reached)
    }
    return reached
  }

  /** The kept entries behind number `after`, oldest first. */
  after(after = 0): readonly LedgerEntry[] {
    const first = Math.max(after, this.written - MAX_ENTRIES, 0)
    const kept: LedgerEntry[] = []
    for (let number = first; number < this.written; number++) {
      const entry = this.entries[number % MAX_ENTRIES]
      if (entry !== undefined) kept.push(entry)
    }
    return kept
  }

  /** Number of the newest entry: what comes later stands behind it. */
  get last(): number {
    return this.written
  }
}
