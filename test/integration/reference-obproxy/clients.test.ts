/** Clients of the stand-in on their way to an OB cluster, and how it knows where that is. */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { stage1Of } from '../../../proxy-node/auth/scramble.ts'
import { systemClock } from '../../../proxy-node/base/clock.ts'
import { givePasswords } from '../../../proxy-node/control/links.ts'
import { ProxyAdmin } from '../../../proxy-node/control/proxy-admin.ts'
import { nodeTransport } from '../../../proxy-node/net/node.ts'
import { type ScriptedFronts, startScriptedFronts } from '../../support/front-scripted.ts'
import {
  adminOf,
  closed,
  connect,
  DEADLINE,
  errorOf,
  pidOf,
  rowsOf,
  running,
  type Scene,
} from './scene.ts'

const SUBNET = '127.19.5'

let fronts: ScriptedFronts
const scenes: Scene[] = []

beforeAll(async () => {
  fronts = await startScriptedFronts(SUBNET)
})

afterEach(async () => {
  for (const scene of scenes.splice(0)) await scene.stop()
})

afterAll(async () => {
  await fronts?.stop()
})

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')

const SERVERS = [`${SUBNET}.1:2881`, `${SUBNET}.2:2881`].join(';')

/** A proxy in front of the cluster, with these passwords of proxyro in its two slots. */
async function proxyOf(host: string, [first, second]: readonly [string, string]): Promise<Scene> {
  const options = [
    `observer_sys_password=${sha1(first)}`,
    `observer_sys_password1=${sha1(second)}`,
    'proxy_hot_upgrade_check_interval=1s',
  ]
  const scene = await running(host, options.join(','), ['-r', SERVERS, '-c', 'obcluster'])
  scenes.push(scene)
  return scene
}

/** It is made anew by the next login, with the passwords of then. */
async function dropped(host: string): Promise<void> {
  const admin = await adminOf(host)
  await admin.query("ALTER PROXYRESOURCE DELETE 'obcluster'")
  admin.destroy()
}

function logIn(host: string): Promise<Connection> {
  const { user, password } = fronts.accounts
  return connect(host, `${user}@app#obcluster`, password)
}

test('a client is logged in by its server, and its statements are answered there', async () => {
  const { host } = await proxyOf('127.19.6.1', [fronts.accounts.proxyro, 'wrong'])
  const client = await logIn(host)
  await client.query('CREATE TABLE IF NOT EXISTS demo.parts (id INT PRIMARY KEY, name VARCHAR(20))')
  await client.query("REPLACE INTO demo.parts VALUES (1, 'bolt')")
  const [rows] = await client.execute('SELECT name FROM demo.parts WHERE id = ?', [1])
  const admin = await adminOf(host)

  expect(rows).toEqual([{ name: 'bolt' }])
  expect(await rowsOf(admin, 'SHOW PROXYSESSION')).toContainEqual(
    expect.objectContaining({ Cluster: 'obcluster', Tenant: 'app', svr_session_count: 1 }),
  )
  expect(await rowsOf(admin, 'SHOW PROXYCLUSTER')).toMatchObject([
    { cluster_name: 'obcluster', root_addr: `${SUBNET}.1:2881`, role: 'LEADER' },
    { cluster_name: 'obcluster', root_addr: `${SUBNET}.2:2881`, role: 'FOLLOWER' },
  ])
  expect(await rowsOf(admin, 'SHOW PROXYRESOURCE')).toMatchObject([
    { cluster_name: 'obcluster', state: 'CR_AVAIL', ref_count: 1 },
  ])
  admin.destroy()
  client.destroy()
})

test('a wrong password is the server’s error, an unknown cluster the proxy’s', async () => {
  const { host } = await proxyOf('127.19.6.2', [fronts.accounts.proxyro, 'wrong'])

  await expect(connect(host, `${fronts.accounts.user}@app`, 'no')).rejects.toMatchObject({
    errno: 1045,
  })
  await expect(connect(host, 'demo@app#nowhere', 'no')).rejects.toMatchObject({ errno: 4669 })
})

