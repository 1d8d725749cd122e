import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'

const HASH = 'e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-config-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const file = () => join(folder, 'etc/proxyconfig_v1.db')
const onDisk = () => readFileSync(file(), 'utf8')
const open = (overrides: Record<string, string> = {}) =>
  ConfigStore.open(folder, new Map(Object.entries(overrides)))
const row = (store: ConfigStore, name: string) =>
  store.rows().find(({ parameter }) => parameter.name === name)

describe('what is kept', () => {
  test('survives a restart; what needs one runs on with its old value until then', () => {
    const store = open({ listen_port: '3306' })
    store.alter([['client_max_connections', '100']])
    store.alter([['listen_port', '3307']])

    expect(store.number('client_max_connections')).toBe(100)
    expect(store.number('listen_port')).toBe(3306)
    expect(row(store, 'listen_port')).toMatchObject({ configured: '3307', running: '3306' })
    expect(store.waitingForRestart()).toEqual(['listen_port'])
    const again = open()
    expect(again.number('listen_port')).toBe(3307)
    expect(again.number('client_max_connections')).toBe(100)
    expect(again.waitingForRestart()).toEqual([])
  })

  test('is overridden by the command line, which is kept in turn', () => {
    open({ client_max_connections: '5' })
    open({ client_max_connections: '6' })

    expect(open().number('client_max_connections')).toBe(6)
  })

  test('lies in files for the owner alone, with the marker of a first start', () => {
    open()

    expect(readdirSync(join(folder, 'etc')).sort()).toEqual([
      'obproxy_config.bin',
      'proxyconfig_v1.db',
    ])
    expect(statSync(file()).mode & 0o777).toBe(0o600)
  })

  test('does not hold orders to the process', () => {
    const store = open()
    store.alter([['refresh_rslist', 'true']])

    expect(store.isOn('refresh_rslist')).toBe(true)
    expect(onDisk()).not.toContain('refresh_rslist')
    expect(open().isOn('refresh_rslist')).toBe(false)
  })

  test('falls back to defaults for stored names and values that are no longer valid', () => {
    open()
    const values = { nosuch: '1', listen_port: '80', client_max_connections: '9' }
    writeFileSync(file(), JSON.stringify({ schema: 1, version: 4, values }))

    const store = open()

    expect(store.number('listen_port')).toBe(2883)
    expect(store.number('client_max_connections')).toBe(9)
  })

  test.each([
    ['proxy_id', '0', '7'],
    ['server_routing_mode', 'oceanbase', 'mysql'],
    ['test_server_addr', '', '10.0.0.1:2881'],
  ])('says that %s waits for a restart, as the parts that read it do', (name, runs, wanted) => {
    const store = open()
    store.alter([[name, wanted]])

    expect(store.get(name)).toBe(runs)
    expect(store.waitingForRestart()).toEqual([name])
    expect(store.rows().find(({ parameter }) => parameter.name === name)).toMatchObject({
      configured: wanted,
      running: runs,
      parameter: { needsRestart: true },
    })
    expect(open().get(name)).toBe(wanted)
  })

  test('counts changes over restarts, not starts', () => {
    const store = open({ proxy_id: '3' })
    const first = store.version
    store.alter([['client_max_connections', '1']])
    store.alter([['client_max_connections', '1']])

    expect(store.version).toBe(first + 1)
    expect(open({ proxy_id: '3' }).version).toBe(first + 1)
  })

  test('starts over with the central configuration under another application name', () => {
    open({ app_name: 'one', current_local_config_version: '7' })

    expect(open().number('current_local_config_version')).toBe(7)
    expect(open({ app_name: 'two' }).number('current_local_config_version')).toBe(0)
  })

  test.each(['{"val', '{"schema":1}', '{"schema":2,"values":{}}', '[]', ''])(
    'that is damaged (%j) is named and not overwritten',
    text => {
      open()
      writeFileSync(file(), text)

      expect(() => open()).toThrow(expect.objectContaining({ code: 'config.damaged' }))
      expect(onDisk()).toBe(text)
    },
  )
})

