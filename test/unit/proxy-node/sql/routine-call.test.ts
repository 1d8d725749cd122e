import { describe, expect, test } from 'vitest'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { RoutineCall } from '../../../../proxy-node/sql/routine-call.ts'
import { expressionText } from '../../../support/expression-text.ts'

const CALL = new RoutineCall()

function call(sql: string): readonly [string, string[]] | undefined {
  const bytes = Buffer.from(`?${sql}`)
  const text = { bytes, to: bytes.length, mode: LEXER_MODE.plain, isCut: false }
  if (!CALL.read(text, 1)) return undefined
  const nodes = Array.from({ length: CALL.argumentCount }, (_, at) => CALL.argument(at))
  return [CALL.names.join('/'), nodes.map(node => expressionText(CALL.expressions, node))]
}

describe('a call of a routine', () => {
  test.each<readonly [string, string, string[]]>([
    ['call p()', 'p', []],
    ['CALL P', 'p', []],
    [
      "call d.`Pkg`.p(1, -2, 'a', ?, @v, @@x, null, ?)",
      'd/pkg/p',
      ['1', '(neg 2)', "'a'", '$0', '@v', '?', 'null', '$1'],
    ],
    ['/* c */ call d.p (f(1), 1 + ?);', 'd/p', ['(f 1)', '(+ 1 $0)']],
  ])('%s', (sql, names, values) => {
    expect(call(sql)).toEqual([names, values])
  })

  test.each([
    'select 1',
    'call',
    "call 'p'()",
    'call a.b.c.d()',
    'call p(1',
    'call p(1 2',
    `call p(${'1, '.repeat(300)}1)`,
    `call p(${'('.repeat(100_000)}`,
  ])('%.30s is none', sql => {
    expect(call(sql)).toBeUndefined()
  })

  test('an argument that is not there is no node', () => {
    call('call p(1)')

    expect(CALL.argument(1)).toBe(0)
  })
})
