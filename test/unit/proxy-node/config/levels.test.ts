/** The table proxy_config: values for an OB cluster, a tenant or an address, kept on disk, and before everybody's. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PARAMETERS } from '#contract/parameters'
import { LEVEL_RULES } from '../../../../proxy-node/admin/levels.ts'
import { storedPassword } from '../../../../proxy-node/auth/passwords.ts'
import {
  decidedBelow,
  type Levels,
  levelsOf,
  MAX_LEVEL_ROWS,
  placed,
  placesOf,
  without,
} from '../../../../proxy-node/config/levels.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'

const [FIRST, SECOND] = ['observer_sys_password', 'observer_sys_password1'] as const

let folder = ''
let config: ConfigStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-levels-'))
  config = open()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = () => ConfigStore.open(folder, new Map([[FIRST, storedPassword('everybody')]]))
const SESSION = { user: 'root', connectionId: 1 }

/** Cells of an answer, or `ok`. @throws Fault */
function run(sql: string) {
  for (const { grammar, answer } of LEVEL_RULES) {
    const found = grammar.exec(sql)
    if (found === null) continue
    const result = answer(found, { config } as Parameters<typeof answer>[1], SESSION)
    if (result === undefined || !('kind' in result)) throw new Error('answers at once')
    return result.kind === 'rows' ? result.rows : result.kind
  }
  return 'no such statement'
}

