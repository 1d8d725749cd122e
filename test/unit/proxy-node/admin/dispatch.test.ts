import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AdminPorts, Availability, SessionRow } from '../../../../proxy-node/admin/answer.ts'
import { runAdmin } from '../../../../proxy-node/admin/dispatch.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import { PARAMETERS } from '../../../../proxy-node/contract/parameters.ts'
import { PROXY_VERSION } from '../../../../proxy-node/contract/version.ts'

const SESSION: SessionRow = {
  id: 12,
  tenant: 'app',
  user: 'u',
  host: '10.0.0.9:13970',
  database: '',
  statements: 3,
  serverSessions: 2,
  state: 'MCS_ACTIVE_READER',
  worker: 1,
  pid: 4711,
  usesSsl: true,
}

let folder = ''
let open: number[] = []
let availability: Availability = 'ACTIVE'
let failures: unknown[] = []
let ports: AdminPorts
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-admin-'))
  open = [12, 7]
  availability = 'ACTIVE'
  failures = []
  ports = {
    config: ConfigStore.open(folder, new Map([['rootservice_cluster_name', 'obcluster']])),
    sessions: async () => open.map(id => ({ ...SESSION, id })),
    kill: async (id, onlyQuery) => {
      const isHere = open.includes(id)
      if (!onlyQuery) open = open.filter(other => other !== id)
      return isHere
    },
    availability: async () => availability,
    upgrade: async () => ['state:HU_STATE_WAIT_HU_CMD', 'clients left:2'],
    certificates: {
      current: { cert: '', key: '', ca: '', facts: [] },
      since: 0,
      failure: undefined,
    },
    counters: async () => [],
    digests: async () => [],
    stale: async () => [],
    failed: error => failures.push(error),
  }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const run = (sql: string, user = 'root') => runAdmin(sql, { user, connectionId: 99 }, ports)
const table = async (sql: string) => {
  const answer = await run(sql)
  if (answer.kind !== 'rows') throw new Error(`${sql}: ${JSON.stringify(answer)}`)
  return answer
}
const cells = async (sql: string) => (await table(sql)).rows
const names = async (sql: string) => (await table(sql)).columns.map(({ name }) => name)
const errno = async (sql: string, user = 'root') => {
  const answer = await run(sql, user)
  return answer.kind === 'error' ? answer.errno : answer.kind
}

describe('OB clusters', () => {
  const directory = {
    rootServerRows: () =>
      ['east', 'west'].map(name => ({
        name,
        id: 1,
        url: 'http://c/?Token=******',
        address: '10.0.0.1:2881',
        role: 'LEADER',
        replicaType: 'FULL',
      })),
    idcRows: () => [{ name: 'east', id: 1, url: 'http://c/i', idc: 'a', region: 'r' }],
    facts: () => ({
      version: 'v1',
      clusterCount: 2,
      binUrl: '',
      metadataDatabase: 'd',
      metadataUser: 'u',
      modifiedAt: 0,
    }),
  }
  beforeEach(() => {
    ports = { ...ports, directory }
  })

  test('are shown with where each begins', async () => {
    expect(await names('show proxycluster')).toEqual([
      'cluster_name',
      'cluster_id',
      'rs_url',
      'root_addr',
      'role',
      'replica_type',
    ])
    expect(await cells("SHOW PROXYCLUSTER LIKE 'w%'")).toEqual([
      ['west', 1, 'http://c/?Token=******', '10.0.0.1:2881', 'LEADER', 'FULL'],
    ])
  })

  test('have IDCs', async () => {
    expect(await cells('show proxycluster idc')).toEqual([['east', 1, 'http://c/i', 'a', 'r']])
    expect(await cells("show proxycluster idc like 'x'")).toEqual([])
  })

  test('are none where no directory is', async () => {
    const { directory: _none, ...bare } = ports
    ports = bare

    expect(await cells('show proxycluster')).toEqual([])
    const [count] = await cells("show proxyconfig like 'json_config_cluster_count'")
    expect(count?.[1]).toBe('0')
  })

  test('are counted among the parameters, with the version of their list', async () => {
    const rows = await cells("show proxyconfig like 'json_config_%'")

    expect(Object.fromEntries(rows.map(([name, value]) => [name, value]))).toMatchObject({
      json_config_version: 'v1',
      json_config_cluster_count: '2',
      json_config_meta_table_user: 'u',
    })
  })
})

