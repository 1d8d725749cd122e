/**
 * The MySQL bytes an OBServer front needs, written apart from proxy-node/wire on purpose (L4): one
 * bug on both sides of a test would be green. Clear rather than fast.
 */

export type Packet = { readonly sequence: number; readonly payload: Buffer }

const MAX = 0xffffff

/** Whole packets out of a byte stream; payloads of 16 MiB and more come in pieces, as on the wire. */
export class PacketStream {
  private buffer = Buffer.alloc(0)

  push(bytes: Buffer): Packet[] {
    this.buffer = Buffer.concat([this.buffer, bytes])
    const packets: Packet[] = []
    while (this.buffer.length >= 4) {
      const length = this.buffer.readUIntLE(0, 3)
      if (this.buffer.length < 4 + length) break
      packets.push({
        sequence: this.buffer.readUInt8(3),
        payload: this.buffer.subarray(4, 4 + length),
      })
      this.buffer = this.buffer.subarray(4 + length)
    }
    return packets
  }
}

export function frame(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(Math.min(payload.length, MAX), 0, 3)
  header.writeUInt8(sequence & 0xff, 3)
  if (payload.length < MAX) return Buffer.concat([header, payload])
  return Buffer.concat([
    header,
    payload.subarray(0, MAX),
    frame(sequence + 1, payload.subarray(MAX)),
  ])
}

export function lenenc(value: number): Buffer {
  if (value < 251) return Buffer.from([value])
  if (value < 0x10000) return Buffer.from([0xfc, value & 0xff, value >> 8])
  return Buffer.from([0xfd, value & 0xff, (value >> 8) & 0xff, value >> 16])
}

export function lenencText(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([lenenc(bytes.length), bytes])
}

/** The OK that OceanBase appends for a proxy when nothing changed. */
export function minimalOk(status = 0x0022): Buffer {
  return Buffer.from([0, 0, 0, status & 0xff, status >> 8, 0, 0, 0])
}

export function errorPacket(errno: number, state: string, message: string): Buffer {
  return Buffer.concat([
    Buffer.from([0xff, errno & 0xff, errno >> 8]),
    Buffer.from(`#${state}${message}`),
  ])
}

function eof(status: number): Buffer {
  return Buffer.from([0xfe, 0, 0, status & 0xff, status >> 8])
}

function columnPacket(name: string): Buffer {
  return Buffer.concat([
    lenencText('def'),
    ...['', '', '', name, name].map(lenencText),
    Buffer.from([0x0c, 45, 0, 0xff, 0xff, 0, 0, 253, 0, 0, 0, 0, 0]),
  ])
}

export type Table = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

/** A text result set; with `extraOk` the OK that only proxies get. */
export function resultPackets(table: Table, extraOk: boolean, status = 0x0022): Buffer {
  const payloads = [
    lenenc(table.columns.length),
    ...table.columns.map(columnPacket),
    eof(status),
    ...table.rows.map(row =>
      Buffer.concat(
        row.map(cell => (cell === null ? Buffer.from([0xfb]) : lenencText(String(cell)))),
      ),
    ),
    eof(status),
    ...(extraOk ? [minimalOk(status)] : []),
  ]
  return Buffer.concat(payloads.map((payload, index) => frame(index + 1, payload)))
}

export type ClientLogin = {
  readonly head: Buffer
  readonly user: string
  readonly tail: Buffer
  readonly attributes: ReadonlyMap<string, Buffer>
  readonly authResponse: Buffer
}

const BIT = { withDb: 0x8, pluginAuth: 0x80000, attributes: 0x100000, lenencAuth: 0x200000 }

/** A HandshakeResponse41 cut so that the user can be replaced and the rest kept byte for byte. */
export function parseClientLogin(payload: Buffer): ClientLogin {
  const flags = payload.readUInt32LE(0)
  const userEnd = payload.indexOf(0, 32)
  const user = payload.subarray(32, userEnd).toString()
  const cursor = { at: userEnd + 1 }
  const authLength =
    (flags & BIT.lenencAuth) !== 0 ? takeLenenc(payload, cursor) : payload.readUInt8(cursor.at++)
  const authResponse = payload.subarray(cursor.at, cursor.at + authLength)
  cursor.at += authLength
  if ((flags & BIT.withDb) !== 0) cursor.at = payload.indexOf(0, cursor.at) + 1
  if ((flags & BIT.pluginAuth) !== 0) cursor.at = payload.indexOf(0, cursor.at) + 1
  const attributes = new Map<string, Buffer>()
  if ((flags & BIT.attributes) !== 0 && cursor.at > 0 && cursor.at < payload.length) {
    const end = takeLenenc(payload, cursor) + cursor.at
    while (cursor.at < end)
      attributes.set(takeBytes(payload, cursor).toString(), takeBytes(payload, cursor))
  }
  return {
    head: payload.subarray(0, 32),
    user,
    tail: payload.subarray(userEnd),
    attributes,
    authResponse,
  }
}

export function takeLenenc(bytes: Buffer, cursor: { at: number }): number {
  const first = bytes.readUInt8(cursor.at++)
  if (first < 251) return first
  const size = first === 0xfc ? 2 : 3
  const value = bytes.readUIntLE(cursor.at, size)
  cursor.at += size
  return value
}

function takeBytes(bytes: Buffer, cursor: { at: number }): Buffer {
  const length = takeLenenc(bytes, cursor)
  const part = bytes.subarray(cursor.at, cursor.at + length)
  cursor.at += length
  return part
}
