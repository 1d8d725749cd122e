import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Digest, MAX_DIGEST_BYTES } from '../../../../proxy-node/sql/digest.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'

const DIGEST = new Digest()

function digest(sql: string | Uint8Array, mode = LEXER_MODE.plain as number): string {
  const text = Buffer.from(sql)
  const bytes = Buffer.concat([Buffer.from('x'), text, Buffer.from('9, 9)')])
  DIGEST.read(bytes, 1, 1 + text.length, mode)
  return DIGEST.text()
}

function hash(sql: string): string {
  digest(sql)
  return `${DIGEST.high}/${DIGEST.low}`
}

describe('the digest of a statement', () => {
  test.each([
    ['SELECT * FROM T WHERE a = 1', 'select * from t where a = ?'],
    [
      "select  'it''s',\n\t\"b\", -1.5e-3, .5, 0x41, x'41', N'a', ? /* c */",
      'select ?, ?, ?, ?, ?, ?, ?, ?',
    ],
    ['select /*+ parallel(4) */ 1 -- c', 'select ?'],
    ['select a-1, (-1), a = -1, 1 - -1', 'select a - ?, (?), a = ?, ? - ?'],
    ['select a.b, `a`.`B c`, @v, @@x.y from d . t', 'select a.b, `a`.`b c`, @v, @@x.y from d.t'],
    ['a<=1 and b<>2 and c<=>3 and d||e', 'a <= ? and b <> ? and c <=> ? and d || e'],
    ['a in (1)', 'a in (...)'],
    ['a in (1, 2, 3)', 'a in (...)'],
    ["a in(-1, 'b', ?, null)", 'a in (...)'],
    ['a in ((1, 2), (3, 4))', 'a in ((...))'],
    ['a in (1, b, 2)', 'a in (..., b, ?)'],
    ['a in (select 1)', 'a in (select ?)'],
    ['f(1)', 'f (?)'],
    ['f ( 1 , 2 )', 'f (...)'],
    ['f(a, 1, 2)', 'f (a, ?, ?)'],
    ['f()', 'f ()'],
    ['select f(1), g(2), (3)', 'select f (?), g (?), (?)'],
    ['insert into t (a, b) values (1, 2)', 'insert into t (a, b) values (...)'],
    ['insert into t (a, b) values (1, 2), (3, 4), (5, 6)', 'insert into t (a, b) values (...)'],
    [
      'insert into t values (1), (2) on duplicate key update a = 3',
      'insert into t values (?) on duplicate key update a = ?',
    ],
    [
      'insert into t values (1, now()), (2, now())',
      'insert into t values (?, now ()), (?, now ())',
    ],
    [
      'a is null and b is not null and c = null and d = true',
      'a is null and b is not null and c = ? and d = ?',
    ],
    ['select 1; select 2;', 'select ?; select ?;'],
    ['select 12abc, `12`', 'select 12abc, `12`'],
    ['select `a``b`', 'select `a``b`'],
    ['limit 1, 2', 'limit ?, ?'],
    ['', ''],
    ['(1', '(?'],
    ['(1,', '(?,'],
  ])('%s', (sql, text) => {
    expect(digest(sql)).toBe(text)
  })

  test('names that double quotes hold are no literals', () => {
    expect(digest('select "a" from "b"', LEXER_MODE.ansiQuotes)).toBe('select a from b')
  })

  test('is the same for other values, cases, blanks, comments and numbers of rows, and so is its hash', () => {
    const same = [
      'select * from t where a = 1 and b in (1, 2)',
      "SELECT  *  FROM T WHERE A='x' AND b IN (3)",
      'select /*+ hint */ * from t -- c\n where a=-1.5 and b in(?, ?, ?)',
    ]

    expect(new Set(same.map(hash)).size).toBe(1)
    expect(new Set(['select a', 'select b', 'select `a`', 'select a, b', ''].map(hash)).size).toBe(
      5,
    )
  })

  test('hashes of many statements differ', () => {
    const hashes = Array.from({ length: 50_000 }, (_, at) =>
      hash(`select c${at.toString(36)}z from t`),
    )

    expect(new Set(hashes).size).toBe(hashes.length)
    for (const half of [0, 1])
      expect(new Set(hashes.map(text => text.split('/')[half])).size).toBeGreaterThan(49_900)
  })

  test('is bounded, and says the same of statements that differ behind the bound', () => {
    const long = `select ${'column_name, '.repeat(1_000)}`

    expect(digest(`${long} a`).length).toBe(MAX_DIGEST_BYTES)
    expect(hash(`${long} a`)).toBe(hash(`${long} b`))
  })

  test('of an insert of thousands of rows and of a list of thousands of values is short', () => {
    const values = Array.from({ length: 5_000 }, (_, at) => at).join()

    expect(digest(`insert into t values ${'(1, 2), '.repeat(5_000)}(1, 2)`)).toBe(
      'insert into t values (...)',
    )
    expect(digest(`select 1 where a in (${values})`)).toBe('select ? where a in (...)')
  })

  test('any bytes have one, without an error and without what is behind them', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.constantFrom(
              '(',
              ')',
              ',',
              "'",
              '`',
              '"',
              '1',
              ' in ',
              'values ',
              '-',
              'null',
              "x'",
              '.',
              '/*!',
              '*/',
            ),
            fc.string({ unit: 'binary', maxLength: 3 }),
          ),
          { maxLength: 60 },
        ),
        fc.integer({ min: 0, max: 15 }),
        (parts, mode) => {
          const sql = Buffer.from(parts.join(''), 'latin1')
          const text = digest(sql, mode)
          const bytes = Buffer.concat([Buffer.from('x'), sql, Buffer.from('other')])
          DIGEST.read(bytes, 1, 1 + sql.length, mode)
          expect(DIGEST.text()).toBe(text)
          expect(text.length).toBeLessThanOrEqual(MAX_DIGEST_BYTES)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
