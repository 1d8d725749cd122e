/** The admin statements of the stand-in: who may say them, their columns, their errors. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  adminOf,
  connect,
  errorOf,
  parameterOf,
  pidOf,
  rowsOf,
  running,
  type Scene,
  serving,
} from './scene.ts'

const HOST = '127.19.1.1'

let scene: Scene
let admin: Connection

beforeAll(async () => {
  scene = await running(HOST)
  admin = await adminOf(HOST)
})

afterAll(async () => {
  admin?.destroy()
  await scene?.stop()
})

const COLUMNS: readonly (readonly [string, string])[] = [
  ['SHOW PROXYINFO BINARY', 'name info'],
  ['SHOW PROXYINFO UPGRADE', 'name info'],
  [
    'SHOW PROXYINFO IDC',
    'global_idc_name cluster_name match_type regions_name same_idc same_region other_region',
  ],
  ['SHOW PROXYCONFIG', 'name value info need_reboot visible_level range config_level'],
  ['SHOW PROXYCONFIG DIFF', 'name value info need_reboot visible_level range config_level'],
  ['SHOW PROXYCONFIG DIFF USER', 'name value info need_reboot visible_level range config_level'],
  ['SHOW PROXYCONFIG ALL', 'vid vip vport tenant_name cluster_name name value config_level'],
  ["SHOW PROXYCONFIG LIKE 'syslog_level'", 'parent_mod sub_mod level usage'],
  ['SHOW PROXYCLUSTER', 'cluster_name cluster_id rs_url root_addr role replica_type'],
  ['SHOW PROXYCLUSTER IDC', 'cluster_name cluster_id idc_url idc region'],
  [
    'SHOW PROXYRESOURCE',
    'cluster_name cluster_id state version ref_count last_access_time_ns last_access_time deleting_completed_thread_num fetch_rs_list_task_count last_fetch_rs_list_time_ns last_fetch_rs_list_time fetch_idc_list_task_count last_fetch_idc_list_time_ns last_fetch_idc_list_time',
  ],
  [
    'SHOW PROXYSESSION',
    'proxy_sessid Id Cluster Tenant User Host db trans_count svr_session_count state tid pid using_ssl',
  ],
  ['SHOW PROXYSESSION ATTRIBUTE', 'attribute_name value info'],
  ['SHOW PROCESSLIST', 'Id Tenant User Host db trans_count svr_session_count state tid pid'],
  ['SHOW PROXYSTAT', 'stat_name value persist_type'],
  ['SHOW PROXYMEMORY', 'mod_name mod_type hold used count avg_used backtrace'],
  ['SELECT PROXY_STATUS()', 'proxy_status()'],
  ['SELECT proxy_version()', 'proxy_version()'],
  ['SHOW VARIABLES', 'Variable_name Value'],
  ['SHOW TABLES', 'Variable_name Value'],
]

test.each(COLUMNS)('%s has its columns', async (sql, names) => {
  const [, fields] = await admin.query<RowDataPacket[]>(sql)

  expect(fields.map(({ name }) => name)).toEqual(names.split(' '))
})

test.each([
  'SET NAMES utf8mb4',
  'set autocommit=1',
  'BEGIN',
  'COMMIT',
  'PING PROXY',
  'show  proxyinfo\n binary ; ',
])('root@proxysys may say %j', async sql => {
  expect(await errorOf(admin, sql)).toBeUndefined()
})

test.each([
  ['no statement of the proxy', 'SELECT * FROM t', 5010],
  ['the list form that goes to servers', 'INSERT INTO t VALUES (1)', 5010],
  ['an unknown parameter', 'ALTER PROXYCONFIG SET no_such = 1', 5099],
  ['a value out of range', 'ALTER PROXYCONFIG SET proxy_hot_upgrade_check_interval = 0s', 4147],
  ['a value that does not parse', 'ALTER PROXYCONFIG SET enable_qos = maybe', 4147],
  ['values that do not go together', "ALTER PROXYCONFIG SET server_routing_mode = 'x'", 4147],
  ['the name of the application', "ALTER PROXYCONFIG SET app_name = 'other'", 1235],
  ['an id that old session ids have no room for', 'ALTER PROXYCONFIG SET proxy_id = 256', 10025],
  ['a cluster that is not in use', 'ALTER PROXYRESOURCE DELETE nowhere', 4018],
  ['no cluster', "ALTER PROXYRESOURCE DELETE ''", 1210],
  ['a thread that is not there', 'KILL 4711', 1094],
  ['a level without its key', insert('observer_sys_password', 'x', 'LEVEL_CLUSTER', ''), 1210],
  ['a name that is global only', insert('hot_upgrade_exit_timeout', '1', 'LEVEL_CLUSTER'), 1235],
] as const)('%s is an error', async (_what, sql, errno) => {
  expect(await errorOf(admin, sql)).toBe(errno)
})

function insert(name: string, value: string, level: string, cluster = 'obcluster'): string {
  const columns = 'vid, vip, vport, cluster_name, tenant_name, name, value, config_level'
  return `REPLACE INTO proxy_config(${columns}) VALUES (-1, '', 0, '${cluster}', '', '${name}', '${value}', '${level}')`
}

test('the version is the first text of its form, and the executable says the same', async () => {
  const [row] = await rowsOf(admin, 'SHOW PROXYINFO BINARY')
  const { stderr, code } = await scene.installation.obproxy(['-V'])

  expect(row?.['name']).toBe('binary info')
  expect(/\d+\.\d+\.\d+\.\d+-\d+/.exec(row?.['info'])?.[0]).toBe('4.3.1.0-4')
  expect(stderr.split('\n')[0]).toBe('obproxy (OceanBase 4.3.1.0 4)')
  expect(code).toBe(0)
})

describe('parameters', () => {
  test('keep what was set, as it was typed', async () => {
    await admin.query("ALTER PROXYCONFIG SET hot_upgrade_rollback_timeout = '90m'")
    await admin.query('ALTER PROXYCONFIG SET enable_qos = on')
    const bool = await parameterOf(admin, 'enable_qos')

    expect(await parameterOf(admin, 'hot_upgrade_rollback_timeout')).toBe('90m')
    expect(bool).toBe('True')
  })

  test('stay as they were when a change is refused', async () => {
    const before = await parameterOf(admin, 'hot_upgrade_exit_timeout')

    await errorOf(admin, 'ALTER PROXYCONFIG SET hot_upgrade_exit_timeout = -2')

    expect(await parameterOf(admin, 'hot_upgrade_exit_timeout')).toBe(before)
  })

  test('that differ from their defaults are told apart, and by who sees them', async () => {
    await admin.query("ALTER PROXYCONFIG SET proxy_idc_name = 'east'")
    await admin.query("ALTER PROXYCONFIG SET slow_query_time_threshold = '3s'")

    const names = async (sql: string) => (await rowsOf(admin, sql)).map(row => row['name'])
    const all = await names('SHOW PROXYCONFIG DIFF')
    const ofUsers = await names('SHOW PROXYCONFIG DIFF USER')

    expect(all).toEqual(expect.arrayContaining(['proxy_idc_name', 'slow_query_time_threshold']))
    expect(ofUsers).toContain('slow_query_time_threshold')
    expect(ofUsers).not.toContain('proxy_idc_name')
  })

  test('below the global level are listed with their level, and go again', async () => {
    await admin.query(insert('proxy_idc_name', 'west', 'LEVEL_CLUSTER'))
    const [row] = await rowsOf(admin, "SHOW PROXYCONFIG ALL LIKE 'proxy_idc%'")
    await admin.query("DELETE FROM proxy_config WHERE cluster_name = 'obcluster'")

    expect(row).toMatchObject({
      cluster_name: 'obcluster',
      name: 'proxy_idc_name',
      value: 'west',
      config_level: 'LEVEL_CLUSTER',
    })
    expect(await rowsOf(admin, 'SHOW PROXYCONFIG ALL')).toEqual([])
  })

  test('of all are 299, and seven rows are no parameters', async () => {
    const rows = await rowsOf(admin, 'SHOW PROXYCONFIG')

    expect(rows.filter(row => row['visible_level'] === 'virtual')).toHaveLength(7)
    expect(rows).toHaveLength(306)
  })

  test('match a pattern with its case', async () => {
    expect(await rowsOf(admin, "SHOW PROXYCONFIG LIKE 'LISTEN_PORT'")).toEqual([])
    expect(await rowsOf(admin, 'SHOW PROXYCONFIG LIKE "%port"')).toHaveLength(3)
  })
})

describe('passwords', () => {
  const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')

  test('are hashed when they are changed, a hash is hashed again', async () => {
    await admin.query("ALTER PROXYCONFIG SET observer_sys_password = 'secret'")
    const once = await parameterOf(admin, 'observer_sys_password')
    await admin.query(`ALTER PROXYCONFIG SET observer_sys_password = '${sha1('secret')}'`)

    expect(once).toBe(sha1('secret'))
    expect(await parameterOf(admin, 'observer_sys_password')).toBe(sha1(sha1('secret')))
  })

  test('of the inspector are stored as they are given', async () => {
    await admin.query(`ALTER PROXYCONFIG SET inspector_password = '${sha1('look')}'`)
    const inspector = await connect(HOST, 'inspector@proxysys', 'look')

    expect(await errorOf(inspector, 'PING PROXY')).toBeUndefined()
    expect(await errorOf(inspector, 'SHOW PROXYCONFIG')).toBe(5010)
    inspector.destroy()
  })

  test('of root@proxysys decide who gets in from the next login on', async () => {
    await admin.query("ALTER PROXYCONFIG SET obproxy_sys_password = 'other'")

    await serving(HOST, 'other')
    await expect(adminOf(HOST)).rejects.toMatchObject({ errno: 1045 })
    await expect(adminOf(HOST, '')).rejects.toMatchObject({ errno: 1045 })
    await admin.query("ALTER PROXYCONFIG SET obproxy_sys_password = ''")
    await serving(HOST, '')
    await admin.query("ALTER PROXYCONFIG SET obproxy_sys_password = 'proxysys'")
  })
})

describe('sessions', () => {
  test('are listed with whose they are', async () => {
    const client = await connect(HOST, 'app@orders#obcluster', 'x')
    await client.query('USE shop')
    const [id] = await rowsOf(client, 'SELECT CONNECTION_ID()')
    const rows = await rowsOf(admin, 'SHOW PROCESSLIST')

    expect(rows).toContainEqual(
      expect.objectContaining({
        Id: Number(Object.values(id ?? {})[0]),
        Tenant: 'orders',
        User: 'app',
        pid: await pidOf(HOST),
      }),
    )
    client.destroy()
  })

  test('of others are not shown to users, and not theirs to end', async () => {
    const one = await connect(HOST, 'app@orders')
    const other = await connect(HOST, 'batch@orders')
    const [row] = await rowsOf(one, 'SHOW PROXYSESSION')

    expect(await rowsOf(other, 'SHOW PROXYSESSION')).toHaveLength(1)
    expect(await errorOf(other, `KILL ${row?.['Id']}`)).toBe(1095)
    one.destroy()
    other.destroy()
  })

  test('are ended by root@proxysys', async () => {
    const client = await connect(HOST, 'app@orders')
    const [row] = await rowsOf(client, 'SHOW PROXYSESSION')
    const ended = new Promise(done => client.on('end', done))

    await admin.query(`KILL ${row?.['Id']}`)

    await ended
  })

  test('are no more than the limit', async () => {
    await admin.query('ALTER PROXYCONFIG SET client_max_connections = 1')
    const first = await connect(HOST, 'app@orders')

    await expect(connect(HOST, 'app@orders')).rejects.toMatchObject({ errno: 1203 })

    await admin.query('ALTER PROXYCONFIG SET client_max_connections = 8192')
    first.destroy()
  })
})

test('the exporter answers on its port, and has no page of readiness', async () => {
  const metrics = await fetch(`http://${HOST}:2884/metrics`)
  const ready = await fetch(`http://${HOST}:2884/ready`)

  expect(await metrics.text()).toMatch(/^odp_current_session\{.*sessionType="client".*\} \d+$/m)
  expect(ready.status).toBe(404)
})

test('rpm knows the package, and whose the executable is', async () => {
  const { installation } = scene
  const rpm = (...args: string[]) =>
    execFileSync(`${installation.root}/usr/bin/rpm`, args).toString().trim()

  expect(rpm('-qa')).toMatch(/^obproxy-4\.3\.1\.0-4\.el7\.\w+$/)
  expect(rpm('-qf', `${installation.path}/bin/obproxy`)).toBe(rpm('-qa'))
  expect(rpm('-q', 'obproxy')).toBe(rpm('-qa'))
})
