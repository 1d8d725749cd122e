/** The pure parts of the stand-in: values, command lines, login names, the slope of a drain. */
import { describe, expect, test } from 'vitest'
import { AnswerEnd } from '../../support/reference-obproxy/answer-end.ts'
import { assignmentsOf, commandLine, masked } from '../../support/reference-obproxy/command-line.ts'
import { mustGo } from '../../support/reference-obproxy/drain.ts'
import { UPGRADE_TABLE } from '../../support/reference-obproxy/hot-restart.ts'
import { loginName } from '../../support/reference-obproxy/login-name.ts'
import { accepted, PARAMETERS } from '../../support/reference-obproxy/parameter.ts'
import { isPrivate, isRight, tokenOf } from '../../support/reference-obproxy/passwords.ts'
import { replacedRows } from '../../support/reference-obproxy/rows-text.ts'
import { isLike, statementOf } from '../../support/reference-obproxy/statements.ts'
import { COMMAND } from '../../support/reference-obproxy/wire.ts'

test.each([
  ['enable_qos', 'YES', 'True'],
  ['enable_qos', 'f', 'False'],
  ['enable_qos', 'maybe', undefined],
  ['work_thread_num', '0x10', '0x10'],
  ['work_thread_num', '0', undefined],
  ['work_thread_num', '129', undefined],
  ['work_thread_num', '4x', undefined],
  ['listen_port', '1024', undefined],
  ['listen_port', '1025', '1025'],
  ['hot_upgrade_exit_timeout', '-1', '-1'],
  ['hot_upgrade_exit_timeout', '-2', undefined],
  ['delay_exit_time', '100ms', '100ms'],
  ['delay_exit_time', '1', undefined],
  ['delay_exit_time', '99999us', undefined],
  ['cluster_expire_time', '-5', '-5'],
  ['proxy_mem_limited', '99MB', undefined],
  ['proxy_mem_limited', '1g', '1g'],
  ['proxy_mem_limited', '200', '200'],
  ['syslog_level', 'INFO', 'INFO'],
  ['syslog_level', 'PROXY:DEBUG,ALL:WARN', 'PROXY:DEBUG,ALL:WARN'],
  ['syslog_level', 'LOUD', undefined],
  ['local_bound_ip', '10.0.0.1', '10.0.0.1'],
  ['local_bound_ip', 'host', undefined],
  ['init_sql', 'x'.repeat(4096), undefined],
])('%s takes %j as %j', (name, text, value) => {
  const parameter = PARAMETERS.get(name)

  expect(parameter && accepted(parameter, text)).toBe(value)
})

test('every parameter takes its own default', () => {
  const refused = [...PARAMETERS.values()].filter(
    parameter => accepted(parameter, parameter.defaultValue) !== parameter.defaultValue,
  )

  expect(refused.map(({ name }) => name)).toEqual([])
})

describe('the command line', () => {
  test('gives parameters by letters, by words and in a list', () => {
    const line = commandLine([
      ...['-p2883', '--prometheus_listen_port', '2884', '--appname=shop', '-N'],
      ...['-o', "rootservice_list='10.0.0.1:2881;10.0.0.2:2881',enable_qos=true\nproxy_id=3"],
    ])

    expect(line).toEqual({
      kind: 'start',
      isForeground: true,
      assignments: [
        ['listen_port', '2883'],
        ['prometheus_listen_port', '2884'],
        ['app_name', 'shop'],
        ['rootservice_list', '10.0.0.1:2881;10.0.0.2:2881'],
        ['enable_qos', 'true'],
        ['proxy_id', '3'],
      ],
    })
  })

  test.each([
    [['-V'], 'version'],
    [['--version'], 'version'],
    [['-R'], 'release'],
    [['-h'], 'help'],
    [['-d'], 'dump'],
    [['-P', '1'], 'wrong'],
    [['-p'], 'wrong'],
    [[], 'start'],
  ])('%j is %s', (args, kind) => {
    expect(commandLine(args).kind).toBe(kind)
  })

  test('keeps what has an equals sign in its value, and leaves out forced servers', () => {
    expect(
      assignmentsOf('obproxy_config_server_url=http://h/s?A=B&C=D,target_db_server=x'),
    ).toEqual([['obproxy_config_server_url', 'http://h/s?A=B&C=D']])
  })

  test('is logged without passwords', () => {
    expect(masked(['-o', 'observer_sys_password=abc,enable_qos=true'])).toBe(
      '-o observer_sys_password=******,enable_qos=true',
    )
  })
})

test.each([
  ['root@proxysys', { user: 'root', tenant: 'proxysys', cluster: undefined }],
  ['app@orders#obcluster', { user: 'app', tenant: 'orders', cluster: 'obcluster' }],
  ['obcluster:orders:app', { user: 'app', tenant: 'orders', cluster: 'obcluster' }],
  ['app', { user: 'app', tenant: 'sys', cluster: undefined }],
])('the login name %s is understood', (text, name) => {
  expect(loginName(text, 'sys')).toEqual(name)
})

test.each([
  ['127.0.0.1', true],
  ['10.1.2.3', true],
  ['172.16.0.1', true],
  ['172.32.0.1', false],
  ['192.168.9.9', true],
  ['8.8.8.8', false],
  ['::ffff:10.0.0.1', true],
  ['::1', true],
  ['fd00::1', true],
  ['2001:db8::1', false],
])('root@proxysys from %s: %s', (address, isFine) => {
  expect(isPrivate(address)).toBe(isFine)
})

