/**
 * A cluster of several OBServers in this process for suites of routing: fronts over one engine and one
 * picture, with orders, faults, and a ledger of what reached which server.
 * Start: scripted in some milliseconds, the kernel in seconds.
 */
import { randomBytes } from 'node:crypto'
import type { Engine } from '../../infra/local/front/engine.ts'
import { Front } from '../../infra/local/front/front.ts'
import type { LedgerEntry, Reached } from '../../infra/local/front/ledger.ts'
import type { Order } from '../../infra/local/front/orders.ts'
import {
  type Flavour,
  type FrontServer,
  keyOf,
  Picture,
  type Tablet,
  type Zone,
} from '../../infra/local/front/picture.ts'
import type { LowerCaseTableNames } from '../../infra/local/front/scripted/database.ts'
import { scriptedEngine } from '../../infra/local/front/scripted/engine.ts'
import type { KernelAccounts } from '../../infra/local/kernel.ts'
import { type KernelUnderTest, startKernelEngine } from './kernel-engine.ts'

export type RoutingClusterSettings = {
  readonly zones?: number
  readonly serversPerZone?: number
  readonly engine?: 'scripted' | 'kernel'
  readonly flavour?: Flavour
  /** The first three numbers of the servers' addresses; each suite has its own: `127.31.4`. */
  readonly subnet: string
  readonly cluster?: string
  /** Of a scripted engine; 1 by default. */
  readonly lowerCaseTableNames?: LowerCaseTableNames
  /** Besides `sys`. */
  readonly tenants?: readonly string[]
  /** By name, `z1` and on: regions, IDCs, types. */
  readonly zoneSettings?: Readonly<Record<string, Partial<Omit<Zone, 'name'>>>>
}

const VERSIONS: Readonly<Record<Flavour, string>> = { v3: '3.2.4.1', v4: '4.3.5.3' }
const SQL_PORT = 2881
/** Texts that are counted; a load beyond it is counted no further, and `isWhole` says so. */
const MAX_TEXTS = 2_000_000

/** A server by its number, from 1, or by `host:port`. */
export type Which = number | string

export async function startRoutingCluster(
  settings: RoutingClusterSettings,
): Promise<RoutingCluster> {
  const { cluster = 'obcluster', engine: kind = 'scripted' } = settings
  const flavour = settings.flavour ?? 'v4'
  const kernel = kind === 'kernel' ? await startKernelEngine() : undefined
  const accounts = kernel?.accounts ?? scriptedAccounts()
  const engine =
    kernel?.engine ??
    scriptedEngine({
      cluster,
      accounts,
      databases: [accounts.database],
      lowerCaseTableNames: settings.lowerCaseTableNames,
    })
  const picture = new Picture({
    cluster,
    version: VERSIONS[flavour],
    flavour,
    tenants: ['sys', ...(settings.tenants ?? ['app'])],
    servers: serversOf(settings),
    zones: settings.zoneSettings ?? {},
  })
  const under = new RoutingCluster(picture, engine, { accounts, kernel })
  await Promise.all(under.fronts.map(front => front.start()))
  return under
}

/** Numbered zone by zone in turns: with three zones servers 1 and 4 are in `z1`. */
function serversOf({ zones = 3, serversPerZone = 2, subnet }: RoutingClusterSettings) {
  return Array.from(
    { length: zones * serversPerZone },
    (_server, at): FrontServer => ({
      host: `${subnet}.${at + 1}`,
      port: SQL_PORT,
      zone: `z${(at % zones) + 1}`,
    }),
  )
}

function scriptedAccounts(): KernelAccounts {
  const secret = () => randomBytes(18).toString('base64url')
  return {
    root: secret(),
    proxyro: secret(),
    user: 'demo',
    password: secret(),
    database: 'demo',
  }
}

type Behind = { readonly accounts: KernelAccounts; readonly kernel: KernelUnderTest | undefined }

export class RoutingCluster {
  readonly picture: Picture
  readonly fronts: Front[] = []
  readonly accounts: KernelAccounts
  private readonly engine: Engine
  private readonly kernel: KernelUnderTest | undefined

  constructor(picture: Picture, engine: Engine, { accounts, kernel }: Behind) {
    this.picture = picture
    this.engine = engine
    this.accounts = accounts
    this.kernel = kernel
    for (const server of picture.servers) this.fronts.push(new Front(server, picture, engine))
  }

  async stop(): Promise<void> {
    await Promise.all(this.fronts.map(front => front.stop()))
    await this.kernel?.stop()
  }

  /** The value of `rootservice_list`. */
  get rootservices(): string {
    return this.fronts.map(({ server }) => keyOf(server)).join(';')
  }

  /** `host:port` of every server. */
  get addresses(): readonly string[] {
    return this.fronts.map(({ server }) => keyOf(server))
  }

  /** @throws RangeError */
  front(which: Which): Front {
    const front =
      typeof which === 'number'
        ? this.fronts[which - 1]
        : this.fronts.find(({ server }) => keyOf(server) === which)
    if (front === undefined) throw new RangeError(`there is no server ${which}`)
    return front
  }

