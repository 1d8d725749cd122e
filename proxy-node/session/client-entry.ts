/**
 * What comes before a client's login: a PROXY header of a load balancer that may be believed, and a
 * request for TLS. Knows where the client is and what it was offered; the rest of the bytes is the
 * login. Sources: proxy-protocol.md §1.6, §1.7, decision N9.
 */
import { Fault } from '#contract/fault'
import { canonicalIp, hostPort, parseIp } from '../base/address.ts'
import type { TlsContext } from '../net/tls.ts'
import type { Connection } from '../net/transport.ts'
import type { Greeting } from '../wire/handshake.ts'
import { CAPABILITY, HEADER_BYTES } from '../wire/protocol.ts'
import { type Endpoint, readProxyHeader } from '../wire/proxy-protocol.ts'
import { concat } from '../wire/writer.ts'

/** What the configuration says about new clients; asked once a client. */
export type EntryRules = {
  /** Undefined: TLS is not offered. */
  readonly tls: () => TlsContext | undefined
  /** A handshake with a client succeeded, or the client was gone before it had. */
  readonly tlsEnded?: ((isDone: boolean) => void) | undefined
  /** Whether this peer may say whose connection it brings. */
  readonly mayBringHeader: (address: string) => boolean
  /** Whether clients at this address may name another in attribute `__client_ip`. */
  readonly mayNameClient: (address: string) => boolean
}

type EntryLimits = { readonly settings: () => { readonly loginTimeoutMs: number } }

const NOTHING = new Uint8Array(0)
const NOWHERE: Endpoint = { address: '', port: 0 }
/** Payload of a request for TLS: the head of a login, or flags alone as old JDBC drivers send. */
const REQUEST_BYTES: ReadonlySet<number> = new Set([32, 4])
const FLAG_BYTES = 4

/** `probe`: whoever it is wants nothing of a database. */
export type EntryStep =
  | { readonly kind: 'login'; readonly bytes: Uint8Array }
  | { readonly kind: 'probe' }

export class ClientEntry {
  private readonly rules: EntryRules | undefined
  /** Bound of a TLS handshake; the session's deadline ends the whole login. */
  private readonly limits: EntryLimits
  private phase: 'header' | 'request' | 'login' = 'login'
  private held: Uint8Array = NOTHING
  private connection: Connection | undefined
  private context: TlsContext | undefined
  private isShakingHands = false
  private endpoint: Endpoint = NOWHERE
  /** What the client has connected to, as a header that is believed says; undefined without one. */
  vip: Endpoint | undefined
  /** Sequence number that the next packet to the client has. */
  sequence = 1

  constructor(rules: EntryRules | undefined, limits: EntryLimits) {
    this.rules = rules
    this.limits = limits
  }

  opened(connection: Connection): void {
    this.connection = connection
    this.endpoint = {
      address: canonicalIp(connection.remoteAddress),
      port: connection.remotePort,
    }
    this.phase = this.rules?.mayBringHeader(this.endpoint.address) ? 'header' : 'request'
  }

  /** Where the client is, as far as anybody may be believed. */
  get address(): string {
    return this.endpoint.address
  }

  /** No header can change the address any more. */
  get isLocated(): boolean {
    return this.phase !== 'header'
  }

  get port(): number {
    return this.endpoint.port
  }

  /** `10.0.0.1:13970`, `[::1]:13970`. */
  get hostPort(): string {
    return hostPort(this.endpoint.address, this.endpoint.port)
  }

  get isSecure(): boolean {
    return this.connection?.isSecure ?? false
  }

  /** The greeting, with TLS among what is offered if there is any. */
  offer(greeting: Greeting): Greeting {
    this.context = this.rules?.tls()
    if (this.context === undefined) return greeting
    return { ...greeting, capabilities: (greeting.capabilities | CAPABILITY.ssl) >>> 0 }
  }

  /** Takes what belongs to the entry; the rest is for the login. @throws protocol.malformed */
  take(bytes: Uint8Array): EntryStep {
    if (this.phase === 'login') return { kind: 'login', bytes }
    this.held = concat([this.held, bytes])
    const isProbe = this.phase === 'header' && !this.readHeader()
    if (isProbe) return { kind: 'probe' }
    this.readRequest()
    if (!this.isOver) return { kind: 'login', bytes: NOTHING }
    const rest = this.held
    this.held = NOTHING
    return { kind: 'login', bytes: rest }
  }

  /** For a client of whom TLS is demanded. @throws tls.required */
  demandTls(): void {
    if (!this.isSecure) throw new Fault('tls.required')
  }

  /** Attributes of the login may name another client. */
  named(attributes: ReadonlyMap<string, Uint8Array>): void {
    const text = attributes.get('__client_ip')
    if (text === undefined || this.rules?.mayNameClient(this.address) !== true) return
    const address = Buffer.from(text).toString('latin1')
    if (parseIp(address) === undefined) return
    const port = Number(Buffer.from(attributes.get('__client_addr_port') ?? NOTHING).toString())
    const isPort = Number.isInteger(port) && port > 0 && port < 65_536
    this.endpoint = { address: canonicalIp(address), port: isPort ? port : this.port }
  }

  private get isOver(): boolean {
    return this.phase === 'login'
  }

  /** False when it was a probe. */
  private readHeader(): boolean {
    const header = readProxyHeader(this.held)
    if (header === 'more') return true
    this.phase = 'request'
    if (header === 'none') return true
    this.held = this.held.subarray(header.lengthBytes)
    if (header.kind === 'proxied') {
      const { source, destination } = header
      this.endpoint = source
      this.vip = { ...destination, address: canonicalIp(destination.address) }
    }
    // Somebody's connection from nowhere must not pass for the load balancer's own.
    return header.kind !== 'other'
  }

  private readRequest(): void {
    const { held } = this
    if (this.phase !== 'request' || held.length < HEADER_BYTES) return
    const length = (held[0] ?? 0) | ((held[1] ?? 0) << 8) | ((held[2] ?? 0) << 16)
    if (!REQUEST_BYTES.has(length)) {
      this.phase = 'login'
      return
    }
    if (held.length < HEADER_BYTES + length) return
    const flags = held.subarray(HEADER_BYTES, HEADER_BYTES + FLAG_BYTES)
    const isRequest = ((flags[1] ?? 0) & (CAPABILITY.ssl >> 8)) !== 0
    this.phase = 'login'
    // Where none was offered it is read as a login, and refused as one that is not whole.
    if (isRequest && this.context !== undefined)
      this.startTls(this.context, ((held[3] ?? 0) + 1) & 0xff, HEADER_BYTES + length)
  }

  private startTls(context: TlsContext, sequence: number, end: number): void {
    const received = this.held.subarray(end)
    this.held = NOTHING
    this.sequence = sequence
    this.isShakingHands = true
    this.connection?.startTls({
      context,
      received,
      timeoutMs: this.limits.settings().loginTimeoutMs,
      secured: () => this.handshakeEnded(true),
    })
  }

  /** The client's connection is gone. */
  closed(): void {
    this.handshakeEnded(false)
  }

  private handshakeEnded(isDone: boolean): void {
    if (!this.isShakingHands) return
    this.isShakingHands = false
    this.rules?.tlsEnded?.(isDone)
  }
}
