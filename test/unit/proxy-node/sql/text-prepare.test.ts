import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { prepareText, textPrepared } from '../../../../proxy-node/sql/text-prepare.ts'
import { quotedText, unescaped } from '../../../../proxy-node/sql/texts.ts'

const MODES = fc.integer({ min: 0, max: 7 })

function judge(sql: string | Uint8Array, mode: number = LEXER_MODE.plain) {
  const text = Buffer.from(sql)
  const bytes = Buffer.concat([Buffer.from('x'), text, Buffer.from("'y")])
  return textPrepared(bytes, 1, bytes.length - 2, mode)
}

function source(sql: string, mode?: number): string | undefined {
  const prepared = judge(sql, mode)
  if (prepared?.verb !== 'prepare' || prepared.source.kind !== 'literal') return undefined
  return Buffer.from(prepared.source.bytes).toString()
}

describe('a statement prepared by text', () => {
  test.each([
    ["prepare s1 from 'select 1'", 's1', 'select 1'],
    ['PREPARE S1 FROM "select \'a\'" ;', 's1', "select 'a'"],
    ["/* a */ prepare `S``2` from -- b\n 'select 2'", 's`2', 'select 2'],
    [
      "prepare s from 'select ''a'', \\'b\\\\\\\\c\\', \\\"d\\\"'",
      's',
      "select 'a', 'b\\\\c', \"d\"",
    ],
    ['prepare s from "a""b\\n"', 's', 'a"b\n'],
    ["prepare s from 'select ' '5'", 's', 'select 5'],
    ["prepare s from ''", 's', ''],
  ])('%s', (sql, name, text) => {
    expect(judge(sql)).toMatchObject({ verb: 'prepare', name })
    expect(source(sql)).toBe(text)
  })

  test.each([
    ['prepare s from @q', 'q'],
    ['prepare s from @`A``b`;', 'a``b'],
    ["PREPARE s FROM @'Q'", 'q'],
    ['prepare s from @a.B$c', 'a.b$c'],
  ])('%s', (sql, name) => {
    expect(judge(sql)).toEqual({
      verb: 'prepare',
      name: 's',
      source: { kind: 'variable', name },
    })
  })

  test('keeps backslashes under NO_BACKSLASH_ESCAPES', () => {
    expect(source("prepare s from 'a\\nb'", LEXER_MODE.noBackslashEscapes)).toBe('a\\nb')
  })
})

describe('its use and its end', () => {
  test.each([
    ['execute s1', { verb: 'execute', name: 's1' }],
    ['EXECUTE `S1` USING @a, @`b;` ;', { verb: 'execute', name: 's1' }],
    ['execute s1; -- end', { verb: 'execute', name: 's1' }],
    ['deallocate prepare S1', { verb: 'deallocate', name: 's1' }],
    ['DROP PREPARE `s``1`;', { verb: 'deallocate', name: 's`1' }],
  ])('%s', (sql, meaning) => {
    expect(judge(sql)).toEqual(meaning)
  })
})

describe('nothing to keep of', () => {
  test.each([
    'select 1',
    'prepare',
    'prepare s',
    'prepare s from',
    'prepare s from @',
    'prepare s from @@q',
    'prepare s from x',
    "prepare 's' from 'x'",
    "prepare s from 'x' y",
    "prepare s from 'x'; select 1",
    "prepare s from _utf8mb4'x'",
    'execute',
    "execute immediate 'select 1'",
    'execute s @a',
    'execute s; select 1',
    'execute s using @a; select 1',
    'deallocate s',
    'deallocate prepare',
    'deallocate prepare s t',
    'drop table s',
    'drop prepare s; select 1',
    "select 1; prepare s from 'x'",
    '',
  ])('%s', sql => {
    expect(judge(sql)).toBeUndefined()
  })
})

describe('texts in quotes', () => {
  test('read back as they were, in every mode', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), MODES, (text, mode) => {
        const quoted = quotedText(text, mode)
        const back = unescaped(quoted, { start: 1, end: quoted.length - 1, quote: 0x27 }, mode)

        expect(Buffer.from(back).equals(Buffer.from(text))).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  test('a statement is prepared again with the same name and text, in every mode', () => {
    const text = fc.array(fc.constantFrom(0x27, 0x5c, 0x22, 0x60, 0x81, 0x40, 0xd6, 0x61, 0x0a))
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), text, MODES, (name, bytes, mode) => {
        const statement = Uint8Array.from(bytes)
        // Names are UTF-8; the rest of such a text is in the client's character set.
        const plainName = (mode & LEXER_MODE.doubleByte) === 0 ? name.toLowerCase() : 'n`1'
        const sql = prepareText(plainName, statement, mode)
        const prepared = textPrepared(sql, 0, sql.length, mode)

        expect(prepared).toMatchObject({ verb: 'prepare', name: plainName })
        expect(prepared?.verb === 'prepare' && prepared.source).toEqual({
          kind: 'literal',
          bytes: Buffer.from(statement),
        })
      }),
      { numRuns: 2000 },
    )
  })

  test('any bytes behind the verb are judged without failing', () => {
    const verb = fc.constantFrom('prepare s from ', 'prepare ', 'execute s using ', 'drop prepare ')
    fc.assert(
      fc.property(verb, fc.uint8Array({ maxLength: 60 }), MODES, (start, bytes, mode) => {
        expect(() => judge(Buffer.concat([Buffer.from(start), bytes]), mode)).not.toThrow()
      }),
      { numRuns: 2000 },
    )
  })
})
