import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { explainedRouteAt, ownStatement } from '../../../../proxy-node/sql/own-statements.ts'

function judge(sql: string) {
  const bytes = new TextEncoder().encode(sql)
  return ownStatement(bytes, 0, bytes.length)
}

describe('statements the proxy answers itself', () => {
  test.each([
    ['PING PROXY', { kind: 'ping' }],
    ['/* health */ ping proxy ;', { kind: 'ping' }],
    ['SELECT proxy_version()', { kind: 'version' }],
    ['select PROXY_VERSION ( );', { kind: 'version' }],
    ['select proxy_status', { kind: 'status' }],
    ['select proxy_status()', { kind: 'status' }],
    ['SHOW PROCESSLIST', { kind: 'processlist', full: false }],
    ['show full processlist;', { kind: 'processlist', full: true }],
    ['SET @obproxy_route_addr = 123', { kind: 'setRouteAddress', address: 123 }],
    ['set @OBPROXY_ROUTE_ADDR:=0;', { kind: 'setRouteAddress', address: 0 }],
    ['SET @obproxy_route_addr = NULL', { kind: 'setRouteAddress', address: 0 }],
    ['set @obproxy_route_addr = 1, @a = 2', { kind: 'setRouteAddress', address: -1 }],
    ['set @obproxy_route_addr = 1; select 1', { kind: 'setRouteAddress', address: -1 }],
    ['set @obproxy_route_addr = -1', { kind: 'setRouteAddress', address: -1 }],
    ["set @obproxy_route_addr = '1'", { kind: 'setRouteAddress', address: -1 }],
    ['set @obproxy_route_addr = 9999999999999999', { kind: 'setRouteAddress', address: -1 }],
    ['set @obproxy_route_addr =', { kind: 'setRouteAddress', address: -1 }],
    ['SELECT @obproxy_route_addr', { kind: 'routeAddress' }],
    ['select /* x */ @obproxy_route_addr ;', { kind: 'routeAddress' }],
    ["SHOW PROXYCONFIG LIKE 'a%'", { kind: 'admin' }],
    ['show proxysession', { kind: 'admin' }],
    ['ALTER PROXYCONFIG SET a = 1', { kind: 'admin' }],
    ['kill proxysession 5', { kind: 'admin' }],
    ['kill 5', { kind: 'kill', id: 5, query: false }],
    ['kill connection 4294967295', { kind: 'kill', id: 4294967295, query: false }],
    ['KILL QUERY 7;', { kind: 'kill', id: 7, query: true }],
  ])('%s', (sql, meaning) => {
    expect(judge(sql)).toEqual(meaning)
  })

  test.each([
    'ping',
    'ping proxy now',
    'select proxy_version',
    'set @obproxy_route_addr',
    'set @@obproxy_route_addr = 1',
    'set @a = 1',
    'select @obproxy_route_addr, 1',
    'select @obproxy_route_addr from t',
    'select @@obproxy_route_addr',
    'select @obproxy_route_addr = 1',
    'select proxy_version() from t',
    'select proxy_version(1)',
    'select 1',
    'show processlist where 1',
    'show tables',
    'alter table proxyconfig add a int',
    'kill',
    'kill 4294967296',
    "kill '5'",
    'kill 5 6',
    'select `proxy_version`()',
    '',
  ])('%s is for a server', sql => {
    expect(judge(sql)).toBeUndefined()
  })

  test('any text is judged without failing', () => {
    const start = fc.constantFrom(
      'ping ',
      'set @obproxy_route_addr',
      'select proxy_version',
      'show full ',
      'kill ',
      'alter ',
    )
    fc.assert(
      fc.property(start, fc.string(), (verb, text) => {
        expect(() => judge(verb + text)).not.toThrow()
      }),
    )
  })
})

describe('EXPLAIN ROUTE', () => {
  test.each([
    ['explain route select 1', ' select 1'],
    ['/* a */ EXPLAIN /* b */ ROUTE(select 1)', '(select 1)'],
    ['explain route', undefined],
    ['explain route ;', undefined],
    ['explain select 1', undefined],
    ['desc route a', undefined],
  ])('%s', (sql, rest) => {
    const bytes = Buffer.from(sql)
    const at = explainedRouteAt(bytes, 0, bytes.length)

    expect(at < 0 ? undefined : sql.slice(at)).toBe(rest)
  })
})
