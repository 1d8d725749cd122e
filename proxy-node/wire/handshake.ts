/**
 * Everything of a connection's first packets: greeting, login, authentication switch; payloads
 * without their headers. Sources: MySQL internals manual; proxy-protocol.md §1.1, §1.3, §2.1.
 */
import { invariant } from '../base/invariant.ts'
import { CAPABILITY, GREETING_CAPABILITIES, NATIVE_PLUGIN, SCRAMBLE_BYTES } from './protocol.ts'
import { malformed, Reader } from './reader.ts'
import { Writer } from './writer.ts'

export type Greeting = {
  readonly version: string
  readonly connectionId: number
  readonly scramble: Uint8Array
  readonly capabilities: number
  readonly collation: number
  readonly status: number
  readonly plugin: string
}

export type Login = {
  readonly capabilities: number
  readonly maxPacketBytes: number
  readonly collation: number
  readonly user: string
  readonly authResponse: Uint8Array
  /** Undefined when CONNECT_WITH_DB was not set. */
  readonly database: string | undefined
  /** Empty when PLUGIN_AUTH was not set. */
  readonly plugin: string
  readonly attributes: ReadonlyMap<string, Uint8Array>
}

const CAPABILITY_BYTES = 4
const SCRAMBLE_HEAD_BYTES = 8
const LOGIN_FILLER_BYTES = 23
const ATTRIBUTE_LIMIT_BYTES = 65_536
const PLUGIN_NAME = /^(mysql|caching|sha256|authentication|client|auth|parsec|dialog)[a-z0-9_]*$/

/** Payload of a HandshakeV10. */
export function buildGreeting(greeting: Greeting): Uint8Array {
  return new Writer()
    .u8(10)
    .nul(greeting.version)
    .u32(greeting.connectionId)
    .raw(greeting.scramble.subarray(0, SCRAMBLE_HEAD_BYTES))
    .u8(0)
    .u16(greeting.capabilities & 0xffff)
    .u8(greeting.collation)
    .u16(greeting.status)
    .u16(greeting.capabilities >>> 16)
    .u8(SCRAMBLE_BYTES + 1)
    .zeros(10)
    .raw(greeting.scramble.subarray(SCRAMBLE_HEAD_BYTES, SCRAMBLE_BYTES))
    .u8(0)
    .nul(greeting.plugin)
    .payload()
}

/** @throws protocol.malformed when the payload is no HandshakeV10. */
export function parseGreeting(payload: Uint8Array): Greeting {
  const reader = new Reader(payload)
  if (reader.u8() !== 10) throw malformed('greeting of an unknown protocol version')
  const version = reader.nulString()
  const connectionId = reader.u32()
  const head = reader.view(SCRAMBLE_HEAD_BYTES)
  reader.skip(1)
  const lower = reader.u16()
  const collation = reader.u8()
  const status = reader.u16()
  const capabilities = lower + reader.u16() * 0x1_0000
  reader.skip(11)
  const tail = reader.view(SCRAMBLE_BYTES - SCRAMBLE_HEAD_BYTES)
  const scramble = new Uint8Array(SCRAMBLE_BYTES)
  scramble.set(head)
  scramble.set(tail, SCRAMBLE_HEAD_BYTES)
  if (reader.left > 0) reader.skip(1)
  const plugin = reader.left > 0 ? tailString(reader) : NATIVE_PLUGIN
  return { version, connectionId, scramble, capabilities, collation, status, plugin }
}

/** The greeting this proxy sends: own scramble, own id, nothing offered that it cannot do. */
export function proxyGreeting(
  version: string,
  connectionId: number,
  scramble: Uint8Array,
): Greeting {
  return {
    version,
    connectionId,
    scramble,
    capabilities: GREETING_CAPABILITIES,
    collation: 46,
    status: 0,
    plugin: NATIVE_PLUGIN,
  }
}

/** What the relay does not implement; both sides must give it up (N10). */
const NOT_RELAYED =
  CAPABILITY.compress |
  CAPABILITY.ssl |
  CAPABILITY.deprecateEof |
  CAPABILITY.optionalResultsetMetadata |
  CAPABILITY.zstd |
  CAPABILITY.queryAttributes

/**
 * Takes from a MySQL server's greeting what the relay does not implement (N10). MariaDB announces
 * its extended capabilities in the last four of the ten reserved bytes, which stay zero here.
 */
export function maskGreeting(greeting: Greeting): Greeting {
  return { ...greeting, capabilities: (greeting.capabilities & ~NOT_RELAYED) >>> 0 }
}

/**
 * Takes the same from a client's answer that is relayed. MySQL's own client library asks for some of
 * it whatever the greeting said, and the server, which never saw our greeting, would agree.
 */
export function maskLogin(payload: Uint8Array): Uint8Array {
  if (payload.length < CAPABILITY_BYTES) return payload
  const masked = payload.slice()
  const view = new DataView(masked.buffer, masked.byteOffset)
  view.setUint32(0, (view.getUint32(0, true) & ~NOT_RELAYED) >>> 0, true)
  return masked
}

/** @throws protocol.malformed for anything but a whole HandshakeResponse41. */
export function parseLogin(payload: Uint8Array): Login {
  const reader = new Reader(payload)
  const capabilities = reader.u32()
  if ((capabilities & CAPABILITY.protocol41) === 0) throw malformed('client without PROTOCOL_41')
  const maxPacketBytes = reader.u32()
  const collation = reader.u8()
  reader.skip(LOGIN_FILLER_BYTES)
  const user = reader.nulString()
  const authResponse = parseAuthResponse(reader, capabilities)
  // Some drivers set CONNECT_WITH_DB and end the packet, or end names without a NUL.
  const database = (capabilities & CAPABILITY.connectWithDb) !== 0 ? tailString(reader) : undefined
  const plugin = (capabilities & CAPABILITY.pluginAuth) !== 0 ? parsePlugin(reader) : ''
  const attributes = parseAttributes(reader, capabilities)
  return {
    capabilities,
    maxPacketBytes,
    collation,
    user,
    authResponse,
    database,
    plugin,
    attributes,
  }
}

