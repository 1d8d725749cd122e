/**
 * One authenticated connection to one server, owned by one client session. It logs in, then relays:
 * a command's bytes go down as they come, the response comes up through `ResponseRelay`.
 * Hot path: see the rules.
 */
import type { Address, Connection, Transport } from '../net/transport.ts'
import { PacketCollector, ResponseRelay } from '../wire/framing.ts'
import { type Greeting, parseGreeting } from '../wire/handshake.ts'
import { ResponseTracker } from '../wire/response.ts'
import { packet } from '../wire/writer.ts'
import { type ProxyLogin, serverLogin } from './login.ts'

/** Bound of a greeting or a login answer; OceanBase's login OK is about 25 KB. */
const LOGIN_LIMIT_BYTES = 1024 * 1024

/** What the owner of a server session is told. */
export type ServerSessionOwner = {
  /** MySQL mode only: the server's greeting, before anything is sent. */
  readonly greeted: (session: ServerSession, greeting: Greeting) => void
  /** Logged in: payload of the login OK. */
  readonly ready: (session: ServerSession, ok: Uint8Array) => void
  /** The server said no: payload of its ERR. */
  readonly refused: (session: ServerSession, error: Uint8Array) => void
  /** MySQL mode only: a login packet that is neither OK nor ERR, framed as it came. */
  readonly asked: (session: ServerSession, framed: Uint8Array) => void
  /** Bytes of a response for the client. */
  readonly forward: (session: ServerSession, bytes: Uint8Array) => void
  /** The response is complete; see RelaySink. */
  readonly finished: (ok: Uint8Array | undefined, sequence: number, swallowed: boolean) => void
  readonly drained: (session: ServerSession) => void
  /** Gone, for whatever reason; once. `connected` tells whether the TCP connection had been made. */
  readonly lost: (session: ServerSession, connected: boolean) => void
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
  private phase: Phase = 'connecting'
  private wasConnected = false
  /** The server's id of this connection, what KILL QUERY there wants. */
  threadId = 0
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
      finished: (ok, sequence, swallowed) => owner.finished(ok, sequence, swallowed),
      infile: () => this.close(),
    })
  }

  start(transport: Transport, timeoutMs: number): void {
    this.connection = transport.connect(
      { ...this.address, timeoutMs },
      {
        opened: () => {
          this.wasConnected = true
          this.phase = 'greeting'
        },
        received: (_connection, bytes) => this.received(bytes),
        drained: () => this.owner.drained(this),
        ended: connection => connection.destroy(),
        closed: () => this.lost(),
      },
    )
  }

  get isReady(): boolean {
    return this.phase === 'ready'
  }

  get isClosed(): boolean {
    return this.phase === 'closed'
  }

  /** Bytes of a command; false when the server does not take them fast enough. */
  write(bytes: Uint8Array): boolean {
    return this.connection?.write(bytes) ?? true
  }

  begin(command: number): void {
    this.relay.begin(command)
  }

  pause(): void {
    this.connection?.pause()
  }

  resume(): void {
    this.connection?.resume()
  }

  close(): void {
    this.connection?.destroy()
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
      if (this.phase === 'greeting') this.greeted(next.payload)
      else this.answered(next.payload, next.sequence)
    }
  }

  private greeted(payload: Uint8Array): void {
    if (payload[0] === 0xff) {
      this.refuse(payload)
      return
    }
    const greeting = parseGreeting(payload)
    this.threadId = greeting.connectionId
    this.phase = 'authenticating'
    if (this.login === undefined) this.owner.greeted(this, greeting)
    else this.write(packet(1, serverLogin(this.login, greeting, this.database)))
  }

  private answered(payload: Uint8Array, sequence: number): void {
    if (payload[0] === 0xff) {
      this.refuse(payload)
    } else if (payload[0] === 0x00) {
      this.phase = 'ready'
      this.owner.ready(this, payload)
    } else if (this.login === undefined) {
      this.owner.asked(this, packet(sequence, payload))
    } else {
      this.connection?.destroy()
    }
  }

  private refuse(error: Uint8Array): void {
    this.phase = 'closed'
    this.owner.refused(this, error)
    this.connection?.destroy()
  }

  private lost(): void {
    const told = this.phase === 'closed'
    this.phase = 'closed'
    if (!told) this.owner.lost(this, this.wasConnected)
  }
}
