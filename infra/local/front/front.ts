/**
 * One OBServer front over an engine: login and statements are relayed byte for byte, except the
 * tenant's name in a login and the questions of `picture.ts`, which it answers itself (L4). It
 * counts what reached it and takes orders, so that a misrouted statement is seen.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Table } from './codec.ts'
import type { Engine } from './engine.ts'
import { Ledger } from './ledger.ts'
import type { Order } from './orders.ts'
import {
  dummyTable,
  type FrontServer,
  locationTable,
  type MetadataQuestion,
  type Picture,
  serversTable,
  tenantsTable,
  versionTable,
} from './picture.ts'
import { Relay } from './relay.ts'

export type Counters = {
  /** Logins that clients have sent, refused ones included. */
  logins: number
  /** Text statements and executions of prepared ones; metadata questions are not counted. */
  statements: number
  /** Statements by first word and, where there is one, the first table: `select t1`. */
  readonly byText: Map<string, number>
  /** Open now. */
  connections: number
  /** Connections that were ended because a server would have ended them, or hung. */
  violations: number
  lastViolation: string
}

/** A front that serves a fuzzer must not grow. */
const MAX_TEXTS = 10_000

export class Front {
  readonly server: FrontServer
  readonly counters: Counters = {
    logins: 0,
    statements: 0,
    byText: new Map(),
    connections: 0,
    violations: 0,
    lastViolation: '',
  }
  readonly ledger = new Ledger()
  private readonly picture: Picture
  private readonly engine: Engine
  private readonly relays = new Set<Relay>()
  private listener: Server | undefined
  private current: Order = { kind: 'normal' }

  constructor(server: FrontServer, picture: Picture, engine: Engine) {
    this.server = server
    this.picture = picture
    this.engine = engine
  }

  start(): Promise<void> {
    const listener = createServer(client => this.accept(client))
    this.listener = listener
    return new Promise((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(this.server.port, this.server.host, () => resolve())
    })
  }

  async stop(): Promise<void> {
    for (const relay of this.relays) relay.drop()
    await new Promise<void>(resolve => {
      if (this.listener?.listening) this.listener.close(() => resolve())
      else resolve()
    })
  }

  get order(): Order {
    return this.current
  }

  /** Takes an order; `stop` closes the listening socket, the next order opens it again. */
  async take(order: Order): Promise<void> {
    const before = this.current
    this.current = order
    if (order.kind === 'stop') await this.stop()
    if (order.kind === 'disconnect') {
      for (const relay of this.relays) relay.drop()
      this.spent()
    }
    for (const relay of this.relays) {
      if (order.kind === 'freeze') relay.freeze()
      else if (before.kind === 'freeze') relay.thaw()
    }
    if (before.kind === 'stop' && order.kind !== 'stop') await this.start()
  }

  /** One-shot orders end when they have been carried out. */
  spent(): void {
    this.current = { kind: 'normal' }
  }

  /** Counts a statement under its first word and its table. */
  count(word: string, table: string | undefined): void {
    this.counters.statements += 1
    const { byText } = this.counters
    const key = table === undefined ? word : `${word} ${table}`
    if (byText.size < MAX_TEXTS || byText.has(key)) byText.set(key, (byText.get(key) ?? 0) + 1)
  }

  /** A client did what no server takes. */
  violated(what: string): void {
    this.counters.violations += 1
    this.counters.lastViolation = what
  }

  async answer(question: MetadataQuestion): Promise<Table> {
    if (question.kind === 'version') return versionTable(this.picture)
    if (question.kind === 'servers') return serversTable(this.picture)
    if (question.kind === 'tenants') return tenantsTable(this.picture)
    if (question.kind === 'dummy') return dummyTable(this.picture, question.tenant)
    const entry = this.hasTenant(question.tenant)
      ? await this.engine.tableEntry(question.database, question.table)
      : undefined
    return locationTable(this.picture, entry)
  }

  hasTenant(name: string): boolean {
    return this.picture.tenants.includes(name)
  }

  /** How the engine calls a user: an unknown tenant keeps its name, the engine refuses it. */
  engineUser(user: string): string {
    const at = user.lastIndexOf('@')
    return at >= 0 && this.hasTenant(user.slice(at + 1)) ? `${user.slice(0, at)}@sys` : user
  }

  private accept(client: Socket): void {
    this.counters.connections += 1
    const relay = new Relay(client, this.engine.connect(), this)
    this.relays.add(relay)
    client.once('close', () => {
      this.counters.connections -= 1
      this.relays.delete(relay)
    })
    relay.start()
    if (this.current.kind === 'freeze') relay.freeze()
  }
}
