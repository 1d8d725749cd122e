/** What becomes of each command byte. Source: proxy-protocol.md §6.1, proxy-protocol-tried.md A16. */
import { COMMAND } from '../wire/protocol.ts'
import type { Mode } from './ports.ts'

/** Relayed to a server and back; every other one is refused with 1235. */
const RELAYED = tableOf([
  COMMAND.initDb,
  COMMAND.query,
  COMMAND.fieldList,
  COMMAND.statistics,
  COMMAND.debug,
  COMMAND.stmtPrepare,
  COMMAND.stmtExecute,
  COMMAND.stmtSendLongData,
  COMMAND.stmtClose,
  COMMAND.stmtReset,
  COMMAND.stmtFetch,
  COMMAND.setOption,
])

/** A tuple of bytes by command: looked up once a command, without hashing. */
function tableOf(commands: readonly number[]): Uint8Array {
  const table = new Uint8Array(256)
  for (const command of commands) table[command] = 1
  return table
}

export function isRelayed(command: number, mode: Mode['kind']): boolean {
  return RELAYED[command] === 1 || (mode === 'mysql' && command === COMMAND.resetConnection)
}

/** No server answers CLOSE and SEND_LONG_DATA. */
export function isAnsweredByServers(command: number): boolean {
  return command !== COMMAND.stmtClose && command !== COMMAND.stmtSendLongData
}
