/**
 * Reads a client's login: the HandshakeResponse, and the second packet of clients that begin with
 * another plugin than mysql_native_password (MySQL 8's default). Source: proxy-protocol.md §1.2–1.5.
 */
import { Fault } from '#contract/fault'
import {
  completeIdentity,
  DEFAULT_LOGIN_RULES,
  type Identity,
  type LoginRules,
  parseIdentity,
  refusalOf,
} from '../auth/identity.ts'
import type { ProxyLogin } from '../backend/login.ts'
import { buildAuthSwitch, type Login, parseLogin } from '../wire/handshake.ts'
import { CAPABILITY, NATIVE_PLUGIN, SCRAMBLE_BYTES } from '../wire/protocol.ts'
import { malformed } from '../wire/reader.ts'

const ADMIN_TENANT = 'proxysys'
const NO_ATTRIBUTES: ReadonlyMap<string, Uint8Array> = new Map()

type Place = {
  readonly address: string
  readonly port: number
  readonly connectionId: number
  readonly proxyVersion: string
  readonly scramble: Uint8Array
}

/** Who the client says it is, with its answer to the scramble. */
export type Credentials = {
  readonly login: Login
  /** What the name says by itself. */
  readonly identity: Identity
  /** Completed where the name leaves them out; an undefined cluster is this proxy's first one. */
  readonly tenant: string
  readonly clusterName: string | undefined
  /** Why this name may not log in at all. */
  readonly refusal: ReturnType<typeof refusalOf>
  /** As the servers know it; empty until resolved. */
  readonly cluster: string
}

export type LoginStep =
  | { readonly kind: 'switch'; readonly credentials: Credentials; readonly request: Uint8Array }
  | { readonly kind: 'read'; readonly credentials: Credentials }

/**
 * Takes the next login packet; `known` is what the first one said, if a switch was asked.
 * @throws login.compression, protocol.malformed
 */
export function readLogin(
  payload: Uint8Array,
  known: Credentials | undefined,
  scramble: Uint8Array,
  rules: LoginRules = DEFAULT_LOGIN_RULES,
): LoginStep {
  if (known !== undefined) {
    if (payload.length !== 0 && payload.length !== SCRAMBLE_BYTES)
      throw malformed('answer to the authentication switch')
    return {
      kind: 'read',
      credentials: credentialsOf({ ...known.login, authResponse: payload.slice() }, rules),
    }
  }
  const login = parseLogin(payload)
  // Who asks for what was not offered goes on compressed: nothing after the login could be read.
  if ((login.capabilities & CAPABILITY.compress) !== 0) throw new Fault('login.compression')
  const credentials = credentialsOf(login, rules)
  if (login.plugin !== '' && login.plugin !== NATIVE_PLUGIN)
    return { kind: 'switch', credentials, request: buildAuthSwitch(scramble) }
  if (login.authResponse.length !== 0 && login.authResponse.length !== SCRAMBLE_BYTES)
    throw malformed('authentication response')
  return { kind: 'read', credentials }
}

/** Whether a login is for the node itself. @throws protocol.malformed */
export function isAdminLogin(
  payload: Uint8Array,
  { separators }: LoginRules = DEFAULT_LOGIN_RULES,
): boolean {
  return parseIdentity(parseLogin(payload).user, separators).tenant === ADMIN_TENANT
}

/** Who a login says it is, before anything is checked. */
export function credentialsOf(login: Login, rules: LoginRules): Credentials {
  const identity = parseIdentity(login.user, rules.separators)
  const { tenant, cluster } = completeIdentity(identity, rules)
  return {
    login,
    identity,
    tenant,
    clusterName: cluster,
    refusal: refusalOf(identity, rules),
    cluster: '',
  }
}

/** The same without what only a login needs: they are kept as long as the session. */
export function keptCredentials(credentials: Credentials): Credentials {
  return { ...credentials, login: { ...credentials.login, attributes: NO_ATTRIBUTES } }
}

/** As MySQL words it; `address` is the client's. */
export function accessDenied({ login }: Credentials, address: string): Fault {
  const using = login.authResponse.length > 0 ? 'YES' : 'NO'
  return new Fault('login.access-denied', { user: login.user, host: address, using })
}

/** What these credentials log in with, on any server. */
export function proxyLogin(credentials: Credentials, place: Place): ProxyLogin {
  const { login, identity, tenant, cluster } = credentials
  return {
    user: identity.user,
    tenant,
    cluster,
    token: login.authResponse,
    scramble: place.scramble,
    clientCapabilities: login.capabilities,
    collation: login.collation,
    maxPacketBytes: login.maxPacketBytes,
    clientAddress: place.address,
    clientPort: place.port,
    connectionId: place.connectionId,
    proxyVersion: place.proxyVersion,
  }
}
