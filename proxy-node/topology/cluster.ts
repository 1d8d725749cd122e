/**
 * One OB cluster as this node sees it: bootstrapped from the root service list, kept fresh, served
 * from the last picture when every server that could be asked is gone. Asks through a query port.
 * Source: proxy-routing.md §3.1–3.6, §4.2, §9.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import { type Location, Locations, type ServerAddress } from './locations.ts'
import { locationStatement, SERVERS_STATEMENT } from './statements.ts'
import { Tenants } from './tenants.ts'

/** Rows as text, columns by name. */
export type Answer = readonly Readonly<Record<string, string | null>>[]

/** After so long nobody waits for the answer to a question any more; what is old is not asked. */
export const QUESTION_MS = 10_000

/** Runs a metadata statement on a server as proxyro. @throws Error when it cannot be answered. */
export type QueryPort = (server: ServerAddress, sql: string) => Promise<Answer>

export type ClusterSettings = {
  readonly name: string
  readonly rootservices: readonly ServerAddress[]
  /** As a function it is asked each time. */
  readonly refreshIntervalMs: number | (() => number)
}

/** Failures after which a server is tried last, and for how long (§9.1). */
const AVOID_AFTER_FAILURES = 5
const AVOID_WINDOW_MS = 120_000
const AVOID_MS = 20_000

type Failures = { count: number; firstAt: number; avoidedUntil: number }

export class Cluster {
  readonly settings: ClusterSettings
  readonly locations: Locations
  private readonly query: QueryPort
  private readonly clock: Clock
  private servers: readonly ServerAddress[]
  private readonly down = new Set<string>()
  private readonly failures = new Map<string, Failures>()
  private readonly tenants: Tenants
  private timer: TimerHandle | undefined
  private turn = 0
  private isStopped = false
  /** True once a server has answered the first question. */
  isLoaded = false

  constructor(settings: ClusterSettings, query: QueryPort, clock: Clock) {
    this.settings = settings
    this.query = query
    this.clock = clock
    this.servers = settings.rootservices
    this.tenants = new Tenants(tenant => this.fetchTenant(tenant), clock)
    this.locations = new Locations((...names) => this.fetchLocation(...names), clock)
  }

  /** Learns the servers and goes on doing so; the first answer may fail, the next is soon. */
  async start(): Promise<void> {
    await this.refresh()
    this.schedule()
  }

  stop(): void {
    this.isStopped = true
    this.timer?.cancel()
  }

  /** Servers of a tenant in the order to try, spread over callers; empty: no such tenant. */
  tenantServers(tenant: string): readonly ServerAddress[] | Promise<readonly ServerAddress[]> {
    const found = this.tenants.find(tenant)
    return found instanceof Promise
      ? found.then(servers => this.spread(servers))
      : this.spread(found)
  }

  leaderOf(tenant: string, database: string, table: string) {
    const found = this.locations.find(tenant, database, table)
    if (found instanceof Promise) return found.then(({ leader }) => this.usable(leader))
    return this.usable(found.leader)
  }

  connectFailed(server: ServerAddress): void {
    const key = keyOf(server)
    const now = this.clock.now()
    const seen = this.failures.get(key)
    const entry =
      seen === undefined || now - seen.firstAt > AVOID_WINDOW_MS
        ? { count: 0, firstAt: now, avoidedUntil: 0 }
        : seen
    entry.count += 1
    if (entry.count >= AVOID_AFTER_FAILURES) entry.avoidedUntil = now + AVOID_MS
    this.failures.set(key, entry)
  }

  private usable(leader: ServerAddress | undefined): ServerAddress | undefined {
    return leader === undefined || this.isAvoided(leader) ? undefined : leader
  }

  private isAvoided(server: ServerAddress): boolean {
    const key = keyOf(server)
    return this.down.has(key) || (this.failures.get(key)?.avoidedUntil ?? 0) > this.clock.now()
  }

