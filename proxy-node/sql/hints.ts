/**
 * What a hint asks of routing and of patience. Read only when the lexer met one, since it makes strings.
 * Source: proxy-routing.md §5.3; OceanBase manual, "Hint".
 */
import { keyword, Lexer, SIGN, TOKEN, WordTable } from './lexer.ts'
import { skipOut, stepOverSign } from './token-steps.ts'

export type Consistency = 'weak' | 'strong' | 'frozen'

export type Hints = {
  /** READ_CONSISTENCY, the first one. */
  readonly consistency: Consistency | undefined
  /** QUERY_TIMEOUT, the first one, microseconds; 0 without one. */
  readonly queryTimeoutUs: number
  readonly tracesLog: boolean
  /** INDEX: what is between its parentheses, `t idx`, in lower case; at most MAX_INDEXES of them. */
  readonly indexes: readonly string[]
}

export const NO_HINTS: Hints = {
  consistency: undefined,
  queryTimeoutUs: 0,
  tracesLog: false,
  indexes: [],
}

const MAX_INDEXES = 16
/** Beyond it a number of microseconds is no number for a server either. */
const MAX_DIGITS = 16

const HINT = { consistency: 1, timeout: 2, trace: 3, index: 4 } as const

const HINTS = new WordTable<number>({
  read_consistency: HINT.consistency,
  query_timeout: HINT.timeout,
  trace_log: HINT.trace,
  index: HINT.index,
})

const CONSISTENCIES = new WordTable<Consistency>({
  weak: 'weak',
  strong: 'strong',
  frozen: 'frozen',
})

const END = keyword('*/')

/** The hint whose text begins at `at`, behind `/*+`, and ends with its comment or at `to`. */
export function readHints(bytes: Uint8Array, at: number, to: number, mode: number): Hints {
  const end = bytes
    .subarray(at, to)
    .findIndex((byte, index) => byte === END[0] && bytes[at + index + 1] === END[1])
  const lexer = new Lexer(bytes, at, end < 0 ? to : at + end, mode)
  let consistency: Consistency | undefined
  let queryTimeoutUs = 0
  let tracesLog = false
  const indexes: string[] = []
  for (lexer.next(); lexer.type !== TOKEN.end; ) {
    const hint = HINTS.lookup(lexer)
    lexer.next()
    if (hint === HINT.trace) tracesLog = true
    if (!stepOverSign(lexer, SIGN.open)) continue
    if (hint === HINT.consistency) consistency ??= CONSISTENCIES.lookup(lexer)
    else if (hint === HINT.timeout) queryTimeoutUs ||= numberAt(lexer)
    else if (hint === HINT.index && indexes.length < MAX_INDEXES) indexes.push(argumentsAt(lexer))
    skipOut(lexer)
  }
  return { consistency, queryTimeoutUs, tracesLog, indexes }
}

function numberAt(lexer: Lexer): number {
  if (lexer.type !== TOKEN.word || lexer.end - lexer.start > MAX_DIGITS) return 0
  const text = lexer.raw()
  return /^\d+$/.test(text) && lexer.isBefore(SIGN.close) ? Number(text) : 0
}

/** The names up to the closing parenthesis, each behind a blank; `@block` names no table. */
function argumentsAt(lexer: Lexer): string {
  const names: string[] = []
  while (lexer.type !== TOKEN.end && !lexer.isSign(SIGN.close)) {
    if (stepOverSign(lexer, SIGN.at)) lexer.next()
    else {
      if (lexer.type !== TOKEN.sign) names.push(lexer.name())
      lexer.next()
    }
  }
  return names.join(' ')
}
