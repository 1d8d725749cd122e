/** What may differ between a session with the kernel and one behind the proxy; each with its reason. */
import { okStatus } from '../support/front-answer.ts'
import type { Sequence, Step } from './steps.ts'

/** A packet of an answer, its payload one byte a character. */
export type Seen = { readonly sequence: number; readonly payload: string }

type Scene = {
  readonly sequence: Sequence
  /** The command before, and whether it was answered with an error. */
  readonly before: Step | undefined
  readonly isAfterError: boolean
}

type Excuse = {
  readonly because: string
  readonly hides: (step: Step, packets: readonly Seen[], scene: Scene) => readonly Seen[]
}

export const SESSION_TRACK = 0x80_0000
/** First byte of an ERR. */
export const ERROR = '\u00ff'
const EOF = '\u00fe'
const IN_TRANSACTION = 1
const COUNTED = /^(INSERT|UPDATE|DELETE|REPLACE|SELECT)\b[^;]*$/
const UNKNOWN_STATEMENT = /^\u00ff..#HY000(Unknown prepared|hash map)/s
const UNKNOWN_TEXT = /^\u00ff..#(HY000Unknown prepared|0A000send piece info).*/s
const MORE_RESULTS = 0x8
const STATE_CHANGED = 0x4000

/** Rows of SHOW SESSION VARIABLES that nothing in the client's session makes or changes. */
const OF_CONNECTION: Readonly<Record<string, string>> = {
  ob_last_schema_version: 'what a server has seen of the schema, told by each server for itself',
  ob_plan_cache_percentage: 'the kernel lowers its own default soon after its first start',
}

const EXCUSES: readonly Excuse[] = [
  {
    because: 'variables that tell of the connection',
    hides: (step, packets) =>
      step.kind === 'query' && /^SHOW SESSION VARIABLES/.test(step.sql)
        ? packets
            .filter(({ payload }) => OF_CONNECTION[firstCell(payload)] === undefined)
            .map(({ payload }) => ({ sequence: 0, payload }))
        : packets,
  },
  {
    because: 'the kernel always asks for the token of COM_CHANGE_USER once more',
    hides: (step, packets) =>
      step.kind === 'changeUser'
        ? packets.map(({ payload }) => ({ sequence: 0, payload }))
        : packets,
  },
  {
    because: 'statement ids are only names; the kernel counts its text statements, too',
    hides: (step, packets) =>
      step.kind === 'prepare'
        ? packets.map(seen => {
            const { payload } = seen
            const isOk = seen === packets[0] && payload.charCodeAt(0) === 0
            return isOk ? { ...seen, payload: `prepared ${payload.slice(5)}` } : seen
          })
        : packets,
  },
  {
    because: 'the proxy logs in anew for COM_CHANGE_USER, and a login is refused in more words',
    hides: (step, packets) =>
      step.kind === 'changeUser'
        ? packets.map(seen => ({
            ...seen,
            payload: seen.payload.replace(/(denied for user).*/s, '$1'),
          }))
        : packets,
  },
  {
    because: 'what EXPLAIN estimates differs from one run to the next',
    hides: (step, packets) =>
      step.kind === 'query' && /^EXPLAIN/.test(step.sql)
        ? packets.map(seen => ({ ...seen, payload: seen.payload.replace(/[ \d]+/g, '?') }))
        : packets,
  },
  {
    because:
      'of which type a number was is lost when a variable is replayed; flags of texts, and all for PREPARE, come from plans that the kernel shares between sessions',
    hides: (step, packets) =>
      packets.map(seen => ({
        ...seen,
        payload: withoutWidth(seen.payload, step.kind === 'prepare'),
      })),
  },
  {
    because:
      'errors, and statements that count nothing, may leave ROW_COUNT() as it was; nothing tells',
    hides: (step, packets, scene) =>
      asks(step, 'ROW_COUNT') && !hasCounted(scene) ? errorsOf(packets) : packets,
  },
  {
    because: 'a transaction stays on its server, what FOUND_ROWS() tells of may be on another',
    hides: (step, packets) =>
      asks(step, 'FOUND_ROWS') && isInTransaction(packets) ? errorsOf(packets) : packets,
  },
  {
    because:
      'which of two errors an unknown statement gets depends on what a session ever prepared',
    hides: (step, packets) =>
      step.kind === 'execute' && UNKNOWN_STATEMENT.test(packets[0]?.payload ?? '')
        ? [{ sequence: 1, payload: 'unknown statement' }]
        : packets,
  },
  {
    because:
      'a text that nobody prepared may be one of a routine, and the transaction be elsewhere',
    hides: (step, packets) =>
      step.kind === 'query' && /^(EXECUTE|DEALLOCATE|DROP PREPARE)/.test(step.sql)
        ? packets.map(seen => ({
            ...seen,
            payload: seen.payload.replace(UNKNOWN_TEXT, 'unknown statement'),
          }))
        : packets,
  },
  {
    because: 'session state goes to the proxy, which does not show it to clients that track theirs',
    hides: (_step, packets, { sequence }) =>
      (sequence.capabilities & SESSION_TRACK) === 0 ? packets : plainOks(packets),
  },
]

