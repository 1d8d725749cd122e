/**
 * The proxy's own logins for metadata: one connection a server as `proxyro@sys`, opened when first
 * needed and kept, questions in turn, both stored passwords tried. Source: proxy-routing.md §3.6.
 */
import type { Clock } from '../base/clock.ts'
import type { Address, Transport } from '../net/transport.ts'
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

export class MetadataConnections {
  private readonly transport: Transport
  private readonly clock: Clock
  private readonly login: MetadataLogin
  private readonly clients = new Map<string, QueryClient>()
  private readonly queues = new Map<string, Promise<unknown>>()

  constructor(transport: Transport, clock: Clock, login: MetadataLogin) {
    this.transport = transport
    this.clock = clock
    this.login = login
  }

  /** @throws QueryError */
  query(server: Address, sql: string): Promise<Answer> {
    const key = `${server.host}:${server.port}`
    const before = this.queues.get(key) ?? Promise.resolve()
    const answer = before.catch(() => undefined).then(() => this.ask(key, server, sql))
    this.queues.set(key, answer)
    return answer
  }

  stop(): void {
    for (const client of this.clients.values()) client.close()
    this.clients.clear()
  }

  private async ask(key: string, server: Address, sql: string): Promise<Answer> {
    const kept = this.clients.get(key)
    const client = kept === undefined || kept.isClosed ? await this.open(server) : kept
    this.clients.set(key, client)
    return toRecords(await client.query(sql))
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
        return client
      } catch (error) {
        last = error
        if (!(error instanceof QueryError) || error.errno !== ACCESS_DENIED) break
      }
    }
    throw last instanceof Error ? last : new QueryError(0, 'login failed')
  }
}

function toRecords(answer: Rows): Answer {
  return answer.rows.map(row =>
    Object.fromEntries(
      answer.columns.map((name, index) => [name.toLowerCase(), row[index] ?? null]),
    ),
  )
}
