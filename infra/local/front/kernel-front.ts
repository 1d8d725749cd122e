/**
 * One OBServer front over the real kernel: login and statements are relayed byte for byte, except
 * the tenant's name in a login and the questions of `picture.ts`, which it answers itself. It counts
 * what reached it and takes orders, so that a misrouted statement is seen.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import {
  errorPacket,
  frame,
  minimalOk,
  type Packet,
  PacketStream,
  parseClientLogin,
  resultPackets,
  type Table,
} from './codec.ts'
import {
  dummyTable,
  type FrontServer,
  locationTable,
  type MetadataQuestion,
  metadataQuestion,
  type Picture,
  serversTable,
  type TableEntry,
  tenantsTable,
  versionTable,
} from './picture.ts'

export type Counters = {
  logins: number
  statements: number
  /** Statements by first word and, where there is one, the first table: `select t1`. */
  readonly byText: Map<string, number>
  connections: number
}

/** What a front can be told to do; the last order of a kind wins. */
export type Order =
  | { readonly kind: 'normal' }
  /** Refuses new connections and drops the open ones. */
  | { readonly kind: 'stop' }
  /** Accepts and reads nothing, answers nothing. */
  | { readonly kind: 'freeze' }
  /** Drops every open connection once. */
  | { readonly kind: 'disconnect' }
  /** Drops a connection when the next statement has been passed on, before its answer. */
  | { readonly kind: 'lose-next' }
  /** Answers the next statement with this error. */
  | { readonly kind: 'fail-next'; readonly errno: number }
  | { readonly kind: 'delay'; readonly delayMs: number }

export type KernelPort = {
  readonly host: string
  readonly port: number
  /** The kernel's own entry of a table of its only tenant. */
  readonly tableEntry: (database: string, table: string) => Promise<TableEntry | undefined>
}

const COM_QUERY = 0x03

export class KernelFront {
  readonly server: FrontServer
  readonly counters: Counters = { logins: 0, statements: 0, byText: new Map(), connections: 0 }
  private readonly picture: Picture
  private readonly kernel: KernelPort
  private readonly pairs = new Set<FrontPair>()
  private listener: Server | undefined
  private current: Order = { kind: 'normal' }

  constructor(server: FrontServer, picture: Picture, kernel: KernelPort) {
    this.server = server
    this.picture = picture
    this.kernel = kernel
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
    for (const pair of this.pairs) pair.drop()
    await new Promise<void>(resolve => {
      if (this.listener?.listening) this.listener.close(() => resolve())
      else resolve()
    })
  }

  get order(): Order {
    return this.current
  }

  /** Takes an order; `stop` closes the listening socket, `normal` opens it again. */
  async take(order: Order): Promise<void> {
    const wasStopped = this.current.kind === 'stop'
    this.current = order
    if (order.kind === 'stop') await this.stop()
    if (order.kind === 'disconnect') for (const pair of this.pairs) pair.drop()
    if (wasStopped && order.kind !== 'stop') await this.start()
  }

  /** One-shot orders end when they have been carried out. */
  spent(): void {
    this.current = { kind: 'normal' }
  }

