/** A text that is known differs from one that was read in values only, and everything read of it holds. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify, type Statement } from '../../../../proxy-node/sql/classify.ts'
import { Digest } from '../../../../proxy-node/sql/digest.ts'
import { KeyColumns } from '../../../../proxy-node/sql/key-columns.ts'
import { KnownPredicates } from '../../../../proxy-node/sql/known-predicates.ts'
import { KnownTexts, LONGEST_KNOWN_BYTES } from '../../../../proxy-node/sql/known-texts.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { Predicates } from '../../../../proxy-node/sql/predicates.ts'
import { expressionText } from '../../../support/expression-text.ts'

const COLUMNS = new KeyColumns(['k', 'c'], [0, 2])
const FROM = 5

type Use = { predicates: KnownPredicates | undefined }

/** As a command's packet has it. */
function packetOf(sql: string | Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from('head\x03').subarray(0, FROM), Buffer.from(sql)])
}

/** What a proxy keeps, with what it reads of a text that it does not know. */
class Kept {
  readonly texts = new KnownTexts<Use>(() => ({ predicates: undefined }))
  private readonly predicates = new Predicates()

  /** What is said of the text: read where it is new, known where it is not. */
  say(sql: string | Uint8Array, mode: number = LEXER_MODE.plain) {
    const bytes = packetOf(sql)
    const known = this.texts.find(bytes, FROM, bytes.length, mode)
    if (known?.use.predicates !== undefined) {
      known.use.predicates.moveTo(this.texts.values)
      return { isKnown: true, statement: known.statement, found: foundIn(known.use.predicates) }
    }
    const statement = known?.statement ?? classify(bytes, FROM, bytes.length, mode)
    const learned = known ?? this.texts.learn(statement)
    const read = this.read(bytes, statement, mode)
    if (learned !== undefined)
      learned.use.predicates = KnownPredicates.of(read, this.texts.values, COLUMNS)
    return { isKnown: known !== undefined, statement, found: foundIn(readOf(read)) }
  }

  private read(bytes: Uint8Array, statement: Statement, mode: number): Predicates {
    this.predicates.read({ bytes, to: bytes.length, mode, isCut: false }, statement, COLUMNS)
    return this.predicates
  }
}

type Said = Pick<KnownPredicates, 'expressions' | 'condition' | 'hasValues' | 'values'>

function readOf(predicates: Predicates): Said {
  const { expressions, condition, hasValues } = predicates
  const values = [0, 1].map(column => (hasValues ? predicates.value(column) : 0))
  return { expressions, condition, hasValues, values }
}

function foundIn({ expressions, condition, hasValues, values }: Said) {
  const row = hasValues ? values.map(node => expressionText(expressions, node)) : []
  return { condition: expressionText(expressions, condition), row }
}

function freshly(sql: string | Uint8Array, mode: number = LEXER_MODE.plain) {
  const { statement, found } = new Kept().say(sql, mode)
  return { statement, found }
}

function digestOf(sql: string | Uint8Array, mode: number = LEXER_MODE.plain): string {
  const bytes = packetOf(sql)
  const digest = new Digest()
  digest.read(bytes, FROM, bytes.length, mode)
  return digest.text()
}

/** Known from the third time on. */
function keep(sql: string | Uint8Array, mode: number = LEXER_MODE.plain): Kept {
  const kept = new Kept()
  for (let time = 0; time < 3; time++) kept.say(sql, mode)
  return kept
}

