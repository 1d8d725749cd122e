import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify } from '../../../../proxy-node/sql/classify.ts'
import { NO_NODE } from '../../../../proxy-node/sql/expressions.ts'
import { KeyColumns } from '../../../../proxy-node/sql/key-columns.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { Predicates } from '../../../../proxy-node/sql/predicates.ts'
import { expressionText } from '../../../support/expression-text.ts'

/** `k` is the second column of the table, `c` the fourth. */
const COLUMNS = new KeyColumns(['k', 'c'], [1, 3])
const PREDICATES = new Predicates()

type Found = { condition?: string; values?: string[]; partitions?: string[] }

function find(sql: string | Uint8Array, options: { mode?: number; isCut?: boolean } = {}): Found {
  const { mode = LEXER_MODE.plain, isCut = false } = options
  const text = Buffer.from(sql)
  // What is around the statement must not matter.
  const bytes = Buffer.concat([Buffer.from('?'), text, Buffer.from('9 or k = ? and c = 5')])
  const to = 1 + text.length
  PREDICATES.read({ bytes, to, mode, isCut }, classify(bytes, 1, to, mode), COLUMNS)
  const { expressions, condition, hasValues, partitionNames } = PREDICATES
  const shown = (node: number) => expressionText(expressions, node)
  const names = Array.from({ length: partitionNames }, (_, at) => PREDICATES.partitionName(at))
  return {
    ...(condition === NO_NODE ? {} : { condition: shown(condition) }),
    ...(hasValues ? { values: [0, 1].map(column => shown(PREDICATES.value(column))) } : {}),
    ...(names.length === 0 ? {} : { partitions: names }),
  }
}