  /** Starts at another server each time; those to avoid come last, never not at all. */
  private spread(servers: readonly ServerAddress[]): readonly ServerAddress[] {
    if (servers.length === 0) return servers
    this.turn = (this.turn + 1) % servers.length
    const turned = [...servers.slice(this.turn), ...servers.slice(0, this.turn)]
    const good = turned.filter(server => !this.isAvoided(server))
    return [...good, ...turned.filter(server => this.isAvoided(server))]
  }

  private schedule(): void {
    if (this.isStopped) return
    const interval = this.settings.refreshIntervalMs
    const refreshIntervalMs = typeof interval === 'number' ? interval : interval()
    const delayMs = this.isLoaded
      ? refreshIntervalMs / 2 + Math.random() * (refreshIntervalMs / 2)
      : Math.min(1_000, refreshIntervalMs)
    this.timer = this.clock.after(delayMs, () => {
      void this.refresh().then(() => this.schedule())
    })
  }

  private async refresh(): Promise<void> {
    const answer = await this.ask(SERVERS_STATEMENT).catch(() => undefined)
    if (answer === undefined || answer.length === 0) return
    const servers: ServerAddress[] = []
    this.down.clear()
    for (const row of answer) {
      const server = addressOf(row['svr_ip'], row['svr_port'])
      if (server === undefined) continue
      servers.push(server)
      const serves = row['status'] === 'ACTIVE' && row['started'] !== '0' && row['stopped'] !== '1'
      if (!serves) this.down.add(keyOf(server))
    }
    if (servers.length > 0) this.servers = servers
    this.isLoaded = true
  }

  private async fetchTenant(name: string): Promise<readonly ServerAddress[]> {
    const answer = await this.ask(locationStatement(name, 'oceanbase', '__all_dummy'))
    return answer
      .map(row => addressOf(row['svr_ip'], row['sql_port']))
      .filter(server => server !== undefined)
  }

  private async fetchLocation(tenant: string, database: string, table: string): Promise<Location> {
    const answer = await this.ask(locationStatement(tenant, database, table))
    // Partitioned tables have a leader a partition; they go to the tenant's servers.
    const leaders = answer.filter(row => row['role'] === '1' && row['part_num'] === '1')
    return { leader: addressOf(leaders[0]?.['svr_ip'], leaders[0]?.['sql_port']) }
  }

  /** Asks any server that answers, the known ones first, then the root service list. */
  private async ask(sql: string): Promise<Answer> {
    const tried = new Set<string>()
    const until = this.clock.now() + QUESTION_MS
    let last: unknown = new Error('no server to ask')
    for (const server of [...this.spread(this.servers), ...this.settings.rootservices]) {
      if (tried.has(keyOf(server))) continue
      if (tried.size > 0 && this.clock.now() >= until) break
      tried.add(keyOf(server))
      try {
        return await this.query(server, sql)
      } catch (error) {
        last = error
      }
    }
    throw new Error(`no server of cluster ${this.settings.name} answered`, { cause: last })
  }
}

/** Parses `ip:port;ip:port`. @throws Error naming the item that is no address. */
export function parseRootservices(list: string): readonly ServerAddress[] {
  return list
    .split(';')
    .map(item => item.trim())
    .filter(item => item !== '')
    .map(item => {
      const found = /^\[?([^\s\]]+?)\]?:(\d{1,5})$/.exec(item)
      const address = addressOf(found?.[1], found?.[2])
      if (address === undefined) throw new Error(`'${item}' is no ip:port`)
      return address
    })
}

function addressOf(host: string | null | undefined, port: string | null | undefined) {
  const number = Number(port)
  const valid =
    typeof host === 'string' && host !== '' && host !== '0.0.0.0' && number > 0 && number < 65_536
  return valid ? { host, port: number } : undefined
}

function keyOf(server: ServerAddress): string {
  return `${server.host}:${server.port}`
}