describe('a statement that comes again with other values', () => {
  const PAIRS: readonly (readonly [string, string])[] = [
    ['select c from t where k = 1', 'select c from t where k = 123456'],
    ["select c from t where c = 'a' and k = 1", "select c from t where c = 'abc' and k = 20"],
    ["select c from t where c = ''", "select c from t where c = 'longer than nothing'"],
    ["select c from t where c = 'longer'", "select c from t where c = ''"],
    ['select c from t where k in (1, 2, 3)', 'select c from t where k in (100, 20, 3)'],
    ['select c from t where k between 1 and 2', 'select c from t where k between 10 and 2000'],
    ['select c from t where k = -1.5', 'select c from t where k = -10.25'],
    ["insert into t (k, x, c) values (1, 2, 'c')", "insert into t (k, x, c) values (10, 200, '')"],
    ["update t set x = 'a' where k = 5", "update t set x = 'abcdef' where k = 77"],
    ['delete from t where k = 1 limit 1', 'delete from t where k = 22 limit 33'],
    ["select c from t where c like 'a%'", "select c from t where c like 'abc%'"],
    ["select c from t where c = 'it''s'", "select c from t where c = 'a\\nb'"],
    [
      "select c from t where k = 1 or c in ('a', 'b')",
      "select c from t where k = 9 or c in ('', 'bb')",
    ],
    [
      "select c from t where k = date_add('2020-01-01', interval 1 day)",
      "select c from t where k = date_add('2021-11-11 10:00:00', interval 10 day)",
    ],
    [
      'select /*+ read_consistency(weak) */ c from t where k = 1',
      'select /*+ read_consistency(weak) */ c from t where k = 99',
    ],
  ]

  test.each(PAIRS)('%s', (first, second) => {
    const kept = keep(first)

    const { isKnown, ...said } = kept.say(second)

    expect(isKnown).toBe(true)
    expect(said).toEqual({ ...freshly(second), statement: freshly(first).statement })
    expect({ ...freshly(first).statement }).toEqual(freshly(second).statement)
    expect(digestOf(second)).toBe(digestOf(first))
  })

  const DIFFERENT: readonly (readonly [string, string])[] = [
    ['select c from t where k = 1', 'select c from u where k = 1'],
    ['select c from t where k = 1', 'select c from t where k = 1.0'],
    ['select c from t where k = 1', "select c from t where k = '1'"],
    ['select c from t where k = 1', 'select c from t where k = 1e3'],
    ['select c from t where k = 1', 'select c from t where k = 0x10'],
    ["select c from t where c = 'a'", "select c from t where c = 'a\\'b'"],
    ["select c from t where c = 'a'", 'select c from t where c = "a"'],
    ['select c from t where k = 1', 'select c from t where  k = 1'],
    ['select c from t where k = 1', 'select c from t where k = 1 -- for update'],
    ['select c from t where k = 1', 'select c from t where k = 1 for update'],
    ['select c from t where k = 1', 'select c from t where k = 1; commit'],
    ['select c from t where k in (1, 2)', 'select c from t where k in (1, 2, 3)'],
    ['select /* 1 */ c from t where k = 1', 'select /* 2 */ c from t where k = 1'],
  ]

  test.each(DIFFERENT)('is another than %s: %s', (first, second) => {
    expect(keep(first).say(second)).toEqual({ isKnown: false, ...freshly(second) })
  })

  test.each([
    "select * from t as 'x' where x.k = 1",
    "select * from t 'x' where x.k = 1",
    "select x'41' from t where k = 1",
    "select * from t where c = _utf8'a'",
    'select * from t where k = @1',
    "select * from t where k = @'v'",
    'select /*!50000 1 */ from t where k = 1',
    'select * from t where k = 1 /* 5 */',
    'select * from t where k = .5',
    "select * from t where c = 'open",
    'set autocommit = 1',
    'select 1',
    'select 1 from t',
    'call p(1)',
    "prepare s from 'select 1 from t'",
    `select c from t where k = 1 and c = '${'x'.repeat(LONGEST_KNOWN_BYTES)}'`,
  ])('is read each time: %s', sql => {
    const kept = keep(sql)

    expect(kept.say(sql).isKnown).toBe(false)
  })

  test('is understood where it is by now, the bytes that it came in used again', () => {
    const kept = keep('select c from t where k = 1')
    const bytes = packetOf('select c from t where k = 345')
    const copy = Uint8Array.from(bytes)
    const predicates = kept.texts.find(bytes, FROM, bytes.length, LEXER_MODE.plain)?.use.predicates
    bytes.fill(0x39)

    predicates?.moveTo(kept.texts.values, copy)

    expect(predicates && foundIn(predicates)).toEqual(
      freshly('select c from t where k = 345').found,
    )
  })

  test('is read each time in a mode where bytes mean something else', () => {
    const sql = 'select c from t where k = 1'
    for (const mode of [LEXER_MODE.doubleByte, LEXER_MODE.ansiQuotes, LEXER_MODE.capitalNames])
      expect(keep(sql, mode).say(sql, mode).isKnown).toBe(false)
  })

  test('is not known by what it was in another mode', () => {
    const kept = keep("select c from t where c = 'a'", LEXER_MODE.plain)

    expect(kept.say("select c from t where c = 'b'", LEXER_MODE.noBackslashEscapes).isKnown).toBe(
      false,
    )
  })

  test('is kept when it came before, and only so many are', () => {
    const kept = new Kept()
    expect(kept.say('select c from t where k = 1').isKnown).toBe(false)
    for (let at = 0; at < 20_000; at++) {
      kept.say(`select c from t where k = ${at}`)
      kept.say(`select c${at} from t where k = 1`)
      if (at % 2 === 0) kept.say(`select c${at} from t where k = 1`)
    }

    expect(kept.say('select c from t where k = 2').isKnown).toBe(true)
    expect(kept.say('select c0 from t where k = 2').isKnown).toBe(false)
  })
})

