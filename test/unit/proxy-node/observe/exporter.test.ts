import { describe, expect, test } from 'vitest'
import { BYTES, LIMITS, OUTCOME, ROUTES, SQL_TYPES } from '../../../../proxy-node/contract/names.ts'
import { SLOT, SLOT_COUNT } from '../../../../proxy-node/contract/telemetry.ts'
import { type ExporterView, exporterAnswer } from '../../../../proxy-node/observe/exporter.ts'
import { Handshakes } from '../../../../proxy-node/observe/handshakes.ts'
import { ALL_OUTCOMES, NodeTraffic } from '../../../../proxy-node/observe/metrics.ts'
import { WorkerTraffic } from '../../../../proxy-node/session/traffic.ts'

const SELECT = SQL_TYPES.indexOf('SELECT')
const REPLACE = SQL_TYPES.indexOf('REPLACE')

const view = (changes: Partial<ExporterView> = {}): ExporterView => ({
  address: '127.0.0.1',
  version: '4.3.2.0_1',
  application: 'app1',
  tenants: [],
  costsInMs: false,
  showsExtra: true,
  maxSeries: 3000,
  workersListening: 2,
  locationEntries: 5,
  configVersion: 9,
  logLines: { error: 1, warn: 2 },
  isLoaded: true,
  isDraining: false,
  certificates: [],
  isCertificateBroken: false,
  handshakes: { client: { done: 0, failed: 0 }, server: { done: 0, failed: 0 } },
  ...changes,
})

/** Series of one family: labels as an object, and the value. */
function series(body: string, family: string) {
  return body
    .split('\n')
    .filter(line => line.startsWith(`${family}{`))
    .map(line => ({
      labels: Object.fromEntries(
        [...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]),
      ),
      value: Number(line.slice(line.lastIndexOf(' '))),
    }))
}

function trafficOfOne() {
  const worker = new WorkerTraffic()
  const traffic = worker.of('c1', 'app')
  const times = { begunMs: 1_000, sentMs: 1_000, endedMs: 1_000 }
  traffic.answered(SELECT, 0, times)
  traffic.answered(SELECT, OUTCOME.failed | OUTCOME.missed, { ...times, begunMs: 400, sentMs: 500 })
  traffic.answered(REPLACE, OUTCOME.large, times)
  traffic.moved(BYTES.clientRequest, 100)
  traffic.moved(BYTES.serverResponse, 7)
  traffic.located(true, true)
  traffic.routed(ROUTES.indexOf('leader'), false)
  traffic.routed(ROUTES.indexOf('replica'), true)
  traffic.guessed(true)
  traffic.loggedIn(true)
  traffic.transacted()
  return { worker, traffic }
}

function merged(sessions: Parameters<WorkerTraffic['snapshot']>[0] = []) {
  const { worker } = trafficOfOne()
  const node = new NodeTraffic()
  node.take(0, worker.snapshot(sessions))
  return node
}

describe('slots', () => {
  test('of different counters never meet', () => {
    const starts = [...Object.values(SLOT), SLOT_COUNT]
    const sizes = [
      SQL_TYPES.length * ALL_OUTCOMES.length,
      SQL_TYPES.length * 3,
      4,
      4,
      2,
      1,
      LIMITS.length,
      ROUTES.length * 2,
      2,
      2,
    ]

    expect(starts).toEqual([...starts].sort((left, right) => left - right))
    expect(starts.slice(1).map((start, index) => start - (starts[index] ?? 0))).toEqual(sizes)
  })
})

