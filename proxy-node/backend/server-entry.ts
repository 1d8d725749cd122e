/**
 * One server session from its connection to the answer to its login: greeting, TLS, login. It is let go
 * when the session is in: an idle session is paid for by the thousand.
 * Source: proxy-protocol.md §2.1–2.6.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import type { Address, Connection } from '../net/transport.ts'
import { PacketCollector } from '../wire/framing.ts'
import { type Greeting, parseGreeting } from '../wire/handshake.ts'
import type { KnownOks } from '../wire/known-oks.ts'
import type { FrameScratch } from '../wire/ob20.ts'
import { OB20_CAPABILITIES, PROXY_CAPABILITIES, TRACE_CAPABILITIES } from '../wire/protocol.ts'
import { packet } from '../wire/writer.ts'
import { type Framing, framingOf, Ob20Framing, PLAIN_FRAMING } from './framing.ts'
import { agreedCapabilities, type ProxyLogin, serverLogin } from './login.ts'
import { NO_TLS_OFFERED, type ServerTlsPort, sendLogin } from './server-tls.ts'

/** Bound of a greeting or a login answer; OceanBase's login OK is about 25 KB. */
const LOGIN_LIMIT_BYTES = 1024 * 1024

/** How a session's login is written; `scratch` undefined: plain protocol only, without traces. */
export type ServerLoginParts = {
  readonly login: ProxyLogin | undefined
  readonly database: string | undefined
  readonly scratch: FrameScratch | undefined
  /** Of the worker; absent: of this session alone. */
  readonly oks?: KnownOks
  readonly tracesFullLink: boolean
}

/** Within what time the session has to be in, and whether inside TLS. */
export type EntryPlace = {
  readonly clock: Clock
  /** For the connection and the login together. */
  readonly timeoutMs: number
  readonly tls: ServerTlsPort | undefined
}

/** The session that goes in. */
export type EntryOwner = {
  readonly address: Address
  readonly connection: Connection | undefined
  /** MySQL mode only: the server's greeting, before anything is sent. */
  readonly greetedBy: (greeting: Greeting) => void
  /** MySQL mode only: a login packet that is neither OK nor ERR. */
  readonly askedBy: (sequence: number, payload: Uint8Array) => void
  readonly entered: (ok: Uint8Array, sequence: number, agreed: Agreed) => void
  readonly refusedBy: (error: Uint8Array, sequence: number) => void
  /** Connects again: this server speaks frames that the proxy does not. */
  readonly reconnect: () => void
  /** Gives the connection up. */
  readonly drop: () => void
}

export type Agreed = {
  /** Bits of `__proxy_capability_flag`. */
  readonly capabilities: number
  readonly framing: Framing
}

export class ServerEntry {
  private readonly owner: EntryOwner
  private readonly parts: ServerLoginParts
  private readonly place: EntryPlace
  private readonly deadline: TimerHandle
  private collector = new PacketCollector(LOGIN_LIMIT_BYTES)
  private greeting: Greeting | undefined
  private isOver = false
  /** Frames were tried on an earlier connection. */
  private isPlainOnly = false

  constructor(owner: EntryOwner, parts: ServerLoginParts, place: EntryPlace) {
    this.owner = owner
    this.parts = parts
    this.place = place
    this.deadline = place.clock.after(place.timeoutMs, () => owner.drop())
  }

  /** Stops the clock; nothing is told any more. */
  end(): void {
    this.isOver = true
    this.deadline.cancel()
  }

  /** @throws protocol.malformed */
  received(bytes: Uint8Array): void {
    const { collector } = this
    collector.push(bytes.slice())
    while (!this.isOver && collector === this.collector) {
      const next = collector.next()
      if (next === undefined) return
      if (this.greeting === undefined) this.greeted(next.payload, next.sequence)
      else this.answered(next.payload, (next.sequence - this.shift) & 0xff)
    }
  }

  /** Sends a login; in MySQL mode the client's own, after the greeting. */
  relayLogin(payload: Uint8Array): void {
    const { greeting, owner } = this
    const { connection, address } = owner
    const { tls, timeoutMs } = this.place
    if (connection === undefined || greeting === undefined) return
    const inside = { tls: tls?.current(), secured: tls?.secured, timeoutMs }
    if (sendLogin(payload, { connection, server: address, greeting, ...inside }) === 'sent') return
    this.tlsFailed(NO_TLS_OFFERED)
    owner.drop()
  }

  /** MySQL mode: the client's login goes on; numbers are those of a login without TLS, both ways. */
  relayMore(sequence: number, payload: Uint8Array): void {
    this.owner.connection?.write(packet((sequence + this.shift) & 0xff, payload))
  }

  /** The connection ended with an error inside TLS. */
  tlsFailed(reason: string): void {
    if (this.greeting !== undefined) this.place.tls?.failed(this.owner.address, reason)
  }

  /** The request for TLS was a packet of its own. */
  private get shift(): number {
    return Number(this.owner.connection?.isSecure ?? false)
  }

  private greeted(payload: Uint8Array, sequence: number): void {
    if (payload[0] === 0xff) {
      this.owner.refusedBy(payload, sequence)
      return
    }
    const greeting = parseGreeting(payload)
    this.greeting = greeting
    const { login, database } = this.parts
    // In MySQL mode the client sets the pace.
    if (login === undefined) this.deadline.cancel()
    this.owner.greetedBy(greeting)
    if (login === undefined) return
    this.relayLogin(serverLogin(login, greeting, { database, capabilities: this.asked }))
  }

  /** Bits of `__proxy_capability_flag`. */
  private get asked(): number {
    if (this.scratch === undefined) return PROXY_CAPABILITIES
    return this.parts.tracesFullLink ? OB20_CAPABILITIES | TRACE_CAPABILITIES : OB20_CAPABILITIES
  }

  private get scratch(): FrameScratch | undefined {
    return this.isPlainOnly ? undefined : this.parts.scratch
  }

  private answered(payload: Uint8Array, sequence: number): void {
    const isRelayed = this.parts.login === undefined
    if (payload[0] === 0xff) this.owner.refusedBy(payload, sequence)
    else if (payload[0] === 0x00) this.accepted(payload, sequence)
    else if (isRelayed) this.owner.askedBy(sequence, payload)
    else this.owner.drop()
  }

  private accepted(ok: Uint8Array, sequence: number): void {
    const capabilities = this.parts.login === undefined ? 0 : agreedCapabilities(ok)
    const kind = framingOf(capabilities)
    if (kind === 'ask-for-plain') {
      this.isPlainOnly = true
      this.greeting = undefined
      this.collector = new PacketCollector(LOGIN_LIMIT_BYTES)
      this.owner.reconnect()
      return
    }
    const { scratch, greeting } = this
    const isFramed = kind === 'ob20' && scratch !== undefined && greeting !== undefined
    const framing = isFramed ? new Ob20Framing(greeting.connectionId, scratch) : PLAIN_FRAMING
    this.owner.entered(ok, sequence, { capabilities, framing })
  }
}
