/**
 * Parameters that are set for one cluster, tenant or address, from the administrator's statement to the
 * server that a client's statement reaches: beside each other, and changed while everybody goes on.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { runAdmin } from '../../../../proxy-node/admin/dispatch.ts'
import { loginRulesOf } from '../../../../proxy-node/auth/identity.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { LevelSettings, levelNews } from '../../../../proxy-node/process/level-settings.ts'
import { sessionSettings } from '../../../../proxy-node/process/session-settings.ts'
import { buildProxyHeader } from '../../../../proxy-node/wire/proxy-protocol.ts'
import { type Configured, type Routed, rowsOf, startRouted } from '../../../support/routed.ts'
import { Load, MARK as OF_LOAD } from '../../../support/routed-load.ts'

const PARTS = 12
const IDS = Array.from({ length: 2 * PARTS }, (_id, at) => at)
const WEAK = (id: number) =>
  `SELECT /*+ READ_CONSISTENCY(WEAK) */ name FROM hashed WHERE id = ${id}`
const VIP = { address: '10.9.8.7', port: 3306 }

const folder = mkdtempSync(join(tmpdir(), 'obfleet-levels-live-'))
const config = ConfigStore.open(folder, new Map())

/** As a worker has it; made anew by each change. */
function workerSettings() {
  const general = {
    sessions: sessionSettings(config, 1),
    login: loginRulesOf(name => config.get(name)),
    slowQueryMs: 500,
  }
  return { general, levels: new LevelSettings(levelNews(config), general, 1) }
}

let applied = workerSettings()
config.onChange(() => {
  applied = workerSettings()
})
const configured: Configured = {
  settings: () => applied.general.sessions,
  levels: {
    settingsOf: place => applied.levels.of(place),
    loginRules: vip => applied.levels.loginRules(vip),
  },
  entry: { tls: () => undefined, mayBringHeader: () => true, mayNameClient: () => false },
}

let routed: Routed
let admin: Connection

beforeAll(async () => {
  routed = await startRouted({
    subnet: '127.33.9',
    tenants: ['app', 'other'],
    configured,
    admin: () => ({
      accepts: () => true,
      run: (user, sql, connectionId) =>
        runAdmin(sql, { user, connectionId }, { config } as Parameters<typeof runAdmin>[2]),
    }),
  })
  const setup = await routed.connect()
  await setup.query(
    `CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${PARTS}`,
  )
  admin = await createConnection({
    host: '127.0.0.1',
    port: routed.proxy.port,
    user: 'root@proxysys',
  })
})

afterEach(async () => {
  await deleteRows()
  await routed.reset()
})
afterAll(async () => {
  admin?.destroy()
  await routed?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const deleteRows = async () => {
  for (const level of ['LEVEL_VIP', 'LEVEL_TENANT', 'LEVEL_CLUSTER'])
    await admin.query('DELETE FROM proxy_config WHERE config_level = ?', [level])
}

const setOf = (level: string, place: Readonly<Record<string, string | number>>) => {
  const columns = [...Object.keys(place), 'name', 'value', 'config_level']
  return (name: string, value: string) =>
    admin.query(`REPLACE INTO proxyconfig.proxy_config(${columns.join(', ')}) VALUES (?)`, [
      [...Object.values(place), name, value, level],
    ])
}
const setForTenant = (tenant: string) =>
  setOf('LEVEL_TENANT', { cluster_name: 'obcluster', tenant_name: tenant })
const setForCluster = setOf('LEVEL_CLUSTER', { cluster_name: 'obcluster' })
const setForVip = setOf('LEVEL_VIP', { vid: -1, vip: VIP.address, vport: VIP.port })

/** A client that a load balancer brings, which listens at `VIP`. */
async function throughVip(): Promise<Socket> {
  const socket = connectSocket(routed.proxy.port, '127.0.0.1')
  await new Promise(resolve => socket.once('connect', resolve))
  const block = Buffer.alloc(12)
  block.set([10, 0, 0, 7, ...VIP.address.split('.').map(Number)])
  block.writeUInt16BE(40_000, 8)
  block.writeUInt16BE(VIP.port, 10)
  socket.write(buildProxyHeader('proxy', 0x11, block))
  return socket
}

/** Where weak reads of this client went: `leader`, `follower`, both. */
async function rolesOf(client: Connection, tenant: string): Promise<readonly string[]> {
  const marks = routed.cluster.marks()
  for (const id of IDS) await client.query(WEAK(id))
  return roles(tenant, marks)
}

/** Where statements went that are not of a load. */
function frontsSince(marks: ReadonlyMap<string, number>): readonly string[] {
  const found = routed.cluster
    .entries(marks)
    .filter(({ touched, text }) => touched !== undefined && !OF_LOAD.test(text))
  return [...new Set(found.map(({ front }) => front))]
}

function roles(tenant: string, marks: ReadonlyMap<string, number>): readonly string[] {
  const found = new Set<string>()
  for (const { front, touched, text } of routed.cluster.entries(marks)) {
    const [tablet] = touched?.tablets ?? []
    if (tablet === undefined || OF_LOAD.test(text)) continue
    const leader = routed.cluster.picture.leader(tenant, tablet.tabletId)
    found.add(leader === front ? 'leader' : 'follower')
  }
  return [...found].sort()
}

describe('two tenants of one cluster', () => {
  test('go by a policy each, at once', async () => {
    await setForTenant('app')('proxy_route_policy', 'FOLLOWER_ONLY')
    await setForTenant('other')('target_db_server', routed.cluster.key(2))
    const app = await routed.connect()
    const other = await routed.connect({ tenant: 'other' })

    expect(await rolesOf(app, 'app')).toEqual(['follower'])
    const marks = routed.cluster.marks()
    for (const id of IDS) await other.query(WEAK(id))
    expect(frontsSince(marks)).toEqual([routed.cluster.key(2)])
  })

  test('what is set for one is changed under load of both: no statement fails, the next goes by it', async () => {
    const loads = ['app', 'other'].map(
      tenant =>
        new Load(routed, {
          clients: 4,
          tenant,
          send: (connection, mark, turn) =>
            connection.query(`/* ${mark} */ ${WEAK(turn % IDS.length)}`),
        }),
    )
    for (const load of loads) {
      onTestFinished(() => load.stop())
      await load.start()
    }
    const client = await routed.connect()

    for (let round = 0; round < 10; round++) {
      await setForTenant('app')('proxy_route_policy', 'FOLLOWER_ONLY')
      expect(await rolesOf(client, 'app')).toEqual(['follower'])
      await setForTenant('app')('target_db_server', routed.cluster.key(1))
      const marks = routed.cluster.marks()
      await client.query(WEAK(round))
      expect(frontsSince(marks)).toEqual([routed.cluster.key(1)])
      await deleteRows()
    }
    for (const load of loads) await load.more(50)
    for (const load of loads) await load.stop()

    expect(loads.flatMap(({ failed }) => failed)).toEqual([])
    const elsewhere = await routed.connect({ tenant: 'other' })
    expect(await rolesOf(elsewhere, 'other')).toEqual(['follower', 'leader'])
  })
})

describe('a client', () => {
  test('has what is set for its cluster, unless its tenant or its address says otherwise', async () => {
    await setForCluster('obproxy_read_only', '0')
    await setForTenant('app')('obproxy_read_only', '1')
    await setForVip('obproxy_read_only', '0')

    const writer = await routed.connect()
    expect(await writer.query('SET tx_read_only = 0')).toBeDefined()
    const readers = [
      await routed.connect({ tenant: 'other' }),
      await routed.connect({ stream: await throughVip() }),
    ]
    for (const reader of readers)
      await expect(reader.query('SET tx_read_only = 0')).rejects.toThrow(/read only/)
  })

  test('is told by EXPLAIN ROUTE which level decided', async () => {
    await setForCluster('proxy_route_policy', 'FOLLOWER_ONLY')
    await setForVip('proxy_idc_name', 'i1')
    const planOf = async (client: Connection) =>
      String((await rowsOf(client, `EXPLAIN ROUTE ${WEAK(1)}`))[0]?.[0])

    expect(await planOf(await routed.connect())).toContain(
      '> CONFIG_LEVEL:{proxy_route_policy:"LEVEL_CLUSTER"}',
    )
    expect(await planOf(await routed.connect({ stream: await throughVip() }))).toContain(
      '> CONFIG_LEVEL:{proxy_idc_name:"LEVEL_VIP", proxy_route_policy:"LEVEL_CLUSTER"}',
    )
    await deleteRows()
    expect(await planOf(await routed.connect())).not.toContain('CONFIG_LEVEL')
  })

  test('of an address needs not say cluster and tenant, where that is set for it', async () => {
    await setForVip('proxy_tenant_name', 'other')
    await setForVip('rootservice_cluster_name', 'obcluster')
    const { user } = routed.cluster.accounts
    await routed.connect({ user, stream: await throughVip() })

    const [session] = routed.proxy.sessions
      .list()
      .filter(({ isAdmin }) => !isAdmin)
      .slice(-1)
    expect(session?.tenant).toBe('other')
  })

  test('without TLS is refused where its tenant must have it, and nobody else', async () => {
    await setForTenant('other')('ssl_attributes', '{"using_ssl":"ENABLE_FORCE"}')

    await expect(routed.connect({ tenant: 'other' })).rejects.toMatchObject({ errno: 3159 })
    expect(await rolesOf(await routed.connect(), 'app')).toEqual(['follower', 'leader'])
  })

  test('that changes its user has the settings of the other tenant', async () => {
    await setForTenant('other')('proxy_route_policy', 'FOLLOWER_ONLY')
    const client = await routed.connect()
    expect(await rolesOf(client, 'app')).toEqual(['follower', 'leader'])

    const { user, password, database } = routed.cluster.accounts
    await client.changeUser({ user: `${user}@other#obcluster`, password, database })

    expect(await rolesOf(client, 'other')).toEqual(['follower'])
  })
})