test('an empty password is right only where none is stored', () => {
  const scramble = Buffer.from('aaaaaaaabbbbbbbbbbbb')
  const stored = 'e3fd448c516073714189b57233c9cf428ccb1bed'

  expect(isRight('', Buffer.alloc(0), scramble)).toBe(true)
  expect(isRight(stored, Buffer.alloc(0), scramble)).toBe(false)
  expect(isRight(stored, tokenOf(stored, scramble), scramble)).toBe(true)
})

test.each([
  ['nobody at the start', 1, 0, false],
  ['half of them when half of the time is over', 6, 500, true],
  ['no more than half', 5, 500, false],
  ['not the last one before the deadline', 1, 999, false],
  ['everybody at the deadline', 1, 1000, true],
])('a drain lets go %s', (_what, clients, atMs, isGone) => {
  const drain = { startedAtMs: 0, timeoutMs: 1000, clientsAtStart: 10 }

  expect(mustGo(drain, clients, atMs)).toBe(isGone)
})

test('a drain without an end lets nobody go, one without time everybody', () => {
  const drain = { startedAtMs: 0, clientsAtStart: 10 }

  expect(mustGo({ ...drain, timeoutMs: -1000 }, 10, 1e12)).toBe(false)
  expect(mustGo({ ...drain, timeoutMs: 0 }, 1, 0)).toBe(true)
})

test('every state of a hot restart goes back to waiting for a command', () => {
  const next: Readonly<Record<string, string | undefined>> = Object.fromEntries(
    Object.entries(UPGRADE_TABLE).map(([state, row]) => [
      state,
      'successorLost' in row ? row.successorLost : undefined,
    ]),
  )

  expect(next).toEqual({
    HU_STATE_WAIT_HU_CMD: undefined,
    HU_STATE_FORK_NEW_PROXY: 'HU_STATE_WAIT_HU_CMD',
    HU_STATE_WAIT_CR_CMD: 'HU_STATE_WAIT_HU_CMD',
    HU_STATE_WAIT_LOCAL_CR_FINISH: 'HU_STATE_WAIT_HU_CMD',
  })
})

describe('statements', () => {
  test.each([
    ["ALTER PROXYCONFIG SET a = 'x y'", { kind: 'alter-config', name: 'a', value: 'x y' }],
    ['alter proxyconfig set a="it\'s"', { kind: 'alter-config', name: 'a', value: "it's" }],
    ['alter proxyconfig set a = 15s;', { kind: 'alter-config', name: 'a', value: '15s' }],
    ['alter proxyconfig set a =', { kind: 'alter-config', name: 'a', value: '' }],
    ["alter proxyconfig set a = 'x', b = 1", undefined],
    ["alter proxyconfig set a = 'it''s'", undefined],
    ["alter proxyconfig set a = 'a\\\\b'", { kind: 'alter-config', name: 'a', value: 'a\\' }],
    ['show full processlist', undefined],
    ['kill query 7', { kind: 'kill', target: { id: 7, what: 'query' } }],
    ['kill proxysession 7 2', { kind: 'kill', target: { id: 7, what: 'server-session' } }],
    ['select 1', undefined],
  ])('%j is %j', (text, statement) => {
    expect(statementOf(text)).toEqual(statement)
  })

  test('a pattern has two wildcards and nothing else', () => {
    expect(isLike('listen_port', '%_port')).toBe(true)
    expect(isLike('listen_port', 'listen.port')).toBe(false)
    expect(isLike('anything', '')).toBe(true)
  })

  test('rows are read with what quotes hide', () => {
    expect(replacedRows("REPLACE INTO t(a, b) VALUES ('x),(''y', -1),('z', 2)")).toEqual([
      { a: "x),('y", b: '-1' },
      { a: 'z', b: '2' },
    ])
  })
})

describe('the end of an answer', () => {
  const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0])
  const OK_IN_TRANSACTION = Buffer.from([0, 0, 0, 3, 0, 0, 0])
  const EOF = Buffer.from([0xfe, 0, 0, 2, 0])
  const EOF_AND_MORE = Buffer.from([0xfe, 0, 0, 10, 0])
  const ERROR = Buffer.from([0xff, 1, 0])
  const COUNT = Buffer.from([1])
  const CELL = Buffer.from([1, 0x61])

  test.each([
    ['an OK', COMMAND.query, [OK]],
    ['an error', COMMAND.query, [ERROR]],
    ['rows', COMMAND.query, [COUNT, CELL, EOF, CELL, CELL, EOF]],
    ['an error between rows', COMMAND.query, [COUNT, CELL, EOF, CELL, ERROR]],
    ['two results', COMMAND.query, [COUNT, CELL, EOF, EOF_AND_MORE, OK]],
    ['columns only', COMMAND.fieldList, [CELL, EOF]],
    ['text', COMMAND.statistics, [CELL]],
    ['nothing to prepare', COMMAND.prepare, [Buffer.from([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]],
    [
      'parameters and columns',
      COMMAND.prepare,
      [Buffer.from([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]), CELL, EOF, CELL, EOF],
    ],
  ])('of %s is its last packet', (_what, command, packets) => {
    const end = new AnswerEnd()
    end.asked(command)

    const ends = packets.map(payload => end.took(payload))

    expect(ends).toEqual(packets.map((_payload, at) => at === packets.length - 1))
  })

  test('tells whether a transaction is open', () => {
    const end = new AnswerEnd()
    end.asked(COMMAND.query)
    end.took(OK_IN_TRANSACTION)
    const isOpen = end.isInTransaction
    end.asked(COMMAND.query)
    end.took(OK)

    expect(isOpen).toBe(true)
    expect(end.isInTransaction).toBe(false)
  })
})