test('an OB cluster that is away does not keep root@proxysys out', async () => {
  const scene = await running('127.19.6.3', 'enable_qos=true', [
    ...['-r', '127.19.5.99:2881'],
    ...['-c', 'gone'],
  ])
  scenes.push(scene)

  await expect(connect(scene.host, 'demo@app')).rejects.toMatchObject({ errno: 10013 })
  ;(await adminOf(scene.host)).destroy()
})

test('proxyro has two passwords: either lets clients in, none does not', async () => {
  const { host } = await proxyOf('127.19.6.4', ['wrong', 'wrong too'])
  const admin = await adminOf(host)
  await expect(logIn(host)).rejects.toMatchObject({ errno: 10018 })
  const [failed] = await rowsOf(admin, 'SHOW PROXYRESOURCE')

  await admin.query(`ALTER PROXYCONFIG SET observer_sys_password1 = '${fronts.accounts.proxyro}'`)
  ;(await logIn(host)).destroy()

  expect(failed).toMatchObject({ state: 'CR_INIT_FAILED' })
  admin.destroy()
})

test('a cluster may have a password of proxyro of its own', async () => {
  const { host } = await proxyOf('127.19.6.5', ['wrong', 'wrong too'])
  const admin = await adminOf(host)
  const row = `-1, '', 0, 'obcluster', '', 'observer_sys_password', '${fronts.accounts.proxyro}', 'LEVEL_CLUSTER'`
  await admin.query(
    `REPLACE INTO proxy_config(vid, vip, vport, cluster_name, tenant_name, name, value, config_level) VALUES (${row})`,
  )
  ;(await logIn(host)).destroy()
  const [kept] = await rowsOf(
    admin,
    "SELECT value FROM proxy_config WHERE config_level = 'LEVEL_CLUSTER'",
  )

  expect(kept?.['value']).toBe(sha1(fronts.accounts.proxyro))
  admin.destroy()
})

test('what verbs give it of two passwords for a cluster opens, the second too, and goes again', async () => {
  const { host } = await proxyOf('127.19.6.7', ['wrong', 'wrong too'])
  const right = fronts.accounts.proxyro
  const admin = await ProxyAdmin.open({ host, port: 2883 }, stage1Of('proxysys'), {
    transport: nodeTransport,
    clock: systemClock,
  })
  const give = (...passwords: string[]) =>
    givePasswords(admin, {
      proxyro: ['not this'],
      rows: new Map(passwords.length === 0 ? [] : [['obcluster', passwords]]),
    })

  await give('outdated', right)
  ;(await logIn(host)).destroy()
  await give(right)
  await dropped(host)
  ;(await logIn(host)).destroy()
  await give()
  await dropped(host)

  await expect(logIn(host)).rejects.toMatchObject({ errno: 10018 })
  expect(await admin.clustersWith('observer_sys_password')).toEqual([])
  admin.close()
})

test('a dropped cluster loses its sessions and is made anew by the next login', async () => {
  const { host } = await proxyOf('127.19.6.6', [fronts.accounts.proxyro, 'wrong'])
  const client = await logIn(host)
  const cut = closed(client)
  const admin = await adminOf(host)

  await admin.query("ALTER PROXYRESOURCE DELETE 'obcluster'")
  await cut
  const dropped = await rowsOf(admin, 'SHOW PROXYRESOURCE')
  ;(await logIn(host)).destroy()

  expect(dropped).toEqual([])
  expect(await rowsOf(admin, 'SHOW PROXYRESOURCE')).toHaveLength(1)
  admin.destroy()
})

