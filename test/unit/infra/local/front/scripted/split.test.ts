/** One text cut into its statements. */
import { expect, test } from 'vitest'
import { parse } from '../../../../../../infra/local/front/scripted/parser.ts'
import { statementsIn } from '../../../../../../infra/local/front/scripted/split.ts'

test.each([
  ['SELECT 1', ['SELECT 1']],
  ['SELECT 1;', ['SELECT 1']],
  ['SELECT 1; SELECT 2 ;; ', ['SELECT 1', ' SELECT 2 ']],
  ["SELECT ';' ; SELECT `;`", ["SELECT ';' ", ' SELECT `;`']],
  ['/* ; */', ['']],
  ['', ['']],
  [
    'CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END; SELECT 3',
    ['CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END', ' SELECT 3'],
  ],
])('%j is %j', (sql, statements) => {
  expect(statementsIn(sql)).toEqual(statements)
})

test('a procedure keeps its statements as they are written', () => {
  const { statement } = parse('CREATE PROCEDURE d.p(IN a INT(3)) BEGIN SELECT a ; SET @b = 1; END')

  expect(statement).toEqual({
    kind: 'create-procedure',
    name: 'd.p',
    parameters: ['a'],
    body: ['SELECT a ', 'SET @b = 1'],
  })
})

test.each([
  ["XA START 'a','b'", { kind: 'xa', verb: 'start', xid: 'a,b', isOnePhase: false }],
  ["XA COMMIT 'a' ONE PHASE", { kind: 'xa', verb: 'commit', xid: 'a', isOnePhase: true }],
  ['ROLLBACK WORK TO sp', { kind: 'rollback-to', name: 'sp' }],
  ['START TRANSACTION READ ONLY', { kind: 'begin', isReadOnly: true }],
  [
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE',
    {
      kind: 'set-transaction',
      isOfSession: true,
      isReadOnly: false,
      isolation: 'READ-COMMITTED',
    },
  ],
  ['EXECUTE s USING @a, @b', { kind: 'execute', name: 's' }],
])('%s is understood', (sql, shape) => {
  expect(parse(sql).statement).toMatchObject(shape)
})
