import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify } from '../../../../proxy-node/sql/classify.ts'

function judge(sql: string) {
  const bytes = new TextEncoder().encode(`x${sql}y`)
  return classify(bytes, 1, bytes.length - 1)
}

describe('classify', () => {
  test.each([
    ['select * from t1 where id = 1', 'read', undefined, 't1', false],
    ['SELECT a FROM `D1` . `T1`', 'read', 'd1', 't1', false],
    ["/* x */ select 'from a' from -- c\n b", 'read', undefined, 'b', false],
    ['select * from (select 1 from t2) x', 'read', undefined, 't2', false],
    ['select 1', 'read', undefined, undefined, true],
    ['select found_rows() from t1', 'read', undefined, 't1', true],
    ['select @a from t1', 'read', undefined, 't1', true],
    ['select 1 from t1; select 2', 'read', undefined, 't1', true],
    ['insert ignore into d.t values (1)', 'write', 'd', 't', false],
    ['replace t set a = 1', 'write', undefined, 't', false],
    ['update low_priority t set a = last_insert_id()', 'write', undefined, 't', true],
    ['delete from t', 'write', undefined, 't', false],
    ['set autocommit = 0', 'other', undefined, undefined, true],
    ['', 'other', undefined, undefined, true],
  ])('%s', (sql, ...[kind, database, table, dependent]) => {
    expect(judge(sql)).toEqual({ kind, database, table, dependent })
  })

  test('never fails, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        expect(['read', 'write', 'other']).toContain(judge(`select ${text}`).kind)
      }),
      { numRuns: 2000 },
    )
  })
})
