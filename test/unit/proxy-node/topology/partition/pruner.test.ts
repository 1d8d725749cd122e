/** Which partitions conditions and rows reach: vectors of proxy-routing.md §6.2 and §6.11 A, and real rows. */
import { describe, expect, test } from 'vitest'
import { named, pruned, prunedRow, sampleTable } from './sample-tables.ts'

const MAX = '0119070000FEFFFFFFFFFFFFFFFF01'
const INT = { name: 'c', type: 4 }

const HASH = sampleTable({ type: 0, expr: 'c', keys: [INT], partitions: named('p', 5) })
const HASH_SUM = sampleTable({
  type: 0,
  expr: 'a + b',
  keys: [
    { name: 'a', type: 4 },
    { name: 'b', type: 4 },
  ],
  partitions: named('p', 5),
})
const KEY_TEXT = sampleTable({
  type: 1,
  expr: 'c',
  keys: [{ name: 'c', type: 22, collation: 45, length: 20 }],
  partitions: named('p', 5),
})
const KEY_TIME = sampleTable({
  type: 1,
  expr: 'c',
  keys: [{ name: 'c', type: 20 }],
  partitions: named('p', 7),
})
const KEY_YEAR = sampleTable({
  type: 1,
  expr: 'c',
  keys: [{ name: 'c', type: 21 }],
  partitions: named('p', 7),
})
const KEY_TWO = sampleTable({
  type: 1,
  expr: 'a,b',
  keys: [
    { name: 'b', type: 4 },
    { name: 'a', type: 4 },
  ],
  partitions: named('p', 5),
})
const RANGE = sampleTable({
  type: 3,
  expr: 'c',
  keys: [INT],
  partitions: [
    ['p0', '0105053F00C0FBC2FFFFFFFFFFFF01'],
    ['p1', '0105053F00FFFFFFFFFFFFFFFFFF01'],
    ['p2', '0105053F0000'],
    ['p3', '0105053F0064'],
  ],
})
/** Arrival order is the order of bounds, whatever the ids are. */
const REORGANIZED = sampleTable({
  type: 3,
  expr: 'c',
  keys: [INT],
  partitions: [
    ['p2', '0105053F001E'],
    ['p1a', '0105053F000D'],
    ['pz', '0105053F0028'],
    ['p1b', '0105053F0014'],
  ],
})
const LIST_TWO = sampleTable({
  type: 6,
  expr: 'a,b',
  keys: [
    { name: 'a', type: 4 },
    { name: 'b', type: 22, collation: 45, length: 10 },
  ],
  partitions: [
    ['p1', '0200063fff16042dff016100000205053f000216042dff016100000205053f000300063fff00'],
    ['p0', '0205053f000116042dff016100000205053f000116042dff01620000'],
    ['p2', '0200063fff00063fff00'],
    ['p3', '0119070000feffffffffffffffff0100'],
  ],
})
const LIST_ONE = sampleTable({
  type: 5,
  expr: 'c',
  keys: [INT],
  partitions: [
    ['p0', '0105053f0000000105053f000100'],
    ['p1', '0119070000feffffffffffffffff0100'],
  ],
})
const TWO_RANGES = sampleTable({
  type: 3,
  expr: 'a',
  subType: 3,
  subExpr: 'b',
  keys: [
    { name: 'a', type: 4 },
    { name: 'b', type: 4, level: 2 },
  ],
  partitions: [
    ['p0', '0105053f0064'],
    ['p1', '0105053f00c801'],
  ],
  subs: [
    [
      ['p0sa', '0105053f000a'],
      ['p0sb', '0105053f0014'],
    ],
    [
      ['p1sa', '0105053f0005'],
      ['p1sb', '0105053f000f'],
      ['p1sc', MAX],
    ],
  ],
})
const HASH_KEY = sampleTable({
  type: 0,
  expr: 'a',
  subType: 1,
  subExpr: 'b,a',
  keys: [
    { name: 'a', type: 5 },
    { name: 'b', type: 22, collation: 45, level: 2, place: 1 },
    { name: 'a', type: 5, level: 2, place: 0 },
  ],
  partitions: named('p', 5),
  subs: Array.from({ length: 5 }, (_, at) => named(`p${at}sp`, 4)),
})
const YEARS = sampleTable({
  type: 0,
  expr: 'YEAR( d )  + 1',
  keys: [{ name: 'd', type: 41 }],
  partitions: named('p', 37),
})
const GENERATED = sampleTable({
  type: 1,
  expr: 'g',
  keys: [{ name: 'g', type: 22, collation: 45, length: 4, place: 1, extra: 'substr(`s`,2,3)' }],
  partitions: named('p', 17),
})

