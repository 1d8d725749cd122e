/** What a look at a foreign proxy may show, how it fits a result line, and why a login failed. */
import { describe, expect, test } from 'vitest'
import { Fault } from '#contract/fault'
import type { ProbeFacts } from '#contract/probe'
import { QueryError } from '../../../../proxy-node/backend/query-client.ts'
import { failedLogin } from '../../../../proxy-node/control/probe.ts'
import { differencesOf, fitted } from '../../../../proxy-node/control/probe-facts.ts'
import { withoutSecrets } from '../../../../proxy-node/control/redaction.ts'
import { FOREIGN_PROXY } from '../../../support/foreign-proxy.ts'

const FACTS: ProbeFacts = {
  ...FOREIGN_PROXY,
  command: './bin/obproxy -p 2883',
  obClusters: 'obcluster',
}

/** Have one form whatever is found. */
const FIXED = ['login', 'workMode', 'parameterChecksum']

const lines = (count: number, word: string) =>
  Array.from({ length: count }, (_none, n) => `${word}_${n}`).join('\n')

const bytesOf = (facts: ProbeFacts) => Buffer.byteLength(JSON.stringify(facts))

describe('facts of a look', () => {
  test('that are short stay as they are', () => {
    expect(fitted(FACTS)).toEqual(FACTS)
  })

  test.each([
    ['parameters', { differences: lines(400, 'parameter=value') }],
    ['OB clusters', { obClusters: lines(400, 'cluster') }],
    ['further processes', { others: lines(400, '1 admin /x/obproxy') }],
    ['packages', { rpms: lines(400, 'obproxy-4.3.1.0') }],
    ['command line', { command: 'x'.repeat(5_000) }],
    ['reason of a failed login', { loginError: 'ß'.repeat(5_000) }],
    [
      'everything',
      Object.fromEntries(
        Object.entries(FACTS).map(([name, value]) => [
          name,
          typeof value === 'string' && !FIXED.includes(name) ? `"\\${'ß'.repeat(999)}` : value,
        ]),
      ),
    ],
  ])('with a very long text of %s fit a line', (_name, more) => {
    expect(bytesOf(fitted({ ...FACTS, ...more } as ProbeFacts))).toBeLessThanOrEqual(1_800)
  })

  test('lose whole lines of lists, and what only people read first', () => {
    const differences = lines(200, 'parameter=value')
    const { command, differences: kept } = fitted({
      ...FACTS,
      differences,
      command: 'y'.repeat(900),
      differing: 200,
    })
    expect(command).toBe('')
    expect(differences.startsWith(`${kept}\n`)).toBe(true)
    expect(kept.split('\n').length).toBeGreaterThan(20)
  })
})

describe('differences of parameters', () => {
  const running = new Map([
    ['app_name', 'old'],
    ['proxy_id', '7'],
    ['obproxy_sys_password', '******'],
    ['enable_qos', 'True'],
    ['proxy_mem_limited', '2G'],
    ['init_sql', 'SET a=1,\n b=2'],
    ['dataplane_host', 'http://u:secret@h/x?token=abc&y=1'],
    ['current_local_config_version', '3'],
  ])

  test.each([
    ['none, where all is as the cluster sets it', ['enable_qos'], { enable_qos: 'true' }, []],
    ['what the cluster sets otherwise', [], { proxy_mem_limited: '4G' }, ['proxy_mem_limited=2G']],
    ['what is set and the cluster leaves alone', ['enable_qos'], {}, ['enable_qos=True']],
    ['what this version does not have', [], { no_such: '1' }, ['no_such=']],
    ['values on one line', ['init_sql'], {}, ['init_sql=SET a=1, b=2']],
    [
      'no secret of a value',
      ['dataplane_host'],
      {},
      ['dataplane_host=http://***@h/x?token=***&y=1'],
    ],
    [
      'not what a node has of its own, or of its place',
      ['app_name', 'proxy_id', 'obproxy_sys_password', 'current_local_config_version'],
      { app_name: 'x', obproxy_sys_password: 'y' },
      [],
    ],
  ])('are %s', (_name, changed, desired, expected) => {
    const values = new Map(changed.map(name => [name, running.get(name) ?? '']))
    expect(differencesOf(running, values, desired as Record<string, string>)).toEqual(expected)
  })
})

test.each([
  ['obproxy_sys_password=0123,enable_qos=true', 'obproxy_sys_password=***,enable_qos=true'],
  ['-o=observer_sys_password1=x y', '-o=observer_sys_password1=***'],
  [
    'obproxy_config_server_url=http://h/s?A=B&Token=t',
    'obproxy_config_server_url=http://h/s?A=B&Token=***',
  ],
  ['http://h/s?Signature=a&OSSAccessKeyId=b', 'http://h/s?Signature=***&OSSAccessKeyId=***'],
  ['https://user:pw@h/s', 'https://***@h/s'],
  ['-p', '-p'],
])('%j is shown as %j', (text, shown) => {
  expect(withoutSecrets(text)).toBe(shown)
})

test.each([
  ['refused', new QueryError(1045, 'Access denied'), '127.0.0.1'],
  ['refused', new QueryError(1045, 'Access denied'), '192.168.3.4'],
  ['refused-address', new QueryError(1045, 'Access denied'), '203.0.113.9'],
  ['unreachable', new QueryError(0, 'timed out'), '127.0.0.1'],
  ['failed', new QueryError(1203, 'Too many sessions'), '127.0.0.1'],
  ['no-secret', new Fault('secret.unreadable', { reference: '/x', reason: 'y' }), '127.0.0.1'],
] as const)('a login is %s after %s at %s', (login, error, address) => {
  expect(failedLogin(error, address)).toBe(login)
})
