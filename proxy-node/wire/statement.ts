/**
 * The few fixed places of the binary statement protocol that a proxy reads or rewrites: ids, counts,
 * flags. Parameters and rows stay bytes. Source: MySQL internals manual; proxy-protocol.md §6.3, §6.4.
 */
import { malformed, Reader } from './reader.ts'

export type PrepareOk = {
  readonly statementId: number
  readonly columnCount: number
  readonly parameterCount: number
  readonly warnings: number
}

/** The statement id in PREPARE_OK, EXECUTE, FETCH, CLOSE, RESET and SEND_LONG_DATA stands behind their first byte. */
const STATEMENT_ID_AT = 1
const STATEMENT_ID_END = 5

/** Cursor types in the flags of EXECUTE. */
export const CURSOR = { none: 0, readOnly: 1 } as const

/** @throws protocol.malformed when the payload is no PREPARE_OK. */
export function parsePrepareOk(payload: Uint8Array): PrepareOk {
  const reader = new Reader(payload)
  if (reader.u8() !== 0x00) throw malformed('answer to PREPARE')
  const statementId = reader.u32()
  const columnCount = reader.u16()
  const parameterCount = reader.u16()
  // Servers older than the warning count end here.
  const warnings = reader.left >= 3 ? new Reader(payload, reader.offset + 1).u16() : 0
  return { statementId, columnCount, parameterCount, warnings }
}

/** Statement id of a command or PREPARE_OK whose payload begins at `at`. @throws protocol.malformed */
export function statementId(bytes: Uint8Array, at = 0): number {
  return new Reader(bytes, at + STATEMENT_ID_AT).u32()
}

/** Writes another statement id in place. @throws protocol.malformed when the payload is too short. */
export function setStatementId(bytes: Uint8Array, at: number, id: number): void {
  if (bytes.length < at + STATEMENT_ID_END) throw malformed('statement command cut short')
  bytes[at + 1] = id & 0xff
  bytes[at + 2] = (id >>> 8) & 0xff
  bytes[at + 3] = (id >>> 16) & 0xff
  bytes[at + 4] = id >>> 24
}

/** Whether an EXECUTE whose payload begins at `at` asks for a cursor. @throws protocol.malformed */
export function wantsCursor(bytes: Uint8Array, at = 0): boolean {
  return new Reader(bytes, at + STATEMENT_ID_END).u8() !== CURSOR.none
}
