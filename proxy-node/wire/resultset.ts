/**
 * Text result sets: built for answers the proxy gives itself, read by its own small client.
 * Relayed result sets never pass here. Source: MySQL internals manual, text protocol.
 */
import { CAPABILITY, COLLATION, COLUMN_TYPE, DEFAULT_STATUS } from './protocol.ts'
import { Reader } from './reader.ts'
import { packet, Writer } from './writer.ts'

export type Column = { readonly name: string; readonly type: number }

export type Cell = string | number | null

const MAX_CELL_BYTES = 65_535

/** A whole text result set as framed packets; `sequence` is the number of the first one. */
export function buildResultset(
  sequence: number,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  status: number = DEFAULT_STATUS,
): Uint8Array[] {
  const payloads = [
    new Writer(4).lenenc(columns.length).payload(),
    ...columns.map(columnDefinition),
    buildEof(status),
    ...rows.map(textRow),
    buildEof(status),
  ]
  return payloads.map((payload, index) => packet((sequence + index) & 0xff, payload))
}

/** Payload of an EOF. */
export function buildEof(status: number = DEFAULT_STATUS): Uint8Array {
  return new Writer(5).u8(0xfe).u16(0).u16(status).payload()
}

/** Cells of one text row; NULL is null. @throws protocol.malformed */
export function parseTextRow(payload: Uint8Array, columnCount: number): (string | null)[] {
  const reader = new Reader(payload)
  const cells: (string | null)[] = []
  for (let index = 0; index < columnCount; index++) {
    const cell = reader.cell()
    cells.push(cell === null ? null : Buffer.from(cell).toString('utf8'))
  }
  return cells
}

/** The column's name in a ColumnDefinition41. @throws protocol.malformed */
export function parseColumnName(payload: Uint8Array): string {
  const reader = new Reader(payload)
  for (let skipped = 0; skipped < 4; skipped++) reader.lenencView()
  return reader.lenencString()
}

export const varchar = (name: string): Column => ({ name, type: COLUMN_TYPE.varString })
export const bigint = (name: string): Column => ({ name, type: COLUMN_TYPE.longlong })

/** Capabilities of the proxy's own logins as a client. */
export const CLIENT_CAPABILITIES =
  CAPABILITY.longPassword |
  CAPABILITY.protocol41 |
  CAPABILITY.transactions |
  CAPABILITY.secureConnection |
  CAPABILITY.multiResults |
  CAPABILITY.pluginAuth

function columnDefinition(column: Column): Uint8Array {
  const numeric = column.type !== COLUMN_TYPE.varString
  return new Writer(64)
    .lenencText('def')
    .lenencText('')
    .lenencText('')
    .lenencText('')
    .lenencText(column.name)
    .lenencText(column.name)
    .u8(0x0c)
    .u16(numeric ? COLLATION.binary : COLLATION.utf8mb4GeneralCi)
    .u32(numeric ? 20 : MAX_CELL_BYTES)
    .u8(column.type)
    .u16(0)
    .u8(0)
    .zeros(2)
    .payload()
}

function textRow(cells: readonly Cell[]): Uint8Array {
  const writer = new Writer(64)
  for (const cell of cells) {
    if (cell === null) writer.u8(0xfb)
    else writer.lenencText(String(cell))
  }
  return writer.payload()
}
