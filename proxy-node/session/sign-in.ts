/**
 * From a greeting to an accepted login, and the same once more for COM_CHANGE_USER; gone afterwards.
 * Who may come in is decided here, into which cluster is the matter of `cluster-login.ts`. Source:
 * proxy-protocol.md §1.
 */
import { Fault } from '#contract/fault'
import { randomScramble } from '../auth/scramble.ts'
import type { Connection } from '../net/transport.ts'
import { PacketCollector } from '../wire/framing.ts'
import {
  buildGreeting,
  type Greeting,
  type Login,
  maskGreeting,
  maskLogin,
  proxyGreeting,
} from '../wire/handshake.ts'
import { errorOfFault } from '../wire/ok.ts'
import { malformed } from '../wire/reader.ts'
import { packet } from '../wire/writer.ts'
import type { ClientEntry } from './client-entry.ts'
import { enterCluster } from './cluster-login.ts'
import type { Visit } from './lobby.ts'
import {
  accessDenied,
  type Credentials,
  credentialsOf,
  isAdminLogin,
  keptCredentials,
  readLogin,
} from './login.ts'
import type { SessionMemory } from './memory.ts'
import type { OwnSettings } from './own-settings.ts'
import type { ClusterView, SessionDeps, SessionSettings } from './ports.ts'
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
  scramble: Uint8Array
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
  /** MySQL mode: what a login for the server is told when there is no server. */
  private noServer: Uint8Array | undefined
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

  greetAsNode(): void {
    const { deps, id, scramble } = this.host
    this.greet(proxyGreeting(deps.serverVersion(), id, scramble))
  }

  /** MySQL mode: as the server has greeted us. */
  greetAsServer(greeting: Greeting): void {
    const { host } = this
    if (host.state !== 'greeting') return
    host.scramble = greeting.scramble
    this.greet(maskGreeting(greeting))
  }

  /** MySQL mode without its server: administrators of the node must come in all the same. */
  private greetAlone(error: Uint8Array): void {
    this.noServer = error
    this.host.scramble = randomScramble()
    this.greetAsNode()
  }

  private greet(greeting: Greeting): void {
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

  /** The server has refused the login, or in MySQL mode us before it. */
  refused(error: Uint8Array, sequence: number): void {
    if (this.host.state === 'greeting') {
      this.greetAlone(error)
      return
    }
    if (this.isRelayed && sequence > 0) this.follow(sequence)
    this.host.refuse(error)
  }

  /** No server could be had to log in on. */
  unreachable(): void {
    const { host } = this
    const fault = new Fault('route.no-server', { tenant: host.tenant })
    if (host.state === 'greeting') this.greetAlone(errorOfFault(fault))
    else host.giveUp(fault)
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
      if (this.noServer === undefined) host.servers.current?.relayLogin(maskLogin(payload))
      else host.refuse(this.noServer)
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
    enterCluster(host, credentials, mode.directory).catch(error => host.failed(error))
  }

  private deny(credentials: Credentials): void {
    this.host.giveUp(accessDenied(credentials, this.host.entry.address))
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