describe('a condition', () => {
  test.each([
    ['c = 12', 'p2'],
    ['12 = c', 'p2'],
    ['c = -12', 'p2'],
    ['c = 12 and name like "x%" and n > 5', 'p2'],
    ['t.c = 12', 'p2'],
    ['c in (2, 7, 12)', 'p2'],
    ['c in (2, 7, 13)', 'several from p2'],
    ['c = 2 or c = 7', 'p2'],
    ['c = 2 or c = 8', 'several from p2'],
    ['c = 2 or n = 7', 'unknown'],
    ['c = 2 and (c = 7 or n = 5)', 'p2'],
    ['c between 7 and 8', 'several from p2'],
    ['c between 7 and 7', 'p2'],
    ['c > 6 and c < 8', 'p2'],
    ['c > 6', 'unknown'],
    ['c = 1 and c = 2', 'none, so p0'],
    ['c = null', 'none, so p0'],
    ['c <=> null', 'p0'],
    ['c is null', 'p0'],
    ['c <=> 8', 'p3'],
    ['c <> 8', 'unknown'],
    ['not (c = 8)', 'unknown'],
    ['not (c <> 8)', 'p3'],
    ['not not c = 8', 'p3'],
    ['not (c <> 8 or n = 3)', 'p3'],
    ['not (c <> 8 and n = 3)', 'unknown'],
    ['not (c <> 8 and c <> 13)', 'p3'],
    ['not (c not in (8, 13))', 'p3'],
    ['not (c not between 8 and 8)', 'p3'],
    ['not (c is not null)', 'p0'],
    ['0 or c = 8', 'p3'],
    ['null or c = 8', 'p3'],
    ["'a' or c = 8", 'p3'],
    ["'1' or c = 8", 'unknown'],
    ['1 or c = 8', 'unknown'],
    ['1 = 0 or c = 8', 'p3'],
    ["'a' = 'b' or c = 8", 'p3'],
    ["'a' = 'A' or c = 8", 'unknown'],
    ['not 1 or c = 8', 'p3'],
    ['not 0 or c = 8', 'unknown'],
    ['not (1 and n = 3) or c = 8', 'unknown'],
    ['1 in (2, null) or c = 8', 'p3'],
    ['1 between 2 and n or c = 8', 'p3'],
    ['1 is null or c = 8', 'p3'],
    ['true and c = 8', 'p3'],
    ['1 = 1 and c = 8', 'p3'],
    ['1 = 2 and c = 8', 'none, so p0'],
    ['1 and c = 8', 'p3'],
    ['0 and c = 8', 'none, so p0'],
    ['null and c = 8', 'none, so p0'],
    ['n and c = 8', 'p3'],
    ['c = 2147483647', 'p2'],
    ['c = 2147483648', 'none, so p0'],
    ['c = -2147483648', 'p3'],
    ['c = -2147483649', 'none, so p0'],
    ['c in (99999999999, 8)', 'p3'],
    ['c = 1.5', 'unknown'],
    ["c = '8'", 'p3'],
    ["c = '8abc'", 'p3'],
    ['c = 0x08', 'p3'],
    ['c = @seven', 'p2'],
    ['c = @other', 'unknown'],
    ['c = 3 + 5', 'p3'],
    ['c = mod(18, 10)', 'p3'],
    ['c = (select 8)', 'p3'],
    ['c in (select 8 from dual)', 'p3'],
    ['c = (select 8 from u)', 'unknown'],
    ['c = ~-9', 'p3'],
    ['c = ~0 & 8', 'p3'],
    ['c = 8.4 & 15', 'p3'],
    ["c = '7' + 1", 'p3'],
    ["c = -'-8'", 'p3'],
    ['c = (1 = 1)', 'p1'],
    ['c = !0', 'p1'],
    ['c = if(1 > 2, 7, 8)', 'p3'],
    ['c = if(null, 7, 8)', 'p3'],
    ['c = if(n, 8, 8)', 'unknown'],
    ["c = if(1, x'08', 8)", 'unknown'],
    ['c = if(1, 9007199254740993, 1e0)', 'unknown'],
    ['c = nullif(8, 7)', 'p3'],
    ['c = nullif(8, 8)', 'none, so p0'],
    ["c = cast('8' as signed)", 'p3'],
    ["c = cast('8abc' as unsigned)", 'p3'],
    ["c = cast('8.9' as signed)", 'p3'],
    ['c = cast(7.5 as signed)', 'p3'],
    ['c = cast(-8 as unsigned)', 'none, so p0'],
    ["c = convert('8', signed)", 'p3'],
    ["c = convert('8' using latin1)", 'p3'],
    ["c = binary '8'", 'p3'],
    ['c = cast(8 as char)', 'p3'],
    ["c = cast(date'2024-05-06' as signed)", 'p1'],
    ["c = '' '8'", 'p3'],
    ['c = 4 and n = 8 and c = n', 'none, so p0'],
    ['c = n and n = 8', 'p3'],
    ['c <=> n and 8 = n', 'p3'],
    ['c = u.x and u.x = v.x and v.x in (8, 13)', 'p3'],
    ['x = c and X = 8', 'unknown'],
    ["c = u.x and u.x = '8'", 'unknown'],
    ['c = u.x and u.x is null', 'unknown'],
    ['c <=> u.x and u.x <=> null', 'unknown'],
    ['c = u.x or u.x = 8', 'unknown'],
    ['c = u.x() and u.x() = 8', 'unknown'],
    ['c = u.x + 1 and u.x = 8', 'unknown'],
    ['c = n', 'unknown'],
  ])('on HASH: %s leaves %s', (text, expected) => {
    expect(pruned(HASH, text)).toBe(expected)
  })

  test.each([
    ['c = 5', 'p3'],
    ['c >= -1 and c < 0', 'p2'],
    ['c < -1', 'several from p0'],
    ['c <= -1000001', 'p0'],
    ['c < -1000000', 'p0'],
    ['c > 99', 'p3'],
    ['c > 100', 'none, so p0'],
    ['c = 100', 'none, so p0'],
    ['c > 1.5 and c < 70', 'p3'],
    ['c is null', 'p0'],
    ['not (c >= -1000000)', 'p0'],
    ['not (c >= 70 or c < 0)', 'p3'],
    ['not c > -2 and c >= -1000000', 'p1'],
    ['c = n and n between 5 and 9', 'p3'],
    ['c not between -1000000 and 99', 'several from p0'],
  ])('on RANGE: %s leaves %s', (text, expected) => {
    expect(pruned(RANGE, text)).toBe(expected)
  })

  test.each([
    ["a = 2 and b = 'A '", 'p1'],
    ["(a, b) = (1, 'b')", 'p0'],
    ["(a, b) in ((1, 'a'), (1, 'b'))", 'p0'],
    ["(a, b) in ((1, 'a'), (2, 'a'))", 'several from p1'],
    ['a is null and b is null', 'p2'],
    ["a = 9 and b = 'a'", 'p3'],
    ["b like 'a' and a = 1", 'p0'],
    ["b like 'a%' and a = 1", 'several from p0'],
  ])('on LIST COLUMNS: %s leaves %s', (text, expected) => {
    expect(pruned(LIST_TWO, text)).toBe(expected)
  })

  test.each([
    ['c = 1', 'p0'],
    ['c = 2', 'p1'],
    ['c between 0 and 1', 'p0'],
    ['c > -1 and c < 2', 'p0'],
    ['c between 0 and 2', 'unknown'],
  ])('on LIST: %s leaves %s', (text, expected) => {
    expect(pruned(LIST_ONE, text)).toBe(expected)
  })

  test.each([
    ['a = 5 and b = 12', 'p0sb'],
    ['a = 150 and b = 12', 'p1sb'],
    ['b = 99', 'p1sc'],
    ['a = 150', 'several from p1sa'],
    ['a = 500', 'none, so p0sa'],
  ])('on two levels: %s leaves %s', (text, expected) => {
    expect(pruned(TWO_RANGES, text)).toBe(expected)
  })

  test('on a column of both levels restricts both', () => {
    expect(pruned(HASH_KEY, "a = 7 and b = 'x'")).toMatch(/^p2sp\d$/)
    expect(pruned(HASH_KEY, 'a = 7')).toBe('several from p2sp0')
  })

  test.each([
    ["d = '2024-05-06'", 'p27'],
    ["d in ('2024-05-06', '2024-12-31')", 'p27'],
    ['year(d)+1 = 2025', 'p27'],
    ["d = '2024-13-06'", 'unknown'],
    ["d = '2024-05-06 12:30:00'", 'unknown'],
    ["d = '24*5*6'", 'p27'],
    ["d = '5-05-06'", pruned(YEARS, "d = '2005-05-06'")],
    ['d = 506', pruned(YEARS, "d = '2000-05-06'")],
    ['d = 20240506e0', 'p27'],
    ["d = '20240506T123000'", 'unknown'],
    ["d = '2024-05-06abc'", 'unknown'],
    ["d = cast('2024-05-06' as datetime)", 'p27'],
    ["d = timestamp('2024-05-06')", 'p27'],
    ["d = date_add('2023-12-31', interval 1 day)", 'p27'],
    ["d = date_sub('2025-01-31', interval 1 month)", 'p27'],
    ["d = '2024-02-29' + interval -1 week", 'p27'],
    ["d = '2024-02-29' + interval n day", 'unknown'],
    ["d = '2024-02-29' + interval 1 fortnight", 'unknown'],
    ["d = last_day('2024-02-05')", 'p27'],
    ['d = from_days(739377)', 'p27'],
    ['d = makedate(2024, 366)', 'p27'],
    ['d = from_unixtime(1714924800)', 'p27'],
  ])('on an expression: %s leaves %s', (text, expected) => {
    expect(pruned(YEARS, text)).toBe(expected)
  })

  test.each([
    ["c between 'zzz' and 5", 'which is compared with numbers'],
    ["c between 'zzz' and n", 'which may be'],
    ["c between 'A' collate utf8mb4_bin and 'aaa'", 'which is compared letter by letter'],
    ["c between binary 'A' and 'aaa'", 'which is compared byte by byte'],
    ["c between 'a' and 'z'", 'which is compared as it is'],
    ["c between x'61' and 'z'", 'which is compared as it is'],
  ])('on KEY of a text: %s takes nothing away from a text, %s', (text, _why) => {
    const one = pruned(KEY_TEXT, "c = 'abc'")

    expect(one).toMatch(/^p\d$/)
    expect(pruned(KEY_TEXT, `c = 'abc' and ${text}`)).toBe(one)
  })

  test.each([
    ["c = '12:30:00' and c between '12:00:00' and '13:00:00'", 'p'],
    ["c = '12:30:00' and c between '12:00:00' and timestamp'2099-01-01 11:00:00'", 'p'],
    ["c = '12:30:00' and c not between '12:00:00' and timestamp'2024-01-01 13:00:00'", 'p'],
    ["c = '12:30:00' and c between '13:00:00' and '14:00:00'", 'none, so p'],
    ["c = '2024-01-01 12:30:00'", 'p'],
    ["c = '20240101123000'", 'p'],
    ["c = '2024-01-01'", 'unknown'],
    ["c = '2024-01-01T12:30:00'", 'unknown'],
    ["c = '20240101'", 'unknown'],
    ['c = 20240101', 'unknown'],
    ["c between '99-12-31' and '20240101'", 'unknown'],
  ])('on KEY of a time: %s leaves %s', (text, expected) => {
    expect(pruned(KEY_TIME, text).replace(/\d+$/, '')).toBe(expected)
  })

  test.each([
    ['c = 5', 'p'],
    ["c = '2005'", 'p'],
    ['c = 2005.0', 'p'],
    ['c = 12.5', 'unknown'],
    ["c = '5.4'", 'unknown'],
    ['c in (2005, 6.5e0)', 'unknown'],
  ])('on KEY of a year: %s leaves %s', (text, expected) => {
    expect(pruned(KEY_YEAR, text).replace(/\d+$/, '')).toBe(expected)
  })

  test('on the source of a generated key is computed through it', () => {
    const direct = pruned(GENERATED, "g = 'bcd'")

    expect(direct).toMatch(/^p\d+$/)
    expect(pruned(GENERATED, "s = 'abcdefg'")).toBe(direct)
    expect(prunedRow(GENERATED, ['-', "'abcdefg'"])).toBe(direct)
  })

  test('takes bounds in their order, not in that of ids', () => {
    expect(pruned(REORGANIZED, 'c = 12')).toBe('p1a')
    expect(pruned(REORGANIZED, 'c = 13')).toBe('p1b')
    expect(pruned(REORGANIZED, 'c = 39')).toBe('pz')
  })
})

