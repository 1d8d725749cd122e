/** START TRANSACTION with its options. Hot path: see the rules. Source: MySQL manual, "START TRANSACTION". */
import { keyword, type Lexer, SIGN } from './lexer.ts'
import { isAtEnd, stepOver } from './token-steps.ts'

const TRANSACTION = keyword('transaction')
const WITH = keyword('with')
const CONSISTENT = keyword('consistent')
const SNAPSHOT = keyword('snapshot')
const READ = keyword('read')
const ONLY = keyword('only')
const WRITE = keyword('write')

/** Bits of what `transactionStart` found. */
export const STARTED = {
  /** A transaction begins; with anything else behind START it is the server's to judge. */
  begins: 1,
  /** WITH CONSISTENT SNAPSHOT is among the options. */
  snapshot: 2,
} as const

/** Kinds of options; each may stand once. */
const OPTION = { access: 1, snapshot: 2 } as const

/** From START, the current token, to the end of the options that were understood. */
export function transactionStart(lexer: Lexer): number {
  lexer.next()
  let begins = stepOver(lexer, TRANSACTION)
  let seen = 0
  while (begins && !isAtEnd(lexer)) {
    const option = startOption(lexer)
    begins = option !== 0 && (seen & option) === 0
    seen |= option
    if (!lexer.isSign(SIGN.comma)) break
    lexer.next()
    begins &&= !isAtEnd(lexer)
  }
  const snapshot = (seen & OPTION.snapshot) !== 0 ? STARTED.snapshot : 0
  return begins && isAtEnd(lexer) ? snapshot | STARTED.begins : snapshot
}

/** Reads READ ONLY, READ WRITE or WITH CONSISTENT SNAPSHOT. */
function startOption(lexer: Lexer): number {
  if (stepOver(lexer, READ))
    return stepOver(lexer, ONLY) || stepOver(lexer, WRITE) ? OPTION.access : 0
  const isSnapshot =
    stepOver(lexer, WITH) && stepOver(lexer, CONSISTENT) && stepOver(lexer, SNAPSHOT)
  return isSnapshot ? OPTION.snapshot : 0
}
