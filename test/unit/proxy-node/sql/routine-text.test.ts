import { describe, expect, test } from 'vitest'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { RoutineCall } from '../../../../proxy-node/sql/routine-call.ts'
import { boundStatement } from '../../../../proxy-node/sql/routine-text.ts'

function bound(sql: string, call: string): string | undefined {
  const bytes = Buffer.from(call)
  const read = new RoutineCall()
  expect(read.read({ bytes, to: bytes.length, mode: LEXER_MODE.plain, isCut: false }, 0)).toBe(true)
  const text = boundStatement(sql, read)
  return text && Buffer.from(text).toString()
}

describe('the first statement of a routine, for one call', () => {
  test.each([
    ['update t set v = 1 where id = :0', 'CALL p(7)', 'update t set v = 1 where id = 7'],
    ['insert into t values (:1, :0)', "CALL d.p('a', -3)", "insert into t values (-3, 'a')"],
    ["select ':0', a from t where b = :0", 'CALL p(1.5)', "select ':0', a from t where b = 1.5"],
    ['select * from t where a = :0', "CALL p('it''s')", "select * from t where a = 'it''s'"],
    ['select * from t where a = :0', "call p(x'41')", 'select * from t where a = 0x41'],
    ['select * from t where a = :0', 'CALL p(NULL)', 'select * from t where a = NULL'],
    ['select * from t where a = :0', 'CALL p(@v)', 'select * from t where a = @v'],
    ['select v from t where id = 7', 'CALL p', 'select v from t where id = 7'],
  ])('%s by %s', (sql, call, expected) => {
    expect(bound(sql, call)).toBe(expected)
  })

  test.each([
    ['an expression', 'CALL p(1 + 1)'],
    ['a parameter of a prepared statement', 'CALL p(?)'],
    ['no argument at all', 'CALL p()'],
  ])('knows no value for %s', (_what, call) => {
    expect(bound('select * from t where a = :0', call)).toBe('select * from t where a = @@unknown')
  })

  test('is bounded', () => {
    const sql = `select * from t where a in (${Array(40).fill(':0').join(',')})`

    expect(bound(sql, `CALL p('${'x'.repeat(10_000)}')`)).toBeUndefined()
  })
})