describe('the traffic of a node', () => {
  test('is what its workers counted, slow requests by the threshold', () => {
    const [totals] = merged().totals()

    expect(totals).toMatchObject({ cluster: 'c1', tenant: 'app', transactions: 1 })
    expect(totals?.requests(SELECT, 0)).toBe(1)
    expect(totals?.requests(SELECT, OUTCOME.failed | OUTCOME.missed | OUTCOME.slow)).toBe(1)
    expect(totals?.cost(SELECT).prepare).toBeGreaterThanOrEqual(99_000)
    expect(totals?.cost(SELECT).total).toBeGreaterThanOrEqual(599_000)
    expect(totals?.bytes('clientRequest')).toBe(100)
    expect(totals?.entries(true, true)).toBe(1)
    expect(totals?.logins(true)).toBe(1)
  })

  test('keeps the counts of a lost worker and forgets its sessions', () => {
    const { worker, traffic } = trafficOfOne()
    const node = new NodeTraffic()
    node.take(0, worker.snapshot([{ traffic, serverSessionCount: 3 }]))
    expect(node.totals()[0]).toMatchObject({ clientSessions: 1, serverSessions: 3 })

    node.workerLost(0)

    expect(node.totals()[0]).toMatchObject({
      clientSessions: 0,
      serverSessions: 0,
      transactions: 1,
    })
    node.take(0, trafficOfOne().worker.snapshot([]))
    node.take(1, trafficOfOne().worker.snapshot([]))
    expect(node.totals()[0]?.transactions).toBe(3)
    expect(node.totals()[0]?.requests(SELECT, 0)).toBe(3)
  })

  test('replaces a snapshot by the next of the same worker', () => {
    const { worker } = trafficOfOne()
    const node = new NodeTraffic()

    node.take(0, worker.snapshot([]))
    node.take(0, worker.snapshot([]))

    expect(node.totals()[0]?.transactions).toBe(1)
  })

  test('tells which limits clients have met: each of those not logged in, the others when they are met', () => {
    const worker = new WorkerTraffic()
    worker.of('', '').limited('logins')
    worker.of('c1', 'app').limited('idle')
    worker.of('c1', 'quiet').transacted()
    const node = new NodeTraffic()
    node.take(0, worker.snapshot([]))

    const { body } = exporterAnswer('/metrics', view({ tenants: node.totals() }))
    const shown = [
      ...body.matchAll(/^odp_limited_client_connections\{.*tenant="(\w*)",limit="(\w+)"\} (\d+)/gm),
    ]
    expect(shown.map(([, tenant, limit, value]) => `${tenant} ${limit} ${value}`)).toEqual([
      ...LIMITS.map(limit => ` ${limit} ${limit === 'logins' ? 1 : 0}`),
      'app idle 1',
    ])
  })

  test('counts tenants beyond the bound together', () => {
    const worker = new WorkerTraffic()

    for (let tenant = 0; tenant < 1000; tenant++) worker.of('c1', `t${tenant}`).transacted()

    const snapshot = worker.snapshot([])
    expect(snapshot).toHaveLength(257)
    const node = new NodeTraffic()
    node.take(0, snapshot)
    const others = node.totals().find(({ tenant }) => tenant === 'others')
    expect(others?.transactions).toBe(744)
  })

  test('has a session in one place only, after it logged in elsewhere', () => {
    const { worker, traffic } = trafficOfOne()
    worker.snapshot([{ traffic, serverSessionCount: 1 }])

    const node = new NodeTraffic()
    node.take(0, worker.snapshot([]))

    expect(node.totals()[0]).toMatchObject({ clientSessions: 0, serverSessions: 0 })
  })
})