describe('what drivers send at connect', () => {
  test.each([
    'SET NAMES utf8mb4',
    "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'",
    'set autocommit=1',
    'SET @@session.autocommit = OFF;',
    "SET character_set_results = NULL, sql_mode='STRICT_TRANS_TABLES'",
    'SET SESSION TRANSACTION READ ONLY',
    'BEGIN',
    'START TRANSACTION WITH CONSISTENT SNAPSHOT',
    'COMMIT ;',
    'rollback;;  ',
    '-- a comment\nset names utf8',
    '# another\n/* and */ COMMIT',
  ])('%j is fine', async sql => {
    expect(await run(sql)).toEqual({ kind: 'ok' })
  })

  test('answers the long SELECT of Connector/J with every alias', async () => {
    const asked =
      '/* mysql-connector-java-8.0.29 (Revision: dd61577595edad45c398af508cf91ad26fc4144f) */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, @@query_cache_size AS query_cache_size, @@query_cache_type AS query_cache_type, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout'

    const { columns, rows } = await table(asked)

    expect(columns).toHaveLength(21)
    expect(columns[0]?.name).toBe('auto_increment_increment')
    expect(rows[0]?.[0]).toBe(1)
    expect(rows[0]?.at(-1)).toBe(28_800)
  })

  test.each([
    ['SELECT 1', ['1'], [1]],
    ['select @@version_comment limit 1', ['@@version_comment'], ['obfleet obproxy']],
    ['select @@session.tx_isolation', ['@@session.tx_isolation'], ['READ-COMMITTED']],
    [
      'SELECT @@max_allowed_packet,@@wait_timeout',
      ['@@max_allowed_packet', '@@wait_timeout'],
      [4_194_304, 28_800],
    ],
    ['SELECT VERSION()', ['VERSION()'], [PROXY_VERSION]],
    ['SELECT CONNECTION_ID()', ['CONNECTION_ID()'], [99]],
    ['select USER(), DATABASE()', ['USER()', 'DATABASE()'], ['root@proxysys', null]],
    ["SELECT 'a,b' AS `x`, 2 y", ['x', 'y'], ['a,b', 2]],
    ['select proxy_version() ;', ['proxy_version()'], [PROXY_VERSION]],
    ['/* probe */ SELECT proxy_status()', ['proxy_status()'], ['ACTIVE']],
  ])('%s', async (sql, columns, row) => {
    const answer = await table(sql)

    expect(answer.columns.map(({ name }) => name)).toEqual(columns)
    expect(answer.rows).toEqual([row])
  })

  test('filters SHOW VARIABLES by LIKE and by the names of a WHERE', async () => {
    expect(await cells("SHOW VARIABLES LIKE 'sql_mode'")).toEqual([
      ['sql_mode', 'STRICT_ALL_TABLES'],
    ])
    expect(
      await cells(
        "SHOW SESSION VARIABLES WHERE Variable_name = 'wait_timeout' OR Variable_name='SQL_MODE'",
      ),
    ).toEqual([
      ['sql_mode', 'STRICT_ALL_TABLES'],
      ['wait_timeout', 28_800],
    ])
    expect((await cells('show global variables')).length).toBeGreaterThan(18)
    expect(await cells('show warnings')).toEqual([])
  })

  test.each([
    'select * from t',
    'select @@nosuch',
    'select @@constructor',
    'select constructor()',
    'insert into t values (1)',
    'show engines',
    'settle',
    '',
    ';',
    'ALTER PROXYCONFIG',
    'show proxyconfig like',
  ])('%j is not understood', async sql => {
    expect(await errno(sql)).toBe(5010)
  })

  test('says why there are no tables', async () => {
    expect(await run('show tables')).toMatchObject({
      errno: 5010,
      state: '21000',
      message: expect.stringContaining('has no tables'),
    })
  })
})

