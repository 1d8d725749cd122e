/**
 * What reached a front, command by command, the newest ones: a suite proves with it that nothing was
 * carried out twice, and in which order what was restored came.
 */
import { COMMAND_NAMES, type Command } from './commands.ts'

/** Entries that are kept; older ones are dropped. */
const MAX_ENTRIES = 10_000
/** Bytes of a command's text that an entry keeps. */
const TEXT_BYTES = 200

/** `passed` on to the engine, `refused` by an order or answered here, or `dropped` with its connection. */
export type Fate = 'passed' | 'answered' | 'dropped'

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
  readonly fate: Fate
}

export type Origin = Pick<LedgerEntry, 'front' | 'session' | 'client'>

export class Ledger {
  private readonly entries: LedgerEntry[] = []
  private written = 0

  add(origin: Origin, command: Command, fate: Fate): void {
    const entry = {
      number: ++this.written,
      atMs: performance.timeOrigin + performance.now(),
      ...origin,
      command: COMMAND_NAMES[command.code] ?? `0x${command.code.toString(16)}`,
      word: command.word,
      table: command.table,
      text: command.text(TEXT_BYTES),
      bytes: command.bytes,
      fate,
    }
    this.entries[(entry.number - 1) % MAX_ENTRIES] = entry
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
