/**
 * How consistent a statement reads: the first rule of the table that holds. Source: proxy-routing.md §7.1.
 * Hot path: looked at once a statement, makes nothing.
 */
import type { RouteView } from './view.ts'

export type Consistency = 'strong' | 'weak'

export type ConsistencyRule = {
  /** Of the specification's table. */
  readonly row: number
  readonly level: Consistency
  readonly because: string
  readonly holds: (view: RouteView) => boolean
}

const NOTHING_ASKS: ConsistencyRule = {
  row: 6,
  level: 'strong',
  because: 'nothing asks for less',
  holds: () => true,
}

/** First match wins; the last always holds. */
export const CONSISTENCY_RULES: readonly ConsistencyRule[] = [
  {
    row: 1,
    level: 'strong',
    because: 'only a SELECT can read weakly',
    holds: ({ statement }) => !statement.isSelect,
  },
  {
    row: 1,
    level: 'strong',
    because: "the node's own sessions read strongly",
    holds: ({ session }) => session.isInternal,
  },
  {
    row: 2,
    level: 'strong',
    because: 'the hint READ_CONSISTENCY(STRONG)',
    holds: ({ statement }) => statement.hint === 'strong',
  },
  {
    row: 2,
    level: 'weak',
    because: 'the hint READ_CONSISTENCY(WEAK)',
    holds: ({ statement }) => statement.hint === 'weak',
  },
  {
    row: 3,
    level: 'weak',
    because: 'ob_read_consistency is WEAK',
    holds: ({ session }) => session.readConsistency === 'weak',
  },
  {
    row: 4,
    level: 'weak',
    because: 'enable_read_write_split, and no transaction',
    holds: ({ settings, session, statement }) =>
      settings.enableReadWriteSplit &&
      session.isAutocommit &&
      session.transaction === 'none' &&
      !statement.isMultiple,
  },
  {
    row: 5,
    level: 'weak',
    because: 'enable_transaction_split, and the transaction has not begun',
    holds: ({ settings, session, statement }) =>
      settings.enableReadWriteSplit &&
      settings.enableTransactionSplit &&
      !session.isAutocommit &&
      session.transaction === 'none' &&
      !statement.isMultiple,
  },
  NOTHING_ASKS,
]

const ROW_7 = { row: 7, level: 'strong' } as const

/** What turns a weak read into a strong one. */
export const STRENGTHENING_RULES: readonly ConsistencyRule[] = [
  {
    ...ROW_7,
    because: 'FOR UPDATE reads strongly',
    holds: ({ statement }) => statement.isForUpdate,
  },
  {
    ...ROW_7,
    because: 'the cluster cannot read weakly',
    holds: ({ session }) => !session.canReadWeakly,
  },
]

/** One of the rules above. */
export function consistencyOf(view: RouteView): ConsistencyRule {
  const rule = firstOf(CONSISTENCY_RULES, view) ?? NOTHING_ASKS
  if (rule.level === 'strong') return rule
  return firstOf(STRENGTHENING_RULES, view) ?? rule
}

function firstOf(rules: readonly ConsistencyRule[], view: RouteView): ConsistencyRule | undefined {
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index]
    if (rule?.holds(view) === true) return rule
  }
  return undefined
}