describe('a statement', () => {
  test.each(["'\\\\'", '/*', "'", "select ''", 'alter proxyconfig set a="'])(
    'made of %j again and again takes as long as it is long, not its square',
    async piece => {
      const timeOf = async (length: number) => {
        const sql = piece.repeat(Math.floor(length / piece.length))
        const times: number[] = []
        for (let turn = 0; turn < 5; turn++) {
          const startedAt = performance.now()
          expect(await errno(sql)).toBeTypeOf('number')
          times.push(performance.now() - startedAt)
        }
        return Math.min(...times)
      }

      const short = await timeOf(10_000)
      const long = await timeOf(160_000)

      // In proportion 16 times; what goes back again and again takes 256 times as long.
      expect(long / Math.max(short, 0.1)).toBeLessThan(64)
    },
  )
})

describe('SHOW PROXYCONFIG', () => {
  test('lists every parameter, then the state of the config server', async () => {
    const rows = await cells('show proxyconfig')

    expect(await names('SHOW PROXYCONFIG;')).toEqual([
      'name',
      'value',
      'info',
      'need_reboot',
      'visible_level',
      'range',
      'config_level',
    ])
    expect(rows.slice(0, -7).map(row => row[0])).toEqual([...PARAMETERS.keys()])
    expect(rows.slice(-7).map(row => row[4])).toEqual(Array(7).fill('virtual'))
  })

  test.each([
    ["like '%listen_port'", ['listen_port', 'prometheus_listen_port', 'rpc_listen_port']],
    ['LIKE "listen_port"', ['listen_port']],
    ["like 'LISTEN%'", []],
    ["like 'listen_por_'", ['listen_port']],
    ["like 'json%count'", ['json_config_cluster_count']],
  ])('%s', async (like, found) => {
    expect((await cells(`show proxyconfig ${like}`)).map(row => row[0])).toEqual(found)
  })

  test('an empty pattern matches everything, a hostile one ends', async () => {
    expect(await cells("show proxyconfig like ''")).toHaveLength(PARAMETERS.size + 7)
    expect(await cells(`show proxyconfig like '${'%_'.repeat(2000)}x'`)).toEqual([])
  })

  test('DIFF shows what differs by value, masked, USER-visible ones alone on demand', async () => {
    await run(
      "alter proxyconfig set obproxy_sys_password='secret', slow_query_time_threshold='500000us'",
    )
    await run('alter proxyconfig set client_max_connections=5')

    const all = await cells('show proxyconfig diff')

    expect(all.map(row => [row[0], row[1]])).toEqual([
      ['client_max_connections', '5'],
      ['obproxy_sys_password', '******'],
      ['rootservice_cluster_name', 'obcluster'],
    ])
    expect((await cells('show proxyconfig diff user')).map(row => row[0])).toEqual([
      'client_max_connections',
    ])
  })

  test('STATE tells what runs beside what is set', async () => {
    await run('alter proxyconfig set listen_port = 3306')

    expect(await cells("show proxyconfig state like 'listen_port'")).toEqual([
      ['listen_port', '3306', '2883', '2883', 'true', 'true', ''],
    ])
    expect(await cells('show proxyinfo config')).toContainEqual([
      'waiting for restart',
      'listen_port',
    ])
  })

  test('STATE counts what decides before the node’s value, SHOW tells where that can be', async () => {
    await run(
      `replace into proxy_config(cluster_name, tenant_name, name, value, config_level) values
       ('c', '', 'proxy_idc_name', 'i1', 'LEVEL_CLUSTER'), ('c', 't', 'proxy_idc_name', 'i2', 'LEVEL_TENANT'),
       ('c', 'u', 'proxy_idc_name', 'i3', 'LEVEL_TENANT')`,
    )

    const [state] = await cells("show proxyconfig state like 'proxy_idc_name'")
    expect(state?.at(-1)).toBe('LEVEL_TENANT 2, LEVEL_CLUSTER 1')
    const levelOf = async (name: string) =>
      (await cells(`show proxyconfig like '${name}'`))[0]?.at(-1)
    expect(await levelOf('proxy_idc_name')).toBe('LEVEL_VIP')
    expect(await levelOf('work_thread_num')).toBe('LEVEL_GLOBAL')
    // OBProxy's may be set below; here it has no effect, so it may not.
    expect(await levelOf('compression_algorithm')).toBe('LEVEL_GLOBAL')
  })

  test('takes long statements of rows, and no other long ones', async () => {
    const zones = 'z'.repeat(4_000)
    const row = (at: number) => `('c${at}', 'proxy_primary_zone_name', '${zones}', 'LEVEL_CLUSTER')`
    const rows = Array.from({ length: 100 }, (_row, at) => row(at)).join()

    expect(
      await run(
        `REPLACE INTO proxy_config(cluster_name, name, value, config_level) VALUES ${rows}`,
      ),
    ).toEqual({ kind: 'ok' })
    expect(await cells("show proxyconfig all like 'proxy_primary%'")).toHaveLength(100)
    expect(await run(`select ${' '.repeat(100_000)}1`)).toMatchObject({ errno: 5010 })
  })

  test('rows are deleted by place and name only: any other condition is refused, and deletes nothing', async () => {
    const row = "('c', 'enable_server_ssl', 'True', 'LEVEL_CLUSTER')"
    await run(
      `replace into proxy_config(cluster_name, name, value, config_level) values ${row}`,
      'root',
    )
    for (const condition of ["value = 'True'", "info = ''", "value = ''"])
      expect(
        await run(`delete from proxy_config where cluster_name = 'c' and ${condition}`, 'root'),
      ).toHaveProperty('errno')
    const select = "select name from proxy_config where cluster_name = 'c'"
    expect(await run(select, 'root')).toMatchObject({ rows: [['enable_server_ssl']] })
  })

  test('rows are for root alone', async () => {
    for (const sql of ['delete from proxy_config', 'select * from proxy_config'])
      expect(await run(sql, 'inspector')).toMatchObject({ errno: 5010 })
  })

  test('shows no secret in any statement that exists', async () => {
    await run(
      "replace into proxy_config(cluster_name, name, value, config_level) values ('c', 'observer_sys_password', 'secret', 'LEVEL_CLUSTER')",
    )
    await run(
      "alter proxyconfig set obproxy_sys_password='secret', observer_sys_password='secret', observer_sys_password1='secret'",
    )
    const statements = [
      'show proxyconfig',
      'show proxyconfig diff',
      'show proxyconfig state',
      'show proxyconfig all',
      'select * from proxy_config',
      'show proxyinfo config',
      'show variables',
    ]

    for (const sql of statements) {
      const text = JSON.stringify(await run(sql))
      expect(text).not.toMatch(/e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4|"secret"/)
    }
  })
})

