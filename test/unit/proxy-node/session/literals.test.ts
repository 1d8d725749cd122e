import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  MAX_SET_BYTES,
  setStatements,
  setUserStatements,
  systemLiteral,
  userValue,
} from '../../../../proxy-node/session/literals.ts'
import { followsSchema, isReplayable } from '../../../../proxy-node/session/system-variables.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { quotedText } from '../../../../proxy-node/sql/texts.ts'

const UTF8 = { charset: 'utf8mb4', collation: 'utf8mb4_general_ci' }
const LATIN1 = { charset: 'latin1', collation: 'latin1_bin' }
const GBK = { charset: 'gbk', collation: 'gbk_chinese_ci' }

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function user(literal: string, connection = UTF8) {
  return userValue(Buffer.from(literal, 'latin1'), connection)
}

describe("a system variable's value", () => {
  test.each([
    ['wait_timeout', '28800', '28800'],
    ['auto_increment_offset', '-1', '-1'],
    ['timestamp', '100.25', '100.25'],
    ['autocommit', 'ON', 'ON'],
    ['foreign_key_checks', 'OFF', 'OFF'],
    ['validate_password_check_user_name', 'on', "'on'"],
    ['tx_isolation', 'READ-COMMITTED', "'READ-COMMITTED'"],
    ['time_format', '%H:%i:%s', "'%H:%i:%s'"],
    ['sql_mode', '', "''"],
    ['character_set_results', '', 'NULL'],
    ['character_set_results', 'gbk', "'gbk'"],
    ['ob_trace_info', '123', "'123'"],
    ['ob_trace_info', 'ON', "'ON'"],
    ['ob_trace_info', "it's", "_utf8mb4 X'69742773'"],
    ['ob_trace_info', 'a\\b', "_utf8mb4 X'615c62'"],
    ['ob_trace_info', 'é\n', "_utf8mb4 X'c3a90a'"],
    ['any', '1e5', "'1e5'"],
    ['any', '+1', "'+1'"],
  ])('%s = %j is %s', (name, value, literal) => {
    expect(text(systemLiteral(name, value))).toBe(literal)
  })

  test('has no quote or backslash that a reader could take otherwise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), value => {
        expect(text(systemLiteral('any', value))).toMatch(
          /^(?:-?\d+(?:\.\d+)?|ON|OFF|'[^'"\\\x80-\xff]*'|_utf8mb4 X'[0-9a-f]*')$/,
        )
      }),
      { numRuns: 2000 },
    )
  })
})

describe("a user variable's value", () => {
  test.each(['12', '-1.50', '1e300', 'NULL', '', "'"])('%s stays as it is', literal => {
    expect(text(user(literal).literal)).toBe(literal)
    expect(user(literal).charset).toBeUndefined()
  })

  test('of bytes is no number where one is expected', () => {
    expect(text(user("X'00FF'").literal)).toBe("CAST(X'00ff' AS BINARY)")
  })

  test.each([
    ["'abc'", UTF8, "_utf8mb4'abc' COLLATE utf8mb4_general_ci"],
    ["''", LATIN1, "_latin1'' COLLATE latin1_bin"],
    [
      "'it\\'s'",
      UTF8,
      "CAST(X'69742773' AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_general_ci",
    ],
    ["'\\0\\n\\\\%'", LATIN1, "CAST(X'000a5c25' AS CHAR CHARACTER SET latin1) COLLATE latin1_bin"],
  ])('%s says its character set and collation', (literal, connection, sql) => {
    expect(text(user(literal, connection).literal)).toBe(sql)
    expect(user(literal, connection).charset).toBeUndefined()
  })

  test('beyond ASCII keeps the connection whose character set can hold it', () => {
    const value = user("'a\xd6\\\\b'", GBK)

    expect(text(value.literal)).toBe(
      "CAST(X'61d65c62' AS CHAR CHARACTER SET gbk) COLLATE gbk_chinese_ci",
    )
    expect(value.charset).toBe('gbk')
  })

  test('is kept, whatever bytes it has', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        const { literal, charset } = userValue(quotedText(bytes, LEXER_MODE.plain), LATIN1)
        const sql = text(literal)
        const hex = /^CAST\(X'([0-9a-f]*)' AS CHAR CHARACTER SET latin1\) COLLATE latin1_bin$/.exec(
          sql,
        )
        const plain = /^_latin1'([^'"\\]*)' COLLATE latin1_bin$/.exec(sql)
        const back = hex?.[1] === undefined ? plain?.[1] : text(Buffer.from(hex[1], 'hex'))

        expect(back).toBe(text(bytes))
        expect(charset).toBe(bytes.some(byte => byte >= 0x80) ? 'latin1' : undefined)
      }),
      { numRuns: 2000 },
    )
  })

  test('is a copy: the packet it came in is used again', () => {
    const literal = Buffer.from('12')
    const value = userValue(literal, UTF8)

    literal.fill(0)

    expect(text(value.literal)).toBe('12')
  })
})