export function excused(step: Step, packets: readonly Seen[], scene: Scene): readonly Seen[] {
  return EXCUSES.reduce((left, { hides }) => hides(step, left, scene), packets)
}

/** How the definition of a column begins that belongs to no table. */
const OF_NO_TABLE = '\u0003def\0\0\0'
const FIXED_PART = 0x0c
/** TINY, SHORT, LONG, FLOAT, DOUBLE, LONGLONG, INT24, NEWDECIMAL. */
const NUMBERS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 8, 9, 0xf6])

const TEXT = 0xfd

/** A definition without the type of a number and the flags of a text. */
function withoutWidth(payload: string, isGuess: boolean): string {
  if (!payload.startsWith(OF_NO_TABLE)) return payload
  // Name, empty name of the table's column, length of the fixed part, character set, width, type.
  const fixed = OF_NO_TABLE.length + 1 + payload.charCodeAt(OF_NO_TABLE.length) + 1
  if (payload.charCodeAt(fixed) !== FIXED_PART) return payload
  if (isGuess) return payload.slice(0, fixed)
  const type = payload.charCodeAt(fixed + 7)
  if (NUMBERS.has(type)) return `${payload.slice(0, fixed)} number`
  return type === TEXT ? payload.slice(0, fixed + 8) : payload
}

function asks(step: Step, name: string): boolean {
  return step.kind === 'query' && step.sql.includes(name)
}

function hasCounted({ before, isAfterError }: Scene): boolean {
  return !isAfterError && before?.kind === 'query' && COUNTED.test(before.sql)
}

function isInTransaction(packets: readonly Seen[]): boolean {
  const last = packets.at(-1)?.payload ?? ''
  return last.startsWith(EOF) && (last.charCodeAt(3) & IN_TRANSACTION) !== 0
}

function errorsOf(packets: readonly Seen[]): readonly Seen[] {
  return packets.filter(({ payload }) => payload.startsWith(ERROR))
}

function firstCell(payload: string): string {
  return payload.slice(1, 1 + payload.charCodeAt(0))
}

/** OKs as their counts, status, warnings and text. */
function plainOks(packets: readonly Seen[]): readonly Seen[] {
  let ends = 0
  return packets.map(seen => {
    const { payload } = seen
    const isEof = payload.charCodeAt(0) === 0xfe && payload.length < 9
    if (isEof) ends += 1
    const mayBeOk = ends % 2 === 0 && !isEof && payload.charCodeAt(0) === 0 && payload.length >= 7
    if (!mayBeOk) return seen
    return { ...seen, payload: plainOk(Buffer.from(payload, 'latin1')) }
  })
}

function plainOk(payload: Buffer): string {
  const status = okStatus(payload) & ~STATE_CHANGED
  const isInner = (status & MORE_RESULTS) !== 0
  const text = /Rows matched.*?Warnings: \d+|Records: .*?Warnings: \d+/.exec(
    payload.toString('latin1'),
  )
  const counts = payload.subarray(1, 3).toString('hex')
  return `OK ${counts} ${status} ${text?.[0] ?? ''}${isInner ? ' and more' : ''}`
}
