/** Tables and pure functions of the plane's domain. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeOrder, expiryOf, ORDER_MAX_CHARS, type OrderEntry } from '#contract/command'
import { derivedId, isId, newId } from '../../../functions/domain/ids.ts'
import { NODE_STATUSES, OPERATION_TYPES } from '../../../functions/domain/model.ts'
import { parsePackageName } from '../../../functions/domain/names.ts'
import { ledgerStep, MAX_WAVE, packOrder } from '../../../functions/domain/order.ts'
import { outcomeOf } from '../../../functions/domain/outcome.ts'
import { planOf, STEP_RULES } from '../../../functions/domain/plan.ts'
import { PROBLEMS } from '../../../functions/domain/problem.ts'
import type { ReportRecord } from '../../../functions/domain/record.ts'
import type { Invocation, InvocationState } from '../../../functions/domain/remote.ts'
import {
  clusterPhase,
  conditionsAfter,
  nodeStatus,
  nodeView,
  permission,
  REPORT_STALE_MS,
} from '../../../functions/domain/status.ts'
import { cursors } from '../../../functions/plane/cursor.ts'
import { cluster, node } from '../../support/store-contract.ts'

const NOW = 1_800_000_000_000

describe('ids', () => {
  test('carry their kind, sort by time, derive from a parent the same way each time', () => {
    expect(newId('cluster', NOW)).toMatch(/^clu_[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(newId('node', NOW) < newId('node', NOW + 1)).toBe(true)
    const parent = newId('operation', NOW)
    const children = Array.from({ length: 500 }, (_none, at) => derivedId('operation', parent, at))
    expect(new Set(children).size).toBe(500)
    expect(children).toEqual(children.map((_id, at) => derivedId('operation', parent, at)))
    for (const id of children) expect(id).toMatch(/^op_[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(isId('node', 'nod_1')).toBe(true)
    expect(isId('node', 'orders-1')).toBe(false)
  })
})

describe('package names', () => {
  test.each([
    [
      'obproxy-4.3.2.0-1.linux.x86_64.tar.gz',
      { version: '4.3.2.0-1', os: 'linux', arch: 'x86_64' },
    ],
    ['obproxy-4.2.3.0-3.el7.aarch64.tar.gz', { version: '4.2.3.0-3', os: 'el7', arch: 'aarch64' }],
  ])('%s', (name, parts) => expect(parsePackageName(name)).toEqual(parts))

  test.each([
    'obproxy-4.3.2-1.linux.x86_64.tar.gz',
    '../obproxy-4.3.2.0-1.linux.x86_64.tar.gz',
    'obproxy-4.3.2.0-1.linux.x86_64.tar.gz\n',
    'obproxy-4.3.2.0-1.linux.sparc.tar.gz',
    '',
  ])('%j is none', name => expect(parsePackageName(name)).toBeUndefined())
})

describe('status of a node', () => {
  const report = (status: string, receivedAt = NOW) =>
    ({ clusterId: 'clu_a', nodeId: 'nod_a', receivedAt, report: { status } }) as ReportRecord
  const heldBy = (type: 'stop-node' | 'restart') =>
    node('clu_a', 'nod_a', { hold: { operationId: 'op_x', type } })

  test('is what it reports, while the report is fresh', () => {
    const free = node('clu_a', 'nod_a')
    expect(nodeStatus(free, report('RUNNING'), NOW + REPORT_STALE_MS)).toBe('RUNNING')
    expect(nodeStatus(free, report('RUNNING'), NOW + REPORT_STALE_MS + 1)).toBe('UNAVAILABLE')
    expect(nodeStatus(free, null, NOW)).toBe('UNAVAILABLE')
    const stale = nodeView(
      free,
      report('RUNNING'),
      { parameterVersion: 1 },
      NOW + REPORT_STALE_MS + 1,
    )
    expect(stale.conditions).toMatchObject([{ type: 'ReportStale', since: NOW + REPORT_STALE_MS }])
  })

  test('is its operation’s while one holds it', () => {
    expect(nodeStatus(heldBy('stop-node'), report('RUNNING'), NOW)).toBe('STOPPING')
    expect(nodeStatus(heldBy('stop-node'), null, NOW)).toBe('STOPPING')
  })

  test.each([
    ['start', { RUNNING: 'nothing', STOPPED: 'act', UNAVAILABLE: 'refuse' }],
    ['stop', { RUNNING: 'act', STOPPED: 'nothing', UNAVAILABLE: 'act' }],
    ['restart', { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' }],
    ['delete', { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' }],
    ['offline', { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' }],
    ['online', { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' }],
  ] as const)('decides on %s; a busy one refuses everything', (request, expected) => {
    for (const status of NODE_STATUSES)
      expect(permission(request, status)).toBe(
        (expected as Readonly<Record<string, string>>)[status] ?? 'refuse',
      )
  })
})

describe('phase of a cluster', () => {
  const failed = conditionsAfter([], {
    operationId: 'op_x',
    type: 'start',
    phase: 'FAILED',
    detail: 'why',
    at: NOW,
  })

  test.each([
    ['no node', {}, [], 'EMPTY'],
    ['all run', {}, ['RUNNING', 'RUNNING'], 'RUNNING'],
    ['all stopped', {}, ['STOPPED', 'STOPPED'], 'STOPPED'],
    ['one of each', {}, ['RUNNING', 'STOPPED'], 'DEGRADED'],
    ['one unknown', {}, ['RUNNING', 'UNAVAILABLE'], 'DEGRADED'],
  ] as const)('%s', (_name, more, statuses, phase) =>
    expect(clusterPhase(cluster('clu_a', more), statuses)).toBe(phase),
  )

  test('a failure shows as FAILED only when nothing works', () => {
    const broken = cluster('clu_a', { conditions: failed })
    expect(clusterPhase(broken, ['UNAVAILABLE'])).toBe('FAILED')
    expect(clusterPhase(broken, [])).toBe('FAILED')
    expect(clusterPhase(broken, ['RUNNING', 'UNAVAILABLE'])).toBe('DEGRADED')
  })

  test.each([
    ['create-cluster', 'CREATING'],
    ['delete-cluster', 'DELETING'],
    ['move-out', 'MOVING_OUT'],
    ['restart', 'OPERATING'],
  ] as const)('held by %s it is %s', (type, phase) => {
    const hold = { operationId: 'op_x', type }
    expect(clusterPhase(cluster('clu_a', { hold }), ['RUNNING'])).toBe(phase)
  })

  test('a good operation clears the condition, another failure replaces it', () => {
    const ended = { operationId: 'op_y', type: 'start', detail: 'again', at: NOW } as const
    expect(conditionsAfter(failed, { ...ended, phase: 'SUCCEEDED' })).toEqual([])
    const twice = conditionsAfter(failed, { ...ended, phase: 'FAILED' })
    expect(twice).toHaveLength(1)
    expect(twice[0]?.message).toBe('start op_y: again')
  })

  test('a cancelled operation is no failure: what was said before it stays said', () => {
    const ended = { operationId: 'op_y', type: 'start', phase: 'CANCELLED', detail: '' } as const
    expect(conditionsAfter([], { ...ended, at: NOW })).toEqual([])
    expect(conditionsAfter(failed, { ...ended, at: NOW })).toEqual(failed)
  })
})

describe('plans', () => {
  test.each(OPERATION_TYPES)('%s ends with a local last step, and only there', type => {
    const plan = planOf(type)
    const isLast = plan.map(name => {
      const rule = STEP_RULES[name]
      return rule.kind === 'local' && rule.isLast
    })
    expect(isLast.indexOf(true)).toBe(plan.length - 1)
  })

  const task = {
    nodeId: 'n',
    hostId: 'h',
    host: '1',
    idc: null,
    name: null,
    number: 1,
    desiredState: 'RUNNING',
    skipHostWork: false,
  } as const

  test('a node that is to be stopped is not started; one out of reach is only forgotten', () => {
    expect(planOf('create-node', { ...task, desiredState: 'STOPPED' })).not.toContain('start')
    expect(planOf('delete-node', { ...task, skipHostWork: true })).toEqual(['forget'])
  })

  const OUT = ['deregister', 'drain-balancer']
  const hot = { mode: 'hot', drainSec: null } as const
  const force = { mode: 'force', drainSec: null } as const

  test.each([
    ['create-node', {}, ['reserve', 'install', 'start', 'verify', 'register', 'finish']],
    ['create-node', { desiredState: 'STOPPED' }, ['reserve', 'install', 'finish']],
    ['start-node', {}, ['start', 'verify', 'register', 'finish']],
    ['stop-node', {}, [...OUT, 'stop', 'verify', 'finish']],
    ['delete-node', {}, [...OUT, 'stop', 'uninstall', 'forget']],
    ['delete-node', { skipHostWork: true }, ['deregister', 'forget']],
    ['restart-node', {}, [...OUT, 'restart', 'verify', 'register', 'finish']],
    ['restart-node', { way: force }, [...OUT, 'restart', 'verify', 'register', 'finish']],
    [
      'upgrade-node',
      { way: force },
      ['baseline', ...OUT, 'upgrade', 'verify', 'register', 'bake', 'gate', 'finish'],
    ],
    ['revert-node', { way: force }, [...OUT, 'revert', 'verify', 'register', 'finish']],
    [
      'refresh-node',
      { way: force },
      ['refresh', ...OUT, 'restart', 'verify', 'register', 'finish'],
    ],
  ] as const)('behind a balancer %s %o goes out of it and in again: %o', (type, more, plan) => {
    expect(planOf(type, { ...task, ...more, isBalanced: true })).toEqual(plan)
  })

  test.each(['restart-node', 'upgrade-node', 'revert-node', 'refresh-node'] as const)(
    'behind a balancer %s leaves it alone when it is hot, as where there is none',
    type => {
      const bare = planOf(type, { ...task, way: hot })
      expect(planOf(type, { ...task, way: hot, isBalanced: true })).toEqual(bare)
      expect(bare).not.toContain('deregister')
    },
  )
})

describe('orders', () => {
  const entry = (size: number): OrderEntry => ({
    operationId: 'op_x',
    step: 's'.repeat(Math.min(size, 60)),
    attempt: 1,
    fence: 1,
  })
  const hosts = (count: number, size = 10) =>
    Array.from({ length: count }, (_none, at) => ({
      hostId: `i-${at}`,
      entry: entry(size),
      expiresAt: NOW,
    }))

  test('carry as many nodes as fit the parameter, fifty at most, never none', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 60 }),
        (many, size) => {
          const { order, count } = packOrder('start', hosts(many, size))
          expect(order.length).toBeLessThanOrEqual(ORDER_MAX_CHARS)
          expect(Object.keys(decodeOrder(order).nodes)).toHaveLength(count)
          expect(count).toBe(Math.min(many, MAX_WAVE))
        },
      ),
    )
  })

  test('each node may begin until its own step fails, whatever the others of the wave may', () => {
    const [early, late] = hosts(2, 1)
    if (early === undefined || late === undefined) throw new Error('no hosts')

    const packed = packOrder('start', [early, { ...late, expiresAt: NOW + 60_000 }])
    const order = decodeOrder(packed.order)
    const expiries = [early, late].map(({ hostId, entry }) =>
      expiryOf(order, order.nodes[hostId] ?? entry),
    )

    expect(expiries).toEqual([NOW, NOW + 60_000])
  })

  test('a question asked again is a new one for the node’s ledger, a verb is not', () => {
    expect(ledgerStep('verify', 'status', 2)).not.toBe(ledgerStep('verify', 'status', 3))
    expect(ledgerStep('start', 'start', 2)).toBe(ledgerStep('start', 'start', 3))
  })
})

describe('what an invocation means', () => {
  const expected = { operationId: 'op_x', step: 'start', attempt: 2 }
  const result = { ok: true, verb: 'start', ...expected, facts: { status: 'RUNNING' } }
  const of = (state: InvocationState, output: string): Invocation => ({
    hostId: 'i-1',
    state,
    details: 'details',
    output,
  })

  test('a result is the last line that is one, whatever stands around it', () => {
    const output = `warning: {x}\n{"a":1}\n${JSON.stringify(result)}\n---ERROR---\nnoise`
    expect(outcomeOf(of('succeeded', output), expected)).toMatchObject({
      kind: 'done',
      facts: { status: 'RUNNING' },
    })
  })

  test.each([
    ['nothing yet', undefined, 'waiting'],
    ['on its way', of('waiting', ''), 'waiting'],
    ['never delivered', of('lost', ''), 'lost'],
    ['timed out', of('timed-out', ''), 'lost'],
    ['cancelled', of('cancelled', ''), 'lost'],
    ['killed', of('failed', 'failed to run commands: exit status 137'), 'lost'],
    ['killed under bash', of('failed', 'failed to run commands: signal: killed'), 'lost'],
    ['cut off by a reboot', of('failed', 'document process failed unexpectedly'), 'lost'],
    [
      'a worker that died',
      of('failed', `document process failed unexpectedly: timeout signal , check log for reason`),
      'lost',
    ],
    [
      'answered, then cut off',
      of('failed', `${JSON.stringify(result)}\ndocument process failed unexpectedly`),
      'done',
    ],
    ['of another step', of('succeeded', JSON.stringify({ ...result, attempt: 1 })), 'lost'],
    ['no result', of('failed', 'bash: not found'), 'failed'],
    ['no result, exit 0', of('succeeded', ''), 'failed'],
  ] as const)('%s', (_name, invocation, kind) =>
    expect(outcomeOf(invocation, expected).kind).toBe(kind),
  )

  test('a refusal names the node’s code; an expired order is a matter of time', () => {
    const refusal = (code: string) =>
      outcomeOf(
        of('failed', JSON.stringify({ ...result, ok: false, code, message: 'm' })),
        expected,
      )
    expect(refusal('node.no-start')).toMatchObject({
      error: { code: 'node-command-failed', detail: 'node.no-start: m' },
    })
    expect(refusal('order.expired')).toMatchObject({ error: { code: 'node-timeout' } })
    expect(refusal('node.going-down')).toMatchObject({ kind: 'lost' })
  })

  test('output of any size and kind is bounded', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20_000 }), output => {
        const outcome = outcomeOf(of('failed', output), expected)
        if (outcome.kind === 'failed') expect(outcome.error.detail.length).toBeLessThanOrEqual(600)
      }),
    )
  })
})

describe('cursors', () => {
  let now = NOW
  const signed = cursors('key', () => now)

  test('say the place again to the same list, for a day', () => {
    const cursor = signed.write('nodes', '{"pk":"x"}') ?? ''
    expect(signed.read('nodes', cursor)).toEqual({ after: '{"pk":"x"}' })
    expect(signed.read('nodes', undefined)).toEqual({})
    expect(signed.write('nodes', null)).toBeNull()
    expect(() => signed.read('clusters', cursor)).toThrow(/not of this list/)
    expect(() => cursors('other', () => now).read('nodes', cursor)).toThrow()
    now = NOW + 24 * 3_600_000 + 1
    expect(() => signed.read('nodes', cursor)).toThrow(/older than a day/)
    now = NOW
  })

  test('with one character changed are refused', () => {
    const cursor = signed.write('nodes', 'place') ?? ''
    fc.assert(
      fc.property(
        fc.nat({ max: cursor.length - 1 }),
        fc.constantFrom('A', 'b', '7'),
        (at, char) => {
          const other = cursor.slice(0, at) + char + cursor.slice(at + 1)
          const isSame = Buffer.from(other, 'base64url').equals(Buffer.from(cursor, 'base64url'))
          if (!isSame) expect(() => signed.read('nodes', other)).toThrow()
        },
      ),
    )
  })
})

test('every problem has a status that fits it', () => {
  for (const [status, title] of Object.values(PROBLEMS)) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(title).not.toBe('')
  }
})
