/**
 * OK and ERR packets, payloads without headers. OceanBase's OK to a proxy is not MySQL's: one entry
 * holds every changed system variable, then a separator, then user variables as SQL literals.
 * Sources: proxy-protocol.md §2.5, §2.6, §8; proxy-protocol-tried.md A7, A20.
 */
import type { Fault } from '#contract/fault'
import { FAULTS } from '#contract/faults'
import { DEFAULT_STATUS, STATUS } from './protocol.ts'
import { malformed, Reader } from './reader.ts'
import { concat, Writer } from './writer.ts'

export type OkPacket = {
  readonly affectedRows: number | bigint
  /** A bigint above 2^53: AUTO_INCREMENT columns can be BIGINT UNSIGNED. */
  readonly insertId: number | bigint
  readonly status: number
  readonly warnings: number
  readonly message: Uint8Array
  /** Changed system variables, display text. */
  readonly systemVariables: ReadonlyMap<string, string>
  /** Changed user variables, SQL literals, latin1 bytes kept as they came. */
  readonly userVariables: ReadonlyMap<string, Uint8Array>
  /** Undefined: unchanged; empty: no database any more. */
  readonly schema: string | undefined
}

const ENTRY = { systemVariables: 0, schema: 1 } as const
const SEPARATOR = '__NULL'
const NO_VARIABLES: ReadonlyMap<string, string> = new Map()
const NO_USER_VARIABLES: ReadonlyMap<string, Uint8Array> = new Map()
const EMPTY = new Uint8Array(0)
/** Header byte, two counts below 251, status, warnings. */
const SHORT_OK_BYTES = 7
/** The high byte of `STATUS.sessionStateChanged`. */
const STATE_CHANGED_HIGH = STATUS.sessionStateChanged >> 8
const BLANK = 0x20

/** @throws protocol.malformed when the payload is no OK packet. */
export function parseOk(payload: Uint8Array): OkPacket {
  const { state, ...head } = parseHead(payload)
  const tracked = state === undefined ? undefined : parseState(state)
  return {
    ...head,
    systemVariables: tracked?.system ?? NO_VARIABLES,
    userVariables: tracked?.user ?? NO_USER_VARIABLES,
    schema: tracked?.schema,
  }
}

/**
 * No rows, no insert id, no state, no message: the usual end of a result set. Hot path: told without
 * taking the packet apart.
 */
export function isBareOk(payload: Uint8Array): boolean {
  // One byte more: the length of an empty message.
  if (payload[1] !== 0 || payload[2] !== 0 || payload.length > SHORT_OK_BYTES + 1) return false
  return ((payload[4] as number) & STATE_CHANGED_HIGH) === 0
}

/** The same of an OBServer's OK to a proxy: a blank that is no part of the message stands before it (§2.5). */
export function parseServerOk(payload: Uint8Array): OkPacket {
  const ok = parseOk(payload)
  return ok.message[0] === BLANK ? { ...ok, message: ok.message.subarray(1) } : ok
}

/**
 * The entry of system variables in an OK, as it stands there; empty when there is none. Two logins of
 * one tenant have the same bytes here. @throws protocol.malformed
 */
export function variablesOfOk(payload: Uint8Array): Uint8Array {
  const { state } = parseHead(payload)
  while (state !== undefined && state.left > 0) {
    const kind = state.u8()
    const entry = state.lenencView()
    if (kind === ENTRY.systemVariables) return entry
  }
  return EMPTY
}

/** The OK that a client gets: what the statement did, without the proxy's session state (§2.6). */
export function rebuildOk(ok: OkPacket): Uint8Array {
  return buildOk(ok.status & ~STATUS.sessionStateChanged, ok)
}

/**
 * The OK as an OBServer itself writes it for this client: nothing of the session's state, and the text
 * with its length only where the client tracks sessions, else with a blank in front and no length.
 * `ok` is what `payload` says, where that is known already; an OK without a text costs nothing.
 */
