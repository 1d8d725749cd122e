/**
 * The MySQL wire format, as much of it as a server of the text protocol says and hears. Its own
 * codec: it shares no code with the proxy that it stands beside.
 */

export const CAPABILITY = {
  longPassword: 1 << 0,
  foundRows: 1 << 1,
  longFlag: 1 << 2,
  connectWithDb: 1 << 3,
  protocol41: 1 << 9,
  interactive: 1 << 10,
  transactions: 1 << 13,
  secureConnection: 1 << 15,
  multiStatements: 1 << 16,
  multiResults: 1 << 17,
  psMultiResults: 1 << 18,
  pluginAuth: 1 << 19,
  connectAttributes: 1 << 20,
} as const

export const COMMAND = {
  quit: 0x01,
  initDb: 0x02,
  query: 0x03,
  fieldList: 0x04,
  statistics: 0x09,
  processKill: 0x0c,
  ping: 0x0e,
  changeUser: 0x11,
  prepare: 0x16,
  execute: 0x17,
  sendLongData: 0x18,
  closeStatement: 0x19,
  resetStatement: 0x1a,
  setOption: 0x1b,
  fetch: 0x1c,
  resetConnection: 0x1f,
} as const

export const STATUS = {
  inTransaction: 0x01,
  autocommit: 0x02,
  moreResults: 0x08,
  cursorExists: 0x40,
} as const

const MAX_PAYLOAD = 0xff_ffff
const COLLATION_UTF8MB4 = 45

export const COLUMN_TYPE = { tiny: 1, int: 3, bigint: 8, timestamp: 7, text: 253 } as const

export type ColumnType = keyof typeof COLUMN_TYPE

export type Packet = {
  readonly sequence: number
  readonly payload: Buffer
  /** Header and payload as they came. */
  readonly raw: Buffer
}

/** Cuts a stream into packets. Those of 16 MB − 1 are not put together: each is one of its own. */
export class PacketReader {
  private pending: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Packet[] {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    const packets: Packet[] = []
    for (;;) {
      if (this.pending.length < 4) return packets
      const end = 4 + this.pending.readUIntLE(0, 3)
      if (this.pending.length < end) return packets
      const raw = this.pending.subarray(0, end)
      packets.push({ sequence: raw[3] ?? 0, payload: raw.subarray(4), raw })
      this.pending = this.pending.subarray(end)
    }
  }
}

export function isContinued({ payload }: Packet): boolean {
  return payload.length === MAX_PAYLOAD
}

/** @throws RangeError for a payload that does not fit into one packet */
export function packet(sequence: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(payload.length, 0, 3)
  head[3] = sequence & 0xff
  return Buffer.concat([head, payload])
}

export function lenenc(value: number): Buffer {
  if (value < 251) return Buffer.from([value])
  const width = value < 0x1_0000 ? 2 : 3
  const bytes = Buffer.alloc(1 + width)
  bytes[0] = width === 2 ? 0xfc : 0xfd
  bytes.writeUIntLE(value, 1, width)
  return bytes
}

export function lenencText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([lenenc(bytes.length), bytes])
}

export function okPayload(status: number, affected = 0): Buffer {
  const tail = Buffer.alloc(4)
  tail.writeUInt16LE(status, 0)
  return Buffer.concat([Buffer.from([0]), lenenc(affected), lenenc(0), tail])
}

export function errorPayload(errno: number, state: string, text: string): Buffer {
  const head = Buffer.alloc(3)
  head[0] = 0xff
  head.writeUInt16LE(errno, 1)
  return Buffer.concat([head, Buffer.from(`#${state.padEnd(5, '0').slice(0, 5)}${text}`)])
}

export type Column = { readonly name: string; readonly type: ColumnType }

