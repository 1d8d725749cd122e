/**
 * One authenticated connection to one server, owned by one client session. It logs in, then relays:
 * a command's bytes go down as they come, the response comes up through `ResponseRelay`.
 * Hot path: see the rules.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import type { Address, Connection, Transport } from '../net/transport.ts'
import { PacketCollector, ResponseRelay } from '../wire/framing.ts'
import { type Greeting, parseGreeting } from '../wire/handshake.ts'
import { COMMAND } from '../wire/protocol.ts'
import { ResponseTracker } from '../wire/response.ts'
import { packet } from '../wire/writer.ts'
import { agreedCapabilities, type ProxyLogin, serverLogin } from './login.ts'
import { NO_TLS_OFFERED, type ServerTlsPort, sendLogin } from './server-tls.ts'

/** Bound of a greeting or a login answer; OceanBase's login OK is about 25 KB. */
const LOGIN_LIMIT_BYTES = 1024 * 1024
/** How long a server may take to close after COM_QUIT. */
const LEAVE_MS = 5_000

/** What the owner of a server session is told. */
export type ServerSessionOwner = {
  /** MySQL mode only: the server's greeting, before anything is sent. */
  readonly greeted: (session: ServerSession, greeting: Greeting) => void
  /** Logged in: payload of the login OK and its sequence number. */
  readonly ready: (session: ServerSession, ok: Uint8Array, sequence: number) => void
  /** The server said no: payload of its ERR and its sequence number. */
  readonly refused: (session: ServerSession, error: Uint8Array, sequence: number) => void
  /** MySQL mode only: a login packet that is neither OK nor ERR, and its sequence number. */
  readonly asked: (session: ServerSession, sequence: number, payload: Uint8Array) => void
  /** Bytes of a response for the client. */
  readonly forward: (session: ServerSession, bytes: Uint8Array) => void
  /** The response is complete; see RelaySink. */
  readonly finished: (
    session: ServerSession,
    ok: Uint8Array | undefined,
    sequence: number,
    swallowed: boolean,
  ) => void
  readonly drained: (session: ServerSession) => void
  /** Gone, for whatever reason; once. `wasReady` tells whether it had been logged in. */
  readonly lost: (session: ServerSession, wasReady: boolean) => void
}

type Phase = 'connecting' | 'greeting' | 'authenticating' | 'ready' | 'closed'

export class ServerSession {
  readonly address: Address
  readonly relay: ResponseRelay
  readonly tracker: ResponseTracker
  private readonly owner: ServerSessionOwner
  readonly login: ProxyLogin | undefined
  private readonly database: string | undefined
  private readonly collector = new PacketCollector(LOGIN_LIMIT_BYTES)
  private connection: Connection | undefined
  private clock: Clock | undefined
  private tls: ServerTlsPort | undefined
  private timeoutMs = 0
  private greeting: Greeting | undefined
  private phase: Phase = 'connecting'
  private isBusy = false
  private deadline: TimerHandle | undefined
  /** The server's id of this connection. */
  threadId = 0
  /** Bits of `__proxy_capability_flag` that the server agreed to. */
  capabilities = 0
  /** Current database on this server; undefined before the first answer. */
  schema: string | undefined

  constructor(
    address: Address,
    owner: ServerSessionOwner,
    login: ProxyLogin | undefined,
    database?: string,
  ) {
    this.address = address
    this.owner = owner
    this.login = login
    this.database = database
    this.schema = database
    this.tracker = new ResponseTracker(login !== undefined)
    this.relay = new ResponseRelay(this.tracker, {
      forward: bytes => owner.forward(this, bytes),
      finished: (ok, sequence, swallowed) => {
        this.isBusy = false
        owner.finished(this, ok, sequence, swallowed)
      },
      infile: () => this.drop(),
    })
  }

  /** Connects and logs in, both within `timeoutMs`; in MySQL mode the client sets the pace of the login. */
  start(transport: Transport, clock: Clock, timeoutMs: number, tls?: ServerTlsPort): void {
    this.clock = clock
    this.tls = tls
    this.timeoutMs = timeoutMs
    this.deadline = clock.after(timeoutMs, () => this.drop())
    this.connection = transport.connect(
      { ...this.address, timeoutMs },
      {
        opened: () => {
          this.phase = 'greeting'
        },
        received: (_connection, bytes) => this.received(bytes),
        drained: () => this.owner.drained(this),
        ended: connection => connection.destroy(),
        closed: ({ isSecure }, error) => {
          if (isSecure && error !== undefined) this.tlsFailed(error.message)
          this.lost()
        },
      },
    )
  }

  get isClosed(): boolean {
    return this.phase === 'closed'
  }

  get isSecure(): boolean {
    return this.connection?.isSecure ?? false
  }

  /** Bytes of a command; false when the server does not take them fast enough. */
  write(bytes: Uint8Array): boolean {
    return this.connection?.write(bytes) ?? true
  }

  begin(command: number): void {
    this.isBusy = true
    this.relay.begin(command)
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
    connection?.write(packet(0, Uint8Array.of(COMMAND.quit)))
    connection?.end()
    this.deadline = this.clock?.after(LEAVE_MS, () => connection?.destroy())
  }

  private received(bytes: Uint8Array): void {
    if (this.phase === 'closed') return
    try {
      if (this.phase === 'ready') this.relay.feed(bytes)
      else this.receivedBeforeReady(bytes)
    } catch {
      // A server that breaks the protocol is as good as lost; the owner answers its client.
      this.connection?.destroy()
    }
  }

  private receivedBeforeReady(bytes: Uint8Array): void {
    this.collector.push(bytes.slice())
    for (;;) {
      if (this.phase === 'ready' || this.phase === 'closed') return
      const next = this.collector.next()
      if (next === undefined) return
      if (this.phase === 'greeting') this.greeted(next.payload, next.sequence)
      else this.answered(next.payload, (next.sequence - Number(this.isSecure)) & 0xff)
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
    } else this.relayLogin(serverLogin(this.login, greeting, this.database))
  }

  /** Sends a login; in MySQL mode the client's own, after `greeted`. */
  relayLogin(payload: Uint8Array): void {
    const { connection, greeting, timeoutMs } = this
    if (connection === undefined || greeting === undefined) return
    const tls = this.tls?.current()
    const place = { connection, server: this.address, greeting, tls, timeoutMs }
    if (sendLogin(payload, place) === 'sent') return
    this.tlsFailed(NO_TLS_OFFERED)
    this.drop()
  }

  /** MySQL mode: the client's login goes on; numbers are those of a login without TLS, both ways. */
  relayMore(sequence: number, payload: Uint8Array): void {
    this.write(packet((sequence + Number(this.isSecure)) & 0xff, payload))
  }

  private tlsFailed(reason: string): void {
    if (this.phase === 'authenticating') this.tls?.failed(this.address, reason)
  }

  private answered(payload: Uint8Array, sequence: number): void {
    if (payload[0] === 0xff) {
      this.refuse(payload, sequence)
    } else if (payload[0] === 0x00) {
      this.phase = 'ready'
      this.deadline?.cancel()
      if (this.login !== undefined) this.capabilities = agreedCapabilities(payload)
      this.owner.ready(this, payload, sequence)
    } else if (this.login === undefined) {
      this.owner.asked(this, sequence, payload)
    } else {
      this.connection?.destroy()
    }
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
