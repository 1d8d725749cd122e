/**
 * Numbers of the MySQL client/server protocol and of OceanBase's additions to it, each once.
 * Sources: MySQL internals manual; proxy-protocol.md §1.1, §2.3, §2.5, §6.1.
 */

/** Payload length that announces a continuation packet. */
export const MAX_PAYLOAD = 0xffffff
export const HEADER_BYTES = 4
export const SCRAMBLE_BYTES = 20
export const NATIVE_PLUGIN = 'mysql_native_password'

export const COMMAND = {
  sleep: 0x00,
  quit: 0x01,
  initDb: 0x02,
  query: 0x03,
  fieldList: 0x04,
  createDb: 0x05,
  dropDb: 0x06,
  refresh: 0x07,
  shutdown: 0x08,
  statistics: 0x09,
  processInfo: 0x0a,
  connect: 0x0b,
  processKill: 0x0c,
  debug: 0x0d,
  ping: 0x0e,
  time: 0x0f,
  delayedInsert: 0x10,
  changeUser: 0x11,
  binlogDump: 0x12,
  tableDump: 0x13,
  connectOut: 0x14,
  registerSlave: 0x15,
  stmtPrepare: 0x16,
  stmtExecute: 0x17,
  stmtSendLongData: 0x18,
  stmtClose: 0x19,
  stmtReset: 0x1a,
  setOption: 0x1b,
  stmtFetch: 0x1c,
  daemon: 0x1d,
  binlogDumpGtid: 0x1e,
  resetConnection: 0x1f,
  prepareExecute: 0xa1,
  sendPieceData: 0xa2,
  getPieceData: 0xa3,
} as const

/** What a client sends without a command byte; never on the wire (§6.1). */
export const PSEUDO_COMMAND = { infileContent: 0xf0, authSwitchAnswer: 0xf1 } as const

/** Client/server capability bits. */
export const CAPABILITY = {
  longPassword: 0x1,
  foundRows: 0x2,
  longFlag: 0x4,
  connectWithDb: 0x8,
  compress: 0x20,
  localFiles: 0x80,
  ignoreSpace: 0x100,
  protocol41: 0x200,
  interactive: 0x400,
  ssl: 0x800,
  transactions: 0x2000,
  secureConnection: 0x8000,
  multiStatements: 0x1_0000,
  multiResults: 0x2_0000,
  psMultiResults: 0x4_0000,
  pluginAuth: 0x8_0000,
  connectAttrs: 0x10_0000,
  pluginAuthLenenc: 0x20_0000,
  expiredPasswords: 0x40_0000,
  sessionTrack: 0x80_0000,
  deprecateEof: 0x100_0000,
  optionalResultsetMetadata: 0x200_0000,
  zstd: 0x400_0000,
  queryAttributes: 0x800_0000,
} as const

/** What our greeting offers: 0x009FF7DF, without COMPRESS, SSL and DEPRECATE_EOF (§1.1). */
export const GREETING_CAPABILITIES = 0x009ff7df

export const STATUS = {
  inTransaction: 0x0001,
  autocommit: 0x0002,
  moreResults: 0x0008,
  cursorExists: 0x0040,
  lastRowSent: 0x0080,
  noBackslashEscapes: 0x0200,
  psOutParams: 0x1000,
  sessionStateChanged: 0x4000,
} as const

/** Status of packets the proxy makes itself: AUTOCOMMIT and the bit that OceanBase always sets (§2.6). */
export const DEFAULT_STATUS = 0x0022

/** Bits of `__proxy_capability_flag` that plain protocol uses (§2.3); the server answers with its own choice of them. */
export const PROXY_CAPABILITY = {
  partitionTable: 0x1,
  changeUser: 0x2,
  readWeak: 0x4,
  extraOkStatistics: 0x200,
  plRoute: 0x800,
  localFiles: 0x10_0000,
  clientSessionIdV2: 0x20_0000,
} as const

/** What the proxy announces to a server: no bit of OB 2.0 (8) or of the compressed protocol (3). */
export const PROXY_CAPABILITIES = Object.values(PROXY_CAPABILITY).reduce((all, bit) => all | bit, 0)

/**
 * The bits that come with OB 2.0 (§2.3). Left out on purpose: 3, the older compressed protocol; 4 and
 * 17, which 4.x refuses; 5, 6, 7, 10, of no use to us; 22, zlib around frames, which the codec has not.
 */
export const OB20_CAPABILITY = {
  framing: 0x100,
  reroute: 0x1000,
  sessionSync: 0x2000,
  newExtraInfo: 0x8000,
  sessionVariableSync: 0x1_0000,
  repeatedSessionSync: 0x8_0000,
  feedback: 0x80_0000,
} as const

/** Full-link trace, in extra info 2003; asked for beside the others where it is wanted. */
export const TRACE_CAPABILITIES = 0x4000 | 0x4_0000

/** What the proxy announces where OB 2.0 is allowed; a server that does not know it answers with less. */
export const OB20_CAPABILITIES = Object.values(OB20_CAPABILITY).reduce(
  (all, bit) => all | bit,
  PROXY_CAPABILITIES,
)

export const COLLATION = { utf8mb4GeneralCi: 45, utf8mb4Bin: 46, binary: 63 } as const

export const COLUMN_TYPE = { tiny: 1, long: 3, longlong: 8, timestamp: 7, varString: 253 } as const
