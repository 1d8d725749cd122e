/**
 * One authenticated connection to one server, owned by one client session. It logs in, then relays:
 * a command's bytes go down as they come, the response comes up through `ResponseRelay`.
 * Hot path: see the rules.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import type { Address, Connection, Transport } from '../net/transport.ts'
import type { RequestExtra } from '../wire/extra-info.ts'
import { PacketCollector, type RelaySink, ResponseRelay } from '../wire/framing.ts'
import { type Greeting, parseGreeting } from '../wire/handshake.ts'
import type { FrameScratch, Ob20Sink } from '../wire/ob20.ts'
import { COMMAND, OB20_CAPABILITIES, PROXY_CAPABILITIES } from '../wire/protocol.ts'
import { ResponseTracker } from '../wire/response.ts'
import { packet } from '../wire/writer.ts'
import type { Baseline } from './baseline.ts'
import { Delivered } from './delivered.ts'
import { type Framing, framingOf, Ob20Framing, PLAIN_FRAMING } from './framing.ts'
import { agreedCapabilities, type ProxyLogin, serverLogin } from './login.ts'
import { NO_TLS_OFFERED, type ServerTlsPort, sendLogin } from './server-tls.ts'

/** Bound of a greeting or a login answer; OceanBase's login OK is about 25 KB. */
const LOGIN_LIMIT_BYTES = 1024 * 1024
/** How long a server may take to close after COM_QUIT. */
const LEAVE_MS = 5_000

/** What comes of a command that a server session was sent. */
export type ServerAnswers = {
  /** Bytes of a response for the client. */
  readonly forward: (session: ServerSession, bytes: Uint8Array) => void
  /** The response is complete; see RelaySink. */
  readonly finished: (
    session: ServerSession,
    ok: Uint8Array | undefined,
    sequence: number,
    swallowed: boolean,
  ) => void
  /** An entry of a response's extra info, a view; before the response is finished. */
  readonly extra: (session: ServerSession, type: number, bytes: Uint8Array) => void
  /** LOAD DATA LOCAL: the server waits for a file; its question was forwarded. */
  readonly infile: (session: ServerSession) => void
  /** See RelaySink. */
  readonly discards: (session: ServerSession, errorCode: number, held: Uint8Array) => boolean
}

/** What the owner of a server session is told. */
export type ServerSessionOwner = ServerAnswers & {
  /** MySQL mode only: the server's greeting, before anything is sent. */
  readonly greeted: (session: ServerSession, greeting: Greeting) => void
  /** Logged in: payload of the login OK and its sequence number. */
  readonly ready: (session: ServerSession, ok: Uint8Array, sequence: number) => void
  /** The server said no: payload of its ERR and its sequence number. */
  readonly refused: (session: ServerSession, error: Uint8Array, sequence: number) => void
  /** MySQL mode only: a login packet that is neither OK nor ERR, and its sequence number. */
  readonly asked: (session: ServerSession, sequence: number, payload: Uint8Array) => void
  readonly drained: (session: ServerSession) => void
  /** Gone, for whatever reason; once. `wasReady` tells whether it had been logged in. */
  readonly lost: (session: ServerSession, wasReady: boolean) => void
}

/** How a session's login is written; `scratch` undefined: plain protocol only. */
export type ServerLoginParts = {
  readonly login: ProxyLogin | undefined
  readonly database: string | undefined
  readonly scratch: FrameScratch | undefined
}

type Finish = {
  readonly ok: Uint8Array | undefined
  readonly sequence: number
  readonly swallowed: boolean
}

type Phase = 'connecting' | 'greeting' | 'authenticating' | 'ready' | 'closed'

export class ServerSession implements Ob20Sink, RelaySink {
  readonly address: Address
  readonly relay: ResponseRelay
  readonly tracker: ResponseTracker
  private readonly owner: ServerSessionOwner
  readonly login: ProxyLogin | undefined
  private readonly database: string | undefined
  private scratch: FrameScratch | undefined
  private collector: PacketCollector | undefined = new PacketCollector(LOGIN_LIMIT_BYTES)
  private connection: Connection | undefined
  private clock: Clock | undefined
  private tls: ServerTlsPort | undefined
  private timeoutMs = 0
  private greeting: Greeting | undefined
  private phase: Phase = 'connecting'
  private framing: Framing = PLAIN_FRAMING
  /** A command's first bytes were written and its last were not. */
  private isWriting = false
  private nextExtra: RequestExtra | undefined
  private nextFlags = 0
  /** OB 2.0: a response counts when its last frame has come and was right. */
  private finish: Finish | undefined
  private isBusy = false
  private deadline: TimerHandle | undefined
  /** The server's id of this connection. */
  threadId = 0
  /** Bits of `__proxy_capability_flag` that the server agreed to. */
  capabilities = 0
  /** What this session has of its client's state. */
  readonly delivered = new Delivered()
  /** The variables it began with; undefined in MySQL mode. */
  baseline: Baseline | undefined