const WORDS = fc.constantFrom(
  ...(
    'select insert into update delete replace from where and or not in between like values set t u k c d.t `k` t.k ' +
    'as on join left order by limit group having for update skip interval day date case when then else end is null true ' +
    'default partition p0 exists distinct using lock share mode all union duplicate key cast char decimal'
  ).split(' '),
)
const SIGNS = fc.constantFrom(
  ...'= < > <= >= <> <=> ( ) , . + - * / % ! ; ? || && | & ^ ~ : { }'.split(' '),
)
const INTEGER = fc.nat({ max: 10_000_000 }).map(String)
const DECIMAL = fc.tuple(fc.nat({ max: 999 }), fc.nat({ max: 999 })).map(parts => parts.join('.'))
const TEXT = fc
  .string({ maxLength: 6, unit: fc.constantFrom(...'ab 1;-/*#?=(),x@é') })
  .map(text => `'${text}'`)
const ODD_TEXT = fc.constantFrom("'it''s'", "'a\\'b'", "'\\\\'", "''''", "'\\'''")
const QUOTED = TEXT.map(text => `"${text.slice(1, -1)}"`)
const VALUES = [INTEGER, DECIMAL, TEXT, ODD_TEXT, QUOTED] as const

/** A piece of a statement, in two forms that may differ in a value. */
const PIECE = fc.oneof(
  { weight: 5, arbitrary: WORDS.map(word => [word, word] as const) },
  { weight: 3, arbitrary: SIGNS.map(sign => [sign, sign] as const) },
  ...VALUES.map(value => ({ weight: 1, arbitrary: fc.tuple(value, value) })),
)
const HEADS = fc.constantFrom(
  'select * from t where k =',
  'select c from t where',
  'insert into t (k, x, c) values (',
  'insert into t values (',
  'update t set x =',
  'delete from t where c',
  'replace into t set k =',
  'select * from t, u where',
  'select * from t',
)
const GLUE = fc.constantFrom(' ', ' ', ' ', '', '  ', '\n')

const STATEMENTS = fc
  .tuple(HEADS, fc.array(fc.tuple(GLUE, PIECE), { maxLength: 14 }))
  .map(([head, pieces]) => {
    const text = (form: 0 | 1) => head + pieces.map(([glue, piece]) => glue + piece[form]).join('')
    return [text(0), text(1)] as const
  })

test.each<readonly [KeyColumns, boolean]>([
  [new KeyColumns(['k', 'c'], [0, 2]), true],
  [new KeyColumns(['k', 'c'], [0, 3]), false],
  [new KeyColumns(['k', 'd'], [0, 2]), false],
  [new KeyColumns(['k'], [0]), false],
])('what was read for columns is read for %s: %s', (columns, isSame) => {
  expect(COLUMNS.isSame(columns)).toBe(isSame)
})

describe('whatever is known of a text', () => {
  test.each([LEXER_MODE.plain, LEXER_MODE.noBackslashEscapes, LEXER_MODE.casedNames])(
    'is what reading it would find, in mode %d',
    mode => {
      let known = 0
      fc.assert(
        fc.property(STATEMENTS, ([first, second]) => {
          const { isKnown, ...said } = keep(first, mode).say(second, mode)
          if (!isKnown) return
          known += 1
          expect(said).toEqual(freshly(second, mode))
          expect(digestOf(second, mode)).toBe(digestOf(first, mode))
        }),
        { numRuns: 8_000 },
      )
      expect(known).toBeGreaterThan(800)
    },
  )
})
