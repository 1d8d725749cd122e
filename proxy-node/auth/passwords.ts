/**
 * Passwords of the proxy's own accounts as the configuration keeps them: SHA1 in hex, 40 digits,
 * empty for no password. That value is password-equivalent: never logged, never shown.
 * Source: proxy-protocol.md §1.2, §2.2.
 */
import { Fault } from '#contract/fault'
import { stage1Of, verifyNative } from './scramble.ts'

/** A password as it is stored: its SHA1, hexadecimal. */
export const STORED_FORM = /^[0-9a-f]{40}$/i

/** What the configuration keeps for a password in clear; empty stays empty. */
export function storedPassword(password: string): string {
  return password === '' ? '' : Buffer.from(stage1Of(password)).toString('hex')
}

/** Stage 1 from what is stored, null for no password. @throws config.invalid-value, which does not quote it. */
export function stage1FromStored(stored: string, parameter: string): Uint8Array | null {
  if (stored === '') return null
  if (!STORED_FORM.test(stored))
    throw new Fault('config.invalid-value', {
      name: parameter,
      detail: 'must be the SHA1 of a password, 40 hex digits',
    })
  return new Uint8Array(Buffer.from(stored, 'hex'))
}

/** Whether `token` answers `scramble` with the stored password; a stored value that is none lets nobody in. */
export function verifyStored(token: Uint8Array, scramble: Uint8Array, stored: string): boolean {
  if (stored !== '' && !STORED_FORM.test(stored)) return false
  return verifyNative(token, scramble, stored === '' ? null : Buffer.from(stored, 'hex'))
}
