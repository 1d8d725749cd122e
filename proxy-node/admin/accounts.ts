/** Who may log in to tenant proxysys, from where. Pure; a worker asks. Source: proxy-admin.md §1.6. */
import { verifyStored } from '../auth/passwords.ts'

export type AdminAccounts = {
  /** SHA1 of root's password in hex, empty for none. */
  readonly root: string
  /** The same of account inspector. */
  readonly inspector: string
  readonly allowsPublicAddresses: boolean
}

export type AdminLogin = {
  readonly user: string
  /** The client's answer to `scramble` by mysql_native_password. */
  readonly token: Uint8Array
  readonly scramble: Uint8Array
  /** The client's address, without a port. */
  readonly from: string
}

const PRIVATE =
  /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|::1$|f[cd][0-9a-f]{2}:|fe80:)/i

/** Whether this login is one of the accounts' and comes from where it may; an empty password is a password. */
export function acceptsAdmin(accounts: AdminAccounts, login: AdminLogin): boolean {
  const address = login.from.replace(/^::ffff:/i, '')
  if (!accounts.allowsPublicAddresses && !PRIVATE.test(address)) return false
  const stored = storedOf(accounts, login.user)
  return stored !== undefined && verifyStored(login.token, login.scramble, stored)
}

function storedOf(accounts: AdminAccounts, user: string): string | undefined {
  if (user === 'root') return accounts.root
  return user === 'inspector' ? accounts.inspector : undefined
}