test('a transaction on a server goes on over a hot restart', async () => {
  const { host } = await proxyOf('127.19.6.7', [fronts.accounts.proxyro, 'wrong'])
  const old = await pidOf(host)
  const client = await logIn(host)
  await client.query('CREATE TABLE IF NOT EXISTS demo.held (id INT PRIMARY KEY)')
  await client.query('BEGIN')
  await client.query('REPLACE INTO demo.held VALUES (1)')
  const admin = await adminOf(host)
  await admin.query('ALTER PROXYCONFIG SET proxy_local_cmd = 2')
  admin.destroy()
  await vi.waitFor(async () => expect(await pidOf(host)).not.toBe(old), DEADLINE)

  await client.query('REPLACE INTO demo.held VALUES (2)')
  await client.query('COMMIT')
  const other = await logIn(host)
  const [rows] = await other.query('SELECT id FROM demo.held ORDER BY id')

  expect(rows).toEqual([{ id: 1 }, { id: 2 }])
  client.destroy()
  other.destroy()
})

test('root@sys may say what root@proxysys may, other users what is theirs', async () => {
  const { host } = await proxyOf('127.19.6.8', [fronts.accounts.proxyro, 'wrong'])
  const root = await connect(host, 'root@sys', fronts.accounts.root)
  const user = await logIn(host)

  expect(await rowsOf(root, "SHOW PROXYCONFIG LIKE 'listen_port'")).toHaveLength(1)
  expect(await errorOf(user, "SHOW PROXYCONFIG LIKE 'listen_port'")).toBeGreaterThan(0)
  expect(await rowsOf(user, 'SHOW PROXYSESSION')).toHaveLength(1)
  expect(await rowsOf(user, 'SELECT PROXY_STATUS()')).toHaveLength(1)
  root.destroy()
  user.destroy()
})

/** A config server whose one cluster is the fronts'. */
async function startConfigServer(host: string): Promise<{ server: Server; url: string }> {
  const servers = [1, 2].map(at => ({
    address: `${SUBNET}.${at}:2882`,
    role: at === 1 ? 'LEADER' : 'FOLLOWER',
    sql_port: 2881,
  }))
  const rsUrl = `http://${host}:8080/services?Action=ObRootServiceInfo&ObRegion=obcluster`
  const list = {
    Version: 'first',
    ObProxyBinUrl: '',
    ObProxyDatabaseInfo: { DataBase: '', MetaDataBase: '', User: '', Password: '' },
    ObRootServiceInfoUrlList: [{ ObRegion: 'obcluster', ObRootServiceInfoUrl: rsUrl }],
  }
  const server = createServer((request, response) => {
    const isCluster = request.url?.includes('ObRootServiceInfo') === true
    const Data = isCluster ? { ObRegion: 'obcluster', ObRegionId: 7, RsList: servers } : list
    response.end(JSON.stringify({ Code: 200, Message: 'successful', Success: true, Data }))
  })
  await new Promise<void>(done => server.listen(8080, host, done))
  return { server, url: `http://${host}:8080/services?Action=GetObProxyConfig&User_ID=x` }
}

test('a config server says where clusters are, and its last answer starts the proxy without it', async () => {
  const { server, url } = await startConfigServer('127.19.7.1')
  const options = `obproxy_config_server_url=${url},observer_sys_password=${sha1(fronts.accounts.proxyro)}`
  const scene = await running('127.19.6.9', options)
  scenes.push(scene)
  const { host, installation } = scene
  ;(await connect(host, `${fronts.accounts.user}@app`, fronts.accounts.password)).destroy()
  await new Promise(done => {
    server.closeAllConnections()
    server.close(done)
  })

  await installation.stop()
  await installation.obproxy([])
  await vi.waitFor(async () => (await logIn(host)).destroy(), DEADLINE)

  const admin = await adminOf(host)
  const [cluster] = await rowsOf(admin, 'SHOW PROXYCLUSTER')
  expect(cluster).toMatchObject({ cluster_name: 'obcluster', cluster_id: 7 })
  expect(cluster?.['rs_url']).toContain('ObRootServiceInfo')
  admin.destroy()
})

test('a config server that never answered keeps the proxy from starting', async () => {
  const scene = await running('127.19.6.10')
  scenes.push(scene)
  await scene.installation.stop()

  const { stderr } = await scene.installation.obproxy([
    ...['-N', '-o', 'obproxy_config_server_url=http://127.19.7.2:8080/services?Action=x'],
  ])

  expect(stderr).toContain('no config server and no copy')
})
