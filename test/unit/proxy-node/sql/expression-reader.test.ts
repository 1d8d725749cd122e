import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readExpression } from '../../../../proxy-node/sql/expression-reader.ts'
import { Expressions, MAX_NODES, NO_NODE } from '../../../../proxy-node/sql/expressions.ts'
import { KeyColumns } from '../../../../proxy-node/sql/key-columns.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { expressionText } from '../../../support/expression-text.ts'

const COLUMNS = new KeyColumns(['a', 'b', 'k', 'Größe', 'date'])

/** What is around the expression must not matter. */
function read(sql: string | Uint8Array, mode = LEXER_MODE.plain as number): string {
  const text = Buffer.from(sql)
  const bytes = Buffer.concat([Buffer.from('k '), text, Buffer.from("'9 or k = 1")])
  const expressions = new Expressions()
  expressions.clear(bytes)
  const node = readExpression(expressions, { from: 2, to: 2 + text.length }, COLUMNS, mode)
  return expressionText(expressions, node)
}

describe('literals', () => {
  test.each([
    ['12', '12'],
    ['12.50', '12.50'],
    ['.5', '.5'],
    ['5.', '5.'],
    ['1e3', '1e3d'],
    ['1.5E-3', '1.5E-3d'],
    ['.5e+3', '.5e+3d'],
    ['-1', '(neg 1)'],
    ['- -1', '(neg (neg 1))'],
    ['+1', '1'],
    ["'abc'", "'abc'"],
    ["''", "''"],
    ["'it''s'", "'it''s'!1"],
    ["'it\\'s'", "'it\\'s'!1"],
    ['"abc"', "'abc'!4"],
    ['"a""b"', '\'a""b\'!5'],
    ["N'abc'", "'abc'!8"],
    ["x'4142'", 'hex:4142!1'],
    ["X'414'", 'hex:414!1'],
    ["x'4g'", '?'],
    ['0x41AF', 'hex:41AF'],
    ["b'0101'", 'bits:0101!1'],
    ['0b0101', 'bits:0101'],
    ["b'012'", '?'],
    ['null', 'null'],
    ['TRUE', 'true'],
    ['False', 'false'],
    ['default', 'default'],
    ["date '2024-01-02'", "(dateText '2024-01-02')"],
    ["TIME'10:00:00'", "(timeText '10:00:00')"],
    ["timestamp /* c */ '2024-01-02 03:04:05'", "(timestampText '2024-01-02 03:04:05')"],
    ["_utf8mb4'abc'", "(introduced:_utf8mb4 'abc')"],
    ["_latin1 x'41'", '(introduced:_latin1 hex:41!1)'],
    ['_binary 0x41', '(introduced:_binary hex:41)'],
    ["'a' collate utf8mb4_bin", "(collate:utf8mb4_bin 'a')"],
    ["'a' collate 'utf8mb4_bin'", "(collate:utf8mb4_bin 'a')"],
    ['?', '$0'],
    ['? + ?', '(+ $0 $1)'],
    ['@v', '@v'],
    ['@a.b$c', '@a.b$c'],
    ["@'a b'", "@'a b'"],
    ['@`a``b`', '@`a``b`'],
    ['@@autocommit', '?'],
    ['@@session.autocommit', '?'],
    ["'a' 'b'", "(joinedText 'a' 'b')"],
    ["'a' \n \"b\" 'c'", "(joinedText 'a' 'b'!4 'c')"],
    ["N'a' /* c */ 'it''s'", "(joinedText 'a'!8 'it''s'!1)"],
    ["_latin1'a' 'b'", "(introduced:_latin1 (joinedText 'a' 'b'))"],
    ["'a' 'b", "(joinedText 'a' ?)"],
  ])('%s', (sql, tree) => {
    expect(read(sql)).toBe(tree)
  })

  test.each(["'abc", "'abc\\'", '"a""', "x'41", "date '2024", '@`a'])(
    '%s, whose quotes are not closed, has no known value',
    sql => {
      expect(read(sql)).toMatch(/^(\?|\(dateText \?\))$/)
    },
  )

  test('a backslash is itself when the session says so', () => {
    expect(read("'a\\' = k", LEXER_MODE.noBackslashEscapes)).toBe("(= 'a\\'!2 #2)")
  })
})

