import { describe, expect, test } from 'vitest'
import { consistencyOf } from '../../../../proxy-node/routing/consistency.ts'
import { UPDATE, type ViewParts, viewOf } from '../../../support/routing-view.ts'

const WEAK = { readConsistency: 'weak' } as const
const SPLIT = { enableReadWriteSplit: true }

type Case = readonly [name: string, row: number, level: 'strong' | 'weak', parts: ViewParts]

describe('consistency of a request (§7.1)', () => {
  test.each<Case>([
    ['a write, whatever the session says', 1, 'strong', { statement: UPDATE, session: WEAK }],
    ['a write with a weak hint', 1, 'strong', { statement: { ...UPDATE, hint: 'weak' } }],
    ["the node's own session", 1, 'strong', { session: { ...WEAK, isInternal: true } }],
    ['hinted WEAK', 2, 'weak', { statement: { hint: 'weak' } }],
    [
      'hinted STRONG in a weak session',
      2,
      'strong',
      { statement: { hint: 'strong' }, session: WEAK },
    ],
    ['ob_read_consistency = 2', 3, 'weak', { session: WEAK }],
    ['read-write split outside a transaction', 4, 'weak', { settings: SPLIT }],
    [
      'read-write split in a transaction',
      6,
      'strong',
      { settings: SPLIT, session: { transaction: 'open' } },
    ],
    [
      'read-write split with a held BEGIN',
      6,
      'strong',
      { settings: SPLIT, session: { transaction: 'held' } },
    ],
    [
      'read-write split without autocommit',
      6,
      'strong',
      { settings: SPLIT, session: { isAutocommit: false } },
    ],
    [
      'read-write split of several statements in one text',
      6,
      'strong',
      { settings: SPLIT, statement: { isMultiple: true } },
    ],
    [
      'transaction split before the transaction',
      5,
      'weak',
      { settings: { ...SPLIT, enableTransactionSplit: true }, session: { isAutocommit: false } },
    ],
    [
      'transaction split in the transaction',
      6,
      'strong',
      {
        settings: { ...SPLIT, enableTransactionSplit: true },
        session: { isAutocommit: false, transaction: 'open' },
      },
    ],
    [
      'transaction split alone',
      6,
      'strong',
      { settings: { enableTransactionSplit: true }, session: { isAutocommit: false } },
    ],
    ['nothing said', 6, 'strong', {}],
    ['ob_read_consistency = 1, FROZEN', 6, 'strong', { session: { readConsistency: 'frozen' } }],
    ['weak, but FOR UPDATE', 7, 'strong', { session: WEAK, statement: { isForUpdate: true } }],
    [
      'hinted WEAK, but FOR UPDATE',
      7,
      'strong',
      { statement: { hint: 'weak', isForUpdate: true } },
    ],
    ['weak, but the cluster cannot', 7, 'strong', { session: { ...WEAK, canReadWeakly: false } }],
  ])('%s: row %i, %s', (_name, row, level, parts) => {
    expect(consistencyOf(viewOf(parts))).toMatchObject({ row, level })
  })
})
