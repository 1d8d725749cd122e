/**
 * Who may log in to tenant proxysys. Source: proxy-admin.md §1.6.
 */
import { verifyNative } from '../auth/scramble.ts'

export type AdminAccounts = {
  /** SHA1 of root's password in hex, empty for none. */
  readonly root: string
  /** Clear text, as OBProxy keeps it. */
  readonly inspector: string
  readonly allowsPublicAddresses: boolean
}

const PRIVATE =
  /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|::1$|f[cd][0-9a-f]{2}:|fe80:)/i

/** Whether `token` answers `scramble` for that account from that address. */
export function acceptsAdmin(
  accounts: AdminAccounts,
  login: {
    readonly user: string
    readonly token: Uint8Array
    readonly scramble: Uint8Array
    readonly from: string
  },
  stage1Of: (password: string) => Uint8Array,
): boolean {
  const address = login.from.replace(/^::ffff:/, '')
  if (!accounts.allowsPublicAddresses && !PRIVATE.test(address)) return false
  if (login.user === 'root')
    return verifyNative(
      login.token,
      login.scramble,
      accounts.root === '' ? null : Buffer.from(accounts.root, 'hex'),
    )
  if (login.user === 'inspector')
    return verifyNative(
      login.token,
      login.scramble,
      accounts.inspector === '' ? null : stage1Of(accounts.inspector),
    )
  return false
}