describe('columns', () => {
  test.each([
    ['a', '#0'],
    ['`K`', '#2'],
    ['GRößE', '#3'],
    ['GRÖßE', '?'],
    ['t.a', '#0'],
    ['`d` . t.`b`', '#1'],
    ['other', '?'],
    ['t.other', '?'],
    ['t.*', '(* ? ?)'],
    ['`a``b`', '?'],
    ['date', '#4'],
    ['date = 1', '(= #4 1)'],
    ['s.nextval', '?'],
    ['d.f(a, (b))', '?'],
    ['12abc', '?'],
    ['1.a', '#0'],
  ])('%s', (sql, tree) => {
    expect(read(sql)).toBe(tree)
  })

  test('double quotes hold a name under ANSI_QUOTES', () => {
    expect(read('"a" = \'a\'', LEXER_MODE.ansiQuotes)).toBe("(= #0 'a')")
  })
})

describe('calls', () => {
  test.each([
    ['year(a)', '(year #0)'],
    ['now()', '(now)'],
    ['NOW ( )', '(NOW)'],
    ['current_timestamp', '(current_timestamp)'],
    ['current_timestamp(3)', '(current_timestamp 3)'],
    ['concat(a, b, 1 + 2)', '(concat #0 #1 (+ 1 2))'],
    ['`year`(a)', '(year #0)'],
    ['extract(year from a)', '(extract year #0)'],
    ['EXTRACT(DAY_HOUR FROM a + 1)', '(EXTRACT DAY_HOUR (+ #0 1))'],
    ['cast(a as signed)', '(cast #0 signed)'],
    ['cast(a as unsigned integer)', '(cast #0 unsigned)'],
    ['cast(a as decimal(10, 2))', '(cast #0 decimal 10 2)'],
    ['cast(a as char(5))', '(cast #0 char 5)'],
    ['cast(a as char(5) charset utf8mb4)', '?'],
    ['convert(a, date)', '(convert #0 date)'],
    ['convert(a using utf8mb4)', '(convert!1 #0 utf8mb4)'],
    ['trim(a)', '(trim #0)'],
    ["trim('x' from a)", "(trim!4 #0 'x')"],
    ['trim(leading from a)', '(trim!2 #0)'],
    ["trim(trailing 'x' from a)", "(trim!3 #0 'x')"],
    ["trim(both 'x' from a)", "(trim!4 #0 'x')"],
    ['substring(a, 2)', '(substring #0 2)'],
    ['substr(a from 2 for 3)', '(substr #0 2 3)'],
    ['date_add(a, interval 1 day)', '(date_add #0 (interval 1 day))'],
    ['a + interval -1 month', '(+ #0 (interval (neg 1) month))'],
    ['a - interval (1 + 1) month', '(- #0 (interval (+ 1 1) month))'],
    ['interval(1, 2)', '(interval 1 2)'],
    ['timestampdiff(month, a, b)', '(timestampdiff month #0 #1)'],
    ['date(a)', '(date #0)'],
    ['default(a)', '(default #0)'],
    ['mod(a, 3)', '(mod #0 3)'],
    ['left(a, 3)', '(left #0 3)'],
    ['replace(a, b, k)', '(replace #0 #1 #2)'],
    ['f(a = 1)', '(f (= #0 1))'],
    ['if(1 > 2, 3, 4)', '(if (> 1 2) 3 4)'],
    ['f((select 1), a)', '(f 1 #0)'],
    ['f((select 1 from t), a)', '(f ? #0)'],
    ['f(select 1 from (t), 2)', '?'],
    ['count(distinct a)', '(count ?)'],
    ['count(*)', '(count (* ? ?))'],
    ['f(a b c, 2)', '(f ? 2)'],
    ['f(a', '?'],
    ['group_concat(a order by b)', '?'],
    ['binary a', '(binary #0)'],
    ["binary 'x' = a", "(= (binary 'x') #0)"],
    ['case when a = 1 then (2) else case b when 1 then 2 end end', '?'],
    ['match (a) against (1)', '?'],
  ])('%s', (sql, tree) => {
    expect(read(sql)).toBe(tree)
  })
})