/** Statements and what is known of `k` (#0) and `c` (#1) in every row that they are about. */
const CONDITIONS: readonly (readonly [string, string | undefined])[] = [
  ['select * from t where k = 1', '(= #0 1)'],
  ['select * from t where 1 = k', '(= 1 #0)'],
  ['select * from t where k >= 1 and k < 5', '(and (>= #0 1) (< #0 5))'],
  ['select * from t where k <=> null', '(<=> #0 null)'],
  ['select * from t where k != 1', '(<> #0 1)'],
  ['select * from t where k is not null', '(isNotNull #0)'],
  ['select * from t where k in (1, 2, 3)', '(in #0 1 2 3)'],
  ['select * from t where k between 1 and 2 and c = 3', '(and (between #0 1 2) (= #1 3))'],
  ['select * from t where k is null', '(isNull #0)'],
  ['select * from t where k = 1 or k = 2', '(or (= #0 1) (= #0 2))'],
  ['select * from t where (k = 1 or k = 2) and c = 3', '(and (or (= #0 1) (= #0 2)) (= #1 3))'],
  ["select * from t where k = -1 and c = 'it''s'", "(and (= #0 (neg 1)) (= #1 'it''s'!1))"],
  ["select * from t where k = x'41' and c = 0x4", '(and (= #0 hex:41!1) (= #1 hex:4))'],
  ['select * from t where k = 1 + 2 * c', '(= #0 (+ 1 (* 2 #1)))'],
  ['select * from t where k = substr(c, 1, 2)', '(= #0 (substr #1 1 2))'],
  ['select * from t where t.k = 1 and d.t.c = 2 and u.k = 3', '(and (= #0 1) (= #1 2) (= ? 3))'],
  ['select * from d.t where d.t.k = 1 and e.t.c = 2', '(and (= #0 1) (= ? 2))'],
  ['select * from D.`T` where `d`.t.K = 1', '(= #0 1)'],
  ['select * from t x where x.k = 1 and t.c = 2', '(and (= #0 1) (= ? 2))'],
  ['select * from t as `x` where X.k = 1', '(= #0 1)'],
  ["select * from t as 'x' where x.k = 1", '(= #0 1)'],
  ['select * from t force index (k) where k = 1', '(= #0 1)'],
  ['select * from t as of snapshot 5 where k = 1', '(= #0 1)'],
  ['select a from t', undefined],
  ['select 1', undefined],
  ['select k = 1 from t limit 1', undefined],

  // Parameters are counted over the whole statement.
  ['select ?, "?" /* ? */ from t where a = ? and k = ?', '(and (= ? $1) (= #0 $2))'],
  ['update t set a = ?, b = ? where k = ?', '(= #0 $2)'],
  ['select (select ? from u where x = ?) from t where k = ?', '(= ? $1)'],

  // Where a condition ends.
  ['select * from t where k = 1;', '(= #0 1)'],
  ['select * from t where k = 1; select 2 or c', '(= #0 1)'],
  ['select * from t where k = 1 for update', '(= #0 1)'],
  ['select * from t where k = 1 limit 5', '(= #0 1)'],
  ['select * from t where k = 1 group by c having k = 2', '(= #0 1)'],
  ['select * from t where k = 1 order by c or k', '(= #0 1)'],
  ['select * from t where k = 1 window w as (partition by c)', '(= #0 1)'],
  ['select * from t where k = 1 lock in share mode', '(= #0 1)'],
  ['select * from t where k = 1 into outfile "x"', '(= #0 1)'],
  ['select * from t group by c having k = 1', undefined],
  ['select * from t where k = 1 no such clause', '??'],
  ['select * from t where k = 1 from u', undefined],

  // A set of queries is about more rows than its first query.
  ['select * from t where k = 1 union select * from t where k = 2', undefined],
  ['select * from t where k = 1 limit 1 union all select 1', undefined],
  ['(select * from t where k = 1) union (select 1)', undefined],
  ['(select * from t where k = 1) order by c', '(= #0 1)'],
  ['((select * from t where k = 1)) minus (select 1)', undefined],
  ['select * from t where k = 1 and c in (select 1 union select 2)', '(and (= #0 1) ??)'],

  // Words that look like the ones that begin a clause (§14 row 10).
  ['select setting, `where`, joiner from t where k = 1', '(= #0 1)'],
  ["select 'where k = 2' from t where k = 1", '(= #0 1)'],
  ['select * from t /* where k = 2 */ where k = 1 -- and c', '(= #0 1)'],
  ["update t set setting = 'where k = 5', `set` = 2, whereabouts = 3 where k = 1", '(= #0 1)'],
  ['select * from joins as on_call where k = 1', '(= #0 1)'],

  // Joins: ON counts as far as it takes rows of the first table away.
  ['select * from t join u on t.k = 1 where c = 2', '(and (= #0 1) (= #1 2))'],
  ['select * from t a inner join u as b on a.k = b.k and a.c = 1', '(and (= #0 ?) (= #1 1))'],
  ['select * from t, u where t.k = 1', '(= #0 1)'],
  ['select * from t cross join u where k = 1', '(= #0 1)'],
  ['select * from t straight_join u on k = 1', '(= #0 1)'],
  ['select * from t natural join u where k = 1', '(= #0 1)'],
  ['select * from t join u using (k) where k = 1', '(= #0 1)'],
  ['select * from t left join u on t.k = 1 where c = 2', '(= #1 2)'],
  ['select * from t left outer join u on t.k = 1 where t.k is null', '(isNull #0)'],
  ['select * from t left join u on t.k = 5 join v on t.k = 1', '(= #0 1)'],
  ['select * from t right join u on t.k = 1', '(= #0 1)'],
  ['select * from t right join u on t.x = 1 where t.k = 1', '(and (= ? 1) (= #0 1))'],
  ['select * from t right join u on t.k = 1 where t.c is null', '(= #0 1)'],
  ['select * from t right join u on t.x = 1 where ifnull(t.c, 1) = 1', '(= ? 1)'],
  ['select * from t right join u on t.x = 1 where not t.c = 1', '(= ? 1)'],
  ['select * from t full join u on t.k = 1 where t.c = 1', '(= #1 1)'],
  ['select * from t join (u left join v on k = 5) on t.k = 1', '(= #0 1)'],
  ['select * from t join u join v on k = 5 on t.k = 1', '(= #0 5)'],
  ['select * from (t join u on t.k = 1) where c = 2', '(and (= #0 1) (= #1 2))'],
  [
    'select * from ((t join u on t.k = 1) join v on c = 2) where c = 3',
    '(and (and (= #0 1) (= #1 2)) (= #1 3))',
  ],
  [
    'select * from t join u on t.k is not distinct from u.k or t.c = 2 where k = 1',
    '(and (or ?? (= #1 2)) (= #0 1))',
  ],

  // The first table's own query counts, and no other.
  ['select * from (select * from t where k = 1) x where k = 2', '(= #0 1)'],
  ['select (select 1 from t where k = 1) from u where k = 2', '(= #0 1)'],
  ['select * from t where exists (select 1 from u where k = 5) and k = 1', '(and ?? (= #0 1))'],
  ['insert into u select * from t where k = 1', undefined],

  // Behind WITH only the table that the main query reads itself.
  ['with x as (select 1) select * from t where k = 1', '(= #0 1)'],
  ['with x as (select ?) select ? from t where k = ?', '(= #0 $2)'],
  ['with x as (select * from t where k = 2) select * from t join x on t.k = 1', '(= #0 1)'],
  [
    'with x as (select 1) (select * from (t join x on t.k = 1) where c = 2)',
    '(and (= #0 1) (= #1 2))',
  ],
  ['with x as (select * from (u join v)) update t set a = 1 where k = 1', '(= #0 1)'],
  ['with x as (select 1) delete from t where k = 1', '(= #0 1)'],
  ['with x as (select 1) select * from t where k = 1 union select * from x', undefined],
  ['with x as (select * from t where k = 1) select * from x', undefined],
  ['with x as (select * from t partition (p0)) select * from x where k = 1', undefined],
  ['with x as (select 1) select * from x join t on t.k = 1', undefined],
  ['with x as (select 1) select * from x left join t on t.k = 1', undefined],
  ['with x as (select 1) select * from x, t where t.k = 1', undefined],
  ['with x as (select 1) select * from x where exists (select 1 from t where k = 1)', undefined],
  ['with t as (select 1 as k) select * from t where k = 1', undefined],

  // UPDATE is about the rows that WHERE finds, not about the values it sets.
  ['update t set k = 5 where k = 1', '(= #0 1)'],
  ['update t set k = 5', undefined],
  ['update low_priority t as x set x.c = case when 1 then 2 end where x.k = 1 limit 1', '(= #0 1)'],
  [
    'update t join u on t.k = 1 set a = (select 1 from v where k = 2) where c = 3',
    '(and (= #0 1) (= #1 3))',
  ],
  ['delete from t where k = 1', '(= #0 1)'],
  ['delete from t as x where x.k = 1 order by c', '(= #0 1)'],
  ['delete t from t join u on t.k = 1', '(= #0 1)'],
  ['delete from t using t join u on t.k = 1 where t.c = 2', '(and (= #0 1) (= #1 2))'],
  [
    'merge into t x using u on (x.k = 1 and x.c = u.c) when matched then update set c = 5',
    '(and (= #0 1) (= #1 ?))',
  ],
  [
    'merge into t using (select 1 from v where k = 5) u on t.k = 1 when not matched then insert values (1)',
    '(= #0 1)',
  ],
  ['explain extended select * from t where k = 1', '(= #0 1)'],
  ['show columns from t where k = 1', undefined],
  ["load data infile 'x' into table t", undefined],
  ['select * from dual where k = 1', undefined],
]