describe('the statements', () => {
  test('set system variables in their order', () => {
    const values = [
      ['autocommit', 'OFF'],
      ['time_zone', '+01:00'],
    ] as const

    expect(setStatements(values).map(text)).toEqual([
      "SET @@autocommit = OFF, @@time_zone = '+01:00'",
    ])
  })

  test('are none for nothing', () => {
    expect(setStatements([])).toEqual([])
    expect(setUserStatements([], UTF8)).toEqual([])
  })

  test.each([
    ['a', '@`a`'],
    ['a``b', '@`a``b`'],
    ["q''q", "@`q''q`"],
    ['a`b', "@'a`b'"],
    ["a`'b", '@"a`\'b"'],
    ['a.b$é', '@`a.b$é`'],
  ])('name the user variable %s as %s', (name, written) => {
    const statements = setUserStatements([[name, user('1')]], UTF8)

    expect(statements.map(bytes => Buffer.from(bytes).toString())).toEqual([`SET ${written} = 1`])
  })

  test('give a value to the connection that can hold it, and restore the connection', () => {
    const values = [
      ['a', user("'\xc3\xa9'")],
      ['b', user('1')],
      ['c', user("'\xe9'", LATIN1)],
      ['d', user("'x'")],
    ] as const

    expect(setUserStatements(values, LATIN1).map(text)).toEqual([
      "SET @`b` = 1, @`c` = CAST(X'e9' AS CHAR CHARACTER SET latin1) COLLATE latin1_bin, " +
        "@`d` = _utf8mb4'x' COLLATE utf8mb4_general_ci",
      'SET @@character_set_connection = utf8mb4',
      "SET @`a` = CAST(X'c3a9' AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_general_ci",
      'SET @@character_set_connection = latin1, @@collation_connection = latin1_bin',
    ])
  })

  test('are split below their bound, a single value never', () => {
    const long = user(`'${'x'.repeat(MAX_SET_BYTES / 2)}'`)
    const huge = user(`'${'y'.repeat(MAX_SET_BYTES * 2)}'`)
    const small = user('1')
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

describe('what is replayed', () => {
  test.each([
    'autocommit',
    'sql_mode',
    'time_zone',
    'timestamp',
    'last_insert_id',
    'ob_last_schema_version',
    'ob_trace_info',
    'tx_read_only',
    'timestamp',
    'character_set_database',
  ])('%s is', name => {
    expect(isReplayable(name)).toBe(true)
  })

  test.each([
    'ob_proxy_partition_hit',
    'ob_proxy_set_trx_executed',
    '_ob_proxy_session_temporary_table_used',
    'ob_capability_flag',
    'ob_statement_trace_id',
    '_current_default_catalog',
    'max_allowed_packet',
    'insert_id',
    'rand_seed1',
  ])('%s is not', name => {
    expect(isReplayable(name)).toBe(false)
  })

  test('what follows the database is told from what does not', () => {
    expect(followsSchema('collation_database')).toBe(true)
    expect(followsSchema('collation_connection')).toBe(false)
  })
})