describe('operators', () => {
  test.each([
    ['1 + 2 * 3', '(+ 1 (* 2 3))'],
    ['1 - 2 - 3', '(- (- 1 2) 3)'],
    ['(1 + 2) * 3', '(* (+ 1 2) 3)'],
    ['a div 2 mod 3', '(% (div #0 2) 3)'],
    ['a%2', '(% #0 2)'],
    ['-a * 2', '(* (neg #0) 2)'],
    ['~1 & 2 | 3 ^ 4 << 1', '(| (& (~ 1) 2) (<< (^ 3 4) 1))'],
    ['8 >> 2 + 1', '(>> 8 (+ 2 1))'],
    ['1--1', '(- 1 (neg 1))'],
    ['a=-1', '(= #0 (neg 1))'],
    ['a<-1', '(< #0 (neg 1))'],
    ['a!=1', '(<> #0 1)'],
    ['a<>1', '(<> #0 1)'],
    ['a <= 1', '(<= #0 1)'],
    ['a >= 1', '(>= #0 1)'],
    ['a > 1', '(> #0 1)'],
    ['a <=> null', '(<=> #0 null)'],
    ['1 = a', '(= 1 #0)'],
    ['a = b + 1', '(= #0 (+ #1 1))'],
    ['a = 1 and b = 2 and k = 3', '(and (= #0 1) (= #1 2) (= #2 3))'],
    ['a = 1 && (b = 2 AND k = 3)', '(and (= #0 1) (and (= #1 2) (= #2 3)))'],
    ['a = 1 or b = 2 and k = 3', '(or (= #0 1) (and (= #1 2) (= #2 3)))'],
    ['a = 1 || b = 2', '(or (= #0 1) (= #1 2))'],
    ['a = 1 xor b = 2 xor k = 3', '(xor (xor (= #0 1) (= #1 2)) (= #2 3))'],
    ['not a = 1', '(not (= #0 1))'],
    ['not not a = 1 and b = 2', '(and (not (not (= #0 1))) (= #1 2))'],
    ['!(a = 1)', '(not (= #0 1))'],
    ['!a = 1', '(= (not (truth #0)) 1)'],
    ['(a = 1) = 1', '(= (= #0 1) 1)'],
    ['a = (b = 1)', '(= #0 (= #1 1))'],
    ['a = (b is true)', '(= #0 ?)'],
    ['a and 1', '(and (truth #0) (truth 1))'],
  ])('%s', (sql, tree) => {
    expect(read(sql)).toBe(tree)
  })

  test('`||` joins texts under PIPES_AS_CONCAT, and binds tighter than a comparison', () => {
    expect(read("a = 'x' || 'y' and b = 1", LEXER_MODE.pipesAsConcat)).toBe(
      "(and (= #0 (|| 'x' 'y')) (= #1 1))",
    )
  })
})