describe('ALTER PROXYCONFIG SET', () => {
  test.each([
    ['client_max_connections = 100', 'client_max_connections', '100'],
    ["CLIENT_MAX_CONNECTIONS='0x10' ;", 'client_max_connections', '0x10'],
    ['slow_query_time_threshold=2s', 'slow_query_time_threshold', '2s'],
    ['enable_compression_protocol = off', 'enable_compression_protocol', 'False'],
    ['proxy_idc_name = "it\'s; -- here"', 'proxy_idc_name', "it's; -- here"],
    ["proxy_idc_name = 'a''b\\'c'", 'proxy_idc_name', "a'b'c"],
    ['proxy_idc_name = ', 'proxy_idc_name', ''],
    ["rootservice_list='10.0.0.1:2881;10.0.0.2:2881'", 'rootservice_list', ''],
  ])('%s', async (assignment, name, value) => {
    expect(await run(`alter proxyconfig set ${assignment}`)).toEqual({ kind: 'ok' })
    expect(ports.config.get(name)).toBe(value)
  })

  test('takes several assignments, all or none', async () => {
    expect(
      await run("ALTER PROXYCONFIG SET client_max_connections=5, username_separator=':;,'"),
    ).toEqual({ kind: 'ok' })
    expect(ports.config.get('username_separator')).toBe(':;,')

    expect(await errno('alter proxyconfig set client_max_connections=6, nosuch=1')).toBe(5099)

    expect(ports.config.number('client_max_connections')).toBe(5)
  })

  test.each([
    ['nosuch = 1', 5099],
    ['app_name = x', 1235],
    ['client_max_connections = many', 4147],
    ['listen_port = 80', 4147],
    ['proxy_id = 256', 10025],
    ['client_max_connections', 1210],
    ['client_max_connections = 1,', 1210],
  ])('refuses %s with %i', async (assignment, code) => {
    expect(await errno(`alter proxyconfig set ${assignment}`)).toBe(code)
  })

  test('repeats no password in an error', async () => {
    const answer = await run("alter proxyconfig set 'secret'")

    expect(answer).toMatchObject({ kind: 'error', errno: 1210 })
    expect(JSON.stringify(answer)).not.toContain('secret')
  })
})