export function shownOk(
  payload: Uint8Array,
  ok: OkPacket | undefined,
  tracksSession: boolean,
): Uint8Array {
  if (ok === undefined && payload.length <= SHORT_OK_BYTES + 1 && !payload[SHORT_OK_BYTES])
    return payload.subarray(0, SHORT_OK_BYTES)
  if (ok !== undefined && ok.message.length === 0) return rebuildOk(ok)
  if (tracksSession) return rebuildOk(parseServerOk(payload))
  const whole = parseOk(payload)
  return concat([rebuildOk({ ...whole, message: EMPTY }), whole.message])
}

/** Payload of an OK; `status` defaults to autocommit. */
export function buildOk(
  status: number = DEFAULT_STATUS,
  counts: Partial<Pick<OkPacket, 'affectedRows' | 'insertId' | 'warnings' | 'message'>> = {},
): Uint8Array {
  const writer = new Writer(32)
    .u8(0)
    .lenenc(counts.affectedRows ?? 0)
    .lenenc(counts.insertId ?? 0)
    .u16(status)
    .u16(counts.warnings ?? 0)
  if (counts.message !== undefined && counts.message.length > 0) writer.lenencBytes(counts.message)
  return writer.payload()
}

/** Payload of an ERR. */
export function buildError(errno: number, state: string, message: string): Uint8Array {
  return new Writer(64).u8(0xff).u16(errno).text('#').text(state).text(message).payload()
}

/** The fault as a MySQL client reads it; a fault without a MySQL number is an internal error. */
export function errorOfFault(fault: Fault): Uint8Array {
  const mysql = fault.entry.mysql ?? FAULTS['proxy.internal'].mysql
  return buildError(mysql.errno, mysql.state, fault.message)
}

export type ErrorPacket = {
  readonly errno: number
  readonly state: string
  readonly message: string
}

/** @throws protocol.malformed when the payload is no ERR packet. */
export function parseError(payload: Uint8Array): ErrorPacket {
  const reader = new Reader(payload)
  if (reader.u8() !== 0xff) throw malformed('ERR packet expected')
  const errno = reader.u16()
  const marked = reader.left >= 6 && payload[reader.offset] === 0x23
  const state = marked ? reader.string(6).slice(1) : 'HY000'
  return { errno, state, message: reader.string(reader.left) }
}

function parseHead(payload: Uint8Array) {
  const reader = new Reader(payload)
  if (reader.u8() !== 0) throw malformed('OK packet expected')
  const affectedRows = reader.lenencWide()
  const insertId = reader.lenencWide()
  const status = reader.u16()
  const warnings = reader.u16()
  const message = reader.left > 0 ? reader.lenencView() : EMPTY
  const tracked = (status & STATUS.sessionStateChanged) !== 0 && reader.left > 0
  const state = tracked ? new Reader(reader.lenencView()) : undefined
  return { affectedRows, insertId, status, warnings, message, state }
}

function parseState(reader: Reader) {
  const system = new Map<string, string>()
  const user = new Map<string, Uint8Array>()
  let schema: string | undefined
  while (reader.left > 0) {
    const kind = reader.u8()
    const entry = new Reader(reader.lenencView())
    if (kind === ENTRY.systemVariables) parseVariables(entry, system, user)
    else if (kind === ENTRY.schema) schema = entry.left > 0 ? entry.lenencString() : ''
  }
  return { system, user, schema }
}

function parseVariables(
  entry: Reader,
  system: Map<string, string>,
  user: Map<string, Uint8Array>,
): void {
  let separated = false
  while (entry.left > 0) {
    const name = entry.lenencString()
    const value = entry.lenencView()
    if (name === SEPARATOR && !separated) separated = true
    else if (separated) user.set(name, value.slice())
    else system.set(name, Buffer.from(value).toString('utf8'))
  }
}
