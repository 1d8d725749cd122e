/**
 * One authenticated connection to one server, owned by one client session. It logs in, then relays:
 * a command's bytes go down as they come, the response comes up through `ResponseRelay`.
 * Hot path: see the rules.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import type { Address, Connection, ConnectionEvents, Transport } from '../net/transport.ts'
import { type KeyedServer, serverKey } from '../topology/model.ts'
import type { RequestExtra } from '../wire/extra-info.ts'
import { type RelaySink, ResponseRelay } from '../wire/framing.ts'
import type { Greeting } from '../wire/handshake.ts'
import type { Ob20Sink } from '../wire/ob20.ts'
import { COMMAND } from '../wire/protocol.ts'
import { ResponseTracker } from '../wire/response.ts'
import { packet } from '../wire/writer.ts'
import type { Baseline } from './baseline.ts'
import { Delivered } from './delivered.ts'
import { type Framing, PLAIN_FRAMING } from './framing.ts'
import type { ProxyLogin } from './login.ts'
import { type Agreed, type EntryOwner, ServerEntry, type ServerLoginParts } from './server-entry.ts'
import type { ServerTlsPort } from './server-tls.ts'

/** How long a server may take to close after COM_QUIT. */
const LEAVE_MS = 5_000

/** What comes of a command that a server session was sent. */
export type ServerAnswers = {
  /** Bytes of a response for the client, from `from` up to `to`. */
  readonly forward: (session: ServerSession, bytes: Uint8Array, from: number, to: number) => void
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
  /** What it sent could not be taken: against the protocol, or a bug. It is `lost` next. */
  readonly broke: (error: unknown) => void
  /** Gone, for whatever reason; once. `wasReady` tells whether it had been logged in. */
  readonly lost: (session: ServerSession, wasReady: boolean) => void
}

type Where = {
  readonly transport: Transport
  readonly clock: Clock
  readonly tls?: ServerTlsPort | undefined
}

export class ServerSession implements ConnectionEvents, EntryOwner, Ob20Sink, RelaySink {
  readonly address: Address
  /** Its server as routing names it. */
  readonly keyed: KeyedServer
  readonly relay: ResponseRelay
  readonly tracker: ResponseTracker
  private readonly owner: ServerSessionOwner
  readonly login: ProxyLogin | undefined
  private parts: ServerLoginParts | undefined
  connection: Connection | undefined
  /** Until the login is answered. */
  private entry: ServerEntry | undefined
  private reconnecting: (() => void) | undefined
  private clock: Clock | undefined
  isClosed = false
  private framing: Framing = PLAIN_FRAMING
  /** A command's first bytes were written and its last were not. */
  private isWriting = false
  private nextExtra: RequestExtra | undefined
  private nextFlags = 0
  private isBusy = false
  /** OB 2.0: a response counts when its last frame has come and was right; what it said until then. */
  private isSettling = false
  private finishOk: Uint8Array | undefined
  private finishSequence = 0
  private finishSwallowed = false
  private leaving: TimerHandle | undefined
  /** The server's id of this connection. */
  threadId = 0
  /** Bits of `__proxy_capability_flag` that the server agreed to. */
  capabilities = 0
  /** What this session has of its client's state. */
  readonly delivered = new Delivered()
  /** As it was started with. */
  tls: ServerTlsPort | undefined
  /** The variables it began with; undefined in MySQL mode. */
  baseline: Baseline | undefined

  constructor(address: Address, owner: ServerSessionOwner, parts: ServerLoginParts) {
    this.address = address
    this.keyed = { server: address, key: serverKey(address) }
    this.owner = owner
    this.login = parts.login
    this.parts = parts
    this.delivered.schema = parts.database
    this.tracker = new ResponseTracker(parts.login !== undefined)
    const capabilities = parts.login?.clientCapabilities
    this.relay = new ResponseRelay(this.tracker, this, capabilities, parts.oks)
  }

  /** Connects and logs in, both within `timeoutMs`; in MySQL mode the client sets the pace of the login. */
  start(where: Where, timeoutMs: number): void {
    const { transport, clock, tls } = where
    const { parts } = this
    if (parts === undefined) return
    this.parts = undefined
    this.clock = clock
    this.tls = tls
    this.entry = new ServerEntry(this, parts, { clock, timeoutMs, tls })
    this.reconnecting = () => {
      const former = this.connection
      this.connection = transport.connect({ ...this.address, timeoutMs }, this)
      former?.destroy()
    }
    this.reconnecting()
  }

