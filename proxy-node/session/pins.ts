/**
 * What binds a client session to one server, or forbids to move it in silence. State that no OK packet
 * carries to another server is here, each with what becomes of it when its server is lost: it is told
 * to the client once, never ignored. Source: proxy-protocol.md §4.3, §5.3; proxy-protocol-tried.md A6, A8, A11.
 */
import { STATUS } from '../wire/protocol.ts'

type PinEntry = {
  /** Bit in `SessionMemory.pins`; 0 for what is kept elsewhere: the status word, a statement. */
  readonly bit: number
  /** session: every statement stays. next: the statement behind it, if it asks. statement: one prepared statement. */
  readonly binds: 'session' | 'next' | 'statement'
  /** What ends it without a loss. */
  readonly until: string
  /** Named in the error of the next statement when the server is gone. */
  readonly lost: string
}

export const PINS = {
  /** IN_TRANS of the last OK (§5.1). */
  transaction: {
    bit: 0,
    binds: 'session',
    until: 'an OK without IN_TRANS',
    lost: 'the transaction',
  },
  /** SET TRANSACTION; `ob_proxy_set_trx_executed` is ON until it was used (A8). */
  nextTransaction: {
    bit: 1,
    binds: 'session',
    until: 'ob_proxy_set_trx_executed=OFF',
    lost: 'the settings of the next transaction',
  },
  /** `_ob_proxy_session_temporary_table_used`, or CREATE TEMPORARY TABLE was seen. */
  temporaryTables: {
    bit: 2,
    binds: 'session',
    until: '_ob_proxy_session_temporary_table_used=OFF, RESET_CONNECTION',
    lost: 'the temporary tables',
  },
  /** GET_LOCK; the server tells by extra info 1001 (A6). */
  userLocks: {
    bit: 4,
    binds: 'session',
    until: 'IS_LOCK_SESSION=0, RESET_CONNECTION',
    lost: 'the user locks',
  },
  /** LOCK TABLES and what else LOCK begins; nothing tells of its end but UNLOCK. */
  tableLocks: {
    bit: 8,
    binds: 'session',
    until: 'UNLOCK, RESET_CONNECTION',
    lost: 'the table locks',
  },
  /** PREPARE, USE, LOCK, TEMPORARY behind a semicolon: the last OK does not tell all of it (§6.5). */
  untracked: {
    bit: 16,
    binds: 'session',
    until: 'RESET_CONNECTION',
    lost: 'what several statements in one left on their server',
  },
  /** PREPARE_EXECUTE, SEND_PIECE_DATA, GET_PIECE_DATA: Oracle mode is passed through on one server. */
  pieces: {
    bit: 32,
    binds: 'session',
    until: 'RESET_CONNECTION',
    lost: 'statements of the Oracle-mode protocol',
  },
  /** `insert_id`, `rand_seed1`, `rand_seed2`: OBServers take them with a warning and change nothing; one that honours them reports them. */
  usedUp: {
    bit: 64,
    binds: 'session',
    until: 'RESET_CONNECTION',
    lost: 'insert_id or seeds of RAND() that were set',
  },
  /** PREPARE and DEALLOCATE inside a routine: texts stay where the last CALL ran (`routines.ts`). */
  routineTexts: {
    bit: 0,
    binds: 'statement',
    until: 'RESET_CONNECTION',
    lost: 'what routines may have prepared by text',
  },
  /** A value whose type and collation no OK told, until its server was asked (`user-values.ts`). */
  userValues: {
    bit: 0,
    binds: 'next',
    until: 'the server was asked',
    lost: 'types and collations of user variables',
  },
  /** `s.nextval` was drawn: `s.currval` is known on that server only (tried: 9753 elsewhere). */
  sequences: {
    bit: 0,
    binds: 'statement',
    until: 'nextval elsewhere, RESET_CONNECTION',
    lost: 'the current values of sequences',
  },
  /** FOUND_ROWS(), ROW_COUNT(), SHOW WARNINGS, GET DIAGNOSTICS: in no blob (A11). */
  lastStatement: {
    bit: 0,
    binds: 'next',
    until: 'the next statement',
    lost: 'what the last statement left: found rows, row count, warnings',
  },
  /** SEND_LONG_DATA has begun (§6.3). */
  longData: {
    bit: 0,
    binds: 'statement',
    until: 'EXECUTE, RESET, CLOSE',
    lost: 'the long data of this statement',
  },
  /** EXECUTE left a cursor open (§6.4). */
  cursor: {
    bit: 0,
    binds: 'statement',
    until: 'CLOSE, RESET, another EXECUTE',
    lost: 'the cursor of this statement',
  },
} as const satisfies Record<string, PinEntry>

export type PinName = keyof typeof PINS

const NAMES = Object.keys(PINS) as PinName[]

/** Whether a session with these pins and this status may be moved in silence. */
export function mayMove(pins: number, status: number): boolean {
  return pins === 0 && (status & STATUS.inTransaction) === 0
}

/** What is lost with the server of a session that has these pins, for the client to read. */
export function lostWith(pins: number): string {
  return NAMES.filter(name => (PINS[name].bit & pins) !== 0)
    .map(name => PINS[name].lost)
    .join(', ')
}
