import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_SET_BYTES } from '../../../../proxy-node/session/set-texts.ts'
import {
  ANSWER_VARIABLE,
  answeredValues,
  type Connection,
  questionOf,
  setUserStatements,
  type UserValue,
  userValue,
} from '../../../../proxy-node/session/user-values.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { quotedText, unescaped } from '../../../../proxy-node/sql/texts.ts'

const UTF8: Connection = {
  client: 'utf8mb4',
  charset: 'utf8mb4',
  collation: 'utf8mb4_general_ci',
  mode: LEXER_MODE.plain,
}
const LATIN1: Connection = { ...UTF8, client: 'latin1', charset: 'latin1', collation: 'latin1_bin' }
const GBK: Connection = {
  client: 'gbk',
  charset: 'gbk',
  collation: 'gbk_chinese_ci',
  mode: LEXER_MODE.doubleByte,
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function plain(literal: string, connection = UTF8): UserValue {
  return userValue(Buffer.from(literal, 'latin1'), connection, true)
}

/** A value of which a server has said `answer`. */
function told(literal: string, answer: string, connection = UTF8): UserValue {
  const guess = userValue(Buffer.from(literal, 'latin1'), connection, false)
  const known = answeredValues([['v', guess]], Buffer.from(`'${answer}'`))?.[0]?.[1]
  if (known === undefined) throw new Error('not understood')
  return known
}

function written(value: UserValue, target = UTF8): readonly string[] {
  return setUserStatements([['v', value]], target).map(text)
}

describe('a value that a client wrote as a literal', () => {
  test.each([
    ['12', '12'],
    ['-1.50', '-1.50'],
    ['NULL', 'NULL'],
    ["'abc'", "'abc'"],
    ["''", "''"],
    ["'it\\'s'", "'it''s'"],
    ["'\\\\n'", "'\\\\n'"],
    ["'\xc3\xa9'", "'\xc3\xa9'"],
    ["X'4142'", "UNHEX('4142')"],
  ])('%s is written as it was', (literal, sql) => {
    expect(plain(literal).isGuess).toBe(false)
    expect(written(plain(literal))).toEqual([`SET @\`v\` = ${sql}`])
  })

  test('is read back as it was, whatever bytes it has', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        const value = userValue(quotedText(bytes, LEXER_MODE.plain), LATIN1, true)
        const sql = written(value, LATIN1)[0]?.slice('SET @`v` = '.length) ?? ''
        const hex = /^[C_][^']*X'([0-9a-f]*)'/.exec(sql)?.[1]
        const literal = Buffer.from(sql, 'latin1')
        const within = { start: 1, end: literal.length - 1, quote: 0x27 }
        const back = hex === undefined ? unescaped(literal, within) : Buffer.from(hex, 'hex')

        expect(text(back)).toBe(text(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  test('is written for the sql_mode that is in force where it goes', () => {
    const target = { ...UTF8, mode: LEXER_MODE.noBackslashEscapes }

    expect(written(plain("'a\\\\b'"), target)).toEqual(["SET @`v` = 'a\\b'"])
  })

  test('is a copy: the packet it came in is used again', () => {
    const literal = Buffer.from('12')
    const value = userValue(literal, UTF8, true)

    literal.fill(0)

    expect(written(value)).toEqual(['SET @`v` = 12'])
  })

  test('of a connection that is another now is set on one like it', () => {
    expect(written(plain("'\xd6\xd0'", GBK), LATIN1)).toEqual([
      'SET @@collation_connection = gbk_chinese_ci',
      "SET @`v` = _gbk X'd6d0'",
      'SET @@character_set_connection = latin1, @@collation_connection = latin1_bin',
    ])
  })

  test('that no text of its character set is goes by a cast', () => {
    expect(written(plain("'\xff'"), LATIN1)[1]).toBe(
      "SET @`v` = CAST(CAST(X'ff' AS CHAR CHARACTER SET utf8mb4) AS CHAR)",
    )
  })
})

describe('a value of which an OK tells too little', () => {
  test('is asked about by a SET, which leaves FOUND_ROWS() alone', () => {
    const values = ['12', "'a'", "'{'", "'\xe9'", "X'41'"].map(
      (literal, index) =>
        [`v${index}`, userValue(Buffer.from(literal, 'latin1'), UTF8, false)] as const,
    )
    const sql = text(questionOf(values))

    expect(values.every(([, { isGuess }]) => isGuess)).toBe(true)
    expect(sql.startsWith(`SET @${ANSWER_VARIABLE} = CONCAT_WS('|', `)).toBe(true)
    expect(sql).toContain('CONCAT(@`v0` + 0.0000')
    expect(sql).toContain('COLLATION(@`v1`), COERCIBILITY(@`v1`), 0)')
    expect(sql).toContain('LENGTH(JSON_ARRAY(@`v2`))')
    expect(sql).toContain('HEX(@`v3`)')
    expect(sql).toContain('CONCAT(@`v4` + 0)')
  })

  test.each([
    ['NULL is never', 'NULL'],
    ['nothing', ''],
  ])('%s', (_name, literal) => {
    const value = userValue(Buffer.from(literal), UTF8, false)

    expect(value.isGuess).toBe(literal !== 'NULL')
  })

  test.each([
    ['an exact number', '1.5', `1.5${'0'.repeat(29)}`, '1.5'],
    ['a double', '1.5', '1.5', '1.5e0'],
    ['a double that says so', '1e300', '1e300', '1e300'],
    ['a literal', "'x'", 'utf8mb4_general_ci,4,0', "'x'"],
    ['a column', "'x'", 'utf8mb4_general_ci,2,0', "CAST('x' AS CHAR)"],
    ['a COLLATE', "'x'", 'utf8mb4_general_ci,0,0', "'x' COLLATE utf8mb4_general_ci"],
    ['DATABASE()', "'x'", 'utf8mb4_general_ci,3,0', "IF(0, @@sql_mode, 'x')"],
    ["X'41'", "X'41'", '4,1,65', "X'41'"],
    ["UNHEX('3635')", "X'3635'", '4,2,65', "UNHEX('3635')"],
    ["UNHEX('41')", "X'41'", '4,1,0', "UNHEX('41')"],
    ['a BINARY column', "X'41'", '2,1,0', "CAST(X'41' AS BINARY)"],
    ['nine bytes', "X'414141414141414141'", '4,9', "UNHEX('414141414141414141')"],
    [
      'a geometry, whose version is not shown',
      "X'E6100000410101'",
      '2,6,0',
      "ST_GeomFromWKB(X'0101', 4326)",
    ],
  ])('is %s when its server says so', (_name, literal, answer, sql) => {
    expect(written(told(literal, answer))).toEqual([`SET @\`v\` = ${sql}`])
  })

  test('is JSON, and set on a connection that holds all of it', () => {
    const [connection, sql] = written(told(`'{"k": 1}'`, 'utf8mb4_bin,2,2'), LATIN1)

    expect(connection).toBe('SET @@collation_connection = utf8mb4_bin')
    expect(sql).toMatch(/^SET @`v` = CAST\(.*AS CHAR CHARACTER SET utf8mb4\) AS CHAR\) AS JSON\)$/)
  })

  test('has bytes of its own in another character set', () => {
    const value = told("'\xc3\xa9'", 'latin1_swedish_ci,4,0,E9')

    expect(written(value)).toEqual([
      'SET @@collation_connection = latin1_swedish_ci',
      "SET @`v` = _latin1 X'e9'",
      'SET @@character_set_connection = utf8mb4, @@collation_connection = utf8mb4_general_ci',
    ])
  })

  test('an answer that does not fit is none', () => {
    const guess = userValue(Buffer.from('1'), UTF8, false)

    expect(answeredValues([['a', guess]], undefined)).toBeUndefined()
    expect(answeredValues([['a', guess]], Buffer.from("'1|2'"))).toBeUndefined()
  })
})

describe('the statements', () => {
  test.each([
    ['a', '@`a`'],
    ['a``b', '@`a``b`'],
    ["q''q", "@`q''q`"],
    ['a`b', "@'a`b'"],
    ["a`'b", '@"a`\'b"'],
    ['a.b$é', '@`a.b$é`'],
  ])('name the user variable %s as %s', (name, target) => {
    const statements = setUserStatements([[name, plain('1')]], UTF8)

    expect(statements.map(bytes => Buffer.from(bytes).toString())).toEqual([`SET ${target} = 1`])
  })

  test('are none for nothing', () => {
    expect(setUserStatements([], UTF8)).toEqual([])
  })

  test('are split below their bound, a single value never', () => {
    const long = plain(`'${'x'.repeat(MAX_SET_BYTES / 2)}'`)
    const huge = plain(`'${'y'.repeat(MAX_SET_BYTES * 2)}'`)
    const small = plain('1')
    const values = Object.entries({ a: long, b: small, c: long, d: huge, e: small, f: small })

    const statements = setUserStatements(values, UTF8)

    expect(statements.map(sql => text(sql).match(/@`\w`/g)?.join(''))).toEqual([
      '@`a`@`b`',
      '@`c`',
      '@`d`',
      '@`e`@`f`',
    ])
    for (const sql of statements)
      expect(sql.length <= MAX_SET_BYTES || text(sql).startsWith('SET @`d`')).toBe(true)
  })
})