  /** Extra info and the flags of OB 2.0 can travel. */
  get isOb20(): boolean {
    return this.framing.isOb20
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
    this.isClosed = true
    this.comeIn()
    this.leaving?.cancel()
    this.connection?.destroy()
  }

  /** The same, with COM_QUIT where the server waits for a command. */
  leave(): void {
    if (this.isClosed || this.entry !== undefined || this.isBusy) {
      this.close()
      return
    }
    this.isClosed = true
    const { connection } = this
    this.write(packet(0, Uint8Array.of(COMMAND.quit)), true)
    connection?.end()
    this.leaving = this.clock?.after(LEAVE_MS, () => connection?.destroy())
  }

  // --- Ob20Sink

  mysql(bytes: Uint8Array, from: number, to: number): void {
    this.relay.feed(bytes, from, to)
  }

  extra(type: number, bytes: Uint8Array): void {
    this.owner.extra(this, type, bytes)
  }

  frameEnded(isLast: boolean): void {
    if (isLast) this.settle()
  }

  // --- RelaySink

  forward(bytes: Uint8Array, from: number, to: number): void {
    this.owner.forward(this, bytes, from, to)
  }

  infile(): void {
    this.owner.infile(this)
  }

  discards(errorCode: number, held: Uint8Array): boolean {
    return this.owner.discards(this, errorCode, held)
  }

  finished(ok: Uint8Array | undefined, sequence: number, swallowed: boolean): void {
    if (this.framing.isOb20) {
      this.isSettling = true
      this.finishOk = ok
      this.finishSequence = sequence
      this.finishSwallowed = swallowed
      return
    }
    this.isBusy = false
    this.owner.finished(this, ok, sequence, swallowed)
  }

  private settle(): void {
    if (!this.isSettling) return
    const { finishOk } = this
    this.isSettling = false
    this.finishOk = undefined
    this.isBusy = false
    this.owner.finished(this, finishOk, this.finishSequence, this.finishSwallowed)
  }

  /** The server has closed behind an ERR: what is known of its answer is all there will be. */
  serverEnded(): boolean {
    if (!this.relay.serverEnded()) return false
    this.settle()
    return true
  }

  // --- ConnectionEvents

  opened(): void {}

  received(connection: Connection, bytes: Uint8Array): void {
    if (this.isClosed || connection !== this.connection) return
    try {
      if (this.entry === undefined) this.feed(bytes)
      else this.entry.received(bytes)
    } catch (error) {
      // A server that breaks the protocol is as good as lost; the owner answers its client.
      this.owner.broke(error)
      this.drop()
    }
  }

  drained(): void {
    this.owner.drained(this)
  }

  ended(connection: Connection): void {
    connection.destroy()
  }

  closed(connection: Connection, error: Error | undefined): void {
    if (connection !== this.connection) return
    if (connection.isSecure && error !== undefined) this.entry?.tlsFailed(error.message)
    const wasReady = this.entry === undefined
    this.comeIn()
    this.leaving?.cancel()
    if (this.isClosed) return
    this.isClosed = true
    this.owner.lost(this, wasReady)
  }

  private feed(bytes: Uint8Array): void {
    this.framing.feed(bytes, this)
  }

  // --- EntryOwner

  /** Sends a login; in MySQL mode the client's own, after `greeted`. */
  relayLogin(payload: Uint8Array): void {
    this.entry?.relayLogin(payload)
  }

  /** MySQL mode: the client's login goes on; numbers are those of a login without TLS, both ways. */
  relayMore(sequence: number, payload: Uint8Array): void {
    this.entry?.relayMore(sequence, payload)
  }

  greetedBy(greeting: Greeting): void {
    this.threadId = greeting.connectionId
    if (this.login === undefined) this.owner.greeted(this, greeting)
  }

  askedBy(sequence: number, payload: Uint8Array): void {
    this.owner.asked(this, sequence, payload)
  }

  entered(ok: Uint8Array, sequence: number, { capabilities, framing }: Agreed): void {
    this.capabilities = capabilities
    this.framing = framing
    this.comeIn()
    this.owner.ready(this, ok, sequence)
  }

  refusedBy(error: Uint8Array, sequence: number): void {
    this.close()
    this.owner.refused(this, error, sequence)
  }

  reconnect(): void {
    this.reconnecting?.()
  }

  /** Nothing that the login needed is kept. */
  private comeIn(): void {
    this.entry?.end()
    this.entry = undefined
    this.reconnecting = undefined
  }
}