  key(which: Which): string {
    return keyOf(this.front(which).server)
  }

  /** An order to one front, or to all. */
  async order(which: Which | 'all', order: Order): Promise<void> {
    const fronts = which === 'all' ? this.fronts : [this.front(which)]
    await Promise.all(fronts.map(front => front.take(order)))
  }

  /** A new server of a zone, listed and listening. */
  async addServer(at: FrontServer): Promise<Front> {
    const front = new Front(this.picture.add(at), this.picture, this.engine)
    this.fronts.push(front)
    await front.start()
    return front
  }

  /** Leaf partitions of a table of the accounts' database, in their order. @throws RangeError */
  async tablets(table: string, database = this.accounts.database): Promise<readonly Tablet[]> {
    const entry = await this.engine.tableEntry(database, table)
    if (entry === undefined) throw new RangeError(`there is no table ${database}.${table}`)
    return entry.tablets
  }

  /** By the partition's name, or its index; 0 is the whole of a table without partitions. */
  async tablet(table: string, partition: string | number = 0): Promise<Tablet> {
    const tablets = await this.tablets(table)
    const found = tablets.find(({ name }, at) => name === partition || at === partition)
    if (found === undefined) throw new RangeError(`${table} has no partition ${partition}`)
    return found
  }

  /** `host:port` of a partition's leader for a tenant. */
  async leader(table: string, partition: string | number = 0, tenant = 'app'): Promise<string> {
    const { tabletId } = await this.tablet(table, partition)
    const leader = this.picture.leader(tenant, tabletId)
    if (leader === undefined) throw new RangeError(`${table} has no leader`)
    return leader
  }

  /** From now on `which` leads that partition. */
  async moveLeader(table: string, partition: string | number, which: Which): Promise<void> {
    const { tabletId } = await this.tablet(table, partition)
    this.picture.moveLeader(tabletId, this.key(which))
  }

  /** Kept entries of all fronts in the order of their time; those behind `marks` when given. */
  entries(marks: ReadonlyMap<string, number> = new Map()): readonly LedgerEntry[] {
    return this.fronts
      .flatMap(({ ledger, server }) => ledger.after(marks.get(keyOf(server)) ?? 0))
      .sort((a, b) => a.atMs - b.atMs)
  }

  /** Where the ledgers are now, for `entries`. */
  marks(): ReadonlyMap<string, number> {
    return new Map(this.fronts.map(({ ledger, server }) => [keyOf(server), ledger.last]))
  }

  /** Sums over the fronts, by `database.table`. */
  reached(table: string, database = this.accounts.database): Reached {
    const sum: Reached = {
      strongHits: 0,
      strongMisses: 0,
      refused: 0,
      weakLeader: 0,
      weakFollower: 0,
      weakMisses: 0,
    }
    for (const { ledger } of this.fronts) {
      const one = ledger.reached.get(`${database}.${table}`)
      if (one === undefined) continue
      for (const kind of REACHED) sum[kind] += one[kind]
    }
    return sum
  }

  /** From here on every text is counted that was passed on to be executed. */
  watchTexts(): TextWatch {
    const watch = new TextWatch()
    for (const { ledger } of this.fronts) ledger.watcher = entry => watch.saw(entry)
    return watch
  }
}

const REACHED = [
  'strongHits',
  'strongMisses',
  'refused',
  'weakLeader',
  'weakFollower',
  'weakMisses',
] as const

const EXECUTED: ReadonlySet<string> = new Set(['query', 'execute'])

/** How often each statement was executed: a suite whose texts are all different proves "once". */
export class TextWatch {
  private readonly seen = new Map<string, LedgerEntry[]>()
  /** False when there were more texts than can be counted. */
  isWhole = true

  saw(entry: LedgerEntry): void {
    if (entry.fate !== 'passed' || !EXECUTED.has(entry.command)) return
    const entries = this.seen.get(entry.text)
    if (entries !== undefined) entries.push(entry)
    else if (this.seen.size < MAX_TEXTS) this.seen.set(entry.text, [entry])
    else this.isWhole = false
  }

  /** Executions of texts that a pattern fits; those that a server refused afterwards do not count. */
  executed(pattern: RegExp): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const [text, entries] of this.seen)
      if (pattern.test(text))
        counts.set(text, entries.filter(({ fate }) => fate === 'passed').length)
    return counts
  }

  /** Executions by what a pattern finds in a text: marks that are written in statements, or in their values. */
  marked(pattern: RegExp): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const [text, entries] of this.seen) {
      const mark = pattern.exec(text)?.[0]
      if (mark === undefined) continue
      const count = entries.filter(({ fate }) => fate === 'passed').length
      if (count > 0) counts.set(mark, (counts.get(mark) ?? 0) + count)
    }
    return counts
  }

  /** Texts that were executed more than once. */
  twice(pattern: RegExp): readonly string[] {
    return [...this.executed(pattern)].filter(([, count]) => count > 1).map(([text]) => text)
  }
}
