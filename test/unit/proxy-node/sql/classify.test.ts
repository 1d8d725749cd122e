import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify, type Statement } from '../../../../proxy-node/sql/classify.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { FLAG } from '../../../../proxy-node/sql/words.ts'

function judge(sql: string | Uint8Array, mode = LEXER_MODE.plain as number): Statement {
  const text = typeof sql === 'string' ? new TextEncoder().encode(sql) : sql
  const bytes = Buffer.concat([Buffer.from('x'), text, Buffer.from('`y')])
  return classify(bytes, 1, bytes.length - 2, mode)
}

describe('the first table', () => {
  test.each([
    ['select * from t1 where id = 1', 'read', undefined, 't1'],
    ['SELECT a FROM `D1` . `T1`', 'read', 'd1', 't1'],
    ["/* x */ select 'from a' from -- c\n b", 'read', undefined, 'b'],
    ['select /*+ index(t i) */ a from t', 'read', undefined, 't'],
    ['select * from (select 1 from t2) x', 'read', undefined, 't2'],
    ['select (select 1 from inner1) from outer1', 'read', undefined, 'inner1'],
    ['select * from (t1 join t2)', 'read', undefined, 't1'],
    ['(select 1 from a) union (select 2 from b)', 'read', undefined, 'a'],
    ['select extract(year from born), trim(leading from b) from t', 'read', undefined, 't'],
    ['select * from "d".\'t\'', 'read', 'd', 't'],
    ['select `from`, `a``b` from `x``y`', 'read', undefined, 'x`y'],
    ["select 'it''s from a', 'b\\' from c' from t", 'read', undefined, 't'],
    ['select 1--1 from t', 'read', undefined, 't'],
    ['select a # from x\n from t', 'read', undefined, 't'],
    ['select /*!40001 sql_no_cache */ a from /*! t */', 'read', undefined, 't'],
    ['select 1', 'read', undefined, undefined],
    ['select 1 from dual', 'read', undefined, undefined],
    ["select * from json_table('[]', '$')", 'read', undefined, undefined],
    ['select * from', 'read', undefined, undefined],
    ['insert ignore into d.t values (1)', 'write', 'd', 't'],
    ['insert into t(a, b) values (1, 2)', 'write', undefined, 't'],
    ['insert into t select * from u', 'write', undefined, 't'],
    ['insert all into t values (1)', 'write', undefined, undefined],
    ['replace t set a = 1', 'write', undefined, 't'],
    ['update low_priority t set a = last_insert_id()', 'write', undefined, 't'],
    ['delete from t', 'write', undefined, 't'],
    ['delete a from t1 a join t2', 'write', undefined, 't1'],
    ['merge into t using u on (1=1)', 'write', undefined, 't'],
    ["load data local infile 'f' ignore into table d.t", 'write', 'd', 't'],
    ['explain select * from t', 'read', undefined, 't'],
    ['explain format = json delete from t', 'write', undefined, 't'],
    ['desc d.t', 'other', 'd', 't'],
    ['show create table d.t', 'other', 'd', 't'],
    ['show full columns from t in d', 'other', 'd', 't'],
    ['show tables', 'other', undefined, undefined],
  ])('%s', (sql, ...[kind, database, table]) => {
    expect(judge(sql)).toMatchObject({ kind, database, table })
  })
})