  constructor(address: Address, owner: ServerSessionOwner, parts: ServerLoginParts) {
    this.address = address
    this.owner = owner
    this.login = parts.login
    this.database = parts.database
    this.scratch = parts.scratch
    this.delivered.schema = parts.database
    this.tracker = new ResponseTracker(parts.login !== undefined)
    this.relay = new ResponseRelay(this.tracker, this, parts.login?.clientCapabilities)
  }

  /** Connects and logs in, both within `timeoutMs`; in MySQL mode the client sets the pace of the login. */
  start(transport: Transport, clock: Clock, timeoutMs: number, tls?: ServerTlsPort): void {
    this.clock = clock
    this.tls = tls
    this.timeoutMs = timeoutMs
    this.deadline = clock.after(timeoutMs, () => this.drop())
    this.connect(transport, timeoutMs)
  }

  private connect(transport: Transport, timeoutMs: number): void {
    const reconnect = () => {
      this.scratch = undefined
      this.phase = 'connecting'
      this.collector = new PacketCollector(LOGIN_LIMIT_BYTES)
      const former = this.connection
      this.connect(transport, timeoutMs)
      former?.destroy()
    }
    this.connection = transport.connect(
      { ...this.address, timeoutMs },
      {
        opened: () => {
          this.phase = 'greeting'
        },
        received: (connection, bytes) => {
          if (connection === this.connection) this.received(bytes, reconnect)
        },
        drained: () => this.owner.drained(this),
        ended: connection => connection.destroy(),
        closed: (connection, error) => {
          if (connection !== this.connection) return
          if (connection.isSecure && error !== undefined) this.tlsFailed(error.message)
          this.lost()
        },
      },
    )
  }

  /** Extra info and the flags of OB 2.0 can travel. */
  get isOb20(): boolean {
    return this.framing.isOb20
  }

  get isClosed(): boolean {
    return this.phase === 'closed'
  }

  get isSecure(): boolean {
    return this.connection?.isSecure ?? false
  }

  /** Bytes of a command, `isLast` when it ends with them; false when the server does not take them fast enough. */
  write(bytes: Uint8Array, isLast: boolean): boolean {
    if (!this.isWriting) {
      this.framing.begin(this.nextExtra, this.nextFlags)
      this.nextExtra = undefined
      this.nextFlags = 0
    }
    this.isWriting = !isLast
    return this.connection?.write(this.framing.wrap(bytes, isLast)) ?? true
  }

  /** MySQL mode: bytes of a login that is the client's own. */
  writeLogin(bytes: Uint8Array): boolean {
    return this.connection?.write(bytes) ?? true
  }

  /** Bytes that the server has not taken. */
  pendingBytes(): number {
    return this.connection?.pendingBytes() ?? 0
  }

  /** Expects the answer to a command that is about to be written. */
  begin(command: number): void {
    this.isBusy = true
    this.relay.begin(command)
  }

  /** What the next command brings besides its bytes. */
  bring(extra: RequestExtra | undefined, flags: number): void {
    this.nextExtra = extra
    this.nextFlags = flags
  }

  pause(): void {
    this.connection?.pause()
  }

  resume(): void {
    this.connection?.resume()
  }

  /** Closes at once; the owner is told as of any loss. */
  drop(): void {
    this.connection?.destroy()
  }

  /** Closes at once; the owner is told nothing any more. */
  close(): void {
    this.phase = 'closed'
    this.deadline?.cancel()
    this.connection?.destroy()
  }

  /** The same, with COM_QUIT where the server waits for a command. */
  leave(): void {
    if (this.phase !== 'ready' || this.isBusy) {
      this.close()
      return
    }
    this.phase = 'closed'
    const { connection } = this
    this.write(packet(0, Uint8Array.of(COMMAND.quit)), true)
    connection?.end()
    this.deadline = this.clock?.after(LEAVE_MS, () => connection?.destroy())
  }

  // --- Ob20Sink

  mysql(bytes: Uint8Array): void {
    this.relay.feed(bytes)
  }

  extra(type: number, bytes: Uint8Array): void {
    this.owner.extra(this, type, bytes)
  }

  frameEnded(isLast: boolean): void {
    if (isLast) this.settle()
  }

  // --- RelaySink

  forward(bytes: Uint8Array): void {
    this.owner.forward(this, bytes)
  }

  infile(): void {
    this.owner.infile(this)
  }

  discards(errorCode: number, held: Uint8Array): boolean {
    return this.owner.discards(this, errorCode, held)
  }

  finished(ok: Uint8Array | undefined, sequence: number, swallowed: boolean): void {
    if (this.framing.isOb20) {
      this.finish = { ok, sequence, swallowed }
      return
    }
    this.isBusy = false
    this.owner.finished(this, ok, sequence, swallowed)
  }