const codeOf = (sql: string) => {
  try {
    return run(sql)
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}

const replace = (tuples: string) =>
  `REPLACE INTO proxy_config(cluster_name, name, value, config_level) VALUES ${tuples}`

describe('a password for one OB cluster', () => {
  test('is its own, also after a restart; others have everybody’s', () => {
    run(replace(`('east','${FIRST}','it''s \\'new\\'','LEVEL_CLUSTER')`))

    const own = storedPassword("it's 'new'")
    expect(config.at(FIRST, 'east')).toBe(own)
    expect(config.at(FIRST, 'west')).toBe(storedPassword('everybody'))
    expect(config.at(SECOND, 'east')).toBe('')
    config = open()
    expect(config.at(FIRST, 'east')).toBe(own)
    expect(readFileSync(join(folder, 'etc/proxyconfig_v1.db'), 'utf8')).not.toContain('new')
  })

  test('is told to who listens, and comes with others or not at all', () => {
    const told: string[] = []
    config.onChange(names => told.push(...names))
    run(replace(`('a','${FIRST}','1','LEVEL_CLUSTER'),('a','${SECOND}','2','LEVEL_CLUSTER')`))
    expect(told).toEqual([FIRST, SECOND])

    const mixed = `('b','${FIRST}','3','LEVEL_CLUSTER'),('b','work_thread_num','4','LEVEL_CLUSTER')`
    expect(codeOf(replace(mixed))).toBe('config.level')
    expect(config.at(FIRST, 'b')).toBe(storedPassword('everybody'))
  })

  test('is seen masked, and deleted by its OB cluster', () => {
    run(replace(`('a','${FIRST}','1','LEVEL_CLUSTER'),('b','${FIRST}','2','LEVEL_CLUSTER')`))
    const seen = () =>
      run("SELECT cluster_name, name, value FROM proxy_config WHERE config_level='LEVEL_CLUSTER'")
    expect(seen()).toEqual([
      ['a', FIRST, '******'],
      ['b', FIRST, '******'],
    ])

    run("DELETE FROM proxy_config WHERE cluster_name = 'a' AND config_level = 'LEVEL_CLUSTER'")

    expect(seen()).toEqual([['b', FIRST, '******']])
    expect(config.at(FIRST, 'a')).toBe(storedPassword('everybody'))
    expect(codeOf('DELETE FROM proxy_config')).toBe('config.level')
  })

  test('of the empty text is no password, not everybody’s', () => {
    run(replace(`('a','${FIRST}','','LEVEL_CLUSTER')`))
    expect(config.at(FIRST, 'a')).toBe('')
  })
})

describe('the table proxy_config', () => {
  test('has global rows, which REPLACE changes as ALTER does', () => {
    const global = "('','slow_query_time_threshold','5s','LEVEL_GLOBAL')"
    expect(run(replace(global))).toBe('ok')
    expect(
      run("SELECT value, config_level FROM proxy_config WHERE name='slow_query_time_threshold'"),
    ).toEqual([['5s', 'LEVEL_GLOBAL']])
  })

  test.each([
    ['a password for a tenant', `('t','c','${FIRST}','p','LEVEL_TENANT')`],
    ['a tenant of no cluster', "('t','','proxy_idc_name','p','LEVEL_TENANT')"],
    [
      'a cluster without its tenant at tenant level',
      "('','c','proxy_idc_name','p','LEVEL_TENANT')",
    ],
    ['a tenant at cluster level', "('t','c','proxy_idc_name','p','LEVEL_CLUSTER')"],
    ['a cluster at the level of addresses', "('','c','proxy_idc_name','p','LEVEL_VIP')"],
    ['a level that is none', "('','c','proxy_idc_name','p','LEVEL_ZONE')"],
    ['what is greeted with, for a cluster', "('','c','mysql_version','5.7.25','LEVEL_CLUSTER')"],
    ['what has no effect here', "('','c','compression_algorithm','','LEVEL_CLUSTER')"],
    [
      'versions of TLS',
      `('','c','ssl_attributes','{"min_tls_version":"TLSV1.3"}','LEVEL_CLUSTER')`,
    ],
    ['a cluster at global level', `('','c','${FIRST}','p','LEVEL_GLOBAL')`],
    ['no cluster at cluster level', `('','','${FIRST}','p','LEVEL_CLUSTER')`],
    ['a parameter of the whole node', "('','c','proxy_id','7','LEVEL_CLUSTER')"],
  ])('refuses %s', (_what, tuple) => {
    const columns = '(tenant_name, cluster_name, name, value, config_level)'
    expect(codeOf(`REPLACE INTO proxy_config${columns} VALUES ${tuple}`)).toBe('config.level')
  })

  test.each([
    ['a word in brackets', replace(`(a b)`)],
    ['what is not closed', replace(`('a','${FIRST}','x','LEVEL_CLUSTER'`)],
    ['a port that is none', "REPLACE INTO proxy_config(vport, name) VALUES ('80a', 'x')"],
    ['too few values', replace(`('a','${FIRST}','x')`)],
    ['what is no tuple', replace(`'a'`)],
    ['something behind the tuples', replace(`('a','${FIRST}','x','LEVEL_CLUSTER') , oops`)],
    ['an unknown column', "SELECT a FROM proxy_config WHERE b = 'c'"],
    ['another condition', "SELECT name FROM proxy_config WHERE name LIKE 'c'"],
  ])('refuses %s, and repeats nothing of it', (_what, sql) => {
    expect(codeOf(sql)).toBe('admin.argument')
  })
})

describe('a statement about proxy_config', () => {
  const IDC = 'proxy_idc_name'
  const below = () =>
    run(
      "SELECT vip, vport, tenant_name, cluster_name, value FROM proxy_config WHERE name = 'proxy_idc_name'",
    )

  test('names the schema, or not, and its columns in quotes of their own', () => {
    run(
      `replace  INTO proxyconfig.proxy_config (\`cluster_name\`, tenant_name,name,value ,config_level)
       VALUES ("c", 't', "proxy_idc_name", 'a''),("', 'level_tenant')`,
    )
    run(
      "REPLACE INTO `proxyconfig`.`proxy_config`(vid,vip,vport,name,value,config_level) VALUES\n(-1,'::ffff:10.0.0.1',3306,'proxy_idc_name','x','LEVEL_VIP')",
    )

    expect(below()).toEqual([
      ['', 0, '', '', ''],
      ['', 0, 't', 'c', `a'),("`],
      ['10.0.0.1', 3306, '', '', 'x'],
    ])
    run("delete from proxyconfig.proxy_config where vip = '10.0.0.1' and vport = 3306")
    expect(below()).toHaveLength(2)
  })

  test('is checked as ALTER is, and all of its rows are in force or none', () => {
    const bad = (value: string) =>
      replace(
        `('a','${IDC}','i1','LEVEL_CLUSTER'),('b','ob_max_read_stale_time','${value}','LEVEL_CLUSTER')`,
      )

    expect(codeOf(bad('-2'))).toBe('config.invalid-value')
    expect(config.at(IDC, 'a')).toBe('')
    expect(codeOf(replace("('a','no_such','','LEVEL_CLUSTER')"))).toBe('config.unknown-parameter')
    run(bad('-1'))
    expect(config.at(IDC, 'a')).toBe('i1')
    run(replace("('a','enable_read_write_split','on','LEVEL_CLUSTER')"))
    expect(config.at('enable_read_write_split', 'a')).toBe('True')
  })

  test('has 200 rows and 1 MB at most', () => {
    const rows = (count: number) =>
      Array.from({ length: count }, (_row, at) => `('c${at}','${IDC}','i','LEVEL_CLUSTER')`).join()

    expect(run(replace(rows(200)))).toBe('ok')
    expect(codeOf(replace(rows(201)))).toBe('admin.argument')
    expect(codeOf(replace(`${' '.repeat(1024 * 1024)}${rows(1)}`))).toBe('admin.argument')
    expect(below()).toHaveLength(201)
  })

  test('does not make more rows than a node has room for', () => {
    for (let from = 0; from < MAX_LEVEL_ROWS; from += 200)
      config.replaceRows(
        Array.from({ length: 200 }, (_row, at) => ({
          ...NO_PLACE,
          cluster: `c${from + at}`,
          level: 'LEVEL_CLUSTER',
          name: IDC,
          value: 'i',
        })),
      )

    expect(codeOf(replace("('one-more','proxy_idc_name','i','LEVEL_CLUSTER')"))).toBe(
      'config.level',
    )
    expect(run(replace("('c0','proxy_idc_name','other','LEVEL_CLUSTER')"))).toBe('ok')
  })

  test('deletes no row of the whole node', () => {
    expect(codeOf("DELETE FROM proxy_config WHERE name = 'proxy_idc_name'")).toBe('config.level')
    expect(codeOf("DELETE FROM proxy_config WHERE config_level = 'LEVEL_GLOBAL'")).toBe(
      'config.level',
    )
  })

  test('SHOW PROXYCONFIG ALL shows what is set below, by name, masked', () => {
    run(replace(`('a','${FIRST}','1','LEVEL_CLUSTER'),('a','${IDC}','i1','LEVEL_CLUSTER')`))

    expect(run('SHOW PROXYCONFIG ALL')).toEqual([
      [-1, '', 0, '', 'a', FIRST, '******', 'LEVEL_CLUSTER'],
      [-1, '', 0, '', 'a', IDC, 'i1', 'LEVEL_CLUSTER'],
    ])
    expect(run("SHOW PROXYCONFIG ALL LIKE 'proxy%'")).toHaveLength(1)
  })
})

describe('rows below the global level', () => {
  test('change the fingerprint of what is configured, secrets do not', () => {
    const before = config.checksum()
    run(replace(`('a','${FIRST}','1','LEVEL_CLUSTER')`))
    expect(config.checksum()).toBe(before)
    run(replace("('a','proxy_idc_name','i1','LEVEL_CLUSTER')"))
    expect(config.checksum()).not.toBe(before)
  })

  test('are as before when a listener refuses, or while another process takes over', () => {
    config.onChange(() => {
      if (config.at('proxy_idc_name', 'a') === 'i1') throw new Error('not this one')
    })
    expect(() => run(replace("('a','proxy_idc_name','i1','LEVEL_CLUSTER')"))).toThrow(
      'not this one',
    )
    expect(config.at('proxy_idc_name', 'a')).toBe('')

    config.freeze()
    expect(codeOf(replace("('a','proxy_idc_name','i2','LEVEL_CLUSTER')"))).toBe('config.frozen')
    expect(codeOf("DELETE FROM proxy_config WHERE cluster_name = 'a'")).toBe('config.frozen')
  })

  test('of a file that somebody edited are left out, and refuse no start', () => {
    run(replace("('a','proxy_idc_name','i1','LEVEL_CLUSTER')"))
    const file = join(folder, 'etc/proxyconfig_v1.db')
    const kept = JSON.parse(readFileSync(file, 'utf8'))
    kept.places[0].values = {
      proxy_idc_name: 'i1',
      ob_max_read_stale_time: 'x',
      work_thread_num: '1',
    }
    kept.places.push({ level: 'LEVEL_TENANT', tenant: 't', values: { proxy_idc_name: 'i2' } })
    writeFileSync(file, JSON.stringify(kept))

    config = open()

    expect(config.levelRows().map(({ name, value }) => [name, value])).toEqual([
      ['proxy_idc_name', 'i1'],
    ])
  })

  test('are left out by a version that knows none, which reads the rest', () => {
    run(
      replace(
        "('a','proxy_idc_name','i1','LEVEL_CLUSTER'),('','proxy_idc_name','all','LEVEL_GLOBAL')",
      ),
    )
    const kept = JSON.parse(readFileSync(join(folder, 'etc/proxyconfig_v1.db'), 'utf8'))

    expect(kept).toMatchObject({ schema: 1, values: { proxy_idc_name: 'all' } })
  })

  test('are for parameters that the catalogue marks, as far as they take effect', () => {
    const marked = [...PARAMETERS.values()].filter(({ level }) => level === 'LEVEL_VIP')
    const unmarked = [...PARAMETERS.values()].filter(({ level }) => level === 'LEVEL_GLOBAL')

    expect(unmarked.filter(({ name }) => levelsOf(name).length > 0)).toEqual([])
    expect(
      marked
        .filter(({ name, takesEffect }) => takesEffect && levelsOf(name).length === 0)
        .map(({ name }) => name),
    ).toEqual(['enable_client_ssl', 'mysql_version'])
  })
})

const NO_PLACE = { vid: '-1', cluster: '', tenant: '', vip: '', vport: 0 }

describe('a value is looked up', () => {
  const NAMES = ['proxy_idc_name', 'proxy_route_policy', 'route_diagnosis_level']
  const VIPS = [
    { address: '10.0.0.1', port: 3306 },
    { address: '10.0.0.1', port: 3307 },
    { address: '::1', port: 3306 },
  ]
  const whose = fc.record({
    cluster: fc.constantFrom('a', 'b'),
    tenant: fc.constantFrom('t', 'u', ''),
    vip: fc.constantFrom(undefined, ...VIPS),
  })
  const row = fc
    .record({
      whose,
      level: fc.constantFrom('LEVEL_VIP', 'LEVEL_TENANT', 'LEVEL_CLUSTER'),
      name: fc.constantFrom(...NAMES),
      value: fc.constantFrom('x', 'y', 'z'),
      isDeleted: fc.boolean(),
    })
    .map(({ whose: { cluster, tenant, vip = VIPS[0] }, level, ...rest }) => {
      const place =
        level === 'LEVEL_VIP'
          ? { vip: vip?.address ?? '', vport: vip?.port ?? 0 }
          : { cluster, ...(level === 'LEVEL_TENANT' ? { tenant: tenant || 't' } : {}) }
      return { ...NO_PLACE, ...place, level, ...rest }
    })

  test('by address, then tenant, then cluster, as a search through all rows finds it', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 30 }),
        whose,
        fc.constantFrom(...NAMES),
        (rows, of, name) => {
          let levels: Levels = new Map()
          let kept: typeof rows = []
          for (const one of rows) {
            const isSame = (other: (typeof rows)[number]) =>
              PLACE_COLUMNS.every(column => other[column] === one[column])
            kept = kept.filter(other => !isSame(other))
            if (one.isDeleted)
              levels = without(
                levels,
                (place, gone) => gone === one.name && KEYS.every(key => place[key] === one[key]),
              ).levels
            else {
              kept.push(one)
              levels = placed(levels, [one], (_name, value) => value).levels
            }
          }

          const naive =
            kept.find(
              one =>
                one.name === name &&
                one.level === 'LEVEL_VIP' &&
                one.vip === of.vip?.address &&
                one.vport === of.vip.port,
            ) ??
            kept.find(
              one =>
                one.name === name &&
                one.level === 'LEVEL_TENANT' &&
                one.cluster === of.cluster &&
                one.tenant === of.tenant,
            ) ??
            kept.find(
              one =>
                one.name === name && one.level === 'LEVEL_CLUSTER' && one.cluster === of.cluster,
            )

          const found = decidedBelow(placesOf(levels, of), name)
          expect(found).toEqual(naive && { value: naive.value, level: naive.level })
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

const KEYS = ['cluster', 'tenant', 'vip', 'vport'] as const
const PLACE_COLUMNS = [...KEYS, 'name'] as const
