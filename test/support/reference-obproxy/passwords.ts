/** Passwords as the proxy keeps and checks them: hex SHA1, "stage 1" of mysql_native_password. */
import { createHash } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** Hashed by ALTER; `inspector_password` is not. */
export const HASHED = [
  'obproxy_sys_password',
  'observer_sys_password',
  'observer_sys_password1',
] as const

export function hashed(password: string): string {
  return sha1(Buffer.from(password)).toString('hex')
}

/** The answer to `scramble` of who knows `stage1`, 40 hex digits; no bytes for an empty password. */
export function tokenOf(stage1: string, scramble: Buffer): Buffer {
  if (stage1 === '') return Buffer.alloc(0)
  const first = Buffer.from(stage1, 'hex')
  const mask = sha1(scramble, sha1(first))
  return Buffer.from(first.map((byte, at) => byte ^ (mask[at] ?? 0)))
}

/** Nothing stored takes the empty password only. */
export function isRight(stored: string, token: Buffer, scramble: Buffer): boolean {
  return tokenOf(stored.toLowerCase(), scramble).equals(token)
}

/** Whether root@proxysys may come from there (proxy-admin.md §1.6). */
export function isPrivate(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '')
  if (!isIPv4(plain)) return plain === '::1' || /^f[cd]/i.test(plain) || /^fe[89ab]/i.test(plain)
  const [first = 0, second = 0] = plain.split('.').map(Number)
  return (
    first === 127 ||
    first === 10 ||
    (first === 172 && second >= 16 && second <= 31) ||
    (first === 192 && second === 168)
  )
}

function sha1(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
