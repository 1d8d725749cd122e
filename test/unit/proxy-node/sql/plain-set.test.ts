import { describe, expect, test } from 'vitest'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { setsPlainValues } from '../../../../proxy-node/sql/plain-set.ts'

const judge = (sql: string, mode: number = LEXER_MODE.plain) =>
  setsPlainValues(Buffer.from(sql), 0, mode)

describe('a SET of user variables', () => {
  test.each([
    "SET @a = 'x'",
    "set @a='x', @b := 1, @`c d` = -1.50",
    'SET @a.b$c = NULL, @d = true /* x */',
    'SET @a = "x"',
  ])('%s gives plain literals', sql => {
    expect(judge(sql)).toBe(true)
  })

  test.each([
    '',
    'SET',
    'SET @a',
    'SET @a = ',
    'SET @a = @b',
    'SET @a = 1 + 1',
    'SET @a = 1e0',
    'SET @a = 0x41',
    "SET @a = X'41'",
    "SET @a = b'1'",
    "SET @a = _latin1'x'",
    "SET @a = 'x' COLLATE utf8mb4_bin",
    "SET @a = 'x' 'y'",
    'SET @a = NOW()',
    'SET @a = 1, autocommit = 1',
    'SET @@wait_timeout = 1',
    "SET @a = 'x'; SET @b = NOW()",
    "SELECT @a := 'x'",
    'SET @a = 1.',
    'SET @a = .5',
  ])('%s may give others', sql => {
    expect(judge(sql)).toBe(false)
  })

  test('reads double quotes as the session does', () => {
    expect(judge('SET @a = "x"', LEXER_MODE.ansiQuotes)).toBe(false)
  })
})