describe('predicates', () => {
  test.each([
    ['a in (1, 2, 3)', '(in #0 1 2 3)'],
    ['a not in (1)', '(not (in #0 1))'],
    ['a in (select 1) and b = 1', '(and (in #0 1) (= #1 1))'],
    ['a in (select 1 from dual) and b = 1', '(and (in #0 1) (= #1 1))'],
    ['a in (select 1 from (t), 2) and b = 1', '(and ?? (= #1 1))'],
    ['a in (select 1 union select 2) and b = 1', '(and ?? (= #1 1))'],
    ['a = (select 1 limit 0) and b = 1', '(and (= #0 ?) (= #1 1))'],
    ['a = (select distinct 1) and b = 1', '(and (= #0 ?) (= #1 1))'],
    ['a = (select 1 + 1) and b = 1', '(and (= #0 (+ 1 1)) (= #1 1))'],
    ['a in () and b = 1', '(and ?? (= #1 1))'],
    ['a in (1, (select (2) from t), 3)', '(in #0 1 ? 3)'],
    ['a in (1 2) and b = 1', '(and (in #0 ?) (= #1 1))'],
    ['a in b and b = 1', '(and ?? (= #1 1))'],
    ['a between 1 and 2 and b = 3', '(and (between #0 1 2) (= #1 3))'],
    ['a not between 1 and 1 + 2', '(not (between #0 1 (+ 1 2)))'],
    ['a between 1 or b = 3', '(or ?? (= #1 3))'],
    ["a like 'x%'", "(like #0 'x%')"],
    ["a not like 'x|%' escape '|'", "(not (like #0 'x|%' '|'))"],
    ['a is null', '(isNull #0)'],
    ['a is not null and b = 1', '(and (isNotNull #0) (= #1 1))'],
    ['a is true and b = 1', '(and ?? (= #1 1))'],
    ['a is not false', '??'],
    ['a is unknown', '??'],
    ["a regexp 'x' and b = 1", '(and ?? (= #1 1))'],
    ["a not rlike concat('x', 'y') and b = 1", '(and (not ??) (= #1 1))'],
    ["a sounds like 'x' and b = 1", '(and ?? (= #1 1))'],
    ['a member of (b) or b = 1', '(or ?? (= #1 1))'],
    ["a->'$.x' = 1 and b = 1", "(and (= (> (- #0 ?) '$.x') 1) (= #1 1))"],
    ['exists (select 1 from t where (a = 1)) and b = 1', '(and ?? (= #1 1))'],
    ['a = any (select 1) and b = 1', '(and (= #0 ?) (= #1 1))'],
    ['a = (select max(x) from t) and b = 1', '(and (= #0 ?) (= #1 1))'],
    ['a = @v := 5 and b = 1', '(and ?? (= #1 1))'],
    ["a = {d '2024-01-01'} and b = 1", '(and ?? (= #1 1))'],
    ['a = ) b', 'none'],
    ['and b = 1', '?'],
    ['a = ; b = 1', 'none'],
    ['(a, b) = (1, 2)', '(= (row #0 #1) (row 1 2))'],
    ['(a, b) in ((1, 2), (3, 4))', '(in (row #0 #1) (row 1 2) (row 3 4))'],
    ['row(a, b) = row(1, 2)', '(= (row #0 #1) (row 1 2))'],
    ['a = 1 and $ % b or k = 2', '(or (and (= #0 1) (truth (% ? #1))) (= #2 2))'],
    ['((((a))) = ((1)))', '(= #0 1)'],
    ['()', '?'],
    ['a = () and b = 1', '(and (= #0 ?) (= #1 1))'],
    ['', '?'],
  ])('%s', (sql, tree) => {
    expect(read(sql)).toBe(tree)
  })
})

describe('text of a table definition', () => {
  test.each([
    ['year(a)', '(year #0)'],
    ['(`a` + (`b` * 2))', '(+ #0 (* #1 2))'],
    ['year(`date`)', '(year #4)'],
    ['extract(year from date)', '(extract year #4)'],
    ['substr(`a`,1,2)', '(substr #0 1 2)'],
    ['a div 10 % 5', '(% (div #0 10) 5)'],
    ['((`a` > 1) and (`b` < 5))', '(and (> #0 1) (< #1 5))'],
    ['year(a) partitions 4', '?'],
  ])('%s', (sql, tree) => {
    expect(read(sql)).toBe(tree)
  })
})