describe('conditions', () => {
  test.each(CONDITIONS)('%s', (sql, condition) => {
    expect(find(sql)).toEqual(condition === undefined ? {} : { condition })
  })
})

describe('qualifiers of another case', () => {
  test.each([
    [
      'select * from t join T on t.k = T.k where T.k = 1',
      '(and (= #0 #0) (= #0 1))',
      '(and (= #0 ?) (= ? 1))',
    ],
    ['select * from T where T.k = 1', '(= #0 1)', '(= #0 1)'],
    ['select * from t x, u X where X.K = 1', '(= #0 1)', '(= ? 1)'],
    ['select * from D.t where d.t.k = 1', '(= #0 1)', '(= ? 1)'],
  ])('%s', (sql, inAnyCase, cased) => {
    expect(find(sql).condition).toBe(inAnyCase)
    expect(find(sql, { mode: LEXER_MODE.casedNames }).condition).toBe(cased)
  })
})

describe('values of a new row', () => {
  test.each<readonly [string, string[] | undefined]>([
    ['insert into t (k, c) values (1, 2)', ['1', '2']],
    ['insert into t (c, a, k) values (1, 2, 3), (4, 5, 6)', ['3', '1']],
    ['insert ignore into d.t(`C`, t.K) value (1, 2)', ['2', '1']],
    ['insert into t (a, k) values (f(1, 2), now())', ['(now)', 'none']],
    ['insert into t (a) values (1)', ['none', 'none']],
    ['insert into t values (1, 2, 3, 4, 5)', ['2', '4']],
    ['insert into t values (1, 2, 3, 4), (5, 6, 7, 8) on duplicate key update k = 9', ['2', '4']],
    ['insert into t values ()', ['none', 'none']],
    ['insert into t () values ()', ['none', 'none']],
    ['insert into t values row(1, 2, 3, 4)', ['2', '4']],
    ['insert into t (k, c) values (default, default(c))', ['default', '(default ?)']],
    ['insert into t (k, c) values (1 + 1, concat("a", "b"))', ['(+ 1 1)', "(concat 'a'!4 'b'!4)"]],
    ['insert into t (k, c) values (1, k + 1)', ['1', '(+ ? 1)']],
    ['insert into t (k, c) values ((select 1), 1 1)', ['1', '?']],
    ['insert into t (a, k, b, c) values (?, ?, "?", ?)', ['$1', '$2']],
    ["insert into t (k, c) values (null, 'it''s')", ['null', "'it''s'!1"]],
    ['insert into t set k = 1, a = k + 5, t.c = 2', ['1', '2']],
    ['insert into t set a = 1 on duplicate key update k = 2', ['none', 'none']],
    ['insert t set c = ? + 1', ['none', '(+ $0 1)']],
    ['replace into t (k, c) values (1, 2)', ['1', '2']],
    ['replace t set k = 1', ['1', 'none']],
    ['insert into t (k, c) values (1, 2) as new on duplicate key update k = new.k', ['1', '2']],
    ['insert into t partition (p1) (k, c) values (1, 2)', ['1', '2']],
    ['insert into t (k, c) select 1, 2', undefined],
    ['insert into t (select 1, 2)', undefined],
    ['insert into t select * from u where k = 1', undefined],
    ['insert into t with x as (select 1) select * from x', undefined],
    ['insert into t table u', undefined],
    ['insert into t (k c) values (1, 2)', undefined],
    ['insert into t values (1, 2', undefined],
    ['insert into t values 1, 2', undefined],
    ['insert into t (k, c) values (1)', undefined],
    ['insert into t set k 5', undefined],
    ['insert into t', undefined],
  ])('%s', (sql, values) => {
    const { values: found, condition } = find(sql)

    expect(found).toEqual(values)
    expect(condition).toBeUndefined()
  })

  test('without a list of columns, are known only if the order of the columns is', () => {
    const bytes = Buffer.from('insert into t values (1, 2, 3, 4)')
    const text = { bytes, to: bytes.length, mode: LEXER_MODE.plain, isCut: false }
    const statement = classify(bytes, 0, bytes.length)

    PREDICATES.read(text, statement, new KeyColumns(['k', 'c'], [1, -1]))
    expect(PREDICATES.hasValues).toBe(false)
    PREDICATES.read(text, statement, new KeyColumns(['k', 'c']))
    expect(PREDICATES.hasValues).toBe(false)
    PREDICATES.read(text, statement, new KeyColumns([]))
    expect(PREDICATES.hasValues).toBe(true)
  })
})