describe('sessions', () => {
  test('are listed by id, as OBProxy lists them', async () => {
    const { columns, rows } = await table('SHOW PROCESSLIST')

    expect(columns.map(({ name }) => name)).toEqual([
      'Id',
      'Tenant',
      'User',
      'Host',
      'db',
      'trans_count',
      'svr_session_count',
      'state',
      'tid',
      'pid',
    ])
    expect(rows.map(row => row[0])).toEqual([7, 12])
    expect(rows[1]).toEqual([
      12,
      'app',
      'u',
      '10.0.0.9:13970',
      'NULL',
      3,
      2,
      'MCS_ACTIVE_READER',
      1,
      4711,
    ])
  })

  test('SHOW PROXYSESSION has a cell for each of its columns', async () => {
    const { columns, rows } = await table("show proxysession like '%'")

    expect(columns).toHaveLength(13)
    expect(rows.every(row => row.length === columns.length)).toBe(true)
    expect(rows[1]?.slice(0, 5)).toEqual([12, 12, 'obcluster', 'app', 'u'])
  })

  test.each(['KILL 12', 'kill connection 12', 'kill proxysession 12;'])(
    '%s ends one',
    async sql => {
      expect(await run(sql)).toEqual({ kind: 'ok' })
      expect(open).toEqual([7])
      expect(await errno(sql)).toBe(1094)
    },
  )

  test('KILL QUERY leaves the client', async () => {
    expect(await run('KILL QUERY 12')).toEqual({ kind: 'ok' })
    expect(await run('kill query 12')).toEqual({ kind: 'ok' })
    expect(await run('KILL QUERY 99')).toMatchObject({ kind: 'error', errno: 1094 })
  })

  test('KILL of oneself is an interruption', async () => {
    expect(await run('kill 99')).toMatchObject({ kind: 'error', errno: 1317, state: '70100' })
  })
})

describe('the node', () => {
  test('says its version where managers look for it', async () => {
    const lines = (await cells('SHOW PROXYINFO BINARY')).map(row => String(row[1])).join('\n')

    expect(/\d+\.\d+\.\d+\.\d+-\d+/.exec(lines)?.[0]).toMatch(new RegExp(`^${PROXY_VERSION}-`))
  })

  test.each(['BE_INACTIVE', 'INACTIVE'] as const)(
    'while %s says so, and cuts probes off',
    async status => {
      availability = status

      expect(await cells('select proxy_status()')).toEqual([[status]])
      expect(await run('PING PROXY')).toEqual({ kind: 'close' })
      expect(await run('ping proxy', 'inspector')).toEqual({ kind: 'close' })
    },
  )

  test('tells how far a hot restart is', async () => {
    expect(await names('SHOW PROXYINFO UPGRADE')).toEqual(['name', 'info'])
    expect(await cells('show proxyinfo upgrade')).toEqual([
      ['hot upgrade info', 'state:HU_STATE_WAIT_HU_CMD'],
      ['hot upgrade info', 'clients left:2'],
    ])
  })

  test('reports an error that nobody foresaw without its text', async () => {
    ports = { ...ports, sessions: () => Promise.reject(new Error('inside')) }

    expect(await run('show processlist')).toMatchObject({
      errno: 10001,
      message: expect.not.stringContaining('inside'),
    })
    expect(failures).toHaveLength(1)
  })
})

describe('account inspector', () => {
  test.each([
    ['ping proxy', 'ok'],
    [' PING  PROXY ; ', 'ok'],
    ['select 1', 5010],
    ['show proxyconfig', 5010],
    ["alter proxyconfig set client_max_connections='1'", 5010],
    ['set names utf8', 5010],
    ['kill 12', 5010],
  ])('%s: %s', async (sql, outcome) => {
    expect(await errno(sql, 'inspector')).toBe(outcome)
    expect(open).toEqual([12, 7])
  })
})