/**
 * What a COM_CHANGE_USER without its command byte says, by the capabilities of the connection's login.
 * @throws protocol.malformed
 */
export function parseChangeUser(payload: Uint8Array, capabilities: number): Login {
  const reader = new Reader(payload)
  const user = reader.nulString()
  const authResponse =
    (capabilities & CAPABILITY.secureConnection) !== 0
      ? reader.view(reader.u8()).slice()
      : reader.nulView().slice()
  const database = tailString(reader)
  // Everything behind the database may be missing.
  const collation = reader.left >= 2 ? reader.u16() & 0xff : 0
  const hasPlugin = (capabilities & CAPABILITY.pluginAuth) !== 0 && reader.left > 0
  const plugin = hasPlugin ? tailString(reader) : ''
  const attributes = parseAttributes(reader, capabilities)
  return {
    capabilities,
    maxPacketBytes: 0,
    collation,
    user,
    authResponse,
    database: database === '' ? undefined : database,
    plugin,
    attributes,
  }
}

/** Payload of a HandshakeResponse41; fields follow the capability bits given. The answer has at most 255 bytes. */
export function buildLogin(login: Login): Uint8Array {
  const writer = new Writer(512)
    .u32(login.capabilities)
    .u32(login.maxPacketBytes)
    .u8(login.collation)
    .zeros(LOGIN_FILLER_BYTES)
    .nul(login.user)
  writeAuthResponse(writer, login)
  if ((login.capabilities & CAPABILITY.connectWithDb) !== 0) writer.nul(login.database ?? '')
  if ((login.capabilities & CAPABILITY.pluginAuth) !== 0) writer.nul(login.plugin)
  if ((login.capabilities & CAPABILITY.connectAttrs) !== 0)
    writeAttributes(writer, login.attributes)
  return writer.payload()
}

/** Payload of an AuthSwitchRequest to mysql_native_password. */
export function buildAuthSwitch(scramble: Uint8Array): Uint8Array {
  return new Writer(64).u8(0xfe).nul(NATIVE_PLUGIN).raw(scramble).u8(0).payload()
}

/** What a server asks for when it wants another plugin. @throws protocol.malformed */
export function parseAuthSwitch(payload: Uint8Array): {
  readonly plugin: string
  readonly scramble: Uint8Array
} {
  const reader = new Reader(payload)
  if (reader.u8() !== 0xfe) throw malformed('authentication switch expected')
  const plugin = reader.nulString()
  const rest = reader.rest()
  const end = rest.at(-1) === 0 ? rest.length - 1 : rest.length
  return { plugin, scramble: rest.slice(0, end) }
}

function writeAuthResponse(writer: Writer, login: Login): void {
  const { capabilities, authResponse } = login
  invariant(authResponse.length <= 255, 'an authentication response has at most 255 bytes')
  if ((capabilities & CAPABILITY.pluginAuthLenenc) !== 0) writer.lenencBytes(authResponse)
  else if ((capabilities & CAPABILITY.secureConnection) !== 0)
    writer.u8(authResponse.length).raw(authResponse)
  else writer.raw(authResponse).u8(0)
}

function parseAuthResponse(reader: Reader, capabilities: number): Uint8Array {
  if ((capabilities & CAPABILITY.pluginAuthLenenc) !== 0) return reader.lenencView().slice()
  if ((capabilities & CAPABILITY.secureConnection) !== 0) return reader.view(reader.u8()).slice()
  return reader.nulView().slice()
}

function tailString(reader: Reader): string {
  if (reader.left === 0) return ''
  const end = reader.bytes.indexOf(0, reader.offset)
  const terminated = end >= 0 && end < reader.end
  return terminated ? reader.nulString() : reader.string(reader.left)
}

/** Some drivers write an empty database without CONNECT_WITH_DB: a lone NUL before the plugin (§1.3). */
function parsePlugin(reader: Reader): string {
  const plugin = tailString(reader)
  if (plugin !== '' || reader.left === 0) return plugin
  const start = reader.offset
  const next = tailString(reader)
  if (PLUGIN_NAME.test(next)) return next
  reader.offset = start
  return plugin
}

function parseAttributes(reader: Reader, capabilities: number): ReadonlyMap<string, Uint8Array> {
  const attributes = new Map<string, Uint8Array>()
  if ((capabilities & CAPABILITY.connectAttrs) === 0 || reader.left === 0) return attributes
  // Attributes that do not decode must not fail a login (§1.3): drivers add a stray byte here.
  try {
    const total = reader.lenenc()
    if (total > ATTRIBUTE_LIMIT_BYTES) return attributes
    const inner = new Reader(reader.view(total))
    while (inner.left > 0) attributes.set(inner.lenencString(), inner.lenencView().slice())
  } catch {
    attributes.clear()
  }
  return attributes
}

function writeAttributes(writer: Writer, attributes: ReadonlyMap<string, Uint8Array>): void {
  const inner = new Writer(256)
  for (const [key, value] of attributes) inner.lenencText(key).lenencBytes(value)
  writer.lenencBytes(inner.payload())
}