describe('partitions that are named', () => {
  test.each<readonly [string, Found]>([
    ['select * from t partition (P0) where k = 1', { partitions: ['p0'], condition: '(= #0 1)' }],
    [
      'select * from t partition (p0, `p1`) x where x.k = 1',
      { partitions: ['p0', 'p1'], condition: '(= #0 1)' },
    ],
    ['select * from t subpartition(p0sp1)', { partitions: ['p0sp1'] }],
    ['select * from t partition p0 where k = 1', { partitions: ['p0'], condition: '(= #0 1)' }],
    ['select * from t x partition (p0)', { partitions: ['p0'] }],
    [
      'update t partition (p0) set k = 2 where c = 1',
      { partitions: ['p0'], condition: '(= #1 1)' },
    ],
    ['delete from d.t partition (p0)', { partitions: ['p0'] }],
    ['insert into t partition (p0) (k) values (1)', { partitions: ['p0'], values: ['1', 'none'] }],
    ['select * from t partition (p0', {}],
    ['select * from t partition ()', {}],
    [`select * from t partition (${Array.from({ length: 17 }, (_, at) => `p${at}`).join()})`, {}],
    ['select `partition` from t', {}],
  ])('%s', (sql, found) => {
    expect(find(sql)).toEqual(found)
  })
})

