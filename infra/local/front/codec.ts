/**
 * The MySQL bytes an OBServer front needs, written apart from proxy-node/wire on purpose (L4): one
 * bug on both sides of a test would be green. Clear rather than fast.
 */

export type Packet = { readonly sequence: number; readonly payload: Buffer }

/** A payload of this length is continued by the next packet. */
export const LARGEST_PAYLOAD_BYTES = 0xffffff
const HEADER_BYTES = 4

/** Bytes that are no MySQL packet of the expected shape. */
export class MalformedPacket extends Error {}

/** Whole packets out of a byte stream; payloads of 16 MiB and more come in pieces, as on the wire. */
export class PacketStream {
  private chunks: Buffer[] = []
  private heldBytes = 0
  private neededBytes = HEADER_BYTES

  /** Holds back at most one packet: 16 MiB and the chunk that ends it. */
  push(bytes: Buffer): Packet[] {
    this.chunks.push(bytes)
    this.heldBytes += bytes.length
    if (this.heldBytes < this.neededBytes) return []
    let rest = this.chunks.length === 1 ? bytes : Buffer.concat(this.chunks)
    const packets: Packet[] = []
    this.neededBytes = HEADER_BYTES
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUIntLE(0, 3)
      this.neededBytes = end
      if (rest.length < end) break
      packets.push({ sequence: rest.readUInt8(3), payload: rest.subarray(HEADER_BYTES, end) })
      rest = rest.subarray(end)
      this.neededBytes = HEADER_BYTES
    }
    this.chunks = rest.length === 0 ? [] : [rest]
    this.heldBytes = rest.length
    return packets
  }
}

export function frame(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUIntLE(Math.min(payload.length, LARGEST_PAYLOAD_BYTES), 0, 3)
  header.writeUInt8(sequence & 0xff, 3)
  if (payload.length < LARGEST_PAYLOAD_BYTES) return Buffer.concat([header, payload])
  return Buffer.concat([
    header,
    payload.subarray(0, LARGEST_PAYLOAD_BYTES),
    frame(sequence + 1, payload.subarray(LARGEST_PAYLOAD_BYTES)),
  ])
}

/** Packets that a payload of this length takes. */
export function packetsOf(lengthBytes: number): number {
  return Math.floor(lengthBytes / LARGEST_PAYLOAD_BYTES) + 1
}

export function lenenc(value: number): Buffer {
  if (value < 251) return Buffer.from([value])
  const [lead, size] = lenencShape(value)
  const bytes = Buffer.alloc(1 + size)
  bytes.writeUInt8(lead, 0)
  if (size === 8) bytes.writeBigUInt64LE(BigInt(value), 1)
  else bytes.writeUIntLE(value, 1, size)
  return bytes
}

function lenencShape(value: number): readonly [number, number] {
  if (value < 0x10000) return [0xfc, 2]
  return value < 0x1000000 ? [0xfd, 3] : [0xfe, 8]
}

export function lenencText(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([lenenc(bytes.length), bytes])
}

/** The OK that OceanBase appends for a proxy when nothing changed. */
export function minimalOk(status = 0x0022): Buffer {
  return Buffer.from([0, 0, 0, status & 0xff, status >> 8, 0, 0, 0])
}

export type Ok = {
  readonly affectedRows: number
  readonly lastInsertId: number
  readonly status: number
  /** Entries of session state, as `schemaChange` and `variableChanges` build them. */
  readonly changes: readonly Buffer[]
}

const STATE_CHANGED = 0x4000

/** An OK; with changes in OceanBase's layout for proxies (proxy-protocol.md §2.5). */
export function okPacket({ affectedRows, lastInsertId, status, changes }: Ok): Buffer {
  const whole = changes.length === 0 ? status : status | STATE_CHANGED
  const state = Buffer.concat(changes)
  return Buffer.concat([
    Buffer.from([0]),
    lenenc(affectedRows),
    lenenc(lastInsertId),
    Buffer.from([whole & 0xff, whole >> 8, 0, 0]),
    lenenc(0),
    ...(changes.length === 0 ? [] : [lenenc(state.length), state]),
  ])
}

export function schemaChange(name: string): Buffer {
  const entry = lenencText(name)
  return Buffer.concat([Buffer.from([1]), lenenc(entry.length), entry])
}

type Pairs = readonly (readonly [string, string | Buffer])[]

/** One entry for all: system variables as text, a separator, user variables as literals. */
export function variableChanges(system: Pairs, user: Pairs): Buffer {
  const separated: Pairs = user.length === 0 ? system : [...system, ['__NULL', '__NULL'], ...user]
  const entry = Buffer.concat(separated.flat().map(lenencText))
  return Buffer.concat([Buffer.from([0]), lenenc(entry.length), entry])
}

export function errorPacket(errno: number, state: string, message: string): Buffer {
  return Buffer.concat([
    Buffer.from([0xff, errno & 0xff, errno >> 8]),
    Buffer.from(`#${state}${message}`),
  ])
}

export function eofPacket(status: number): Buffer {
  return Buffer.from([0xfe, 0, 0, status & 0xff, status >> 8])
}

const TEXT_COLLATION = 45

/** Column types of a definition (protocol numbers) that the fronts use. */
export const COLUMN = { double: 5, integer: 8, text: 253 } as const

export function columnPacket(name: string, type: number = COLUMN.text): Buffer {
  const collation = type === COLUMN.text ? TEXT_COLLATION : 63
  const flags = type === COLUMN.text ? 0 : 0x80
  return Buffer.concat([
    lenencText('def'),
    ...['', '', '', name, name].map(lenencText),
    Buffer.from([0x0c, collation, 0, 0xff, 0xff, 0, 0, type, flags, 0, 0, 0, 0]),
  ])
}

export type Cell = string | number | null

export function textRow(row: readonly Cell[]): Buffer {
  return Buffer.concat(row.map(cell => textCell(cell, false)))
}

function textCell(cell: Cell, isBinary: boolean): Buffer {
  if (cell === null) return Buffer.from([0xfb])
  return lenencText(isBinary ? Buffer.from(String(cell), 'latin1') : String(cell))
}

function tableRow(row: readonly Cell[], binary: ReadonlySet<number>): Buffer {
  return Buffer.concat(row.map((cell, at) => textCell(cell, binary.has(at))))
}

const NO_BINARY: ReadonlySet<number> = new Set()

export type Table = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  /** Places of columns whose texts hold a byte a character. */
  readonly binary?: ReadonlySet<number>
}

/** A text result set, packet by packet; with `extraOk` the OK that only proxies get. */
export function resultPayloads(table: Table, extraOk: boolean, status = 0x0022): Buffer[] {
  return [
    lenenc(table.columns.length),
    ...table.columns.map(name => columnPacket(name)),
    eofPacket(status),
    ...table.rows.map(row => tableRow(row, table.binary ?? NO_BINARY)),
    eofPacket(status),
    ...(extraOk ? [minimalOk(status)] : []),
  ]
}

/** Packets one behind the other, numbered from `sequence` on. */
export function framePackets(payloads: readonly Buffer[], sequence: number): Buffer {
  let next = sequence
  return Buffer.concat(
    payloads.map(payload => {
      const framed = frame(next, payload)
      next += packetsOf(payload.length)
      return framed
    }),
  )
}

/** The same as an answer to a command of one packet. */
export function resultPackets(table: Table, extraOk: boolean, status = 0x0022): Buffer {
  return framePackets(resultPayloads(table, extraOk, status), 1)
}
