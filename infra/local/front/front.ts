/**
 * One OBServer front over an engine: login and statements are relayed byte for byte, except the
 * tenant's name in a login and the questions of `metadata.ts`, which it answers itself (L4). It
 * counts what reached it and takes orders, so that a misrouted statement is seen.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Table } from './codec.ts'
import type { Engine, Touched, Verdict } from './engine.ts'
import { Faults } from './faults.ts'
import { judge } from './judgement.ts'
import { Ledger } from './ledger.ts'
import { answerQuery } from './metadata.ts'
import type { Query } from './metadata-parser.ts'
import type { Order } from './orders.ts'
import { type FrontServer, keyOf, type Picture, type Server as PictureServer } from './picture.ts'
import { pictureTable } from './picture-tables.ts'
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
  /** Errors to be answered. */
  readonly faults = new Faults()
  readonly picture: Picture
  readonly engine: Engine
  private readonly place: PictureServer
  private readonly relays = new Set<Relay>()
  /** Connections that were accepted and get no greeting. */
  private readonly silent = new Set<Socket>()
  private listener: Server | undefined
  private flapping: NodeJS.Timeout | undefined
  private current: Order = { kind: 'normal' }

  constructor(server: FrontServer, picture: Picture, engine: Engine) {
    this.server = server
    this.picture = picture
    this.engine = engine
    this.place = picture.server(keyOf(server))
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
    clearTimeout(this.flapping)
    await this.down()
  }

  /** Nobody gets in, and all are out. */
  private async down(): Promise<void> {
    for (const relay of this.relays) relay.drop()
    for (const socket of this.silent) socket.destroy()
    await new Promise<void>(resolve => {
      if (this.listener?.listening) this.listener.close(() => resolve())
      else resolve()
    })
  }

  private async up(): Promise<void> {
    if (this.listener?.listening !== true) await this.start()
  }

  get order(): Order {
    return this.current
  }

  /** Takes an order; those that close the listening socket leave it to the next to open it again. */
  async take(order: Order): Promise<void> {
    const before = this.current
    this.current = order
    clearTimeout(this.flapping)
    for (const socket of this.silent) socket.destroy()
    if (order.kind === 'stop' || order.kind === 'flap') await this.down()
    // Those inside keep their connections: the end of the last one is not waited for.
    else if (order.kind === 'refuse') this.listener?.close()
    else await this.up()
    if (order.kind === 'flap') this.flap(order, 'down')
    if (order.kind === 'disconnect') {
      for (const relay of this.relays) relay.drop()
      this.spent()
    }
    for (const relay of this.relays) {
      if (order.kind === 'freeze') relay.freeze()
      else if (before.kind === 'freeze') relay.thaw()
    }
  }

  private flap(order: Extract<Order, { kind: 'flap' }>, is: 'down' | 'up'): void {
    const turn = async () => {
      if (is === 'down') await this.up()
      else await this.down()
      if (this.current === order) this.flap(order, is === 'down' ? 'up' : 'down')
    }
    this.flapping = setTimeout(() => void turn(), is === 'down' ? order.downMs : order.upMs)
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

  /** @throws SqlError */
  answer(query: Query): Promise<Table> {
    const { picture, engine } = this
    return answerQuery(query, pictureTable(picture, engine), picture.version)
  }

  judge(tenant: string, touched: Touched): Verdict {
    return judge(this.picture, this.place, tenant, touched)
  }

  hasTenant(name: string): boolean {
    return this.picture.tenants.has(name)
  }

  /** How the engine calls a user: an unknown tenant keeps its name, the engine refuses it. */
  engineUser(user: string): string {
    const at = user.lastIndexOf('@')
    return at >= 0 && this.hasTenant(user.slice(at + 1)) ? `${user.slice(0, at)}@sys` : user
  }

  private accept(client: Socket): void {
    this.counters.connections += 1
    client.once('close', () => {
      this.counters.connections -= 1
    })
    if (this.current.kind === 'half-open') {
      this.silent.add(client)
      client.on('error', () => {})
      client.once('close', () => this.silent.delete(client))
      return
    }
    const relay = new Relay(client, this)
    this.relays.add(relay)
    client.once('close', () => this.relays.delete(relay))
    relay.start()
    if (this.current.kind === 'freeze') relay.freeze()
  }
}