  private settle(): void {
    const { finish } = this
    if (finish === undefined) return
    this.finish = undefined
    this.isBusy = false
    this.owner.finished(this, finish.ok, finish.sequence, finish.swallowed)
  }

  /** The server has closed behind an ERR: what is known of its answer is all there will be. */
  serverEnded(): boolean {
    if (!this.relay.serverEnded()) return false
    this.settle()
    return true
  }

  private received(bytes: Uint8Array, reconnect: () => void): void {
    if (this.phase === 'closed') return
    try {
      if (this.phase === 'ready') this.feed(bytes)
      else this.receivedBeforeReady(bytes, reconnect)
    } catch {
      // A server that breaks the protocol is as good as lost; the owner answers its client.
      this.connection?.destroy()
    }
  }

  private feed(bytes: Uint8Array): void {
    this.framing.feed(bytes, this)
    // A view would be overwritten by the next chunk.
    const { finish } = this
    if (finish?.ok !== undefined) this.finish = { ...finish, ok: finish.ok.slice() }
  }

  private receivedBeforeReady(bytes: Uint8Array, reconnect: () => void): void {
    const { collector } = this
    if (collector === undefined) return
    collector.push(bytes.slice())
    for (;;) {
      if (this.phase === 'ready' || this.phase === 'closed') return
      const next = collector.next()
      if (next === undefined) return
      if (this.phase === 'greeting') this.greeted(next.payload, next.sequence)
      else {
        const sequence = (next.sequence - Number(this.isSecure)) & 0xff
        this.loginAnswered(next.payload, sequence, reconnect)
      }
      if (collector !== this.collector) return
    }
  }

  private greeted(payload: Uint8Array, sequence: number): void {
    if (payload[0] === 0xff) {
      this.refuse(payload, sequence)
      return
    }
    const greeting = parseGreeting(payload)
    this.greeting = greeting
    this.threadId = greeting.connectionId
    this.phase = 'authenticating'
    if (this.login === undefined) {
      this.deadline?.cancel()
      this.owner.greeted(this, greeting)
    } else this.relayLogin(this.loginFor(this.login, greeting))
  }

  /** Sends a login; in MySQL mode the client's own, after `greeted`. */
  relayLogin(payload: Uint8Array): void {
    const { connection, greeting, timeoutMs } = this
    if (connection === undefined || greeting === undefined) return
    const inside = { tls: this.tls?.current(), secured: this.tls?.secured, timeoutMs }
    const place = { connection, server: this.address, greeting, ...inside }
    if (sendLogin(payload, place) === 'sent') return
    this.tlsFailed(NO_TLS_OFFERED)
    this.drop()
  }

  /** MySQL mode: the client's login goes on; numbers are those of a login without TLS, both ways. */
  relayMore(sequence: number, payload: Uint8Array): void {
    this.writeLogin(packet((sequence + Number(this.isSecure)) & 0xff, payload))
  }

  private tlsFailed(reason: string): void {
    if (this.phase === 'authenticating') this.tls?.failed(this.address, reason)
  }

  private loginFor(login: ProxyLogin, greeting: Greeting): Uint8Array {
    const capabilities = this.scratch === undefined ? PROXY_CAPABILITIES : OB20_CAPABILITIES
    return serverLogin(login, greeting, { database: this.database, capabilities })
  }

  private loginAnswered(payload: Uint8Array, sequence: number, reconnect: () => void): void {
    if (payload[0] === 0xff) {
      this.refuse(payload, sequence)
    } else if (payload[0] === 0x00) {
      this.loggedIn(payload, sequence, reconnect)
    } else if (this.login === undefined) {
      this.owner.asked(this, sequence, payload)
    } else {
      this.connection?.destroy()
    }
  }

  private loggedIn(ok: Uint8Array, sequence: number, reconnect: () => void): void {
    this.capabilities = this.login === undefined ? 0 : agreedCapabilities(ok)
    const framing = framingOf(this.capabilities)
    if (framing === 'ask-for-plain') {
      reconnect()
      return
    }
    if (framing === 'ob20' && this.scratch !== undefined)
      this.framing = new Ob20Framing(this.threadId, this.scratch)
    this.phase = 'ready'
    this.deadline?.cancel()
    this.collector = undefined
    this.owner.ready(this, ok, sequence)
  }

  private refuse(error: Uint8Array, sequence: number): void {
    this.phase = 'closed'
    this.deadline?.cancel()
    this.connection?.destroy()
    this.owner.refused(this, error, sequence)
  }

  private lost(): void {
    this.deadline?.cancel()
    if (this.phase === 'closed') return
    const wasReady = this.phase === 'ready'
    this.phase = 'closed'
    this.owner.lost(this, wasReady)
  }
}
