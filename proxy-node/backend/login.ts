/**
 * The login that the proxy sends to an OBServer: the client's own answer to the proxy's scramble,
 * made valid there by `__proxy_scramble`. Source: proxy-protocol.md §2.1, §2.2, §2.8.
 */
import { xor } from '../auth/scramble.ts'
import { buildLogin, type Greeting, type Login } from '../wire/handshake.ts'
import { CAPABILITY, NATIVE_PLUGIN } from '../wire/protocol.ts'

/** What one client's logins on any server have in common; `token` is replayable, memory only. */
export type ProxyLogin = {
  readonly user: string
  readonly tenant: string
  /** Empty: the server is not told, and checks nothing. */
  readonly cluster: string
  /** Answer to `scramble`, 20 bytes or none. */
  readonly token: Uint8Array
  readonly scramble: Uint8Array
  readonly clientCapabilities: number
  readonly collation: number
  readonly maxPacketBytes: number
  readonly clientAddress: string
  readonly clientPort: number
  readonly connectionId: number
  readonly proxyVersion: string
}

/** Bits passed on as the client sent them. */
const CLIENT_CHOICE =
  CAPABILITY.foundRows |
  CAPABILITY.interactive |
  CAPABILITY.longPassword |
  CAPABILITY.longFlag |
  CAPABILITY.ignoreSpace |
  CAPABILITY.localFiles

const ALWAYS =
  CAPABILITY.protocol41 |
  CAPABILITY.transactions |
  CAPABILITY.secureConnection |
  CAPABILITY.multiStatements |
  CAPABILITY.multiResults |
  CAPABILITY.psMultiResults |
  CAPABILITY.pluginAuth |
  CAPABILITY.connectAttrs |
  CAPABILITY.sessionTrack

/** Payload of the login for the server that sent `greeting`; no database field unless one is named. */
export function serverLogin(
  login: ProxyLogin,
  greeting: Greeting,
  asked: { readonly database: string | undefined; readonly capabilities: number },
): Uint8Array {
  const { database } = asked
  const capabilities =
    (login.clientCapabilities & CLIENT_CHOICE) |
    ALWAYS |
    (database === undefined ? 0 : CAPABILITY.connectWithDb)
  const whole: Login = {
    capabilities: capabilities >>> 0,
    maxPacketBytes: login.maxPacketBytes,
    collation: login.collation,
    user: `${login.user}@${login.tenant}`,
    authResponse: login.token,
    database,
    plugin: NATIVE_PLUGIN,
    attributes: attributes(login, greeting, asked.capabilities),
  }
  return buildLogin(whole)
}

const CAPABILITY_ANSWER = Buffer.from('\x12ob_capability_flag')

/** The bits of `__proxy_capability_flag` that a login OK agrees to; 0 when it says nothing. */
export function agreedCapabilities(ok: Uint8Array): number {
  const bytes = Buffer.from(ok.buffer, ok.byteOffset, ok.length)
  const at = bytes.indexOf(CAPABILITY_ANSWER)
  if (at < 0) return 0
  const length = at + CAPABILITY_ANSWER.length
  const value = bytes.subarray(length + 1, length + 1 + (bytes[length] ?? 0)).toString('latin1')
  return /^\d{1,10}$/.test(value) ? Number(value) : 0
}

function attributes(
  login: ProxyLogin,
  greeting: Greeting,
  capabilities: number,
): Map<string, Uint8Array> {
  const texts: Record<string, string> = {
    __mysql_client_type: '__ob_proxy',
    __connection_id: String(greeting.connectionId),
    __proxy_connection_id: String(login.connectionId),
    __proxy_capability_flag: String(capabilities),
    __client_ip: login.clientAddress,
    __client_addr_port: String(login.clientPort),
    __client_session_id: String(login.connectionId),
    __proxy_version: login.proxyVersion,
    ...(login.cluster === '' ? {} : { __cluster_name: login.cluster }),
  }
  const map = new Map(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text) as Uint8Array]),
  )
  if (login.token.length > 0) map.set('__proxy_scramble', xor(login.scramble, greeting.scramble))
  return map
}
