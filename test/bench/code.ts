/**
 * What routing costs without sockets: clients log in over real ones to six scripted OBServers, then the
 * bytes of each side are played to the proxy's connections from memory. What is left is reading, deciding,
 * relaying and settling. Run by Bun: `bun test/bench/code.ts [ROUNDS]`. Prints one line of JSON: for each
 * path the least and the median µs of CPU a statement.
 */
import { createConnection } from 'mysql2/promise'
import { DEFAULT_LOGIN_RULES } from '../../proxy-node/auth/identity.ts'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../proxy-node/backend/metadata.ts'
import { greets } from '../../proxy-node/backend/probe.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { bunTransport } from '../../proxy-node/net/bun.ts'
import type {
  Address,
  Connection,
  ConnectionEvents,
  Transport,
} from '../../proxy-node/net/transport.ts'
import { DEFAULT_SETTINGS, peersOf } from '../../proxy-node/session/peers.ts'
import type { Mode } from '../../proxy-node/session/ports.ts'
import { Sessions } from '../../proxy-node/session/sessions.ts'
import { COMMAND } from '../../proxy-node/wire/protocol.ts'
import { packet } from '../../proxy-node/wire/writer.ts'
import { startClusters } from '../support/node-clusters.ts'
import { startRoutingCluster } from '../support/routing-cluster.ts'

const CLIENTS = 6
/** A power of two. */
const IDS = 512
/** Each client asks so often over sockets before: what every server answers is known then. */
const ASKED_BEFORE = 64
const STATEMENTS_A_ROUND = 100_000
/** What comes first is compiled meanwhile. */
const WARM_ROUNDS = 3
const HOST = '127.0.0.1'

/** A connection of the proxy's that, once `queue` is set, writes to nobody and is answered what was answered last. */
class Played implements Connection {
  readonly inner: Connection
  readonly events: ConnectionEvents
  readonly isClient: boolean
  queue: Played[] | undefined
  last = new Uint8Array(0)
  written = 0

  constructor(inner: Connection, events: ConnectionEvents, isClient: boolean) {
    this.inner = inner
    this.events = events
    this.isClient = isClient
  }

  get remoteAddress(): string {
    return this.inner.remoteAddress
  }

  get remotePort(): number {
    return this.inner.remotePort
  }

  get isSecure(): boolean {
    return false
  }

  write(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
    if (this.queue === undefined) return this.inner.write(bytes, from, to)
    this.written += to - from
    this.queue.push(this)
    return true
  }

  pendingBytes(): number {
    return 0
  }

  pause(): void {
    if (this.queue === undefined) this.inner.pause()
  }

  resume(): void {
    if (this.queue === undefined) this.inner.resume()
  }

  startTls(): void {}

  end(): void {
    this.inner.end()
  }

  destroy(): void {
    this.inner.destroy()
  }
}

const open = new Set<Played>()

function playing(events: ConnectionEvents, isClient: boolean) {
  let made: Played | undefined
  const of = (inner: Connection): Played => {
    made ??= new Played(inner, events, isClient)
    open.add(made)
    return made
  }
  const own: ConnectionEvents = {
    opened: inner => events.opened(of(inner)),
    received: (inner, bytes) => {
      of(inner).last = new Uint8Array(bytes)
      events.received(of(inner), bytes)
    },
    drained: inner => events.drained(of(inner)),
    ended: inner => events.ended(of(inner)),
    closed: (inner, error) => {
      const one = of(inner)
      open.delete(one)
      events.closed(one, error)
    },
  }
  return { own, of }
}

const transport: Transport = {
  connect: (address, events) => {
    const { own, of } = playing(events, false)
    return of(bunTransport.connect(address, own))
  },
  listen: (where, accept) => bunTransport.listen(where, () => playing(accept(), true).own),
}

async function plane(mode: Mode): Promise<number> {
  let id = 1000
  const settings = { ...DEFAULT_SETTINGS, usesOb20: false }
  const sessions: Sessions = new Sessions({
    transport,
    clock: systemClock,
    mode,
    admin: { accepts: () => false, run: () => Promise.reject(new Error('there is none')) },
    serverVersion: () => '5.7.25',
    proxyVersion: '4.3.2.0',
    settings: () => settings,
    loginRules: () => DEFAULT_LOGIN_RULES,
    peers: peersOf(() => sessions),
    random: Math.random,
    nextConnectionId: () => id++,
    maxSessions: () => 8192,
  })
  const { port } = await transport.listen({ host: HOST, port: 0 }, () => sessions.accept())
  return port
}