describe('a statement of which only the beginning is known', () => {
  test.each<readonly [string, Found]>([
    ['select * from t where k = 12', { condition: '(= #0 ?)' }],
    ["select * from t where k = 'ab'", { condition: '(= #0 ?)' }],
    ["select * from t where k = 'ab", { condition: '(= #0 ?)' }],
    ['select * from t where k = @ab', { condition: '(= #0 ?)' }],
    ['select * from t where k = 12 and ', { condition: '(and (= #0 12) ??)' }],
    ['insert into t (k, c) values (1, 2', { values: ['1', '?'] }],
    ['insert into t (k, c, a) values (1, 2, ', { values: ['1', '2'] }],
    ['insert into t (k, a, c) values (1, 2, ', { values: ['1', '?'] }],
    ['insert into t (k, c) values (1', {}],
  ])('%s', (sql, found) => {
    expect(find(sql, { isCut: true })).toEqual(found)
  })
})

describe('bounds', () => {
  test('a list with more values than there are nodes leaves nothing known, and the next statement is read', () => {
    const list = Array.from({ length: 3_000 }, (_, at) => at).join()

    expect(find(`select * from t where k = 1 and c in (${list})`)).toEqual({})
    expect(find('select * from t where k = 1')).toEqual({ condition: '(= #0 1)' })
  })

  test('a long row is read as far as the columns that are asked for', () => {
    const rows = Array.from({ length: 5_000 }, () => '(1, 2, 3, 4)').join()

    expect(find(`insert into t values ${rows}`)).toEqual({ values: ['2', '4'] })
  })

  test.each([
    ['parentheses', '('],
    ['queries', '(select 1 from u where '],
    ['joins', ' t join ('],
    ['conditions', ' not k = (1 and '],
  ])('100,000 nested %s end', (_, part) => {
    for (const head of [
      'select * from t where ',
      'select * from ',
      'insert into t values (',
      'update t set a = ',
    ])
      find(head + part.repeat(100_000))
    expect(find('select * from t where k = 1')).toEqual({ condition: '(= #0 1)' })
  })

  test('in double-byte character sets no half of a character is a quote or a bracket', () => {
    const trail = (byte: number) => Buffer.from([0xbf, byte])
    const sql = Buffer.concat([
      Buffer.from("select * from t where c = '"),
      trail(0x5c),
      Buffer.from("' and "),
      trail(0x7c),
      Buffer.from(' = 1 and k = 1'),
    ])

    expect(find(sql, { mode: LEXER_MODE.doubleByte }).condition).toMatch(/\(= #0 1\)\)$/)
    expect(find(sql).condition).not.toMatch(/#0/)
  })

  test('any statement, whole or cut, is read without an error and not beyond its end', () => {
    const parts = [
      ...[
        'select ',
        '* ',
        'from ',
        't ',
        'd.t ',
        'where ',
        'k ',
        'c ',
        '= ',
        '1 ',
        "'x' ",
        '? ',
        ', ',
      ],
      ...[
        '( ',
        ') ',
        'and ',
        'or ',
        'not ',
        'in ',
        'join ',
        'left ',
        'on ',
        'using ',
        'union ',
        'as ',
      ],
      ...[
        'insert into ',
        'values ',
        'set ',
        'update ',
        'merge ',
        'partition ',
        'case ',
        'end ',
        '; ',
      ],
      ...[
        "'",
        '"',
        '`',
        '/* ',
        '*/ ',
        '/*! ',
        '-- ',
        '\\',
        '@',
        '.',
        'between ',
        'like ',
        'is null ',
      ],
    ]
    const statements = fc.array(
      fc.oneof(fc.constantFrom(...parts), fc.string({ unit: 'binary', maxLength: 3 })),
      { maxLength: 50 },
    )
    const heads = fc.constantFrom(
      'select * from t where ',
      'insert into t ',
      'update t set ',
      'merge into t using u on ',
      '',
    )
    fc.assert(
      fc.property(
        heads,
        statements,
        fc.integer({ min: 0, max: 15 }),
        fc.boolean(),
        (head, rest, mode, isCut) => {
          const text = Buffer.from(head + rest.join(''), 'latin1')
          find(text, { mode, isCut })
          const { expressions } = PREDICATES
          for (let node = 1; node <= expressions.size; node++) {
            expect(expressions.to(node)).toBeLessThanOrEqual(text.length + 1)
            expect(expressions.from(node)).toBeLessThanOrEqual(expressions.to(node))
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
