/** Values of prepared statements: parameters in, rows out. */
import { type Cell, COLUMN, lenencText, MalformedPacket } from '../codec.ts'
import { takeLenenc } from '../login-codec.ts'
import type { ResultColumn } from './select.ts'
import { SqlError } from './sql-error.ts'

/** A row of the binary protocol; NULL bits begin at the third. */
export function binaryRow(row: readonly Cell[], columns: readonly ResultColumn[]): Buffer {
  const nulls = Buffer.alloc((columns.length + 9) >> 3)
  const cells: Buffer[] = []
  for (const [index, { type }] of columns.entries()) {
    const cell = row[index] ?? null
    if (cell === null) {
      const bit = index + 2
      nulls.writeUInt8(nulls.readUInt8(bit >> 3) | (1 << (bit & 7)), bit >> 3)
    } else cells.push(binaryCell(cell, type))
  }
  return Buffer.concat([Buffer.from([0]), nulls, ...cells])
}

function binaryCell(cell: string | number, type: number): Buffer {
  if (type === COLUMN.text) return lenencText(String(cell))
  const bytes = Buffer.alloc(8)
  if (type === COLUMN.double) bytes.writeDoubleLE(Number(cell))
  else bytes.writeBigInt64LE(BigInt(Math.round(Number(cell))))
  return bytes
}

type Cursor = { at: number }

const WHOLE: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 4, 9: 4 }
const TEXTS = [15, 245, 246, 249, 250, 251, 252, 253, 254, 0]
const TYPE = { float: 4, double: 5, nothing: 6, timestamp: 7, longlong: 8, date: 10, datetime: 12 }

/** Types of the last execution, and values that came in packets of their own. */
export type Known = {
  readonly types: readonly number[] | undefined
  readonly long: ReadonlyMap<number, string>
}

/** Types of the parameters when the packet brings them, else the ones of the last time. */
export type Execution = { readonly types: readonly number[]; readonly values: readonly Cell[] }

/**
 * Reads a COM_STMT_EXECUTE. @throws SqlError 5023 when types were never sent, 1210 for a type that
 * is not known; MalformedPacket when lengths lie.
 */
export function readExecution(payload: Buffer, count: number, known: Known): Execution {
  if (count === 0) return { types: [], values: [] }
  const nullBytes = (count + 7) >> 3
  const cursor = { at: 10 + nullBytes + 1 }
  if (payload.length < cursor.at) throw new MalformedPacket('execution too short')
  const nulls = payload.subarray(10, 10 + nullBytes)
  const types = payload[cursor.at - 1] === 1 ? readTypes(payload, count, cursor) : known.types
  if (types === undefined) throw new SqlError(5023, 'S1004', 'the types were never sent')
  const values = types.map((type, index) => {
    const long = known.long.get(index)
    if (long !== undefined) return long
    const isNull = ((nulls[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
    return isNull ? null : readValue(payload, type, cursor)
  })
  return { types, values }
}

function readTypes(payload: Buffer, count: number, cursor: Cursor): readonly number[] {
  const types: number[] = []
  for (let index = 0; index < count; index++) {
    const pair = slice(payload, cursor, 2)
    types.push((pair[0] ?? 0) | ((pair[1] ?? 0) & 0x80 ? 0x100 : 0))
  }
  return types
}

function slice(payload: Buffer, cursor: Cursor, length: number): Buffer {
  const end = cursor.at + length
  if (end > payload.length) throw new MalformedPacket('a parameter leads beyond the packet')
  const part = payload.subarray(cursor.at, end)
  cursor.at = end
  return part
}

function readValue(payload: Buffer, typeAndSign: number, cursor: Cursor): Cell {
  const type = typeAndSign & 0xff
  const isUnsigned = typeAndSign > 0xff
  const size = WHOLE[type]
  if (size !== undefined) {
    const bytes = slice(payload, cursor, size)
    return isUnsigned ? bytes.readUIntLE(0, size) : bytes.readIntLE(0, size)
  }
  if (TEXTS.includes(type)) return slice(payload, cursor, takeLenenc(payload, cursor)).toString()
  if (type === TYPE.nothing) return null
  if (type === TYPE.float) return slice(payload, cursor, 4).readFloatLE(0)
  if (type === TYPE.double) return slice(payload, cursor, 8).readDoubleLE(0)
  if (type === TYPE.longlong) {
    const bytes = slice(payload, cursor, 8)
    return Number(isUnsigned ? bytes.readBigUInt64LE(0) : bytes.readBigInt64LE(0))
  }
  if (type === TYPE.timestamp || type === TYPE.date || type === TYPE.datetime)
    return readTime(slice(payload, cursor, takeLenenc(payload, cursor)))
  throw new SqlError(1210, 'HY000', `the scripted engine does not know parameter type ${type}`)
}

function readTime(bytes: Buffer): string {
  const two = (at: number) => String(bytes[at] ?? 0).padStart(2, '0')
  const year = bytes.length >= 4 ? bytes.readUInt16LE(0) : 0
  const date = `${String(year).padStart(4, '0')}-${two(2)}-${two(3)}`
  return bytes.length < 7 ? date : `${date} ${two(4)}:${two(5)}:${two(6)}`
}