describe('a change', () => {
  test.each([
    [[['nosuch', '1']], 'config.unknown-parameter'],
    [[['app_name', 'x']], 'config.read-only'],
    [[['listen_port', '80']], 'config.invalid-value'],
    [[['client_max_connections', 'many']], 'config.invalid-value'],
    [[['server_routing_mode', 'magic']], 'config.invalid-value'],
    [[['proxy_service_mode', 'server']], 'config.invalid-value'],
    [[['rootservice_list', 'nowhere']], 'config.invalid-value'],
    [[['test_server_addr', '1.2.3.4']], 'config.invalid-value'],
    [[['username_separator', 'ab']], 'config.invalid-value'],
    [[['mysql_version', '5.7-log']], 'config.invalid-value'],
    [[['inspector_password', 'clear']], 'config.invalid-value'],
    [[['enable_proxy_scramble', 'maybe']], 'config.invalid-value'],
    [[['proxy_id', '300']], 'config.proxy-id'],
    [
      [
        ['client_max_connections', '1'],
        ['nosuch', '1'],
      ],
      'config.unknown-parameter',
    ],
  ] as const)('%j is refused with %s and changes nothing', (assignments, code) => {
    const store = open()
    const before = onDisk()

    expect(() => store.alter(assignments)).toThrow(expect.objectContaining({ code }))

    expect(onDisk()).toBe(before)
    expect(store.number('client_max_connections')).toBe(8192)
  })

  test('of several parameters is one: the rule over both sees the end', () => {
    const store = open()

    store.alter([
      ['proxy_id', '300'],
      ['client_session_id_version', '2'],
    ])

    expect(open().number('proxy_id')).toBe(300)
  })

  test('of an obsolete name is accepted and dropped', () => {
    const store = open({ spool_thread_num: '4' })

    store.alter([['hot_upgrade_graceful_exit_timeout', '120s']])

    expect(onDisk()).not.toMatch(/spool_thread_num|graceful/)
  })

  test('is told to who subscribed, with its names', () => {
    const told: (readonly string[])[] = []
    const store = open()
    store.onChange(names => told.push(names))

    store.alter([['client_max_connections', '7']])

    expect(told).toEqual([['client_max_connections']])
  })

  test('that a subscriber cannot take is undone and told again', () => {
    const seen: number[] = []
    const store = open()
    store.onChange(() => {
      seen.push(store.number('client_max_connections'))
      if (store.number('client_max_connections') === 7) throw new Error('cannot')
    })
    const before = onDisk()

    expect(() => store.alter([['client_max_connections', '7']])).toThrow('cannot')

    expect(seen).toEqual([7, 8192])
    expect(onDisk()).toBe(before)
  })

  test('that the disk refuses is undone', () => {
    const store = open()
    rmSync(join(folder, 'etc'), { recursive: true })
    writeFileSync(join(folder, 'etc'), 'in the way')

    expect(() => store.alter([['client_max_connections', '7']])).toThrow(
      expect.objectContaining({ code: 'config.not-written' }),
    )
    expect(store.number('client_max_connections')).toBe(8192)
  })
})

describe('a password', () => {
  test.each(['obproxy_sys_password', 'observer_sys_password', 'observer_sys_password1'])(
    '%s is hashed when it comes in clear and shown nowhere',
    name => {
      const store = open()
      store.alter([[name, 'secret']])

      expect(store.get(name)).toBe(HASH)
      expect(row(store, name)).toMatchObject({ configured: '******', running: '******' })
      store.alter([[name, '']])
      expect(store.get(name)).toBe('')
    },
  )

  test('comes hashed on the command line, and nothing else is taken there', () => {
    expect(open({ observer_sys_password: HASH }).get('observer_sys_password')).toBe(HASH)
    expect(() => open({ observer_sys_password: 'secret' })).toThrow(
      expect.objectContaining({
        code: 'config.invalid-value',
        message: expect.not.stringContaining('secret'),
      }),
    )
  })

  test('has no part in the fingerprint, every other value has', () => {
    const store = open()
    const first = store.checksum()
    store.alter([['obproxy_sys_password', 'secret']])
    expect(store.checksum()).toBe(first)

    store.alter([['client_max_connections', '7']])

    expect(store.checksum()).not.toBe(first)
  })
})

describe('defaults', () => {
  test('are shown as values are, and told apart from what somebody set', () => {
    const store = open({ mysql_version: '5.6.25' })

    expect(store.isSet('mysql_version')).toBe(true)
    expect(store.isSet('client_max_connections')).toBe(false)
    expect(row(store, 'mysql_version')?.isDefault).toBe(true)
    expect(
      store
        .rows()
        .filter(
          ({ parameter, configured }) =>
            parameter.type === 'bool' && !/^(True|False)$/.test(configured),
        ),
    ).toEqual([])
    expect(store.rows().filter(({ isDefault }) => !isDefault)).toEqual([])
  })
})
