/**
 * What becomes of each command byte. Source: proxy-protocol.md §6.1, proxy-protocol-tried.md A16.
 */
import { COMMAND } from '../wire/protocol.ts'

/** Numbers, because every command is looked up. */
export const COURSE = {
  /** Refused with 1235. */
  refuse: 0,
  /** To the server in use, whatever it is. */
  relay: 1,
  query: 2,
  prepare: 3,
  execute: 4,
  longData: 5,
  close: 6,
  reset: 7,
  fetch: 8,
  ping: 9,
  quit: 10,
  changeUser: 11,
  resetConnection: 12,
  processList: 13,
  processKill: 14,
  createDatabase: 15,
  dropDatabase: 16,
  setOption: 17,
  /** Oracle mode: passed through on one server. */
  pieces: 18,
} as const

/** Commands that servers refuse with 1235 of their own are relayed: the client reads their words. */
const OCEANBASE = tableOf({
  [COMMAND.sleep]: COURSE.relay,
  [COMMAND.quit]: COURSE.quit,
  [COMMAND.initDb]: COURSE.relay,
  [COMMAND.query]: COURSE.query,
  [COMMAND.fieldList]: COURSE.relay,
  [COMMAND.createDb]: COURSE.createDatabase,
  [COMMAND.dropDb]: COURSE.dropDatabase,
  [COMMAND.refresh]: COURSE.relay,
  [COMMAND.shutdown]: COURSE.relay,
  [COMMAND.statistics]: COURSE.relay,
  [COMMAND.processInfo]: COURSE.processList,
  [COMMAND.connect]: COURSE.relay,
  [COMMAND.processKill]: COURSE.processKill,
  [COMMAND.debug]: COURSE.relay,
  [COMMAND.ping]: COURSE.ping,
  [COMMAND.time]: COURSE.relay,
  [COMMAND.delayedInsert]: COURSE.relay,
  [COMMAND.changeUser]: COURSE.changeUser,
  [COMMAND.stmtPrepare]: COURSE.prepare,
  [COMMAND.stmtExecute]: COURSE.execute,
  [COMMAND.stmtSendLongData]: COURSE.longData,
  [COMMAND.stmtClose]: COURSE.close,
  [COMMAND.stmtReset]: COURSE.reset,
  [COMMAND.setOption]: COURSE.setOption,
  [COMMAND.stmtFetch]: COURSE.fetch,
  [COMMAND.daemon]: COURSE.relay,
  [COMMAND.resetConnection]: COURSE.resetConnection,
  [COMMAND.prepareExecute]: COURSE.pieces,
  [COMMAND.sendPieceData]: COURSE.pieces,
  [COMMAND.getPieceData]: COURSE.pieces,
})

/** One server behind the client: everything is its matter, but for what would change the login. */
const MYSQL = tableOf({
  [COMMAND.quit]: COURSE.quit,
  [COMMAND.ping]: COURSE.ping,
  ...Object.fromEntries(
    [
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
      COMMAND.resetConnection,
    ].map(command => [command, COURSE.relay]),
  ),
})

/** By command byte: looked up once a command, without hashing. */
function tableOf(courses: Readonly<Record<number, number>>): Uint8Array {
  const table = new Uint8Array(256)
  for (const [command, course] of Object.entries(courses)) table[Number(command)] = course
  return table
}

export function courseOf(command: number, mode: 'mysql' | 'oceanbase'): number {
  return (mode === 'mysql' ? MYSQL : OCEANBASE)[command] as number
}

/** No server answers CLOSE and SEND_LONG_DATA. */
export function isAnsweredByServers(command: number): boolean {
  return command !== COMMAND.stmtClose && command !== COMMAND.stmtSendLongData
}

/** Commands other than statements by the names that servers show. */
const NAMES: Readonly<Record<number, string>> = {
  [COMMAND.stmtPrepare]: 'Prepare',
  [COMMAND.stmtExecute]: 'Execute',
  [COMMAND.stmtFetch]: 'Fetch',
  [COMMAND.initDb]: 'Init DB',
  [COMMAND.changeUser]: 'Change user',
  [COMMAND.resetConnection]: 'Reset Connection',
}

/** As SHOW PROCESSLIST names a command. */
export function commandName(command: number): string {
  return NAMES[command] ?? 'Query'
}
