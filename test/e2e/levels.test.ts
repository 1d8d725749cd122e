/** Rows of proxy_config in the built executable: in force in its workers, and kept over kill -9. */
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { type Node, startNode } from '../support/executable.ts'
import { type RoutingCluster, startRoutingCluster } from '../support/routing-cluster.ts'

const HOST = '127.16.12.1'
const ROWS_A_STATEMENT = 200
const ROWS = 10_000

let cluster: RoutingCluster
let node: Node
let options = ''
let admin: Connection

const adminOf = () => createConnection({ host: HOST, port: 2883, user: 'root@proxysys' })

async function connect(tenant: string): Promise<Connection> {
  const { user, password, database } = cluster.accounts
  return createConnection({
    host: HOST,
    port: 2883,
    user: `${user}@${tenant}#obcluster`,
    password,
    database,
  })
}

/** Of a statement without a table, for a client of this tenant. */
async function planOf(tenant: string): Promise<string> {
  const client = await connect(tenant)
  const [[row]] = await client.query<RowDataPacket[]>('EXPLAIN ROUTE SELECT 1')
  client.destroy()
  return String(row?.['Route Plan'])
}

beforeAll(async () => {
  cluster = await startRoutingCluster({ subnet: '127.16.13', tenants: ['app', 'other'] })
  const secret = Buffer.from(stage1Of(cluster.accounts.proxyro)).toString('hex')
  options =
    `rootservice_list=${cluster.rootservices},rootservice_cluster_name=obcluster,work_thread_num=2,` +
    `automatic_match_work_thread=false,observer_sys_password=${secret}`
  node = await startNode(HOST, options)
  admin = await adminOf()
})

afterAll(async () => {
  admin?.destroy()
  await node?.stop()
  await cluster?.stop()
})

const set = (tuple: string) =>
  admin.query(
    `REPLACE INTO proxyconfig.proxy_config(vid, vip, vport, cluster_name, tenant_name, name, value, config_level) VALUES ${tuple}`,
  )

describe('what is set for a tenant', () => {
  test('is in force in all workers, of that tenant alone, until it is deleted', async () => {
    const by = `goes to ${cluster.key(2)} (target-servers)`
    const level = 'CONFIG_LEVEL:{target_db_server:"LEVEL_TENANT"}'
    // The kernel spreads the clients over two workers, and each hears of it in its turn.
    const plans = () => Promise.all(Array.from({ length: 8 }, () => planOf('app')))
    const areBy = (all: readonly string[]) =>
      all.filter(plan => plan.includes(by) && plan.includes(level)).length

    await set(
      `(-1, '', 0, 'obcluster', 'app', 'target_db_server', '${cluster.key(2)}', 'LEVEL_TENANT')`,
    )
    await expect.poll(async () => areBy(await plans())).toBe(8)
    expect(await planOf('other')).not.toContain('LEVEL_TENANT')
    await admin.query("DELETE FROM proxy_config WHERE tenant_name = 'app'")
    await expect.poll(async () => areBy(await plans())).toBe(0)
  })

  test('is kept over kill -9, as many rows as there may be, and a login is found among them', async () => {
    for (let from = 0; from < ROWS - ROWS_A_STATEMENT; from += ROWS_A_STATEMENT)
      await set(
        Array.from(
          { length: ROWS_A_STATEMENT },
          (_row, at) =>
            `(-1, '', 0, 'obcluster', 't${from + at}', 'proxy_idc_name', 'i1', 'LEVEL_TENANT')`,
        ).join(),
      )
    await set(
      `(-1, '', 0, 'obcluster', 'app', 'target_db_server', '${cluster.key(3)}', 'LEVEL_TENANT')`,
    )
    await expect.poll(() => planOf('app')).toContain(`goes to ${cluster.key(3)} (target-servers)`)
    const gone = new Promise(done => node.child.once('exit', done))
    node.child.kill('SIGKILL')
    await gone

    node = await startNode(HOST, options, node.workdir)
    admin.destroy()
    admin = await adminOf()

    expect(await planOf('app')).toContain(`goes to ${cluster.key(3)} (target-servers)`)
    const [rows] = await admin.query<RowDataPacket[]>('SHOW PROXYCONFIG ALL')
    expect(rows).toHaveLength(ROWS - ROWS_A_STATEMENT + 1)
    expect(rows[0]).toEqual({
      vid: -1,
      vip: '',
      vport: 0,
      tenant_name: 'app',
      cluster_name: 'obcluster',
      name: 'target_db_server',
      value: cluster.key(3),
      config_level: 'LEVEL_TENANT',
    })
  })

  test('may come in a statement of half a megabyte, and not of two', async () => {
    const rows = (length: number) =>
      Array.from(
        { length },
        (_row, at) =>
          `(-1, '', 0, 'west${at}', '', 'proxy_primary_zone_name', '${'z'.repeat(4_000)}', 'LEVEL_CLUSTER')`,
      ).join()

    await set(rows(120))
    const [kept] = await admin.query<RowDataPacket[]>(
      "SHOW PROXYCONFIG ALL LIKE 'proxy_primary_zone_name'",
    )
    expect(kept).toHaveLength(120)
    const other = await adminOf()
    other.on('error', () => {})
    await expect(
      other.query(`REPLACE INTO proxy_config(name) VALUES ${rows(500)}`),
    ).rejects.toMatchObject({ errno: 1835 })
    other.destroy()
  })

  test('is refused with the numbers that managers know', async () => {
    for (const [tuple, errno] of [
      ["(-1, '', 0, 'obcluster', '', 'nosuch', '1', 'LEVEL_CLUSTER')", 5099],
      ["(-1, '', 0, 'obcluster', '', 'ob_max_read_stale_time', '-2', 'LEVEL_CLUSTER')", 4147],
      ["(-1, '', 0, 'obcluster', '', 'work_thread_num', '2', 'LEVEL_CLUSTER')", 1235],
      ["(-1, '', 0, 'obcluster', '')", 1210],
    ] as const)
      await expect(set(tuple)).rejects.toMatchObject({ errno })
  })
})
