import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify, type Statement } from '../../../../proxy-node/sql/classify.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { lexerMode, nameMode } from '../../../../proxy-node/sql/lexer-mode.ts'
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

/** The main query reads the table itself, and its conditions are about the table's rows. */
const DIRECT = true

/** Statements, their verb, their first table, and whether the main query reads that one. */
const WITH: readonly (readonly [string, string, string | undefined, boolean?])[] = [
  // The main query's table.
  ['with x as (select 1) select * from t where k = 1', 'select', 't', DIRECT],
  ['with x as (select * from u) select * from d.t', 'select', 't', DIRECT],
  ['with x (a, b) as (select 1, 2), `y` as (select 3) select * from t', 'select', 't', DIRECT],
  ['with x as (select 1) (select * from t)', 'select', 't', DIRECT],
  ['(with x as (select * from u) select * from t)', 'select', 't', DIRECT],
  ['with x as (select * from (u join v)) select * from (t join x)', 'select', 't', DIRECT],
  ['with x as (select 1) update t set a = 1 where k = 1', 'update', 't', DIRECT],
  ['with x as (select * from u) delete from t where k in (select k from x)', 'delete', 't', DIRECT],
  ['with x as (select 1) insert into t select * from x', 'insert', 't', DIRECT],
  ['with x as (select 1) replace into t select * from x', 'replace', 't', DIRECT],
  ['with x as (values row(1)) select * from t', 'select', 't', DIRECT],
  ['with x as (select 1) select * from d.x', 'select', 'x', DIRECT],
  ['with x as (select 1 from dual) select * from t', 'select', 't', DIRECT],
  ['with x as (select 1) select * from x union select * from t', 'select', 't', DIRECT],
  ['explain extended with x as (select 1) select * from t', 'select', 't', DIRECT],
  ['explain format = json with x as (select 1) delete from t', 'delete', 't', DIRECT],

  // A table behind a query that has a name, or deeper in the main query.
  ['with x as (select 1) select * from x join t on t.k = 1', 'select', 't'],
  ['with x as (select 1) select * from x as a left join t using (k)', 'select', 't'],
  ['with x as (select 1), y as (select 2) select * from x, y b, t where t.k = 1', 'select', 't'],
  ['with x as (select 1) select * from x where a in (select k from t)', 'select', 't'],
  ['with x as (select 1) select * from (select * from t where k = 1) d', 'select', 't'],
  ['with x as (select 1) select (select 1 from t where k = 1) from u', 'select', 't'],
  ['with x as (select 1) update x join t on t.k = 1 set t.a = 1', 'update', 't'],

  // The first table of the queries that have names.
  ['with x as (select * from t where k = 1) select * from x where k = 2', 'select', 't'],
  ['with x as (select * from t) select * from X', 'select', 't'],
  ['with x as (select * from t), y as (select * from u) select * from y join v', 'select', 't'],
  [
    'with x as (select 1), y as (select * from x), z as (select * from t) select * from z',
    'select',
    't',
  ],
  ['with x as (select * from t) select * from x where k = 1 for update', 'select', 't'],
  ['with x as (select * from t) update x, u set u.a = 1', 'update', 't'],
  ['with x as (select * from t) delete u from x join u', 'delete', 't'],
  ['with x as (select * from t) values row(1)', 'query', 't'],
  ['with a as (with b as (select * from t) select * from b) select * from a', 'select', 't'],
  ['select * from (with b as (select * from t where k = 1) select * from b) d', 'select', 't'],
  ['select * from u, (with t as (select 1) select * from t) d', 'select', 'u', DIRECT],
  ['delete from t where k in (with u as (select 1) select * from u)', 'delete', 't', DIRECT],

  // A name is a table as far as it does not reach.
  ['with t as (select * from t where k = 1) select * from t where k = 2', 'select', 't'],
  ['with a as (select * from b), b as (select 1) select * from a', 'select', 'b'],
  ['with a as (with b as (select 1) select * from b) select * from b', 'select', 'b', DIRECT],
  ['with recursive t as (select 1 union all select * from t) select * from t', 'select', undefined],
  ['with recursive a as (select 1), t as (select * from t) select * from t', 'select', undefined],
  [
    'with recursive c as (select * from t union all select c.* from c join t) select * from c',
    'select',
    't',
  ],
  ['with t as (select 1) select * from t', 'select', undefined],
  ['with t as (select 1) select 1', 'select', undefined],

  // What is no statement is answered by a server.
  ['with', 'query', undefined],
  ['with x', 'query', undefined],
  ['with x as (select * from t', 'query', 't'],
  ['with x as (select 1), select * from t', 'query', 't'],
]