describe('an expression that would take too much', () => {
  const long = 'a'.repeat(60_000)

  test.each([
    ['a number of a million digits', `c = ${'9'.repeat(1_000_000)}`],
    ['a text that grows', `c = length(replace('${long}', 'a', '${long}'))`],
    ['texts put together', `c = length(concat('${long}', '${long}'))`],
    ['an exponent', 'c = 1e400 + 1e-400'],
  ])('has no value: %s', (_what, text) => {
    expect(pruned(HASH, text)).toBe('unknown')
  })
})

describe('the vectors of the kernel', () => {
  test.each([
    ['abc', 3],
    ['bcd', 1],
    ['cde', 0],
    ['def', 2],
    ['efh', 0],
    ['efj', 1],
  ])('KEY of a text: %s is in %i', (value, expected) => {
    expect(prunedRow(KEY_TEXT, [`'${value}'`])).toBe(`p${expected}`)
    expect(pruned(KEY_TEXT, `c = '${value.toUpperCase()} '`)).toBe(`p${expected}`)
  })

  test.each([
    [1, 1, 2],
    [100, 1, 0],
    [3, 3, 3],
    [66, 7, 0],
    [5, 5, 0],
    [6, 6, 3],
    [10, 10, 1],
  ])('KEY of two integers: (%i, %i) is in %i', (a, b, expected) => {
    expect(prunedRow(KEY_TWO, [String(b), String(a)])).toBe(`p${expected}`)
    expect(pruned(KEY_TWO, `a = ${a} and b = ${b}`)).toBe(`p${expected}`)
  })

  test.each([
    ['1', '1', 2],
    ['2', '1', 3],
    ['3', '3', 1],
    ['2', '2', 4],
    ['3', '2', 0],
    ['4', '4', 3],
    ['7', '8', 0],
    ['10', '10', 0],
    ['1', 'NULL', 0],
    ['3', '5', 3],
    ['NULL', '4', 0],
    ['10', '11', 1],
  ])('HASH of a sum: (%s, %s) is in %i', (a, b, expected) => {
    expect(prunedRow(HASH_SUM, [a, b])).toBe(`p${expected}`)
  })
})