describe('/metrics', () => {
  test('has the families that dashboards query, with their labels', () => {
    const { body, type } = exporterAnswer('/metrics', view({ tenants: merged().totals() }))

    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
    const failed = series(body, 'odp_sql_request_total').find(
      ({ labels }) => labels['sqlResult'] === 'fail',
    )
    expect(failed).toEqual({
      value: 1,
      labels: {
        ip: '127.0.0.1',
        namespace: 'ODP',
        odpVersion: '4.3.2.0_1',
        logicTenant: 'app1',
        logicSchema: '',
        cluster: 'c1',
        tenant: 'app',
        schema: '',
        sqlType: 'SELECT',
        sqltype: 'SELECT',
        slowQuery: 'true',
        sqlResult: 'fail',
        partitionHit: 'false',
        sqlLarge: 'small',
      },
    })
    expect(series(body, 'odp_current_session').map(({ labels }) => labels['sessionType'])).toEqual([
      'client',
      'server',
    ])
    expect(series(body, 'odp_transaction_total')[0]?.value).toBe(1)
    expect(series(body, 'odp_new_client_connections')[0]).toMatchObject({
      value: 1,
      labels: { connectionResult: 'success' },
    })
    expect(series(body, 'odp_request_byte').map(({ value }) => value)).toEqual([100, 0, 0, 7])
    expect(series(body, 'odp_entry_total')[0]).toMatchObject({
      value: 1,
      labels: { entryType: 'table_entry', routeHit: 'true', routeResult: 'true' },
    })
    expect(
      series(body, 'odp_routed_total').map(({ labels, value }) => [
        labels['route'],
        labels['partitionHit'],
        value,
      ]),
    ).toEqual([
      ['leader', 'true', 1],
      ['replica', 'false', 1],
    ])
    expect(series(body, 'odp_partition_guess_total').map(({ value }) => value)).toEqual([0, 1])
    expect(series(body, 'odp_elogs_total').map(({ value }) => value)).toEqual([1, 2])
    expect(series(body, 'odp_workers')[0]?.value).toBe(2)
    expect(series(body, 'odp_config_version')[0]?.value).toBe(9)
  })

  test('is text that Prometheus reads: each family told once, before its series', () => {
    const { body } = exporterAnswer('/metrics', view({ tenants: merged().totals() }))
    const told = [...body.matchAll(/^# TYPE (\w+) (counter|gauge)$/gm)].map(([, name]) => name)

    expect(new Set(told).size).toBe(told.length)
    for (const line of body.trimEnd().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+\{(\w+="[^"\n]*",?)+\} -?\d+(\.\d+)?)$/)
  })

  test('shows common types with zero from the start, rare ones once they happen', () => {
    const { body } = exporterAnswer('/metrics', view({ tenants: merged().totals() }))
    const types = new Set(
      series(body, 'odp_sql_request_total').map(({ labels }) => labels['sqlType']),
    )

    expect([...types]).toEqual(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'REPLACE', 'OTHERS'])
    expect(
      series(body, 'odp_sql_cost_total').filter(({ labels }) => labels['sqlType'] === 'INSERT'),
    ).toHaveLength(3)
  })

  test('tells costs in the unit that is set', () => {
    const totals = merged().totals()
    const cost = (costsInMs: boolean) =>
      series(
        exporterAnswer('/metrics', view({ tenants: totals, costsInMs })).body,
        'odp_sql_cost_total',
      ).find(({ labels }) => labels['sqlType'] === 'SELECT' && labels['timeType'] === 'total')
        ?.value ?? 0

    expect(cost(true)).toBe(Math.round((totals[0]?.cost(SELECT).total ?? 0) / 1000))
    expect(cost(false)).toBe(Math.round(totals[0]?.cost(SELECT).total ?? 0))
  })

  test('leaves out bytes and look-ups unless they are asked for, and what is beyond the bound', () => {
    const tenants = merged().totals()
    const plain = exporterAnswer('/metrics', view({ tenants, showsExtra: false })).body
    const bounded = exporterAnswer('/metrics', view({ tenants, maxSeries: 3 })).body

    expect(plain).not.toMatch(/odp_request_byte|odp_entry_total/)
    expect(series(bounded, 'odp_current_session')).toHaveLength(2)
    expect(series(bounded, 'odp_new_client_connections')).toHaveLength(1)
    expect(series(bounded, 'odp_sql_request_total')).toEqual([])
    expect(series(bounded, 'odp_workers')).toHaveLength(1)
  })

  test('escapes names', () => {
    const worker = new WorkerTraffic()
    worker.of('c"1\\', 'a\nb').transacted()
    const node = new NodeTraffic()
    node.take(0, worker.snapshot([]))

    const { body } = exporterAnswer('/metrics', view({ tenants: node.totals() }))

    expect(body).toContain('cluster="c\\"1\\\\",tenant="a\\nb"')
  })
})

describe('probes', () => {
  test.each([
    ['/health', {}, 200, 'alive\n'],
    ['/health', { workersListening: 0, isLoaded: false }, 200, 'alive\n'],
    ['/ready', {}, 200, 'ready\n'],
    ['/ready', { workersListening: 0 }, 503, 'no worker is listening\n'],
    ['/ready', { isLoaded: false }, 503, 'no OBServer has answered yet\n'],
    ['/ready', { isDraining: true }, 503, 'draining: new clients belong elsewhere\n'],
    ['/', {}, 404, 'not found\n'],
    ['/metrics/', {}, 404, 'not found\n'],
  ] as const)('%s of %j is %i', (path, changes, status, body) => {
    expect(exporterAnswer(path, view(changes))).toMatchObject({ status, body })
  })
})

describe('certificates', () => {
  test('show when they expire, and whether newer ones are kept out', () => {
    const certificates = [
      { use: 'client', subject: 'CN=a "b"', serial: '0A', notAfter: 1_900_000_000_500 },
    ]
    const { body } = exporterAnswer('/metrics', view({ certificates, isCertificateBroken: true }))

    expect(series(body, 'odp_certificate_expiry_timestamp_seconds')).toMatchObject([
      { labels: { use: 'client', serial: '0A' }, value: 1_900_000_000 },
    ])
    expect(series(body, 'odp_certificate_broken')).toMatchObject([{ value: 1 }])
  })
})

describe('TLS handshakes', () => {
  test('are counted by side and by result, from zero on', () => {
    const handshakes = new Handshakes()
    const shown = () =>
      series(
        exporterAnswer('/metrics', view({ handshakes: handshakes.counts })).body,
        'odp_tls_handshake_total',
      ).map(({ labels, value }) => [labels['side'], labels['result'], value])
    expect(shown().map(([, , value]) => value)).toEqual([0, 0, 0, 0])

    handshakes.ended('client', true)
    handshakes.ended('client', false)
    handshakes.ended('client', false)
    handshakes.ended('server', true)

    expect(shown()).toEqual([
      ['client', 'done', 1],
      ['client', 'failed', 2],
      ['server', 'done', 1],
      ['server', 'failed', 0],
    ])
  })
})
