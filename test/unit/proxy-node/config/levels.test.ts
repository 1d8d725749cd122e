/** proxyro's passwords for one OB cluster: set by REPLACE, kept on disk, and before everybody's. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LEVEL_RULES } from '../../../../proxy-node/admin/levels.ts'
import { storedPassword } from '../../../../proxy-node/auth/passwords.ts'
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
    ['tenant level', `('t','c','${FIRST}','p','LEVEL_TENANT')`],
    ['a cluster at global level', `('','c','${FIRST}','p','LEVEL_GLOBAL')`],
    ['no cluster at cluster level', `('','','${FIRST}','p','LEVEL_CLUSTER')`],
    ['a parameter of the whole node', "('','c','proxy_id','7','LEVEL_CLUSTER')"],
  ])('refuses %s', (_what, tuple) => {
    const columns = '(tenant_name, cluster_name, name, value, config_level)'
    expect(codeOf(`REPLACE INTO proxy_config${columns} VALUES ${tuple}`)).toBe('config.level')
  })

  test.each([
    ['too few values', replace(`('a','${FIRST}','x')`)],
    ['what is no tuple', replace(`'a'`)],
    ['something behind the tuples', replace(`('a','${FIRST}','x','LEVEL_CLUSTER') , oops`)],
    ['an unknown column', "SELECT a FROM proxy_config WHERE b = 'c'"],
    ['another condition', "SELECT name FROM proxy_config WHERE name LIKE 'c'"],
  ])('refuses %s, and repeats nothing of it', (_what, sql) => {
    expect(codeOf(sql)).toBe('admin.argument')
  })
})