describe('a statement that begins with WITH', () => {
  const cases = WITH.map(([sql, verb, table, isDirect = false]) => ({ sql, verb, table, isDirect }))

  test.each(cases)('$sql', ({ sql, verb, table, isDirect }) => {
    const shouted = sql.replaceAll(/\w{2,}/g, word => word.toUpperCase())
    for (const text of [sql, shouted, `/* a */ ${sql}`]) {
      const judged = judge(text)
      expect([judged.verb, judged.table, judged.tableAt > 0]).toEqual([verb, table, isDirect])
    }
  })

  test('reads as its main query does, with the hint of that', () => {
    const read = judge(
      'with x as (select /*+ read_consistency(strong) */ 1) select /*+ read_consistency(weak) */ * from t',
    )
    expect([read.kind, read.hints.consistency]).toEqual(['read', 'weak'])
    expect(judge('with x as (select 1 from u) delete from t').kind).toBe('write')
    expect(judge('with x as (select 1 from u) select 1').kind).toBe('read')
  })

  test.each([
    ['with x as (select 1) select * from t for update', true],
    ['with x as (select * from t for update) select * from x', true],
    ['with x as (select * from t for update skip locked), y as (select 1) select * from y', true],
    ['with x as (select * from t) select * from x', false],
    ["with x as (select 'for update') select * from x", false],
    ['with x as (select * from t use index for join (i)) select * from x', false],
  ])('%s: locks %s', (sql, locks) => {
    expect(has(sql, FLAG.locking)).toBe(locks)
  })

  test.each([
    ['with x as (select found_rows()) select * from x', FLAG.foundRows],
    ["with x as (select get_lock('a', 1)) select * from t", FLAG.locks],
    ['with x as (select @a) select * from t', FLAG.variables],
    ['with x as (select 1) select * from t@link', FLAG.link],
    ['with x as (select 1) select * from t; select 2', FLAG.multiple],
    ['explain route with x as (select 1) select * from t', FLAG.explainsRoute],
  ])('%s: what ties it is seen', (sql, flag) => {
    expect(has(sql, flag)).toBe(true)
    expect(has('with x as (select 1) select * from t', flag)).toBe(false)
  })

  test('with more names than are kept has no table, and the next statement is read', () => {
    const many = Array.from({ length: 65 }, (_, at) => `x${at} as (select 1)`).join()

    expect(judge(`with ${many} select * from t`).table).toBeUndefined()
    expect(judge('with x as (select 1) select * from t').table).toBe('t')
  })

  test('names of 100 queries one in another are passed over', () => {
    const nested = `${'with x as ('.repeat(100)}select 1${') select * from x'.repeat(100)}`

    expect(judge(nested)).toMatchObject({ verb: 'select', table: undefined })
    expect(judge(nested.replace('select 1', 'select 1 from t')).verb).toBe('select')
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
    ['with x as (select 1) select * from x', 'select'],
    ['with x as (select 1) values row(1)', 'query'],
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

function has(sql: string, flag: number, mode?: number): boolean {
  return (judge(sql, mode).flags & flag) !== 0
}

/** Statements that have a flag, and ones that look alike and have it not. */
const FLAGGED: readonly (readonly [string, number, readonly string[], readonly string[]])[] = [
  [
    'executes what was prepared by text',
    FLAG.executes,
    ['execute s', 'execute s; select 1', 'select 1; execute s using @a'],
    ['prepare s from @a', 'deallocate prepare s', 'select execute from t', "select '; execute s'"],
  ],
  [
    'calls a routine',
    FLAG.calls,
    ['call p()', 'select 1; call p(1); select 2', '/* x */ CALL d.p'],
    ['select call from t', "select '; call p()'", 'create procedure call () begin end'],
  ],
  [
    'asks how many rows the last query found',
    FLAG.foundRows,
    [
      'select found_rows()',
      'select found_rows /* x */ ()',
      'select `found_rows` ()',
      'select /*!50000 found_rows() */',
      '(select found_rows())',
      'select 1; select found_rows()',
    ],
    [
      'select sql_calc_found_rows * from t',
      'select found_rows from t',
      "select 'found_rows()'",
      'select /* found_rows() */ 1',
      'select 1 -- found_rows()',
      'select 1 # found_rows()',
      'select /*+ found_rows() */ 1',
      'select `found_rows`',
      'select row_count()',
    ],
  ],
  [
    'leans on the statement before',
    FLAG.leans,
    [
      'select row_count() from t',
      'set @a = row_count()',
      'show warnings',
      'show warnings limit 1',
      'show errors',
      'show count(*) warnings',
      'show count ( * ) errors',
      'show trace',
      'show profile',
      'get diagnostics @a = number',
      'get current diagnostics condition 1 @a = message_text',
      'select @@warning_count',
      'select @@session.error_count',
      'select @@`warning_count`',
      "select sys_context('userenv', 'sid')",
      'select last_trace_id()',
      'select dbms_xplan.display_cursor()',
      'select 1; show warnings',
    ],
    [
      'select last_insert_id(), connection_id()',
      'select row_count, (1) from t',
      'select warning_count, @a from t',
      'show variables',
      "show tables like 'warnings'",
      'show columns from warnings',
      'select get, diagnostics from t',
      'select * from t where show_warnings = 1',
    ],
  ],
  [
    'is about locks of a session',
    FLAG.locks,
    [
      "select get_lock('a', 1)",
      "do release_lock('a')",
      'select release_all_locks()',
      "select is_free_lock('a') from t",
      "select is_used_lock('a')",
      "select `get_lock`('a', 1)",
      'lock tables t write',
      'unlock tables',
      "select 1; select get_lock('a', 1)",
      'select 1; lock tables t read',
    ],
    ['alter table t lock=none', 'select get_lock from t', "select 'get_lock(1)'", 'select 1'],
  ],
  [
    'makes or drops temporary tables',
    FLAG.temporary,
    [
      'create temporary table t (a int)',
      'create or replace temporary table t (a int)',
      'create global temporary table t (a int)',
      'create /* x */ temporary table t (a int)',
      'drop temporary table t',
      'select 1; create temporary table t (a int)',
      'select 1;; (select 2); drop temporary table if exists t',
    ],
    [
      'create table temporary (a int)',
      'create table t (temporary int)',
      'drop table temporary',
      'select temporary from t',
      "comment 'create temporary table'",
      'create table t (a int) -- temporary',
    ],
  ],
  [
    'can end a transaction with its changes kept',
    FLAG.mayCommit,
    [
      'commit',
      'create table t (a int)',
      'drop table t',
      'truncate t',
      'grant select on t to u',
      'set autocommit = 1',
      'begin',
      'start transaction',
      'lock tables t read',
      'unlock tables',
      'call p()',
      'execute s',
      "prepare s from 'commit'",
      "xa start 'x'",
      "xa commit 'x'",
      'select 1; select 2',
      'analyze table t',
      'load data infile "f" into table t',
      'begin not atomic',
      'release a',
      '',
    ],
    [
      'select 1',
      'insert into t values (1)',
      'update t set a = 1',
      'delete from t',
      'replace t set a = 1',
      'show tables',
      'use d',
      'savepoint a',
      'rollback to savepoint a',
      'rollback work to a',
      'release savepoint a',
      'rollback',
      'rollback and chain',
      'deallocate prepare s',
      'drop prepare s',
      'explain select 1',
      'with x as (select 1) select * from x',
      'do sleep(1)',
      'select 1;',
      "select 'a; commit'",
      'select 1 /* ; commit */',
    ],
  ],
  [
    'is several statements of which one leaves state unseen',
    FLAG.untracked,
    [
      "select 1; prepare s from 'x'",
      "prepare s from 'x'; select 1",
      'select 1; lock tables t write',
      'select 1; create temporary table t (a int)',
      'use d; select 1',
      'select 1; use d',
      'select 1; deallocate prepare s',
      'select 1; drop prepare s',
      'select 1 /*! ; use d */',
      'select 1 -- x\r; use d',
    ],
    [
      "prepare s from 'x'",
      'use d;',
      'lock tables t read',
      'create temporary table t (a int);',
      'select 1; select * from t use index (i)',
      'select 1; alter table t lock=none',
      'select 1; create table t (a int)',
      "select 1; select 'prepare'",
      'select 1; -- use d',
    ],
  ],
  [
    'is several statements',
    FLAG.multiple,
    ['select 1; select 2', 'select 1;;select 2', 'begin; select 1', 'desc t; select 1'],
    ['select 1;', 'select 1 ; ; -- end', "select ';a'", 'select `;a`', 'begin;', ''],
  ],
  [
    'names a variable or a linked table',
    FLAG.variables,
    ['select @a from t', 'select * from t@link', 'select @@autocommit', 'call p(@a)'],
    ["select '@a' from t", 'select 1 /* @a */', 'select `@a`'],
  ],
  [
    'asks for the last insert id',
    FLAG.insertId,
    ['insert into t values (last_insert_id())', 'select @@identity', 'select @@last_insert_id'],
    ['select last_insert_id from t', 'select identity, @a from t', "select 'last_insert_id()'"],
  ],
  [
    'wants a consistent snapshot',
    FLAG.snapshot,
    [
      'start transaction with consistent snapshot',
      'start transaction read only, with consistent snapshot',
      'start transaction with consistent snapshot, read write;',
    ],
    ['start transaction', 'begin', 'start transaction with consistent snapshot read only'],
  ],
]

describe.each(FLAGGED)('what %s', (_name, flag, withIt, without) => {
  test.each(withIt)('%s', sql => {
    expect(has(sql, flag)).toBe(true)
    expect(has(sql.toUpperCase(), flag)).toBe(true)
    expect(has(`/* a */ -- b\n ${sql}`, flag)).toBe(true)
  })

  test.each(without)('not %s', sql => {
    expect(has(sql, flag)).toBe(false)
    expect(has(sql.toUpperCase(), flag)).toBe(false)
  })
})

describe('a transaction is begun', () => {
  test.each([
    'start transaction',
    'START TRANSACTION READ WRITE',
    'start transaction read only, with consistent snapshot',
    'start /* x */ transaction with consistent snapshot, read only ;',
  ])('by %s', sql => {
    expect(judge(sql).verb).toBe('begin')
  })

  test.each([
    'start transaction read',
    'start transaction read only,',
    'start transaction read only read write',
    'start transaction read only, read write',
    'start transaction with consistent snapshot, with consistent snapshot',
    'start transaction with snapshot',
    'start transaction x',
    'begin read only',
    'begin work x',
    'start',
  ])('not by %s', sql => {
    expect(judge(sql).verb).toBe('other')
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

  test('double quotes hold a name under ANSI_QUOTES, in which a backslash is itself', () => {
    const sql = 'select "a\\", `b` from "d"."x""y" -- "'

    expect(judge(sql, LEXER_MODE.ansiQuotes)).toMatchObject({ database: 'd', table: 'x"y' })
    expect(judge('select "row_count"()', LEXER_MODE.ansiQuotes).flags & FLAG.leans).not.toBe(0)
    expect(judge('select "row_count"()').flags & FLAG.leans).toBe(0)
  })

  test('a character of two bytes hides a back-tick outside of quotes, and no quote', () => {
    const column = Buffer.from([...Buffer.from('select '), 0x81, 0x60, ...Buffer.from(' from t')])
    const torn = Buffer.from([...Buffer.from("select '"), 0xd6, ...Buffer.from("' from t -- '")])

    expect(judge(column, LEXER_MODE.doubleByte).table).toBe('t')
    expect(judge(torn, LEXER_MODE.doubleByte).table).toBe('t')
  })

  test.each([
    ['STRICT_ALL_TABLES', 'utf8mb4', LEXER_MODE.plain],
    ['STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES', 'latin1', LEXER_MODE.noBackslashEscapes],
    ['ansi_quotes', 'utf8mb4', LEXER_MODE.ansiQuotes],
    [
      'REAL_AS_FLOAT,ANSI',
      'gbk',
      LEXER_MODE.ansiQuotes | LEXER_MODE.pipesAsConcat | LEXER_MODE.doubleByte,
    ],
    ['PIPES_AS_CONCAT', 'utf8mb4', LEXER_MODE.pipesAsConcat],
    ['', 'gb18030_2022', LEXER_MODE.doubleByte],
  ])('sql_mode %j with %s', (sqlMode, charset, mode) => {
    expect(lexerMode(sqlMode, charset)).toBe(mode)
  })

  test.each([
    // Of a server that does not say, as of 1 and 2.
    ['', '', LEXER_MODE.plain],
    ['0', 'MYSQL', LEXER_MODE.casedNames],
    ['1', '0', LEXER_MODE.plain],
    ['2', 'MYSQL', LEXER_MODE.plain],
    ['0', 'ORACLE', LEXER_MODE.capitalNames],
    ['2', '1', LEXER_MODE.capitalNames],
  ])('lower_case_table_names %j in mode %j', (lowerCase, compatibility, mode) => {
    expect(nameMode(lowerCase, compatibility)).toBe(mode)
  })

  test('the second byte of a gbk character is no backslash', () => {
    const sql = Buffer.from([...Buffer.from("select '"), 0xd6, 0x5c, ...Buffer.from("' from t")])

    expect(judge(sql, LEXER_MODE.doubleByte).table).toBe('t')
    expect(judge(sql).table).toBeUndefined()
  })
})

describe('what servers read as a comment', () => {
  test.each([
    ['select 1 # from x\r from t', 't'],
    ['select 1 -- from x\r\n from t', 't'],
    ["select 2*/* ' */3 from t -- '", 't'],
    ["select /*! 1 */ 2 */* ' */ 3 from t -- '", 't'],
    ['select 1 /*!99999 from t */', 't'],
    ['select 1 /*! from /* x */ t */', 't'],
    ['select 1 /* from x', undefined],
  ])('%j', (sql, table) => {
    expect(judge(sql).table).toBe(table)
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
        fc.integer({ min: 0, max: 7 }),
        (bytes, mode) => {
          const sql = Buffer.concat([Buffer.from('select '), bytes])

          expect(judge(sql, mode).kind).toMatch(/^(read|other)$/)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('cut anywhere is judged without failing', () => {
    const whole = Buffer.from(FLAGGED.flatMap(([, , withIt]) => withIt).join(' ; '))

    for (let cut = 0; cut <= whole.length; cut++)
      expect(classify(whole, 0, cut).kind).toMatch(/^(read|write|other)$/)
  })

  test('of 8 KB is judged in time that grows with its length only', () => {
    const nested = `select ${'('.repeat(8000)} from t`

    expect(judge(nested).table).toBeUndefined()
  })
})

describe('hints behind the verb', () => {
  test.each<readonly [string, Partial<Statement['hints']>]>([
    ['select /*+ READ_CONSISTENCY(WEAK) */ 1 from t', { consistency: 'weak' }],
    ['select /* c */ /*+read_consistency( strong )*/ 1', { consistency: 'strong' }],
    ['select /*+ read_consistency(frozen) read_consistency(weak) */ 1', { consistency: 'frozen' }],
    ['(select /*+ read_consistency(weak) */ 1)', { consistency: 'weak' }],
    ['explain select /*+ read_consistency(weak) */ 1', { consistency: 'weak' }],
    ['select /*+ parallel(4), read_consistency(weak), x(a (b) c) */ 1', { consistency: 'weak' }],
    [
      'select /*+ index(t i1) INDEX(@b `T2` i2) trace_log */ 1',
      { indexes: ['t i1', 't2 i2'], tracesLog: true },
    ],
    ['update /*+ query_timeout(5000000) */ t set a = 1', { queryTimeoutUs: 5_000_000 }],
    ['select /*+ query_timeout(1) query_timeout(2) */ 1', { queryTimeoutUs: 1 }],
    ['select /*+ query_timeout(1.5) query_timeout(x) query_timeout(12345678901234567) */ 1', {}],
    ['select /*+ read_consistency(soon) */ 1', {}],
    ['select /*+ read_consistency weak */ 1', {}],
    ['/*+ read_consistency(weak) */ select 1', {}],
    ['select 1 /*+ read_consistency(weak) */', {}],
    ['select 1 from (select /*+ read_consistency(weak) */ 1 from t) x', {}],
    ['select /* read_consistency(weak) */ 1', {}],
    ["select '/*+ read_consistency(weak) */'", {}],
    ['select /*+ read_consistency(weak)', { consistency: 'weak' }],
    ['select 1', {}],
  ])('%s', (sql, hints) => {
    const none = { consistency: undefined, queryTimeoutUs: 0, tracesLog: false, indexes: [] }

    expect(judge(sql).hints).toEqual({ ...none, ...hints })
  })

  test('a time-out counts from the first hint of all too, for some servers read it there', () => {
    expect(judge('/*+ query_timeout(7) */ select 1').queryTimeoutUs).toBe(7)
    expect(judge('/*+ query_timeout(7) */ select /*+ query_timeout(8) */ 1').queryTimeoutUs).toBe(8)
    expect(judge('select 1 from (select /*+ query_timeout(9) */ 1) x').queryTimeoutUs).toBe(9)
    expect(judge("select 'query_timeout(9)'").queryTimeoutUs).toBe(0)
  })
})

describe('directives in comments before the first word', () => {
  const none = {
    targetServers: [],
    traceId: '',
    rpcId: '',
    tracesLog: false,
    simpleRoute: undefined,
  }

  test.each<readonly [string, Partial<Statement['directives']>]>([
    [
      "/* target_db_server='10.0.0.1:2881,10.0.0.2:2881;10.0.0.3:2881' */ select 1",
      { targetServers: [['10.0.0.1:2881', '10.0.0.2:2881'], ['10.0.0.3:2881']] },
    ],
    ['/*ODP: target_db_server=10.0.0.1:2881*/select 1', { targetServers: [['10.0.0.1:2881']] }],
    ['/* ODP: target_db_server = "[::1]:2881; ;" */ select 1', { targetServers: [['[::1]:2881']] }],
    [
      '/* ODP: trace_id=abc-1, rpc_id=0.1.2, trace_log */ select 1',
      { traceId: 'abc-1', rpcId: '0.1.2', tracesLog: true },
    ],
    ["-- first\n# second\n/* one */ /* trace_id='a b' */ (select 1)", { traceId: 'a b' }],
    ['/* trace_id=a */ /* trace_id=b, rpc_id=1 */ select 1', { traceId: 'a', rpcId: '1' }],
    ['/*+DBP: $SYS={TRACE(abc#0.1)}*/ select 1', { traceId: 'abc', rpcId: '0.1' }],
    ['/*+DBP: $ROUTE={GROUP_ID(1)}*/ select 1', {}],
    ['/* group_id=1 table_id=2 testload=1 */ select 1', {}],
    ['/* trace_log */ select 1', {}],
    ['/* my_trace_id=a */ select 1', {}],
    ['/*+ target_db_server=10.0.0.1:2881 */ select 1', {}],
    ['select /* trace_id=a */ 1', {}],
    ['/*! trace_id=a */ select 1', {}],
    ['/* trace_id=a select 1', {}],
    ['select 1 /* target_db_server=10.0.0.1:2881 */', {}],
  ])('%s', (sql, directives) => {
    expect(judge(sql).directives).toEqual({ ...none, ...directives })
  })

  test.each([
    ['/* table shop.T1 part_key 123 */ select 1', 'shop.t1', '123', 'shop.T1', '123'],
    ["/*table t part_key 'a b'*/ select 1", 't', 'a b', 't', "'a b'"],
  ])('%s is a simple route, with where its words stand', (sql, table, key, ...spans) => {
    const { simpleRoute } = judge(sql).directives
    const span = (from = 0, to = 0) => `x${sql}`.slice(from, to)

    expect(simpleRoute).toMatchObject({ table, key })
    const found = [
      span(simpleRoute?.tableFrom, simpleRoute?.tableTo),
      span(simpleRoute?.keyFrom, simpleRoute?.keyTo),
    ]
    expect(found).toEqual(spans)
  })

  test('are read in time that grows with the length of comments only', () => {
    const sql = `${'# # # -- # '.repeat(2_000)}\n${'/*a*/'.repeat(5_000)}/* trace_id=${'a'.repeat(9_000)}`

    expect(judge(`/**/${sql}`).directives).toEqual(none)
  })
})

describe('flags of routing', () => {
  const cases: readonly (readonly [string, number, readonly string[], readonly string[]])[] = [
    [
      'is behind a link',
      FLAG.link,
      ['select * from t@far', 'insert into d.t@far values (1)', 'update `t`@`far` set a = 1'],
      ['select @a from t', 'select * from t where a = @b', 'set @a = 1', "select 't@far' from t"],
    ],
    [
      'is about binary logs',
      FLAG.binlog,
      [
        ...['show master status', 'SHOW BINARY LOGS;', 'show master logs', 'show binlog events'],
        ...['show slave status', 'purge binary logs to "x"', 'reset master', 'flush binary logs'],
        ...['select @@global.binlog_checksum', 'select @@gtid_mode'],
      ],
      [
        ...[
          'show tables',
          'show slave hosts',
          'show create table master',
          'show binary',
          'flush tables',
        ],
        ...[
          'reset query cache',
          'purge recyclebin',
          'select binlog_format from t',
          "select 'show master status'",
        ],
      ],
    ],
    [
      'is EXPLAIN ROUTE',
      FLAG.explainsRoute,
      [
        'explain route select * from t',
        '/* a */ EXPLAIN ROUTE insert into t values (1)',
        'explain route commit',
      ],
      [
        'explain route',
        'explain route;',
        'desc route a',
        'explain select route from t',
        'select 1',
      ],
    ],
  ]
  test.each(cases)('a statement %s', (_, flag, having, lacking) => {
    for (const sql of having) expect([sql, judge(sql).flags & flag]).toEqual([sql, flag])
    for (const sql of lacking) expect([sql, judge(sql).flags & flag]).toEqual([sql, 0])
  })
})
