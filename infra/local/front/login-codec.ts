/**
 * Greeting, login and password of the MySQL protocol as an OBServer front speaks them, apart from
 * proxy-node (L4). Source: proxy-protocol.md §1.3, §2.1, §2.2.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { MalformedPacket } from './codec.ts'

export const NATIVE_PLUGIN = 'mysql_native_password'
const SCRAMBLE_BYTES = 20
/** What an OBServer takes when a proxy names no scramble of its own (§2.2). */
const CONSTANT_SCRAMBLE = Buffer.from('aaaaaaaabbbbbbbbbbbb')
const USER_AT = 32

export const BIT = {
  localFiles: 0x80,
  withDb: 0x8,
  protocol41: 0x200,
  pluginAuth: 0x80000,
  attributes: 0x100000,
}
const LENENC_AUTH = 0x200000

export type ClientLogin = {
  readonly flags: number
  readonly head: Buffer
  readonly user: string
  /** Everything from the zero byte behind the user. */
  readonly tail: Buffer
  readonly authResponse: Buffer
  readonly database: string | undefined
  readonly plugin: string | undefined
  readonly attributes: ReadonlyMap<string, Buffer>
}

type Cursor = { at: number }

/**
 * A HandshakeResponse41 cut so that the user can be replaced and the rest kept byte for byte.
 * @throws MalformedPacket
 */
export function parseClientLogin(payload: Buffer): ClientLogin {
  if (payload.length <= USER_AT) throw new MalformedPacket('login too short')
  const flags = payload.readUInt32LE(0)
  if ((flags & BIT.protocol41) === 0) throw new MalformedPacket('login older than 4.1')
  const has = (bit: number) => (flags & bit) !== 0
  const cursor = { at: USER_AT }
  const user = takeTerminated(payload, cursor)
  const userEnd = cursor.at - 1
  const authLength = has(LENENC_AUTH) ? takeLenenc(payload, cursor) : takeByte(payload, cursor)
  const authResponse = take(payload, cursor, authLength)
  const database = has(BIT.withDb) ? takeTerminated(payload, cursor) : undefined
  const plugin = has(BIT.pluginAuth) ? takeTerminated(payload, cursor) : undefined
  const attributes =
    has(BIT.attributes) && cursor.at < payload.length
      ? takeAttributes(payload, cursor)
      : new Map<string, Buffer>()
  return {
    flags,
    head: payload.subarray(0, USER_AT),
    user,
    tail: payload.subarray(userEnd),
    authResponse,
    database,
    plugin,
    attributes,
  }
}

export type ChangeUser = {
  readonly user: string
  readonly authResponse: Buffer
  readonly database: string
}

/** A COM_CHANGE_USER; what stands behind the database is not looked at. @throws MalformedPacket */
export function parseChangeUser(command: Buffer): ChangeUser {
  const cursor = { at: 1 }
  const user = takeTerminated(command, cursor)
  const authResponse = take(command, cursor, takeByte(command, cursor))
  return { user, authResponse, database: takeTerminated(command, cursor) }
}

function takeAttributes(payload: Buffer, cursor: Cursor): Map<string, Buffer> {
  const bytes = take(payload, cursor, takeLenenc(payload, cursor))
  const inside = { at: 0 }
  const attributes = new Map<string, Buffer>()
  while (inside.at < bytes.length) {
    const key = take(bytes, inside, takeLenenc(bytes, inside)).toString()
    attributes.set(key, take(bytes, inside, takeLenenc(bytes, inside)))
  }
  return attributes
}

function take(bytes: Buffer, cursor: Cursor, length: number): Buffer {
  const end = cursor.at + length
  if (end > bytes.length) throw new MalformedPacket('a length leads beyond the packet')
  const part = bytes.subarray(cursor.at, end)
  cursor.at = end
  return part
}

function takeByte(bytes: Buffer, cursor: Cursor): number {
  return take(bytes, cursor, 1).readUInt8(0)
}

/** Some clients leave the last zero byte out. */
function takeTerminated(bytes: Buffer, cursor: Cursor): string {
  const zero = bytes.indexOf(0, cursor.at)
  const end = zero < 0 ? bytes.length : zero
  const text = bytes.subarray(cursor.at, end).toString()
  cursor.at = Math.min(end + 1, bytes.length)
  return text
}

/** A length-encoded number. @throws MalformedPacket */
export function takeLenenc(bytes: Buffer, cursor: Cursor): number {
  const first = takeByte(bytes, cursor)
  if (first < 251) return first
  if (first === 0xfc) return take(bytes, cursor, 2).readUInt16LE(0)
  if (first === 0xfd) return take(bytes, cursor, 3).readUIntLE(0, 3)
  if (first === 0xfe) return Number(take(bytes, cursor, 8).readBigUInt64LE(0))
  throw new MalformedPacket('no length')
}

export type Greeting = {
  readonly version: string
  readonly threadId: number
  readonly capabilities: number
  readonly scramble: Buffer
}

export function greetingPacket({ version, threadId, capabilities, scramble }: Greeting): Buffer {
  const numbers = Buffer.alloc(8)
  numbers.writeUInt32LE(threadId, 0)
  numbers.writeUInt16LE(capabilities & 0xffff, 4)
  numbers.writeUInt16LE(capabilities >>> 16, 6)
  return Buffer.concat([
    Buffer.from(`\x0a${version}\0`),
    numbers.subarray(0, 4),
    scramble.subarray(0, 8),
    Buffer.from([0]),
    numbers.subarray(4, 6),
    Buffer.from([45, 2, 0]),
    numbers.subarray(6, 8),
    Buffer.from([SCRAMBLE_BYTES + 1]),
    Buffer.alloc(10),
    scramble.subarray(8),
    Buffer.from(`\0${NATIVE_PLUGIN}\0`),
  ])
}

export function authSwitchPacket(scramble: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`\xfe${NATIVE_PLUGIN}\0`, 'latin1'),
    scramble,
    Buffer.from([0]),
  ])
}

/** The scramble a proxy's token was made for: its own, hidden in an attribute, else the constant. */
export function proxiedScramble(attribute: Buffer | undefined, own: Buffer): Buffer {
  if (attribute?.length !== SCRAMBLE_BYTES) return CONSTANT_SCRAMBLE
  return xor(attribute, own)
}

export function nativeToken(password: string, scramble: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0)
  const stage1 = sha1(Buffer.from(password))
  return xor(stage1, sha1(Buffer.concat([scramble, sha1(stage1)])))
}

/** Whether a token proves the password, from the stored double hash; empty only proves empty. */
export function proves(token: Buffer, stage2: Buffer | undefined, scramble: Buffer): boolean {
  if (stage2 === undefined) return token.length === 0
  if (token.length !== SCRAMBLE_BYTES) return false
  const stage1 = xor(token, sha1(Buffer.concat([scramble, stage2])))
  return timingSafeEqual(sha1(stage1), stage2)
}

/** What a server stores of a password; nothing for the empty one. */
export function stage2Of(password: string): Buffer | undefined {
  return password === '' ? undefined : sha1(sha1(Buffer.from(password)))
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest()
}

function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)))
}
