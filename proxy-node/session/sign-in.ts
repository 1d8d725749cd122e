/**
 * From a greeting to an accepted login, and the same once more for COM_CHANGE_USER; gone afterwards.
 * Who may come in is decided here, where to is the servers' matter. Source: proxy-protocol.md §1.
 */
import { Fault } from '#contract/fault'
import type { Connection } from '../net/transport.ts'
import type { TenantServers } from '../topology/model.ts'
import { isUnexpected } from '../topology/unanswered.ts'
import { PacketCollector } from '../wire/framing.ts'
import { buildGreeting, type Greeting, type Login, maskLogin } from '../wire/handshake.ts'
import { malformed } from '../wire/reader.ts'
import { packet } from '../wire/writer.ts'
import type { ClientEntry } from './client-entry.ts'
import type { Visit } from './lobby.ts'
import {
  type Credentials,
  credentialsOf,
  isAdminLogin,
  keptCredentials,
  proxyLogin,
  readLogin,
} from './login.ts'
import type { SessionMemory } from './memory.ts'
import type { OwnSettings } from './own-settings.ts'
import type { ClusterView, Directory, SessionDeps, SessionSettings } from './ports.ts'
import { Route } from './route.ts'
import type { Servers } from './servers.ts'
import type { SessionEvent, SessionState } from './states.ts'

/** The session that a client comes into. */
export type SignInHost = {
  readonly id: number
  readonly deps: SessionDeps
  readonly state: SessionState
  readonly servers: Servers
  readonly memory: SessionMemory
  readonly own: OwnSettings
  /** As of now. */
  readonly settings: SessionSettings
  readonly tenant: string
  /** Of the cluster that is logged in to. */
  outlook: ClusterView | undefined
  readonly entry: ClientEntry
  /** Among the clients that log in; undefined when it has. */
  readonly visit: Visit | undefined
  /** What the client answers: our own, in MySQL mode the server's. */
  readonly scramble: Uint8Array
  /** MySQL mode: what a login for the server is told when there is no server. */
  readonly noServer: Uint8Array | undefined
  credentials: Credentials | undefined
  readonly refuse: (error: Uint8Array) => void
  readonly move: (event: SessionEvent) => void
  readonly giveUp: (fault: Fault) => void
  readonly failed: (error: unknown) => void
  readonly quit: () => void
  /** An administrator of the node itself has come in. */
  readonly adminAccepted: (user: string) => void
}

export class SignIn {
  private readonly host: SignInHost
  private readonly client: Connection
  private readonly limitBytes: number
  private readonly collector: PacketCollector
  private relayedBytes = 0
  /** Of the next packet to the client. */
  sequence: number

  constructor(host: SignInHost, client: Connection, sequence = 0) {
    this.host = host
    this.client = client
    this.sequence = sequence
    this.limitBytes = host.deps.settings().maxLoginBytes
    this.collector = new PacketCollector(this.limitBytes, () => this.tooLong())
  }

  private tooLong(): Fault {
    return new Fault('login.too-long', { bytes: this.limitBytes })
  }

  greet(greeting: Greeting): void {
    this.host.move('greeted')
    this.sequence = 1
    this.client.write(packet(0, buildGreeting(this.host.entry.offer(greeting))))
  }

  /** @throws protocol.malformed, login.too-long, tls.required, login.compression */
  received(bytes: Uint8Array): void {
    const { host, collector } = this
    const entered = host.entry.take(bytes)
    const refusal = host.visit?.take(host.entry)
    if (refusal !== undefined) {
      host.giveUp(refusal)
      return
    }
    if (entered.kind === 'probe') {
      host.quit()
      return
    }
    if (host.state === 'login' && host.credentials === undefined)
      this.sequence = host.entry.sequence
    collector.push(entered.bytes)
    for (let next = collector.next(); next !== undefined; next = collector.next()) {
      if (this.isRelayed && host.state === 'authenticating') this.relayMore(next)
      else {
        if (host.state !== 'login') throw malformed('bytes during login')
        this.sequence = (next.sequence + 1) & 0xff
        this.packet(next.payload)
      }
    }
  }

  /** COM_CHANGE_USER: the same client under another name. */
  changeUser(login: Login): void {
    const { host } = this
    const maxPacketBytes = host.credentials?.login.maxPacketBytes ?? login.maxPacketBytes
    const credentials = credentialsOf(
      { ...login, maxPacketBytes },
      host.deps.loginRules(host.entry.vip),
    )
    host.credentials = credentials
    if (credentials.identity.tenant === 'proxysys') this.deny(credentials)
    else this.authenticate(credentials)
  }

  /** MySQL mode: the server asks for more than the first packet. */
  asked(sequence: number, payload: Uint8Array): void {
    const { entry, servers } = this.host
    if (entry.isSecure && servers.current?.isSecure !== true && asksForPassword(payload)) {
      this.follow(sequence)
      this.host.giveUp(new Fault('tls.password-in-clear'))
      return
    }
    this.client.write(packet((sequence + this.shift) & 0xff, payload))
  }

