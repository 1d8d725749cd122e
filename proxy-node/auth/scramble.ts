/**
 * mysql_native_password and OceanBase's way of carrying one client answer to every server.
 * Source: proxy-protocol.md §2.2, with its test vector in the unit test.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const SCRAMBLE_BYTES = 20
const FIRST_PRINTABLE = 0x21
const PRINTABLE_COUNT = 0x7e - FIRST_PRINTABLE + 1

function sha1(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** Bytewise exclusive or of two arrays of the first one's length. */
export function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((byte, index) => byte ^ (right[index] ?? 0))
}

/** 20 random printable bytes: servers take the scramble's length up to the first NUL. */
export function randomScramble(): Uint8Array {
  const scramble = new Uint8Array(SCRAMBLE_BYTES)
  let filled = 0
  while (filled < SCRAMBLE_BYTES) {
    for (const byte of randomBytes(SCRAMBLE_BYTES)) {
      // Why not modulo alone: bytes at or above 188 would favour the first printable ones.
      if (byte >= PRINTABLE_COUNT * 2 || filled === SCRAMBLE_BYTES) continue
      scramble[filled++] = FIRST_PRINTABLE + (byte % PRINTABLE_COUNT)
    }
  }
  return scramble
}

/** SHA1 of the password: what proxies store, 20 bytes, password-equivalent. */
export function stage1Of(password: string): Uint8Array {
  return sha1(Buffer.from(password, 'utf8'))
}

/** The client's 20-byte answer to `scramble`. */
export function nativeToken(stage1: Uint8Array, scramble: Uint8Array): Uint8Array {
  return xor(stage1, sha1(scramble, sha1(stage1)))
}

/** Whether `token` answers `scramble` for the stored stage 1; an empty stored value wants an empty token. */
export function verifyNative(
  token: Uint8Array,
  scramble: Uint8Array,
  stage1: Uint8Array | null,
): boolean {
  if (stage1 === null) return token.length === 0
  if (token.length !== SCRAMBLE_BYTES) return false
  return timingSafeEqual(token, nativeToken(stage1, scramble))
}
