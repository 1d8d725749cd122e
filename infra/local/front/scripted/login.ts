/**
 * Logins of the scripted engine: direct ones by the greeting's scramble, those of a proxy by the
 * scramble it names in an attribute. Source: proxy-protocol.md §2.2–2.4, proxy-protocol-tried.md A19.
 */
import type { ClientLogin } from '../login-codec.ts'
import { BIT, NATIVE_PLUGIN, proves, proxiedScramble } from '../login-codec.ts'
import { FEATURE, featuresIn } from '../login-watch.ts'
import { SqlError } from './sql-error.ts'
import type { World } from './world.ts'

/** What a 4.x server offers, but for compressed framings (A5). */
const OFFERED =
  FEATURE.partitionTable |
  FEATURE.changeUser |
  FEATURE.readWeak |
  FEATURE.ob20 |
  FEATURE.statisticsOk |
  FEATURE.plRoute |
  FEATURE.reroute |
  FEATURE.sessionSync |
  FEATURE.fullTrace |
  FEATURE.newExtra |
  FEATURE.variableSync |
  FEATURE.staleFeedback |
  FEATURE.fullTraceExt |
  FEATURE.duplicateSync |
  FEATURE.localFiles |
  FEATURE.clientSessionId |
  FEATURE.feedback
/** Without all of these a session holds no locks on names (A6). */
const FOR_LOCKS = FEATURE.ob20 | FEATURE.clientSessionId | FEATURE.feedback

export type Entry = {
  readonly user: string
  readonly isProxy: boolean
  /** What was agreed to of the features that a proxy names. */
  readonly capabilities: number
  /** The client's own id, when the proxy may give one. */
  readonly clientSessionId: number | undefined
  readonly mayLock: boolean
  readonly maySendFiles: boolean
  /** COM_CHANGE_USER asks for the token once more (A12). */
  readonly hasSwitch: boolean
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
  const capabilities = isProxy ? offered(featuresIn(text('__proxy_capability_flag'))) : 0
  const id = numberIn(text('__client_session_id'))
  const named = (capabilities & FEATURE.clientSessionId) !== 0 && id > 0
  needAlive(named ? id : 0, world)
  return {
    user,
    isProxy,
    capabilities,
    clientSessionId: named ? id : undefined,
    mayLock: !isProxy || (named && (capabilities & FOR_LOCKS) === FOR_LOCKS),
    maySendFiles:
      (login.flags & BIT.localFiles) !== 0 &&
      (!isProxy || (capabilities & FEATURE.localFiles) !== 0),
    hasSwitch: (login.flags & BIT.pluginAuth) !== 0,
    scramble: isProxy
      ? proxiedScramble(login.attributes.get('__proxy_scramble'), ownScramble)
      : ownScramble,
    // A proxy's token is native whatever it calls it: the kernel looks at the token alone.
    mustSwitch: !isProxy && login.plugin !== undefined && login.plugin !== NATIVE_PLUGIN,
  }
}

/** @throws SqlError 4401 for a client that was killed */
function needAlive(id: number, world: World): void {
  if (world.isKilled(id)) throw new SqlError(4401, 'HY000', 'client session need be killed')
}

/** OB 2.0 with the old layout of extra info is not spoken here. */
function offered(asked: number): number {
  const agreed = asked & OFFERED
  return (agreed & FEATURE.newExtra) !== 0 ? agreed : agreed & ~FEATURE.ob20
}

/** The same login for another user of the same tenant. @throws SqlError 4179 for another tenant */
export function changed(entry: Entry, name: string): Entry {
  const at = name.lastIndexOf('@')
  if (at >= 0 && name.slice(at + 1) !== 'sys')
    throw new SqlError(4179, 'HY000', 'the tenant cannot be changed')
  return { ...entry, user: at < 0 ? name : name.slice(0, at) }
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
