import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../../../proxy-node/config/command-line.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { magnitude, normalise } from '../../../../proxy-node/config/values.ts'
import { PARAMETERS } from '../../../../proxy-node/contract/parameters.ts'

describe('the catalogue', () => {
  test('has 299 parameters, each accepting its own default', () => {
    const refused = [...PARAMETERS.values()].filter(
      parameter =>
        parameter.default !== '' && normalise(parameter, parameter.default) === undefined,
    )

    expect(PARAMETERS.size).toBe(299)
    expect(refused.map(({ name, default: text, range }) => `${name}=${text} ${range}`)).toEqual([])
  })
})

describe('values', () => {
  test.each([
    ['time', '10s', 10e6],
    ['time', '5', 5e6],
    ['time', '-3s', 0],
    ['time', '2ms', 2000],
    ['size', '2', 2 * 1024 * 1024],
    ['size', '1KB', 1024],
    ['size', '3g', 3 * 1024 ** 3],
    ['int', '0x10', 16],
    ['int', 'ten', undefined],
    ['time', '5 weeks', undefined],
  ] as const)('%s %s', (type, text, value) => {
    expect(magnitude(type, text)).toBe(value)
  })
})

describe('the store', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'obfleet-config-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const open = (overrides: Record<string, string> = {}) =>
    ConfigStore.open(folder, new Map(Object.entries(overrides)))

  test('keeps what was set over a restart, and what needs one until then', () => {
    const store = open({ listen_port: '3306' })
    store.set('client_max_connections', '100')
    store.set('listen_port', '3307')

    expect(store.number('client_max_connections')).toBe(100)
    expect(store.number('listen_port')).toBe(3306)
    expect(open().number('listen_port')).toBe(3307)
  })

  test.each([
    ['nosuch', '1', 'config.unknown-parameter'],
    ['app_name', 'x', 'config.read-only'],
    ['listen_port', '80', 'config.invalid-value'],
    ['client_max_connections', 'many', 'config.invalid-value'],
    ['server_routing_mode', 'magic', 'config.invalid-value'],
    ['rootservice_list', 'nowhere', 'config.invalid-value'],
    ['enable_proxy_scramble', 'maybe', 'config.invalid-value'],
  ])('refuses %s=%s and changes nothing', (name, value, code) => {
    const store = open()
    const before = readFileSync(join(folder, 'etc/proxyconfig_v1.db'), 'utf8')

    expect(() => store.set(name, value)).toThrow(expect.objectContaining({ code }))

    expect(readFileSync(join(folder, 'etc/proxyconfig_v1.db'), 'utf8')).toBe(before)
  })

  test('hashes passwords and shows none', () => {
    const store = open()
    store.set('obproxy_sys_password', 'secret')

    expect(store.get('obproxy_sys_password')).toBe('e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4')
    expect(store.rows().find(({ name }) => name === 'obproxy_sys_password')?.shown).toBe('******')
  })

  test('keeps the old value when the disk refuses', () => {
    const store = open()
    rmSync(join(folder, 'etc'), { recursive: true })
    writeFileSync(join(folder, 'etc'), 'in the way')

    expect(() => store.set('client_max_connections', '7')).toThrow()

    expect(store.number('client_max_connections')).toBe(8192)
    chmodSync(folder, 0o700)
  })

  test('says which file is damaged', () => {
    open()
    writeFileSync(join(folder, 'etc/proxyconfig_v1.db'), '{"val')

    expect(() => open()).toThrow(/proxyconfig_v1.db is damaged/)
  })
})

describe('the command line', () => {
  test('takes what deployers send', () => {
    const parsed = parseCommandLine([
      '-N',
      '--listen_port=2883',
      '-r',
      "'10.0.0.1:2881;10.0.0.2:2881'",
      '-c',
      'obcluster',
      '-o',
      "proxy_id=3,obproxy_config_server_url=''",
    ])

    expect(parsed).toEqual({
      kind: 'start',
      inForeground: true,
      overrides: new Map([
        ['listen_port', '2883'],
        ['rootservice_list', '10.0.0.1:2881;10.0.0.2:2881'],
        ['rootservice_cluster_name', 'obcluster'],
        ['proxy_id', '3'],
        ['obproxy_config_server_url', ''],
      ]),
    })
  })

  test.each([
    [['-x'], /unknown option -x/],
    [['-p'], /wants a value/],
    [['-o', 'abc'], /no name=value/],
  ])('%j is refused with one line', (args, line) => {
    expect(parseCommandLine(args)).toMatchObject({
      kind: 'wrong',
      line: expect.stringMatching(line),
    })
  })
})
