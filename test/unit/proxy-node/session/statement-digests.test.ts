import { describe, expect, test } from 'vitest'
import { OUTCOME, ROUTES } from '../../../../proxy-node/contract/names.ts'
import { digestCell } from '../../../../proxy-node/contract/telemetry.ts'
import { StatementDigests } from '../../../../proxy-node/session/statement-digests.ts'
import { WorkerTraffic } from '../../../../proxy-node/session/traffic.ts'

const LEADER = ROUTES.indexOf('leader')
const BLIND = ROUTES.indexOf('blind')
const traffic = new WorkerTraffic()
const app = traffic.of('c1', 'app')

function ran(
  digests: StatementDigests,
  sql: string,
  tenant = app,
  { outcome = 0, us = 10 } = {},
): void {
  const place = digests.placeOf(Buffer.from(sql), 0, 0, tenant)
  digests.count(place, LEADER, outcome, us)
}

describe('digests of statements', () => {
  test('count what differs in values only as one, by tenant', () => {
    const digests = new StatementDigests(() => 100)

    ran(digests, 'SELECT a FROM t WHERE id = 1')
    ran(digests, "select  a from t where id='x'", app, { outcome: OUTCOME.missed, us: 30 })
    ran(digests, 'SELECT a FROM t WHERE id = 1', traffic.of('c1', 'shop'), {
      outcome: OUTCOME.failed,
    })

    const found = digests.snapshot()
    expect(found.map(({ tenant, text, cells }) => [tenant, text, ...cells.slice(0, 5)])).toEqual([
      ['app', 'select a from t where id = ?', 2, 40, 30, 0, 1],
      ['shop', 'select a from t where id = ?', 1, 10, 10, 1, 0],
    ])
    expect(new Set(found.map(({ id }) => id)).size).toBe(1)
    expect(found[0]?.id).toMatch(/^[\da-f]{16}$/)
  })

  test('count how statements came to their server', () => {
    const digests = new StatementDigests(() => 100)
    const place = digests.placeOf(Buffer.from('SELECT 1'), 0, 0, app)
    digests.count(place, LEADER, 0, 1)
    digests.count(place, BLIND, 0, 1)
    digests.count(place, BLIND, 0, 1)

    const [{ cells = [] } = {}] = digests.snapshot()

    expect([cells[digestCell(LEADER)], cells[digestCell(BLIND)]]).toEqual([1, 2])
  })

  test('find an execution by the hash that its statement keeps', () => {
    const digests = new StatementDigests(() => 100)
    const prepared = { digest: undefined }

    const unknown = digests.placeOfKnown(prepared, app)
    const first = digests.placeOf(Buffer.from('\x16SELECT a FROM t WHERE id = ?'), 1, 0, app)
    digests.note(prepared)
    const again = digests.placeOfKnown(prepared, app)
    ran(digests, 'SELECT a FROM t WHERE id = 7')

    expect([unknown, again]).toEqual([-1, first])
    expect(digests.snapshot()).toHaveLength(1)
  })

  test('are never more than the limit, and those in use stay', () => {
    const digests = new StatementDigests(() => 64)

    for (let round = 0; round < 5_000; round++) {
      ran(digests, 'SELECT often FROM t')
      ran(digests, `SELECT c${round} FROM t`)
    }

    const found = digests.snapshot()
    expect(found.length).toBe(64)
    const often = found.find(({ text }) => text === 'select often from t')
    expect(often?.cells[0]).toBe(5_000)
  })

  test('one that was in use once gives way in time', () => {
    const digests = new StatementDigests(() => 8)
    for (let round = 0; round < 1_000; round++) ran(digests, 'SELECT once FROM t')

    for (let round = 0; round < 200; round++) ran(digests, `SELECT c${round} FROM t`)

    expect(digests.snapshot().map(({ text }) => text)).not.toContain('select once from t')
  })

  test('are none when the limit is 0, and begin anew with another one', () => {
    let limit = 16
    const digests = new StatementDigests(() => limit)
    ran(digests, 'SELECT 1')
    limit = 0
    ran(digests, 'SELECT 1')

    expect([digests.isOn, digests.snapshot()]).toEqual([false, []])
    limit = 16
    ran(digests, 'SELECT 1')
    expect(digests.snapshot().map(({ cells }) => cells[0])).toEqual([1])
  })

  test('read the beginning of a long statement only', () => {
    const digests = new StatementDigests(() => 16)
    const long = `SELECT ${'a'.repeat(5_000)}`

    ran(digests, `${long} FROM t`)
    ran(digests, `${long} FROM u`)

    expect(digests.snapshot().map(({ cells }) => cells[0])).toEqual([2])
  })
})