describe('a row', () => {
  test.each([
    [['7'], 'p2'],
    [["'7.5'"], 'p3'],
    [['2.5e0'], 'p2'],
    [['NULL'], 'p0'],
    [['-'], 'p0'],
    [['default'], 'p0'],
    [['99999999999'], 'unknown'],
    [["'12abc'"], 'unknown'],
    [['n'], 'unknown'],
  ])('of %j goes to %s', (values, expected) => {
    expect(prunedRow(HASH, values)).toBe(expected)
  })

  test('takes the default of the column that it leaves out', () => {
    const table = sampleTable({
      type: 0,
      expr: 'c',
      keys: [{ ...INT, default: '0405050007' }],
      partitions: named('p', 5),
    })

    expect(prunedRow(table, ['-'])).toBe('p2')
  })
})

describe('a table whose key cannot be computed', () => {
  const table = sampleTable({
    type: 1,
    expr: 'c',
    keys: [{ name: 'c', type: 36 }],
    partitions: named('p', 3),
  })

  test('says why, and leaves every statement unknown', () => {
    expect(table.reason).toBe('key of type 36')
    expect(pruned(table, 'c = 1')).toBe('unknown')
  })

  test('knows its partitions by name', () => {
    expect(table.leafNamed('P1')).toBe(1)
  })
})
