import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SQL_TYPES } from '../../../../proxy-node/contract/names.ts'
import { statementType } from '../../../../proxy-node/session/statement-type.ts'

const typeOf = (sql: string) => SQL_TYPES[statementType(Buffer.from(sql), 0)]

describe('a statement counts by its first word', () => {
  test.each([
    ['select 1', 'SELECT'],
    ['SeLeCt/**/1', 'SELECT'],
    ['(select 1)', 'SELECT'],
    [' \t\r\n/* a */ /*b*/insert into t', 'INSERT'],
    ['update t', 'UPDATE'],
    ['delete from t', 'DELETE'],
    ['replace into t', 'REPLACE'],
    ['merge into t', 'MERGE'],
    ['begin', 'BEGIN'],
    ['commit;', 'COMMIT'],
    ['rollback', 'ROLLBACK'],
    ['set @a=1', 'SET'],
    ['show tables', 'SHOW'],
    ['call p()', 'CALL'],
    ['prepare s from x', 'TEXT_PS_PREPARE'],
    ['execute s', 'TEXT_PS_EXECUTE'],
    ['selects', 'OTHERS'],
    ['select_1', 'OTHERS'],
    ['sel', 'OTHERS'],
    ['create table t', 'OTHERS'],
    ['text_ps_prepare', 'OTHERS'],
    ['others', 'OTHERS'],
    ['', 'OTHERS'],
    ['/* never closed', 'OTHERS'],
    ['/', 'OTHERS'],
    ['\u{1f600}', 'OTHERS'],
  ])('%j as %s', (sql, type) => {
    expect(typeOf(sql)).toBe(type)
  })

  test('whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, from) => {
        expect(SQL_TYPES[statementType(bytes, from)]).toBeDefined()
      }),
      { numRuns: 2000 },
    )
  })
})
