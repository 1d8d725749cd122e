import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { initStatements } from '../../../../proxy-node/sql/init-sql.ts'

describe('init_sql', () => {
  test.each([
    ['', []],
    [' ; ;', []],
    ['SET a = 1', ['SET a = 1']],
    ['set a=1;', ['set a=1']],
    ["SET @x = 'a;b', b = 2; SET NAMES gbk ;", ["SET @x = 'a;b', b = 2", 'SET NAMES gbk']],
    ["SET SESSION sql_mode = ''", ["SET SESSION sql_mode = ''"]],
    ["SET @@session.a = 'global'", ["SET @@session.a = 'global'"]],
  ])('%j is %j', (text, statements) => {
    expect(initStatements(text)).toEqual(statements)
  })

  test.each([
    'SELECT 1',
    'SET',
    'SET a = 1; DROP TABLE t',
    'SET GLOBAL a = 1',
    'SET @@global.a = 1',
    'SET a = 1, GLOBAL b = 2',
    'SET persist a = 1',
    "SET PASSWORD = 'x'",
    'SET TRANSACTION READ ONLY',
    'SET ROLE all',
    'ALTER SYSTEM SET a = 1',
    '/*! DROP TABLE t */',
    'SET/**/GLOBAL a = 1',
  ])('%j is refused', text => {
    expect(initStatements(text)).toBeUndefined()
  })

  test('keeps every SET, and refuses the whole for one statement of another kind', () => {
    const value = fc.stringMatching(/^[\w ;]*$/).map(text => `'${text}'`)
    const set = fc
      .tuple(fc.stringMatching(/^v_[a-z]+$/), value)
      .map(([name, text]) => `SET ${name} = ${text}`)

    fc.assert(
      fc.property(fc.array(set), fc.nat(), (statements, at) => {
        const others = statements.toSpliced(at % (statements.length + 1), 0, 'INSERT t')

        expect(initStatements(statements.join('; '))).toEqual(statements)
        expect(initStatements(others.join(';'))).toBeUndefined()
      }),
    )
  })

  test('is the same when what was taken is given again', () => {
    const pieces = 'SET |a=1|;|\'|"|`|/*|*/|/*!|-- | |\n|#|\\|\u00a0|global|é|@x'.split('|')
    const text = fc.array(fc.constantFrom(...pieces), { maxLength: 20 })

    fc.assert(
      fc.property(text, parts => {
        const statements = initStatements(parts.join(''))
        if (statements !== undefined)
          expect(initStatements(statements.join(';\n'))).toEqual(statements)
      }),
      { numRuns: 5000 },
    )
  })
})
