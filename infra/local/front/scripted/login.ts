/**
 * Logins of the scripted engine: direct ones by the greeting's scramble, those of a proxy by the
 * scramble it names in an attribute. Source: proxy-protocol.md §2.2–2.4, proxy-protocol-tried.md A19.
 */
import type { ClientLogin } from '../login-codec.ts'
import { NATIVE_PLUGIN, proves, proxiedScramble } from '../login-codec.ts'
import { SqlError } from './sql-error.ts'
import type { World } from './world.ts'

/** PARTITION_TABLE, CHANGE_USER, READ_WEAK, statistics' OK, PL_ROUTE, CLIENT_SESSION_ID_V2. */
const OFFERED = 0x1 | 0x2 | 0x4 | 0x200 | 0x800 | 0x20_0000
const CLIENT_SESSION_ID = 0x20_0000

export type Entry = {
  readonly user: string
  readonly isProxy: boolean
  /** What was agreed to of the features that a proxy names. */
  readonly capabilities: number
  /** The client's own id, when the proxy may give one. */
  readonly clientSessionId: number | undefined
  /** What the token has to be made for. */
  readonly scramble: Buffer
  /** A direct client named another plugin: it must be told to switch. */
  readonly mustSwitch: boolean
}

/** What a login claims; nothing of it is proven yet. @throws SqlError 1045, 4666 */
export function claim(login: ClientLogin, ownScramble: Buffer, world: World): Entry {
  const text = (name: string) => login.attributes.get(name)?.toString()
  const isProxy = text('__mysql_client_type') === '__ob_proxy'
  const at = login.user.lastIndexOf('@')
  const tenant = at < 0 ? 'sys' : login.user.slice(at + 1)
  const user = at < 0 ? login.user : login.user.slice(0, at)
  const cluster = text('__cluster_name')
  if (isProxy && cluster !== undefined && cluster !== world.cluster)
    throw new SqlError(4666, 'HY000', `cluster name does not match to '${world.cluster}'`)
  if (tenant !== 'sys') throw denied(user)
  const capabilities = isProxy ? numberIn(text('__proxy_capability_flag')) & OFFERED : 0
  const id = numberIn(text('__client_session_id'))
  return {
    user,
    isProxy,
    capabilities,
    clientSessionId: (capabilities & CLIENT_SESSION_ID) !== 0 && id > 0 ? id : undefined,
    scramble: isProxy
      ? proxiedScramble(login.attributes.get('__proxy_scramble'), ownScramble)
      : ownScramble,
    // A proxy's token is native whatever it calls it: the kernel looks at the token alone.
    mustSwitch: !isProxy && login.plugin !== undefined && login.plugin !== NATIVE_PLUGIN,
  }
}

/** @throws SqlError 1045 when the token does not prove the account's password */
export function prove(entry: Entry, token: Buffer, world: World): void {
  const stored = world.stage2Of(entry.user)
  if (stored === null || !proves(token, stored, entry.scramble)) throw denied(entry.user)
}

function denied(user: string): SqlError {
  return new SqlError(1045, '42000', `Access denied for user '${user}'@'xxx.xxx.xxx.xxx'`)
}

function numberIn(text: string | undefined): number {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : 0
}