describe('double-byte character sets', () => {
  const backslash = Buffer.concat([
    Buffer.from("a = '"),
    Buffer.from([0xbf, 0x5c]),
    Buffer.from("' and b = 1"),
  ])

  test('the second byte of a character is no backslash', () => {
    expect(read(backslash, LEXER_MODE.doubleByte)).toMatch(/^\(and \(= #0 '.*'\) \(= #1 1\)\)$/s)
    expect(read(backslash)).not.toMatch(/#1/)
  })

  test('the second byte of a character in a name is no operator', () => {
    const name = Buffer.concat([Buffer.from([0xbf, 0x7c]), Buffer.from('x = 1 or b = 2')])

    expect(read(name, LEXER_MODE.doubleByte)).toBe('(or (= ? 1) (= #1 2))')
  })
})

describe('bounds', () => {
  test.each([
    ['parentheses', `${'('.repeat(100_000)}1${')'.repeat(100_000)}`],
    ['parentheses that nobody closes', '('.repeat(100_000)],
    ['signs', `${'-'.repeat(100_000)}1`],
    ['NOTs', `${'not '.repeat(100_000)}1`],
    ['calls', `${'f('.repeat(100_000)}1`],
    ['CASEs', 'case '.repeat(100_000)],
    ['mixed nesting', 'a = (b + f(- case ('.repeat(20_000)],
  ])('%s without end are read in one pass', (_, sql) => {
    expect(read(sql)).toMatch(/^(none|\?|\(neg .*|\(not .*|\(= #0 \?\))$/s)
  })

  test('what is beside deep nesting is understood', () => {
    const deep = `${'('.repeat(5_000)}1${')'.repeat(5_000)}`

    expect(read(`a = 1 and b = ${deep} and k = 2`)).toMatch(/^\(and \(= #0 1\) .*\(= #2 2\)\)$/s)
  })

  test('a chain does not nest its nodes without bound', () => {
    const expressions = new Expressions()
    const bytes = Buffer.from(`a = ${Array.from({ length: 300 }, () => '1').join('+')}`)
    expressions.clear(bytes)
    const node = readExpression(expressions, { from: 0, to: bytes.length }, COLUMNS)
    const depthOf = (at: number): number => {
      let most = 0
      for (let child = expressions.first(at); child !== NO_NODE; child = expressions.next(child))
        most = Math.max(most, depthOf(child))
      return most + 1
    }

    expect(depthOf(node)).toBeLessThan(70)
  })

  test('an expression with more nodes than the arena has is none', () => {
    const list = (length: number) => `a in (${Array.from({ length }, () => '1').join()})`

    expect(read(list(MAX_NODES - 10))).toMatch(/^\(in #0 1 /)
    expect(read(list(MAX_NODES + 10))).toBe('none')
  })

  test('any bytes are read to their end and not beyond, without an error', () => {
    const words = fc.constantFrom(
      ...["'", '"', '`', '(', ')', ',', ';', '.', '@', '?', '-', '!', '/*!', '*/', '--\n', 'not '],
      ...[' and ', ' in ', ' between ', 'case ', ' end', 'a', 'k', '0x', "x'", '1e', 'interval '],
      ...['trim(', 'cast(', ' as ', ' from ', 'select ', ' is ', '<=>', '||', '\\', '\0', ' like '],
    )
    const texts = fc.array(fc.oneof(words, fc.string({ unit: 'binary', maxLength: 4 })), {
      maxLength: 60,
    })
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 15 }), (parts, mode) => {
        const text = Buffer.from(parts.join(''), 'latin1')
        const bytes = Buffer.concat([text, Buffer.from("k = 1 or 'x")])
        const expressions = new Expressions()
        expressions.clear(bytes)
        readExpression(expressions, { from: 0, to: text.length }, COLUMNS, mode)
        for (let node = 1; node <= expressions.size; node++) {
          expect(expressions.to(node)).toBeLessThanOrEqual(text.length)
          expect(expressions.from(node)).toBeLessThanOrEqual(expressions.to(node))
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
