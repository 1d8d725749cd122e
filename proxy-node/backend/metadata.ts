/**
 * The proxy's own logins for metadata: one connection a server as `proxyro@sys`, opened when first
 * needed and kept, both stored passwords tried. Questions are asked in turn; how many wait and for
 * how long is bounded. Source: proxy-routing.md §3.6.
 */
import { Fault } from '#contract/fault'
import type { Clock } from '../base/clock.ts'
import type { Address, Transport } from '../net/transport.ts'
import { QUESTION_MS } from '../topology/cluster.ts'
import { QueryClient, QueryError, type Rows } from './query-client.ts'
import type { ServerTlsPort } from './server-tls.ts'

export type MetadataLogin = {
  /** SHA1 of the password and of the one in the second slot, null when empty. */
  readonly passwords: () => readonly (Uint8Array | null)[]
  readonly timeoutMs: number
  readonly tls?: ServerTlsPort
}

type Answer = readonly Readonly<Record<string, string | null>>[]

const ACCESS_DENIED = 1045
/** Questions that wait for one server. */
const MAX_WAITING = 1_000

type Question = {
  readonly sql: string
  readonly askedAt: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/** Questions to one server, one after the other on one connection. */
type Lane = {
  readonly server: Address
  readonly waiting: Question[]
  client: QueryClient | undefined
  isBusy: boolean
}

export class MetadataConnections {
  private readonly transport: Transport
  private readonly clock: Clock
  private readonly login: MetadataLogin
  private readonly lanes = new Map<string, Lane>()
  private isStopped = false

  constructor(transport: Transport, clock: Clock, login: MetadataLogin) {
    this.transport = transport
    this.clock = clock
    this.login = login
  }

  /** @throws QueryError; Fault metadata.busy, metadata.late */
  query(server: Address, sql: string): Promise<Answer> {
    if (this.isStopped) return Promise.reject(stopped())
    const lane = this.laneOf(server)
    if (lane.waiting.length >= MAX_WAITING)
      return Promise.reject(
        new Fault('metadata.busy', { server: keyOf(server), most: MAX_WAITING }),
      )
    return new Promise((resolve, reject) => {
      lane.waiting.push({ sql, askedAt: this.clock.now(), resolve, reject })
      if (!lane.isBusy) void this.work(lane)
    })
  }

  /** Closes every connection and opens none any more; what waits is rejected. */
  stop(): void {
    this.isStopped = true
    for (const { client, waiting } of this.lanes.values()) {
      client?.close()
      for (const { reject } of waiting.splice(0)) reject(stopped())
    }
    this.lanes.clear()
  }

  private laneOf(server: Address): Lane {
    const key = keyOf(server)
    const known = this.lanes.get(key)
    if (known !== undefined) return known
    const lane: Lane = { server, waiting: [], client: undefined, isBusy: false }
    this.lanes.set(key, lane)
    return lane
  }

  private async work(lane: Lane): Promise<void> {
    lane.isBusy = true
    for (let next = lane.waiting.shift(); next !== undefined; next = lane.waiting.shift())
      await this.ask(lane, next).then(next.resolve, next.reject)
    lane.isBusy = false
  }

  private async ask(lane: Lane, { sql, askedAt }: Question): Promise<Answer> {
    if (this.clock.now() - askedAt > QUESTION_MS)
      throw new Fault('metadata.late', {
        server: keyOf(lane.server),
        seconds: QUESTION_MS / 1000,
      })
    if (lane.client === undefined || lane.client.isClosed)
      lane.client = await this.open(lane.server)
    return toRecords(await lane.client.query(sql))
  }

  private async open(server: Address): Promise<QueryClient> {
    let last: unknown = new QueryError(ACCESS_DENIED, 'no password of proxyro is set')
    for (const stage1 of this.login.passwords()) {
      const client = new QueryClient(
        {
          address: server,
          user: 'proxyro@sys',
          stage1,
          timeoutMs: this.login.timeoutMs,
          tls: this.login.tls,
        },
        this.clock,
      )
      try {
        await client.open(this.transport)
        if (!this.isStopped) return client
        client.close()
        throw stopped()
      } catch (error) {
        last = error
        if (!(error instanceof QueryError) || error.errno !== ACCESS_DENIED) break
      }
    }
    throw last instanceof Error ? last : new QueryError(0, 'login failed')
  }
}

function keyOf({ host, port }: Address): string {
  return `${host}:${port}`
}

function stopped(): QueryError {
  return new QueryError(0, 'the proxy stops')
}

function toRecords(answer: Rows): Answer {
  return answer.rows.map(row =>
    Object.fromEntries(
      answer.columns.map((name, index) => [name.toLowerCase(), row[index] ?? null]),
    ),
  )
}