export type Table = {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/** A whole result set, its packets numbered on from `sequence`. */
export function resultSet({ columns, rows }: Table, sequence: number, status: number): Buffer {
  const eof = Buffer.from([0xfe, 0, 0, status & 0xff, status >> 8])
  const payloads = [lenenc(columns.length), ...columns.map(columnPayload), eof]
  for (const row of rows) payloads.push(Buffer.concat(row.map(cell)))
  payloads.push(eof)
  return Buffer.concat(payloads.map((payload, at) => packet(sequence + at, payload)))
}

function cell(value: string | null): Buffer {
  return value === null ? Buffer.from([0xfb]) : lenencText(value)
}

function columnPayload({ name, type }: Column): Buffer {
  const fixed = Buffer.alloc(13)
  fixed[0] = 0x0c
  fixed.writeUInt16LE(COLLATION_UTF8MB4, 1)
  fixed.writeUInt32LE(type === 'text' ? 65_535 : 20, 3)
  fixed[7] = COLUMN_TYPE[type]
  const names = ['def', '', '', '', name, name].map(lenencText)
  return Buffer.concat([...names, fixed])
}

export type Greeting = {
  readonly version: string
  readonly connectionId: number
  readonly scramble: Buffer
  readonly capabilities: number
}

export function greetingPayload({
  version,
  connectionId,
  scramble,
  capabilities,
}: Greeting): Buffer {
  const ids = Buffer.alloc(4)
  ids.writeUInt32LE(connectionId)
  const middle = Buffer.alloc(19)
  middle.writeUInt16LE(capabilities & 0xffff, 1)
  middle[3] = COLLATION_UTF8MB4
  middle.writeUInt16LE(STATUS.autocommit, 4)
  middle.writeUInt16LE(capabilities >>> 16, 6)
  middle[8] = scramble.length + 1
  return Buffer.concat([
    Buffer.from(`\x0a${version}\0`),
    ids,
    scramble.subarray(0, 8),
    middle,
    scramble.subarray(8),
    Buffer.from('\0mysql_native_password\0'),
  ])
}

/** The scramble of a server's greeting. */
export function parseGreeting(payload: Buffer): Buffer {
  const at = payload.indexOf(0) + 5
  return Buffer.concat([payload.subarray(at, at + 8), payload.subarray(at + 27, at + 39)])
}

export type Login = {
  readonly capabilities: number
  readonly collation: number
  readonly user: string
  readonly token: Buffer
  readonly database: string | undefined
}

/** @throws RangeError for what is cut off or of an older protocol */
export function parseLogin(payload: Buffer): Login {
  const capabilities = payload.readUInt32LE(0)
  if ((capabilities & CAPABILITY.protocol41) === 0) throw new RangeError('protocol before 4.1')
  const userEnd = payload.indexOf(0, 32)
  const tokenBytes = payload.readUInt8(userEnd + 1)
  const tokenEnd = userEnd + 2 + tokenBytes
  const databaseEnd = payload.indexOf(0, tokenEnd)
  const hasDatabase = (capabilities & CAPABILITY.connectWithDb) !== 0 && databaseEnd > tokenEnd
  return {
    capabilities,
    collation: payload.readUInt8(8),
    user: payload.toString('utf8', 32, userEnd),
    token: payload.subarray(userEnd + 2, tokenEnd),
    database: hasDatabase ? payload.toString('utf8', tokenEnd, databaseEnd) : undefined,
  }
}

export function loginPayload({ capabilities, collation, user, token, database }: Login): Buffer {
  const head = Buffer.alloc(32)
  head.writeUInt32LE(capabilities >>> 0, 0)
  head.writeUInt32LE(MAX_PAYLOAD, 4)
  head[8] = collation
  return Buffer.concat([
    head,
    Buffer.from(`${user}\0`),
    Buffer.from([token.length]),
    token,
    Buffer.from(database === undefined ? '' : `${database}\0`),
    Buffer.from('mysql_native_password\0'),
  ])
}

/** Asks the client to answer another scramble. */
export function authSwitchPayload(scramble: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from('\xfemysql_native_password\0', 'latin1'),
    scramble,
    Buffer.alloc(1),
  ])
}

/** Text behind the number of an error packet. */
export function parseError(payload: Buffer): { readonly errno: number; readonly text: string } {
  const hasState = payload[3] === 0x23
  return { errno: payload.readUInt16LE(1), text: payload.toString('utf8', hasState ? 9 : 3) }
}

/** Reads a length-encoded integer at `at`: value and where the next thing begins. */
export function takeLenenc(payload: Buffer, at: number): readonly [value: number, next: number] {
  const first = payload.readUInt8(at)
  if (first < 251) return [first, at + 1]
  if (first === 0xfc) return [payload.readUInt16LE(at + 1), at + 3]
  if (first === 0xfd) return [payload.readUIntLE(at + 1, 3), at + 4]
  return [Number(payload.readBigUInt64LE(at + 1)), at + 9]
}