  /** MySQL mode: the server's numbers, as the client counts them. */
  follow(sequence: number): void {
    this.sequence = (sequence + this.shift) & 0xff
  }

  accepted(ok: Uint8Array): void {
    this.host.move('accepted')
    this.client.write(packet(this.sequence, ok))
  }

  private get isRelayed(): boolean {
    return this.host.deps.mode.kind === 'mysql'
  }

  /** The client's request for TLS was a packet that the server's side does not count. */
  private get shift(): number {
    return Number(this.host.entry.isSecure)
  }

  private relayMore({ payload, sequence }: { payload: Uint8Array; sequence: number }): void {
    this.relayedBytes += payload.length
    if (this.relayedBytes > this.limitBytes) throw this.tooLong()
    this.host.servers.current?.relayMore(sequence - this.shift, payload)
  }

  private packet(payload: Uint8Array): void {
    const { host } = this
    const rules = host.deps.loginRules(host.entry.vip)
    if (this.isRelayed && host.credentials === undefined && !isAdminLogin(payload, rules)) {
      if (host.deps.settings().isTlsForced) host.entry.demandTls()
      host.move('credentialsRead')
      if (host.noServer === undefined) host.servers.current?.relayLogin(maskLogin(payload))
      else host.refuse(host.noServer)
      return
    }
    const step = readLogin(payload, host.credentials, host.scramble, rules)
    const credentials = keptCredentials(step.credentials)
    host.credentials = credentials
    host.entry.named(step.credentials.login.attributes)
    if (step.kind === 'switch') {
      this.client.write(packet(this.sequence, step.request))
      return
    }
    host.move('credentialsRead')
    this.authenticate(credentials)
  }

  private authenticate(credentials: Credentials): void {
    const { host } = this
    const { admin, mode } = host.deps
    const { identity, login } = credentials
    if (identity.tenant === 'proxysys') {
      if (admin.accepts(identity.user, login.authResponse, host.scramble, host.entry.address))
        host.adminAccepted(identity.user)
      else this.deny(credentials)
      return
    }
    if (mode.kind !== 'oceanbase' || credentials.refusal !== undefined) {
      this.deny(credentials)
      return
    }
    this.enter(credentials, mode.directory).catch(error => host.failed(error))
  }

  /** Into the cluster, if this node has it. @throws tls.required, login.unknown-cluster, route.no-server */
  private async enter(credentials: Credentials, directory: Directory): Promise<void> {
    const { host } = this
    const { tenant, clusterName } = credentials
    const outlook = await directory.cluster(clusterName)
    if (host.state !== 'authenticating') return
    const { name = clusterName ?? '' } = outlook ?? {}
    host.own.moveTo({ cluster: name, tenant, vip: host.entry.vip })
    // The node itself stays reachable: its managers come from private addresses without TLS.
    if (host.settings.isTlsForced) host.entry.demandTls()
    if (outlook === undefined)
      throw new Fault('login.unknown-cluster', { cluster: clusterName ?? '' })
    host.credentials = { ...credentials, cluster: outlook.name }
    host.outlook = outlook
    let servers: TenantServers
    try {
      servers = await outlook.tenantServers(tenant)
    } catch (error) {
      if (isUnexpected(error)) host.deps.broke?.(error)
      throw new Fault('route.no-server', { tenant }, { cause: error })
    }
    if (host.state === 'authenticating') this.logInOn(servers, host.credentials)
  }

  private logInOn(servers: TenantServers, credentials: Credentials): void {
    const { host } = this
    if (servers.replicas.length === 0) {
      this.deny(credentials)
      return
    }
    const { checksCluster } = host.deps.settings()
    const named = checksCluster ? credentials : { ...credentials, cluster: '' }
    const login = proxyLogin(named, {
      address: host.entry.address,
      port: host.entry.port,
      connectionId: host.id,
      proxyVersion: host.deps.proxyVersion,
      scramble: host.scramble,
    })
    const route = new Route(host.deps.routeView, host)
    route.about('login', undefined, false)
    route.decide(servers, undefined)
    host.servers.logIn(route, login, credentials.login.database || undefined)
  }

  private deny(credentials: Credentials): void {
    this.host.giveUp(
      new Fault('login.access-denied', {
        user: credentials.login.user,
        host: this.host.entry.address,
        using: credentials.login.authResponse.length > 0 ? 'YES' : 'NO',
      }),
    )
  }
}

/** caching_sha2_password: go on with full authentication. */
const FULL_AUTHENTICATION = '\x01\x04'
/** Methods whose clients send the password itself as soon as they are inside TLS. */
const CLEAR_METHODS = /^\xfe(?:sha256_password|mysql_clear_password|dialog)\0/

/** Whether a server's packet makes a client inside TLS send its password as it is. */
function asksForPassword(payload: Uint8Array): boolean {
  const said = Buffer.from(payload).toString('latin1')
  return said === FULL_AUTHENTICATION || CLEAR_METHODS.test(said)
}