const cluster = await startRoutingCluster({ subnet: '127.19.12' })
const { user, password, database, proxyro } = cluster.accounts
const first = cluster.picture.servers[0] as Address
const metadata = new MetadataConnections(bunTransport, systemClock, {
  passwords: () => [stage1Of(proxyro)],
  timeoutMs: 5_000,
})
const clusters = await startClusters({
  name: cluster.picture.cluster,
  rootservices: cluster.picture.servers,
  query: (server, sql) => metadata.query(server, sql, 'c1'),
  probe: (server, timeoutMs) => greets(bunTransport, systemClock, server, timeoutMs),
})
const routed = await plane({ kind: 'oceanbase', directory: clusters.directory })
const relayed = await plane({ kind: 'mysql', server: first })

const textOf = (table: string, id: number) => `SELECT c FROM ${table} WHERE id=${id}`

async function fill(): Promise<void> {
  const straight = await createConnection({
    host: first.host,
    port: first.port,
    user: `${user}@app`,
    password,
    database,
  })
  for (const [table, tail] of [
    ['points', ''],
    ['parted', ' PARTITION BY HASH(id) PARTITIONS 16'],
  ] as const) {
    await straight.query(`CREATE TABLE ${table} (id INT PRIMARY KEY, c VARCHAR(120))${tail}`)
    const rows = Array.from({ length: IDS }, (_none, at) => `(${at + 1}, '${'c'.repeat(119)}')`)
    await straight.query(`INSERT INTO ${table} VALUES ${rows.join(',')}`)
  }
  straight.destroy()
}

async function loggedIn(port: number, as: string, table: string): Promise<Played> {
  const before = new Set(open)
  const client = await createConnection({ host: HOST, port, user: as, password, database })
  client.on('error', () => {})
  const own = [...open].find(one => one.isClient && !before.has(one))
  if (own === undefined) throw new Error('the client is not there')
  for (let id = 1; id <= ASKED_BEFORE; id++) await client.query(textOf(table, id))
  return own
}

type Path = {
  readonly path: string
  readonly clients: readonly Played[]
  readonly requests: readonly Uint8Array[]
  readonly us: number[]
}

async function pathOf(path: string, port: number, as: string, table: string): Promise<Path> {
  const clients: Played[] = []
  for (let count = 0; count < CLIENTS; count++) clients.push(await loggedIn(port, as, table))
  const requests = Array.from({ length: IDS }, (_none, at) =>
    Uint8Array.from(packet(0, Buffer.from([COMMAND.query, ...Buffer.from(textOf(table, at + 1))]))),
  )
  return { path, clients, requests, us: [] }
}

/** Plays so many statements; each must be answered. */
function play({ clients, requests }: Path, queue: Played[]): void {
  for (let count = 0; count < STATEMENTS_A_ROUND; count++) {
    const client = clients[count % CLIENTS] as Played
    const before = client.written
    client.events.received(client, requests[(count * 7) & (IDS - 1)] as Uint8Array)
    for (let at = 0; at < queue.length; at++) {
      const one = queue[at] as Played
      if (!one.isClient) one.events.received(one, one.last)
    }
    queue.length = 0
    if (client.written === before) throw new Error('a statement was not answered')
  }
}

await fill()
const throughCluster = `${user}@app#${cluster.picture.cluster}`
const paths = [
  await pathOf('relayed (MySQL mode)', relayed, `${user}@app`, 'points'),
  await pathOf('to a table’s leader', routed, throughCluster, 'points'),
  await pathOf('to a partition’s leader, over six servers', routed, throughCluster, 'parted'),
]
const queue: Played[] = []
for (const one of open) one.queue = queue
for (let round = 0; round < WARM_ROUNDS + Number(process.argv[2] ?? 12); round++)
  for (const path of paths) {
    // What the node does besides statements gets its turn between rounds.
    await new Promise(next => setTimeout(next, 5))
    const before = process.cpuUsage()
    play(path, queue)
    const spent = process.cpuUsage(before)
    if (round >= WARM_ROUNDS) path.us.push((spent.user + spent.system) / STATEMENTS_A_ROUND)
  }
const report = paths.map(({ path, us }) => {
  us.sort((left, right) => left - right)
  return { path, least: us[0], median: us[us.length >> 1] }
})
console.log(JSON.stringify(report))
process.exit(0)
