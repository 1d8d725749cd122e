/**
 * A running proxy as any operator sees it: admin SQL as root@proxysys over loopback, so that it works
 * with OceanBase's obproxy too. Passwords are never part of a message. Source: proxy-admin.md §2.
 */
import { Fault } from '#contract/fault'
import { QueryClient, QueryError, type Rows } from '../backend/query-client.ts'
import type { Clock } from '../base/clock.ts'
import type { Address, Transport } from '../net/transport.ts'
import { reasonOf } from './durable-file.ts'

const TIMEOUT_MS = 5_000
const ACCESS_DENIED = 1045
/** Which the config service may name beside those of clients. */
const META_CLUSTER = 'MetaDataBase'
const CLUSTER_LEVEL = 'LEVEL_CLUSTER'

const AVAILABILITY = ['ACTIVE', 'BE_INACTIVE', 'INACTIVE'] as const

/** Whether clients are sent elsewhere, and whether they have gone (proxy-admin.md §4.4). */
export type Availability = (typeof AVAILABILITY)[number]

export type AdminPort = { readonly transport: Transport; readonly clock: Clock }

export class ProxyAdmin {
  private readonly client: QueryClient

  private constructor(client: QueryClient) {
    this.client = client
  }

  /** `stage1` is the SHA1 of the password, null for none. @throws QueryError, with errno 0 when nothing answers. */
  static async open(
    address: Address,
    stage1: Uint8Array | null,
    port: AdminPort,
  ): Promise<ProxyAdmin> {
    const options = { address, user: 'root@proxysys', stage1, timeoutMs: TIMEOUT_MS }
    const client = new QueryClient(options, port.clock)
    await client.open(port.transport)
    return new ProxyAdmin(client)
  }

  /** Parameters as SHOW PROXYCONFIG gives them, passwords masked by the proxy. */
  async parameters(): Promise<ReadonlyMap<string, string>> {
    const { columns, rows } = await this.client.query('SHOW PROXYCONFIG')
    const level = columns.indexOf('visible_level')
    return new Map(
      rows
        .filter(row => row[level] !== 'virtual')
        .map(([name, value]) => [String(name), value ?? '']),
    )
  }

  /** @throws node.parameter-refused, which does not show the value. */
  async alter(name: string, value: string): Promise<void> {
    if (!/^\w{1,127}$/.test(name))
      throw new Fault('node.parameter-refused', { name: '?', reason: 'it is no name' })
    try {
      await this.client.query(`ALTER PROXYCONFIG SET ${name} = ${quoted(value)}`)
    } catch (error) {
      throw refusal(name, value, error)
    }
  }

  /**
   * A parameter for one OB cluster alone, as `proxy_config` has it (proxy-admin.md §3.5).
   * @throws node.parameter-refused, which does not show the value.
   */
  async setForCluster(cluster: string, name: string, value: string): Promise<void> {
    try {
      await this.client.query(
        `REPLACE INTO proxy_config(vid, vip, vport, cluster_name, tenant_name, name, value, config_level) VALUES (-1, '', 0, ${quoted(cluster)}, '', ${quoted(name)}, ${quoted(value)}, '${CLUSTER_LEVEL}')`,
      )
    } catch (error) {
      throw refusal(name, value, error)
    }
  }

  /** OB clusters that have `name` for themselves; none where the proxy does not know the table. */
  async clustersWith(name: string): Promise<readonly string[]> {
    const { rows } = await this.ifKnown(
      `SELECT cluster_name FROM proxy_config WHERE config_level = '${CLUSTER_LEVEL}' AND name = ${quoted(name)}`,
    )
    return rows.map(([cluster]) => cluster ?? '')
  }

  async unsetForCluster(cluster: string, name: string): Promise<void> {
    await this.client.query(
      `DELETE FROM proxy_config WHERE cluster_name = ${quoted(cluster)} AND name = ${quoted(name)} AND config_level = '${CLUSTER_LEVEL}'`,
    )
  }

  /** `4.3.2.0-1`; what managers take it from is the first text of that shape. */
  async version(): Promise<string | null> {
    const { rows } = await this.client.query('SHOW PROXYINFO BINARY')
    const text = rows.map(([, line]) => line ?? '').join('\n')
    return /\d+\.\d+\.\d+\.\d+-\d+/.exec(text)?.[0] ?? null
  }

  /** Parameters that need a restart, as they are set: by the proxy's own word, not by ours. */
  async restartParameters(): Promise<ReadonlyMap<string, string>> {
    const { columns, rows } = await this.client.query('SHOW PROXYCONFIG')
    const [level, needs] = ['visible_level', 'need_reboot'].map(name => columns.indexOf(name))
    return new Map(
      rows
        .filter(row => row[level ?? -1] !== 'virtual' && row[needs ?? -1] === 'true')
        .map(([name, value]) => [String(name), value ?? '']),
    )
  }

  /** Names whose value in force is not the one that is set; undefined: this proxy cannot tell. */
  async waitingForRestart(): Promise<readonly string[] | undefined> {
    const { columns, rows } = await this.ifKnown('SHOW PROXYCONFIG STATE')
    const [set, inForce, needs] = ['value', 'running_value', 'need_reboot'].map(name =>
      columns.indexOf(name),
    )
    // OBProxy answers a SHOW that it does not know with other columns, or with an error.
    if (set === undefined || inForce === undefined || inForce < 0) return undefined
    return rows
      .filter(row => row[needs ?? -1] === 'true' && row[set] !== row[inForce])
      .map(([name]) => String(name))
  }