describe('TLS', () => {
  test('sessions say whether they use it', async () => {
    expect((await cells('show proxysession'))[0]?.at(-1)).toBe(1)
  })

  test('the node says which certificates serve, until when, and what is wrong', async () => {
    const facts = {
      use: 'client' as const,
      subject: 'CN=a',
      issuer: 'CN=b',
      serial: '0A',
      names: 'DNS:a',
      notBefore: 1_000,
      notAfter: Date.now() + 86_400_000 * 3.5,
    }
    ports = {
      ...ports,
      certificates: {
        current: { cert: 'c', key: 'k', ca: '', facts: [facts] },
        since: 2_000,
        failure: new Fault('tls.mismatch', { key: '/k', certificate: '/c' }),
      },
    }
    const rows = new Map((await cells('SHOW PROXYINFO SSL')).map(([name, info]) => [name, info]))

    expect(Object.fromEntries(rows)).toMatchObject({
      'client ssl': 'optional',
      'server ssl': 'off',
      'minimum version': 'TLSv1.2',
      'loaded at': '1970-01-01T00:00:02.000Z',
      failure: expect.stringContaining('/k is not of the certificate in /c'),
      'client certificate': 'CN=a',
      'client not after': new Date(facts.notAfter).toISOString(),
      'client days left': '3',
    })
  })

  test.each([
    ['ssl_attributes = \'{"using_ssl":"maybe"}\''],
    ["server_ssl_mode = 'perhaps'"],
    ["proxy_protocol_sources = '10.0.0.0/33'"],
    ["client_ip_sources = 'anybody'"],
    ["ssl_certificate_file = 'relative.pem'"],
    ["enable_server_ssl = true, server_ssl_mode = 'verify_ca'"],
  ])('refuses %s', async assignment => {
    expect(await run(`alter proxyconfig set ${assignment}`)).toMatchObject({ errno: 4147 })
  })

  test.each([
    ['ssl_attributes = \'{"using_ssl":"ENABLE_FORCE"}\''],
    ["proxy_protocol_sources = '10.0.0.0/8;fd00::/8', client_ip_sources = '::1'"],
    ["rootservice_list = '[::1]:2881;[fd00::2]:2881;10.0.0.1:2881'"],
  ])('takes %s', async assignment => {
    expect(await run(`alter proxyconfig set ${assignment}`)).toEqual({ kind: 'ok' })
  })
})

