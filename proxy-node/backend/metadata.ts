/**
 * The proxy's own logins for metadata: one connection a server as `proxyro@sys`, opened when first
 * needed and kept as long as its OB cluster is. Where the password of one slot is refused the other's is
 * tried, and each OB cluster begins with the slot that was right last: while a password is being
 * changed nobody has to know how far that is. Questions are asked in turn; how many wait and for how
 * long is bounded, and so are the connections of a cluster. Source: proxy-routing.md §3.6, management.md §2.7.
 */
import { Fault } from '#contract/fault'
import type { Clock } from '../base/clock.ts'
import type { Address, Transport } from '../net/transport.ts'
import { QUESTION_MS } from '../topology/cluster.ts'
import { QueryClient, QueryError, type Rows } from './query-client.ts'
import type { ServerTlsPort } from './server-tls.ts'

export type MetadataLogin = {
  /** Of one OB cluster: SHA1 of the password and of the one in the second slot, null when empty. */
  readonly passwords: (cluster: string) => readonly (Uint8Array | null)[]
  readonly timeoutMs: number
  /** `mysql_client_num`: connections to the servers of one OB cluster; absent: one a server. */
  readonly maxConnections?: () => number
  /** Towards the servers of one OB cluster; undefined: none. */
  readonly tls?: (cluster: string) => ServerTlsPort | undefined
}

type Answer = readonly Readonly<Record<string, string | null>>[]

const ACCESS_DENIED = 1045
/** Questions that wait for one server. */
const MAX_WAITING = 1_000

type Question = {
  readonly sql: string
  readonly askedAt: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** Questions to one server, one after the other on one connection. */
type Lane = {
  readonly cluster: string
  readonly server: Address
  readonly waiting: Question[]
  client: QueryClient | undefined
  isBusy: boolean
  /** Nothing is asked any more. */
  isOver: boolean
  usedAt: number
}

export class MetadataConnections {
  private readonly transport: Transport
  private readonly clock: Clock
  private readonly login: MetadataLogin
  private readonly lanes = new Map<string, Lane>()
  /** Place of the password that an OB cluster took last. */
  private readonly slots = new Map<string, number>()
  private isStopped = false

  constructor(transport: Transport, clock: Clock, login: MetadataLogin) {
    this.transport = transport
    this.clock = clock
    this.login = login
  }

  /** @throws QueryError; Fault metadata.busy, metadata.late, metadata.crowded */
  query(server: Address, sql: string, cluster: string): Promise<Answer> {
    if (this.isStopped) return Promise.reject(stopped())
    const lane = this.laneOf(server, cluster)
    if (lane.waiting.length >= MAX_WAITING)
      return Promise.reject(
        new Fault('metadata.busy', { server: keyOf(server), most: MAX_WAITING }),
      )
    return new Promise((resolve, reject) => {
      lane.waiting.push({ sql, askedAt: this.clock.now(), resolve, reject })
      if (!lane.isBusy) void this.work(lane)
    })
  }

  /** The OB cluster is given up: its connections are closed, what waits is rejected. */
  release(cluster: string): void {
    for (const [key, lane] of this.lanes) {
      if (lane.cluster !== cluster) continue
      this.lanes.delete(key)
      end(lane)
    }
    this.slots.delete(cluster)
  }

  /** Closes every connection and opens none any more; what waits is rejected. */
  stop(): void {
    this.isStopped = true
    for (const lane of this.lanes.values()) end(lane)
    this.lanes.clear()
  }

  private laneOf(server: Address, cluster: string): Lane {
    const key = `${cluster}\0${keyOf(server)}`
    const known = this.lanes.get(key)
    if (known !== undefined) return known
    const lane: Lane = {
      cluster,
      server,
      waiting: [],
      client: undefined,
      isBusy: false,
      isOver: false,
      usedAt: 0,
    }
    this.lanes.set(key, lane)
    return lane
  }

  private async work(lane: Lane): Promise<void> {
    lane.isBusy = true
    for (let next = lane.waiting.shift(); next !== undefined; next = lane.waiting.shift())
      await this.ask(lane, next).then(next.resolve, next.reject)
    lane.isBusy = false
    lane.usedAt = this.clock.now()
  }

  private async ask(lane: Lane, { sql, askedAt }: Question): Promise<Answer> {
    if (this.clock.now() - askedAt > QUESTION_MS)
      throw new Fault('metadata.late', {
        server: keyOf(lane.server),
        seconds: QUESTION_MS / 1000,
      })
    if (!isOpen(lane)) {
      this.makeRoom(lane)
      lane.client = await this.open(lane).catch((error: unknown) => {
        // Else each in turn would wait for a server that hangs, and the lane keep its place for ever.
        for (const { reject } of lane.waiting.splice(0)) reject(error)
        throw error
      })
    }
    if (lane.client === undefined) throw stopped()
    return toRecords(await lane.client.query(sql))
  }

  /** Another connection of the cluster goes when there are too many, the one unused for longest. */
  private makeRoom({ cluster, server }: Lane): void {
    const most = this.login.maxConnections?.() ?? Number.POSITIVE_INFINITY
    const idle: Lane[] = []
    let busy = 0
    for (const lane of this.lanes.values()) {
      if (lane.cluster !== cluster) continue
      if (lane.isBusy) busy += 1
      else if (isOpen(lane)) idle.push(lane)
    }
    // The one that needs room is busy, too.
    if (busy > most) throw new Fault('metadata.crowded', { server: keyOf(server), most })
    idle.sort((one, other) => one.usedAt - other.usedAt)
    for (const lane of idle.slice(0, Math.max(0, busy + idle.length - most))) lane.client?.close()
  }

  private async open(lane: Lane): Promise<QueryClient> {
    const { server, cluster } = lane
    const passwords = this.login.passwords(cluster)
    const first = this.slots.get(cluster) ?? 0
    let last: unknown = new QueryError(ACCESS_DENIED, 'no password of proxyro is set')
    for (const at of passwords.keys()) {
      const slot = (first + at) % passwords.length
      const client = new QueryClient(
        {
          address: server,
          user: 'proxyro@sys',
          stage1: passwords[slot] ?? null,
          timeoutMs: this.login.timeoutMs,
          tls: this.login.tls?.(cluster),
        },
        this.clock,
      )
      try {
        await client.open(this.transport)
        if (lane.isOver) {
          client.close()
          throw stopped()
        }
        this.slots.set(cluster, slot)
        return client
      } catch (error) {
        last = error
        if (!(error instanceof QueryError) || error.errno !== ACCESS_DENIED) break
      }
    }
    throw last instanceof Error ? last : new QueryError(0, 'login failed')
  }
}

function isOpen({ client }: Lane): boolean {
  return client !== undefined && !client.isClosed
}

function end(lane: Lane): void {
  lane.isOver = true
  lane.client?.close()
  for (const { reject } of lane.waiting.splice(0)) reject(stopped())
}

function keyOf({ host, port }: Address): string {
  return `${host}:${port}`
}

function stopped(): QueryError {
  return new QueryError(0, 'nobody wants the answer any more')
}

function toRecords(answer: Rows): Answer {
  return answer.rows.map(row =>
    Object.fromEntries(
      answer.columns.map((name, index) => [name.toLowerCase(), row[index] ?? null]),
    ),
  )
}