  /** Lines of SHOW PROXYINFO UPGRADE. */
  async upgradeLines(): Promise<readonly string[]> {
    const { rows } = await this.client.query('SHOW PROXYINFO UPGRADE')
    return rows.flatMap(([, line]) => (line ?? '').split('\n'))
  }

  /** Undefined when it says something else, or does not know the question. */
  async availability(): Promise<Availability | undefined> {
    const { rows } = await this.ifKnown('SELECT PROXY_STATUS()')
    return AVAILABILITY.find(word => word === rows[0]?.[0])
  }

  /** Sessions of clients, without those of operators. */
  async clientConnections(): Promise<number> {
    const { columns, rows } = await this.client.query('SHOW PROCESSLIST')
    const tenant = columns.findIndex(name => name.toLowerCase() === 'tenant')
    return rows.filter(row => row[tenant] !== 'proxysys').length
  }

  /** Sessions of clients, without those of operators, by OB cluster and tenant, the most first. */
  async clientsByTenant(): Promise<
    readonly { readonly cluster: string; readonly tenant: string; readonly count: number }[]
  > {
    const { columns, rows } = await this.ifKnown('SHOW PROXYSESSION')
    const [cluster = -1, tenant = -1] = ['cluster', 'tenant'].map(name =>
      columns.findIndex(each => each.toLowerCase() === name),
    )
    const counts = new Map<string, { cluster: string; tenant: string; count: number }>()
    for (const row of rows) {
      const of = { cluster: row[cluster] ?? '', tenant: row[tenant] ?? '' }
      const key = JSON.stringify(of)
      if (of.tenant !== 'proxysys')
        counts.set(key, { ...of, count: (counts.get(key)?.count ?? 0) + 1 })
    }
    return [...counts.values()].sort((left, right) => right.count - left.count)
  }

  /** Servers that statements are kept away from now, `cluster address`. */
  async avoidedServers(): Promise<readonly string[]> {
    const { columns, rows } = await this.ifKnown('SHOW PROXYCONGESTION')
    const [cluster = -1, server = -1] = ['cluster_name', 'server_ip'].map(name =>
      columns.indexOf(name),
    )
    return server < 0 ? [] : rows.map(row => `${row[cluster] ?? ''} ${row[server] ?? ''}`)
  }

  /** Parameters that are not at this proxy's defaults, memory-only ones left out. */
  async changedParameters(): Promise<ReadonlyMap<string, string>> {
    const { columns, rows } = await this.client.query('SHOW PROXYCONFIG DIFF')
    const level = columns.indexOf('visible_level')
    return new Map(
      rows
        .filter(row => !['virtual', 'MEMORY'].includes(row[level] ?? ''))
        .map(([name, value]) => [String(name), value ?? '']),
    )
  }

  /** Names of the OB clusters that it knows, its metadata cluster left out. */
  async obClusters(): Promise<readonly string[]> {
    const { rows } = await this.client.query('SHOW PROXYCLUSTER')
    return [...new Set(rows.map(([name]) => String(name)))].filter(name => name !== META_CLUSTER)
  }

  /** `ip:sqlPort` of root servers by the name of their OB cluster. */
  async rootServers(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { columns, rows } = await this.ifKnown('SHOW PROXYCLUSTER')
    const at = columns.indexOf('root_addr')
    const found = new Map<string, readonly string[]>()
    for (const row of rows) {
      const name = String(row[0])
      found.set(name, [...(found.get(name) ?? []), row[at] ?? ''])
    }
    return found
  }

  /** Process of this session, in a proxy of one process. */
  async sessionPid(): Promise<number | undefined> {
    const { columns, rows } = await this.client.query('SHOW PROCESSLIST')
    const pid = Number(rows[0]?.[columns.findIndex(name => name.toLowerCase() === 'pid')])
    return pid > 0 ? pid : undefined
  }

  close(): void {
    this.client.close()
  }

  /** No rows from a proxy that refuses the statement. @throws QueryError when there is no answer. */
  private async ifKnown(sql: string): Promise<Rows> {
    try {
      return await this.client.query(sql)
    } catch (error) {
      if (error instanceof QueryError && error.errno !== 0) return { columns: [], rows: [] }
      throw error
    }
  }
}

function refusal(name: string, value: string, error: unknown): Fault {
  const reason = value === '' ? reasonOf(error) : reasonOf(error).replaceAll(value, '…')
  return new Fault('node.parameter-refused', { name, reason }, { cause: error })
}

/** Runs `act` with a session and closes it. */
export async function withAdmin<T>(admin: ProxyAdmin, act: (admin: ProxyAdmin) => Promise<T>) {
  try {
    return await act(admin)
  } finally {
    admin.close()
  }
}

export function isDenied(error: unknown): boolean {
  return error instanceof QueryError && error.errno === ACCESS_DENIED
}

/** OBProxy takes either quote and knows no escape of them, so the one that does not occur is used. */
function quoted(value: string): string {
  const text = value.replaceAll('\\', '\\\\')
  return text.includes("'") ? `"${text.replaceAll('"', '""')}"` : `'${text}'`
}