describe('routing', () => {
  const TIMES =
    'create_time last_valid_time last_access_time last_update_time expire_time relative_expire_time'
  test.each([
    [
      'SHOW PROXYROUTE',
      `cluster_name tenant_name database_name table_name state partition_num replica_num table_id cluster_version schema_version from_rslist ${TIMES}`,
    ],
    [
      "show proxyroute like 'c t d t'",
      `cluster_name tenant_name database_name table_name state partition_num replica_num table_id cluster_version schema_version from_rslist ${TIMES}`,
    ],
    [
      "SHOW PROXYROUTE PARTITION LIKE '%'",
      `table_id partition_id state cluster_version schema_version ${TIMES}`,
    ],
    [
      'SHOW PROXYROUTE ROUTINE',
      `cluster_name tenant_name database_name package_name routine_name state routine_num routine_id cluster_version schema_version ${TIMES} route_sql`,
    ],
    [
      'SHOW PROXYROUTE GLOBALINDEX',
      `table_id data_table_id index_table_name state cluster_version schema_version ${TIMES}`,
    ],
    [
      'SHOW PROXYCONGESTION ALL',
      'cluster_name zone_name region_name zone_state server_ip cr_version server_state alive_congested last_alive_congested dead_congested last_dead_congested stat_alive_failures stat_conn_failures conn_last_fail_time conn_failure_events alive_last_fail_time alive_failure_events ref_count detect_congested last_detect_congested',
    ],
    [
      'SHOW PROXYRESOURCE',
      'cluster_name cluster_id state version ref_count last_access_time_ns last_access_time deleting_completed_thread_num fetch_rs_list_task_count last_fetch_rs_list_time_ns last_fetch_rs_list_time fetch_idc_list_task_count last_fetch_idc_list_time_ns last_fetch_idc_list_time',
    ],
    [
      'SHOW PROXYINFO IDC',
      'global_idc_name cluster_name match_type regions_name same_idc same_region other_region',
    ],
    ['SHOW PROXYSESSION READ_STALE 12', 'server_addr table_id partition_id feedback_time'],
    ["SHOW PROXYSTAT REFRESH LIKE 'a%'", 'stat_name value persist_type'],
    [
      'SHOW PROXYSTAT DIGEST',
      'cluster_name tenant_name digest_id count total_us max_us failed missed leader replica blind primary_zone cached bound forced single_leader digest',
    ],
  ])(
    '%s has the columns of the manual, also where there is nothing to show',
    async (sql, wanted) => {
      const columns = (await names(sql)).filter(name => name !== 'server addr')

      expect(columns).toEqual(wanted.split(' '))
      expect(await cells(sql)).toEqual([])
    },
  )

  test('counters are those of the pattern, by name', async () => {
    const asked: boolean[] = []
    ports = {
      ...ports,
      counters: async isFresh => {
        asked.push(isFresh)
        return [
          ['alive_congested', 1],
          ['client_requests', 7],
        ]
      },
    }

    expect(await cells("SHOW PROXYSTAT LIKE 'client%'")).toEqual([['client_requests', 7, 'NULL']])
    expect(await cells('SHOW PROXYSTAT REFRESH')).toHaveLength(2)
    expect(asked).toEqual([false, true])
  })

  test('digests of workers are summed, the most expensive first', async () => {
    const of = (id: string, cells: readonly number[]) => ({
      cluster: 'c',
      tenant: 't',
      id,
      text: `text ${id}`,
      cells: [...cells, ...Array.from({ length: 8 }, (_none, at) => at)],
    })
    ports = {
      ...ports,
      digests: async () => [
        of('a', [1, 10, 10, 0, 1]),
        of('b', [1, 100.4, 100.4, 1, 0]),
        of('a', [2, 30, 25, 1, 1]),
      ],
    }

    expect((await cells('SHOW PROXYSTAT DIGEST')).map(row => row.slice(2, 10))).toEqual([
      ['b', 1, 100, 100, 1, 0, 0, 1],
      ['a', 3, 40, 25, 1, 2, 0, 2],
    ])
    expect(await cells("SHOW PROXYSTAT DIGEST LIKE '%b'")).toHaveLength(1)
  })

  test('names of clusters that are not there are 4018, and an empty one is no name', async () => {
    expect(await errno("SHOW PROXYCONGESTION 'west'")).toBe(4018)
    expect(await errno('SHOW PROXYCONGESTION ALL west')).toBe(4018)
    expect(await errno("ALTER PROXYRESOURCE DELETE 'west'")).toBe(4018)
    expect(await errno("ALTER PROXYRESOURCE DELETE ''")).toBe(1210)
  })

  test('of very many entries the first that fit are shown, and others get their turn meanwhile', async () => {
    const keys = Array.from({ length: 30_000 }, (_none, at) => `app\0d\0t${at}`)
    const looked: string[] = []
    let pauses = 0
    const store = {
      keys: () => keys.values(),
      look: (key: string) => {
        looked.push(key)
        return { ...ENTRY, key }
      },
    }
    ports = {
      ...ports,
      clusters: {
        all: () => [{ name: 'c', picture: { version: 3 }, locations: { tables: store } } as never],
        usedAt: () => 0,
        remove: () => false,
        now: () => 0,
        pause: async () => {
          pauses += 1
        },
      },
    }

    expect(await cells("SHOW PROXYROUTE LIKE 'c app d t2999_'")).toHaveLength(10)
    expect([looked.length, pauses]).toEqual([10, 6])
    const rows = await cells('SHOW PROXYROUTE')
    expect(rows).toHaveLength(10_000)
    expect(rows[0]?.slice(0, 10)).toEqual(['c', 'app', 'd', 't0', 'DIRTY', 0, 0, '0', 3, '0'])
  })
})

const ENTRY = {
  state: 'dirty',
  value: undefined,
  createdAt: 1,
  updatedAt: 2,
  validAt: 3,
  usedAt: 4,
  size: 5,
  waiting: undefined,
} as const
