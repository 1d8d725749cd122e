import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  INTERNAL_REACTIONS,
  LOOKUP_RULES,
  lookupRule,
} from '../../../../proxy-node/routing/transaction.ts'
import { UPDATE, type ViewParts, viewOf } from '../../../support/routing-view.ts'

const OPEN = { transaction: 'open' } as const
const INTERNAL = { ...OPEN, isRoutedInternally: true } as const
const LOCKS = { lockServer: { host: 'a1', port: 2881 } }
const TARGETS = [[{ host: 'a1', port: 2881 }]]

type Case = readonly [name: string, state: string, parts: ViewParts]

describe('lookup states (§8.1)', () => {
  test.each<Case>([
    ['content of LOAD DATA', 'LAST_SERVER', { statement: { command: 'content' } }],
    [
      'content of LOAD DATA in an internally routed transaction',
      'LAST_SERVER',
      { statement: { command: 'content' }, session: INTERNAL },
    ],
    [
      'internally routed: a dependent function',
      'LAST_SERVER',
      { statement: { leansOnLast: true }, session: INTERNAL },
    ],
    [
      'internally routed: the transaction is specified',
      'COORDINATOR',
      { session: { ...INTERNAL, isTransactionSpecified: true } },
    ],
    ['internally routed: otherwise', 'NEED_LOOKUP', { session: INTERNAL }],
    ['in a transaction', 'LAST_SERVER', { session: OPEN }],
    ['in a transaction, with target servers', 'LAST_SERVER', { session: OPEN, targets: TARGETS }],
    [
      'SET TRANSACTION was executed, or there is a temporary table',
      'LAST_SERVER',
      { session: { isTransactionSpecified: true } },
    ],
    ['a dependent function', 'LAST_SERVER', { statement: { leansOnLast: true } }],
    [
      'an answer to a switch of the authentication',
      'LAST_SERVER',
      { session: { isSwitchingAuth: true } },
    ],
    ['target servers', 'NEED_LOOKUP', { targets: TARGETS }],
    [
      'target servers and a lock function',
      'NEED_LOOKUP',
      { targets: TARGETS, statement: { usesTableLock: true }, session: LOCKS },
    ],
    [
      'a lock function while locks are held',
      'LOCK_SERVER',
      { statement: { usesTableLock: true }, session: LOCKS },
    ],
    ['a lock function while none is held', 'NEED_LOOKUP', { statement: { usesTableLock: true } }],
    ['a held BEGIN', 'NEED_LOOKUP', { session: { transaction: 'held' } }],
    [
      'a held BEGIN of a session that may be routed internally',
      'NEED_LOOKUP',
      { session: { ...INTERNAL, transaction: 'held' }, statement: { hasTable: false } },
    ],
    ['nothing', 'NEED_LOOKUP', {}],
  ])('%s: %s', (_name, state, parts) => {
    expect(lookupRule(viewOf(parts)).state).toBe(state)
  })

  test('the usual statement is told without asking each rule, and is one that none holds for', () => {
    const flag = fc.boolean()
    const statement = fc.record({
      command: fc.constantFrom('query', 'content', 'execute', 'other'),
      leansOnLast: flag,
      usesTableLock: flag,
      isLarge: flag,
      hasTable: flag,
    })
    const session = fc.record({
      transaction: fc.constantFrom('none', 'held', 'open'),
      isRoutedInternally: flag,
      isTransactionSpecified: flag,
      isSwitchingAuth: flag,
      lockServer: fc.constantFrom(undefined, LOCKS.lockServer),
    })
    const targets = fc.constantFrom([], TARGETS)
    fc.assert(
      fc.property(fc.record({ statement, session, targets }), parts => {
        const view = viewOf(parts)
        const held = LOOKUP_RULES.find(({ holds }) => holds(view))

        expect(lookupRule(view).because).toBe(held?.because ?? 'nothing binds the session')
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('inside an internally routed transaction (§8.3)', () => {
  test.each<readonly [string, string, ViewParts['statement']]>([
    ['a large request', 'COORDINATOR', { isLarge: true }],
    ['a database link', 'COORDINATOR', { hasDblink: true }],
    ['COM_QUERY of a DML with a table', 'NEED_LOOKUP', UPDATE],
    ['COM_STMT_PREPARE of one', 'NEED_LOOKUP', { command: 'prepare' }],
    ['COM_STMT_EXECUTE of one', 'NEED_LOOKUP', { command: 'execute' }],
    ['EXECUTE of one', 'NEED_LOOKUP', { textForm: 'execute' }],
    ['PREPARE of one', 'NEED_LOOKUP', { textForm: 'prepare' }],
    ['PREPARE of a CALL', 'COORDINATOR', { textForm: 'prepare', isCall: true }],
    ['several statements', 'COORDINATOR', { isMultiple: true }],
    ['a DML of DUAL, or of no table', 'COORDINATOR', { hasTable: false }],
    ['COMMIT', 'COORDINATOR', { isDml: false, hasTable: false, isSelect: false }],
    ['SET', 'COORDINATOR', { isDml: false, hasTable: false, isSelect: false, isSessional: true }],
    ['DDL', 'COORDINATOR', { isDml: false, isSelect: false }],
    ['another command', 'COORDINATOR', { command: 'other' }],
  ])('%s: %s', (_name, state, statement) => {
    expect(lookupRule(viewOf({ statement: statement ?? {}, session: INTERNAL })).state).toBe(state)
  })

  test.each([
    ['coordinator-unknown', 'disconnect'],
    ['no-participant', 'coordinator'],
    ['free-route-unsupported', 'coordinator'],
    ['participant-lost', 'next-then-coordinator'],
    ['plain-transaction', 'disconnect-or-forward'],
  ] as const)('%s: %s', (failure, next) => {
    expect(INTERNAL_REACTIONS[failure].next).toBe(next)
  })
})