  count(sql: string): void {
    this.counters.statements += 1
    const word = /^\s*(\w+)/.exec(sql)?.[1]?.toLowerCase() ?? ''
    const table = /\b(?:from|into|update)\s+`?([\w$.]+)/i.exec(sql)?.[1]?.toLowerCase()
    const key = table === undefined ? word : `${word} ${table}`
    // Bounded: a front that serves a fuzzer must not grow.
    if (this.counters.byText.size < 10_000 || this.counters.byText.has(key))
      this.counters.byText.set(key, (this.counters.byText.get(key) ?? 0) + 1)
  }

  async answer(question: MetadataQuestion): Promise<Table> {
    if (question.kind === 'version') return versionTable(this.picture)
    if (question.kind === 'servers') return serversTable(this.picture)
    if (question.kind === 'tenants') return tenantsTable(this.picture)
    if (question.kind === 'dummy') return dummyTable(this.picture, question.tenant)
    const entry = this.picture.tenants.includes(question.tenant)
      ? await this.kernel.tableEntry(question.database, question.table)
      : undefined
    return locationTable(this.picture, entry)
  }

  hasTenant(name: string): boolean {
    return this.picture.tenants.includes(name)
  }

  private accept(client: Socket): void {
    this.counters.connections += 1
    const pair = new FrontPair(client, connect(this.kernel.port, this.kernel.host), this)
    this.pairs.add(pair)
    client.once('close', () => {
      this.counters.connections -= 1
      this.pairs.delete(pair)
    })
  }
}

/** One client connection and its kernel connection. */
class FrontPair {
  private readonly client: Socket
  private readonly kernel: Socket
  private readonly front: KernelFront
  private readonly fromClient = new PacketStream()
  private isProxy = false
  private loggedIn = false
  private insideLarge = false

  constructor(client: Socket, kernel: Socket, front: KernelFront) {
    this.client = client
    this.kernel = kernel
    this.front = front
    client.setNoDelay(true)
    kernel.setNoDelay(true)
    client.on('data', bytes => this.clientBytes(bytes as Buffer))
    kernel.on('data', bytes => this.kernelBytes(bytes as Buffer))
    client.on('drain', () => kernel.resume())
    kernel.on('drain', () => client.resume())
    client.on('error', () => this.drop())
    kernel.on('error', () => this.drop())
    client.on('close', () => kernel.destroy())
    kernel.on('close', () => client.destroySoon())
  }

  drop(): void {
    this.client.destroy()
    this.kernel.destroy()
  }

  private kernelBytes(bytes: Buffer): void {
    if (this.front.order.kind === 'freeze') return
    if (!this.client.write(bytes)) this.kernel.pause()
  }

  private clientBytes(bytes: Buffer): void {
    const { order } = this.front
    if (order.kind === 'freeze') return
    if (order.kind === 'delay') setTimeout(() => this.take(bytes), order.delayMs)
    else this.take(bytes)
  }

  private take(bytes: Buffer): void {
    for (const packet of this.fromClient.push(bytes)) {
      if (this.loggedIn) this.command(packet)
      else this.login(packet)
    }
  }

  private login(packet: Packet): void {
    this.loggedIn = true
    const login = parseClientLogin(packet.payload)
    this.isProxy = login.attributes.get('__mysql_client_type')?.toString() === '__ob_proxy'
    this.front.counters.logins += 1
    const at = login.user.lastIndexOf('@')
    const tenant = at < 0 ? 'sys' : login.user.slice(at + 1)
    // An unknown tenant keeps its name: the kernel itself answers 1045.
    const user =
      at >= 0 && this.front.hasTenant(tenant) ? `${login.user.slice(0, at)}@sys` : login.user
    this.pass(packet.sequence, Buffer.concat([login.head, Buffer.from(user), login.tail]))
  }

  private command(packet: Packet): void {
    const starts = !this.insideLarge
    this.insideLarge = packet.payload.length === 0xffffff
    const sql =
      starts && packet.payload[0] === COM_QUERY
        ? packet.payload.subarray(1, 4096).toString()
        : undefined
    if (sql === undefined) {
      this.pass(packet.sequence, packet.payload)
      return
    }
    const question = metadataQuestion(sql)
    if (question !== undefined) {
      this.front.answer(question).then(
        table => this.client.write(resultPackets(table, this.isProxy)),
        () => this.fail(4012),
      )
      return
    }
    this.front.count(sql)
    const { order } = this.front
    if (order.kind === 'fail-next') {
      this.front.spent()
      this.fail(order.errno)
      return
    }
    this.pass(packet.sequence, packet.payload)
    if (order.kind === 'lose-next') {
      this.front.spent()
      this.drop()
    }
  }

  private fail(errno: number): void {
    this.client.write(frame(1, errorPacket(errno, 'HY000', `injected error ${errno}`)))
    if (this.isProxy) this.client.write(frame(2, minimalOk()))
  }

  private pass(sequence: number, payload: Buffer): void {
    const header = Buffer.alloc(4)
    header.writeUIntLE(payload.length, 0, 3)
    header.writeUInt8(sequence, 3)
    if (!this.kernel.write(Buffer.concat([header, payload]))) this.client.pause()
  }
}