describe('the verb', () => {
  test.each([
    ['begin', 'begin'],
    ['BEGIN work;', 'begin'],
    ['begin not atomic', 'other'],
    ['start transaction read only', 'begin'],
    ['start slave', 'other'],
    ["xa start 'x'", 'xaStart'],
    ["xa end 'x'", 'other'],
    ['commit', 'commit'],
    ['rollback', 'rollback'],
    ['rollback to savepoint a', 'savepoint'],
    ['ROLLBACK WORK TO a', 'savepoint'],
    ['savepoint a', 'savepoint'],
    ['release savepoint a', 'savepoint'],
    ['release a', 'other'],
    ['unlock tables', 'unlock'],
    ['set autocommit = 0', 'set'],
    ['use d', 'use'],
    ['show variables', 'show'],
    ['create table t (a int)', 'ddl'],
    ['truncate t', 'ddl'],
    ["prepare s from 'select 1'", 'prepare'],
    ['execute s', 'execute'],
    ['drop prepare s', 'deallocate'],
    ['drop table s', 'ddl'],
    ['call p(1)', 'call'],
    ['kill 5', 'kill'],
    ['lock tables t read', 'lock'],
    ['with x as (select 1) select * from x', 'query'],
    ['do 1', 'query'],
    ['`select` 1 from t', 'other'],
    ['', 'other'],
    ['/* only */ -- comments', 'other'],
  ])('of %s is %s', (sql, verb) => {
    expect(judge(sql).verb).toBe(verb)
  })

  test.each(['begin', 'use d', 'set a = 1', 'call p(1)', ''])('%s stays where it is', sql => {
    expect(judge(sql)).toMatchObject({ kind: 'other', table: undefined })
  })
})

describe('FOR UPDATE', () => {
  test.each([
    ['select * from t1 where t1=2 for update', true],
    ['select * from t1 where t1=2 FOR             UPDATE;', true],
    ['select FOR UPDATE;', true],
    ['select * from t1 FOR UPDATE2 FOR UPDATE', true],
    ['select * from t1 FOR UPDATE; FOR UPDATE2', true],
    ['select * from t1 for update of t1, d.t2 nowait', true],
    ['select * from t1 for update wait 3', true],
    ['FOR UPDATE;', false],
    ['select * from t1 where t1=2for update', false],
    ['select * from t1 FOR UPDATE union select 1', false],
    ['(select * from t1 FOR UPDATE)', false],
    ['select * from t1 FORUPDATE', false],
    ['select * from t1 FOR UPDATE2;', false],
    ["select 'for update'", false],
  ])('%s: %s', (sql, locking) => {
    expect((judge(sql).flags & FLAG.locking) !== 0).toBe(locking)
  })
})

describe('modes of reading', () => {
  test('a backslash ends a text under NO_BACKSLASH_ESCAPES', () => {
    const sql = "select '\\' from t, ' from u"

    expect(judge(sql, LEXER_MODE.noBackslashEscapes).table).toBe('t')
    expect(judge(sql).table).toBe('u')
  })

  test('the second byte of a gbk character is no backslash', () => {
    const sql = Buffer.from([...Buffer.from("select '"), 0xd6, 0x5c, ...Buffer.from("' from t")])

    expect(judge(sql, LEXER_MODE.doubleByte).table).toBe('t')
    expect(judge(sql).table).toBeUndefined()
  })
})

describe('any text', () => {
  const pieces = fc.constantFrom(
    ...'select|insert into|delete|from|t|d.t|`a``|`b`|"|\'|\\|/*|*/|/*!5|--|#|\n|(|)|;|@|,|for update|union'.split(
      '|',
    ),
  )

  test('is judged without failing, and never reads behind its end', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 }), parts => {
        const text = Buffer.from(parts.join(' '))
        const alone = classify(text, 0, text.length)

        for (const tail of ['`', "'", '*/', ' from zz']) {
          const followed = Buffer.concat([text, Buffer.from(tail)])
          expect(classify(followed, 0, text.length)).toEqual(alone)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('of arbitrary bytes is judged without failing in every mode', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 3 }),
        (bytes, mode) => {
          const sql = Buffer.concat([Buffer.from('select '), bytes])

          expect(judge(sql, mode).verb).toBe('select')
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('of 8 KB is judged in time that grows with its length only', () => {
    const nested = `select ${'('.repeat(8000)} from t`

    expect(judge(nested).table).toBeUndefined()
  })
})
