/**
 * A small text-protocol client for the proxy's own questions: metadata as proxyro, admin SQL as
 * root@proxysys. One statement at a time, everything bounded, every wait has a deadline.
 */
import { nativeToken } from '../auth/scramble.ts'
import type { Clock, TimerHandle } from '../base/clock.ts'
import type { Address, Connection, Transport } from '../net/transport.ts'
import { Unanswered } from '../topology/unanswered.ts'
import { PacketCollector } from '../wire/framing.ts'
import { buildLogin, parseGreeting } from '../wire/handshake.ts'
import { parseError } from '../wire/ok.ts'
import { CAPABILITY, COMMAND, NATIVE_PLUGIN } from '../wire/protocol.ts'
import { CLIENT_CAPABILITIES, parseColumnName, parseTextRow } from '../wire/resultset.ts'
import { packet, Writer } from '../wire/writer.ts'
import { NO_TLS_OFFERED, type ServerTlsPort, sendLogin } from './server-tls.ts'

const PACKET_LIMIT_BYTES = 1024 * 1024
const ROW_LIMIT = 100_000

export type Rows = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export type QueryClientOptions = {
  readonly address: Address
  /** As typed: `proxyro@sys`. */
  readonly user: string
  /** SHA1 of the password; null for none. */
  readonly stage1: Uint8Array | null
  readonly database?: string
  readonly timeoutMs: number
  /** Absent: without TLS. */
  readonly tls?: ServerTlsPort | undefined
}

/** An ERR of the server, or a failure to reach it (`errno` 0). */
export class QueryError extends Unanswered {
  readonly errno: number

  constructor(errno: number, message: string) {
    super(message)
    this.name = 'QueryError'
    this.errno = errno
  }
}

type Waiting = {
  readonly resolve: (rows: Rows) => void
  readonly reject: (error: QueryError) => void
}

export class QueryClient {
  private readonly options: QueryClientOptions
  private readonly clock: Clock
  private readonly collector = new PacketCollector(PACKET_LIMIT_BYTES)
  private connection: Connection | undefined
  private waiting: Waiting | undefined
  private timer: TimerHandle | undefined
  private state: 'greeting' | 'login' | 'idle' | 'head' | 'columns' | 'rows' | 'closed' = 'greeting'
  private columns: string[] = []
  private rows: (string | null)[][] = []

  constructor(options: QueryClientOptions, clock: Clock) {
    this.options = options
    this.clock = clock
  }

  get isClosed(): boolean {
    return this.state === 'closed'
  }

  /** Connects and logs in. @throws QueryError */
  open(transport: Transport): Promise<Rows> {
    return this.wait(() => {
      this.connection = transport.connect(
        { ...this.options.address, timeoutMs: this.options.timeoutMs },
        {
          opened: () => {},
          received: (_connection, bytes) => this.received(bytes),
          drained: () => {},
          ended: connection => connection.destroy(),
          closed: ({ isSecure }, error) => {
            if (isSecure && error !== undefined && this.state === 'login')
              this.withoutTls(error.message)
            this.fail(0, error?.message ?? 'connection closed')
          },
        },
      )
    })
  }

  /** @throws QueryError; a failure of the connection closes this client. */
  query(sql: string): Promise<Rows> {
    if (this.state !== 'idle') return Promise.reject(new QueryError(0, `client is ${this.state}`))
    return this.wait(() => {
      this.state = 'head'
      this.columns = []
      this.rows = []
      this.connection?.write(packet(0, new Writer(256).u8(COMMAND.query).text(sql).payload()))
    })
  }

  close(): void {
    this.fail(0, 'closed by its owner')
  }

  private wait(start: () => void): Promise<Rows> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.timer = this.clock.after(this.options.timeoutMs, () => this.fail(0, 'timed out'))
      start()
    })
  }

  private received(bytes: Uint8Array): void {
    try {
      this.collector.push(bytes.slice())
      for (let next = this.collector.next(); next !== undefined; next = this.collector.next())
        this.packet(next.payload)
    } catch (error) {
      this.fail(0, error instanceof Error ? error.message : 'malformed answer')
    }
  }

  private packet(payload: Uint8Array): void {
    const first = payload[0] ?? 0
    if (first === 0xff) this.refused(payload)
    else if (this.state === 'greeting') this.logIn(payload)
    else if (this.state === 'login' || (this.state === 'head' && first === 0)) this.settle()
    else if (this.state === 'head') this.state = 'columns'
    else if (first === 0xfe && payload.length < 9) this.ended()
    else if (this.state === 'columns') this.columns.push(parseColumnName(payload))
    else if (this.state === 'rows') this.row(payload)
  }

  private logIn(payload: Uint8Array): void {
    const greeting = parseGreeting(payload)
    const { stage1, user, database } = this.options
    const bits = database === undefined ? 0 : CAPABILITY.connectWithDb
    this.state = 'login'
    const login = buildLogin({
      capabilities: (CLIENT_CAPABILITIES | bits) >>> 0,
      maxPacketBytes: 1 << 24,
      collation: 45,
      user,
      authResponse: stage1 === null ? new Uint8Array(0) : nativeToken(stage1, greeting.scramble),
      database,
      plugin: NATIVE_PLUGIN,
      attributes: new Map(),
    })
    const { connection } = this
    const { address, tls, timeoutMs } = this.options
    if (connection === undefined) return
    const inside = { tls: tls?.current(), secured: tls?.secured, timeoutMs }
    const place = { connection, server: address, greeting, ...inside }
    if (sendLogin(login, place) === 'refused') this.withoutTls(NO_TLS_OFFERED)
  }

  private withoutTls(reason: string): void {
    this.options.tls?.failed(this.options.address, reason)
    this.fail(0, reason)
  }

  private ended(): void {
    if (this.state === 'columns') this.state = 'rows'
    else this.settle()
  }

  private row(payload: Uint8Array): void {
    if (this.rows.length >= ROW_LIMIT) throw new Error(`answer of more than ${ROW_LIMIT} rows`)
    this.rows.push(parseTextRow(payload, this.columns.length))
  }

  private settle(): void {
    const { waiting, columns, rows } = this
    this.state = 'idle'
    this.waiting = undefined
    this.timer?.cancel()
    waiting?.resolve({ columns, rows })
  }

  private refused(payload: Uint8Array): void {
    const { errno, message } = parseError(payload)
    if (this.state === 'greeting' || this.state === 'login') {
      this.fail(errno, message)
      return
    }
    const waiting = this.waiting
    this.state = 'idle'
    this.waiting = undefined
    this.timer?.cancel()
    waiting?.reject(new QueryError(errno, message))
  }

  private fail(errno: number, message: string): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.timer?.cancel()
    this.connection?.destroy()
    const waiting = this.waiting
    this.waiting = undefined
    waiting?.reject(new QueryError(errno, message))
  }
}
