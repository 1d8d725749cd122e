/**
 * Shapes that the kernel prunes to one partition and that nothing is computed for, each with its reason.
 * A statement of such a shape goes by its tenant, never to a partition that is not its own.
 */

export type ExcusedShape = {
  readonly shape: string
  /** With T for the table. */
  readonly ddl: string
  readonly sql: string
  readonly reason: string
}

const INT = '(k int, n int) partition by hash(k) partitions 7'
const TEXT = '(k varchar(40), n int) partition by key(k) partitions 7'
const DAY = '(k date, n int) partition by key(k) partitions 7'
const MOMENT = '(k datetime, n int) partition by key(k) partitions 7'

const NOT_THE_OTHER =
  "the other column's type is not known, so that only integers on both sides are sure"
const NAMES = 'its names are those of a list of values, which may hide a column by an alias'
const NO_DATE =
  'the kernel compares it with the zero date or with what it begins like; INSERT refuses it'

export const EXCUSED_SHAPES: readonly ExcusedShape[] = [
  // Conditions
  {
    shape: 'HAVING',
    ddl: INT,
    sql: 'select k from T group by k having k = 5',
    reason: NAMES,
  },
  {
    shape: 'a condition on a derived table from outside',
    ddl: INT,
    sql: 'select * from (select * from T) x where x.k = 5',
    reason: NAMES,
  },
  {
    shape: 'a common table expression',
    ddl: INT,
    sql: 'with x as (select * from T where k = 5) select * from x',
    reason: 'the first table is the expression, and has no partitions',
  },
  {
    shape: '= ANY of a query',
    ddl: INT,
    sql: 'select * from T where k = any (select 5)',
    reason: 'hardly ever of a constant',
  },
  {
    shape: 'a cast of the column',
    ddl: INT,
    sql: 'select * from T where cast(k as signed) = 5',
    reason: 'what a cast keeps depends on both types',
  },
  {
    shape: 'BINARY of the column',
    ddl: TEXT,
    sql: "select * from T where binary k = 'abc'",
    reason: 'bytes are compared, not the texts that partitions are cut by',
  },
  {
    shape: 'BINARY of a text',
    ddl: TEXT,
    sql: "select * from T where k = binary 'abc'",
    reason: 'bytes are compared, by which the kernel misses rows of LIST and RANGE',
  },
  // Joins
  {
    shape: 'a text through a join',
    ddl: TEXT,
    sql: "select t.k from T t join OTHER u on t.k = u.v where u.v = 'abc'",
    reason: NOT_THE_OTHER,
  },
  {
    shape: 'an integer in quotes through a join',
    ddl: INT,
    sql: "select t.k from T t join OTHER u on t.k = u.n where u.n = '5'",
    reason: NOT_THE_OTHER,
  },
  {
    shape: 'the source of a generated key through a join',
    ddl: '(k int, g bigint generated always as (k * 2)) partition by key(g) partitions 7',
    sql: 'select t.k from T t join OTHER u on t.k = u.n where u.n = 5',
    reason: 'the type of the source is not in the metadata',
  },
  {
    shape: 'USING and a condition on the other table',
    ddl: INT,
    sql: 'select t.k from T t join OTHER u using (k) where u.k = 5',
    reason: 'its columns are not read as an equality',
  },
  {
    shape: 'a left join that WHERE makes an inner one',
    ddl: INT,
    sql: 'select t.k from T t left join OTHER u on t.k = u.n where u.n = 5',
    reason: 'whether WHERE keeps rows that have no partner is judged for one table only',
  },
  {
    shape: 'a sum of the other column',
    ddl: INT,
    sql: 'select t.k from T t join OTHER u on t.k = u.n + 1 where u.n = 5',
    reason: NOT_THE_OTHER,
  },
  // Values
  {
    shape: 'CASE',
    ddl: INT,
    sql: 'select * from T where k = case when 1 then 5 else 6 end',
    reason: 'CASE is stepped over, and seldom of constants alone',
  },
  {
    shape: 'IF of several types',
    ddl: INT,
    sql: "select * from T where k = if(1, '5', 6)",
    reason: 'the type of them all may make another value of it',
  },
  {
    shape: 'a text as bits',
    ddl: INT,
    sql: "select * from T where k = '5' | 0",
    reason: 'its bits are cut, not rounded as in sums',
  },
  {
    shape: 'CAST to FLOAT',
    ddl: INT,
    sql: 'select * from T where k = cast(5 as float)',
    reason: 'how many digits it keeps is not known',
  },
  {
    shape: 'CAST of a real number to a text',
    ddl: TEXT,
    sql: 'select * from T where k = cast(5e0 as char)',
    reason: 'how the kernel writes real numbers is not known',
  },
  {
    shape: 'CAST with a character set',
    ddl: TEXT,
    sql: "select * from T where k = cast('abc' as char character set utf8mb4)",
    reason: 'its words are not read; CONVERT(… USING …) is',
  },
  {
    shape: 'bytes put to a text',
    ddl: TEXT,
    sql: "select * from T where k = concat('a', x'62')",
    reason: 'what it makes is no text of a character set',
  },
  // Dates
  {
    shape: 'a day with a time, compared with a DATE',
    ddl: DAY,
    sql: "select * from T where k = '2020-01-05 12:30:15'",
    reason: 'the kernel takes the day for =, no row for IN',
  },
  {
    shape: 'a TIME compared with a day',
    ddl: DAY,
    sql: "select * from T where k = time'12:30:15'",
    reason: "it is a time of the server's day",
  },
  {
    shape: 'STR_TO_DATE',
    ddl: DAY,
    sql: "select * from T where k = str_to_date('2020-01-05', '%Y-%m-%d')",
    reason: 'formats are a language of their own',
  },
  {
    shape: 'DATE_FORMAT',
    ddl: DAY,
    sql: "select * from T where k = date_format('2020-01-05', '%Y-%m-%d')",
    reason: 'formats are a language of their own',
  },
  {
    shape: 'TIMESTAMP of two arguments',
    ddl: MOMENT,
    sql: "select * from T where k = timestamp('2020-01-05', '12:30:15')",
    reason: 'hardly ever used',
  },
  {
    shape: "ODBC's {d '…'}",
    ddl: DAY,
    sql: "select * from T where k = {d '2020-01-05'}",
    reason: 'drivers send DATE literals',
  },
  {
    shape: 'a text that is a date only at its beginning',
    ddl: MOMENT,
    sql: "select * from T where k = '2020-01-05 12:30:15abc'",
    reason: NO_DATE,
  },
  {
    shape: 'a time zone behind a date',
    ddl: MOMENT,
    sql: "select * from T where k = '2020-01-05T12:30:15Z'",
    reason: NO_DATE,
  },
  {
    shape: 'a sign between day and time',
    ddl: MOMENT,
    sql: "select * from T where k = '2020-01-05+12:30:15'",
    reason: NO_DATE,
  },
  {
    shape: 'blanks between year, month and day',
    ddl: DAY,
    sql: "select * from T where k = '2020 01 05'",
    reason: NO_DATE,
  },
  {
    shape: 'a T in digits',
    ddl: MOMENT,
    sql: "select * from T where k = '20200105T123015'",
    reason: NO_DATE,
  },
  {
    shape: 'a day that is none',
    ddl: DAY,
    sql: "select * from T where k = '2020-02-30'",
    reason: NO_DATE,
  },
  {
    shape: 'an hour that is none',
    ddl: MOMENT,
    sql: "select * from T where k = '2020-01-05 24:00:00'",
    reason: NO_DATE,
  },
  {
    shape: 'a text that is no date',
    ddl: DAY,
    sql: "select * from T where k = 'abc'",
    reason: NO_DATE,
  },
  {
    shape: 'a number that is no date',
    ddl: DAY,
    sql: 'select * from T where k = 2020',
    reason: NO_DATE,
  },
]

/** That excused joins are with. */
export const EXCUSED_OTHER = 'excused_other'
export const EXCUSED_OTHER_DDL = `create table ${EXCUSED_OTHER} (k int, n int, v varchar(40))`
