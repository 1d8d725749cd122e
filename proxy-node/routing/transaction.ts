/**
 * Where a session's transaction leaves the statement: free to be routed, or where the session is bound.
 * Source: proxy-routing.md §8.1, §8.3. Hot path: looked at once a statement, makes nothing.
 */
import type { RouteView, SessionView, StatementView } from './view.ts'

export type LookupState = 'NEED_LOOKUP' | 'LAST_SERVER' | 'COORDINATOR' | 'LOCK_SERVER'

export type LookupRule = {
  readonly state: LookupState
  readonly because: string
  readonly holds: (view: RouteView) => boolean
}

/** First match wins; without one it is NEED_LOOKUP. The rules of §8.3 stand where §8.1 points at them. */
export const LOOKUP_RULES: readonly LookupRule[] = [
  {
    state: 'LAST_SERVER',
    because: 'content of LOAD DATA goes where the statement went',
    holds: ({ statement }) => statement.command === 'content',
  },
  {
    state: 'LAST_SERVER',
    because: 'in a transaction that spans servers, and it depends on the statement before',
    holds: ({ session, statement }) => isInternal(session) && statement.leansOnLast,
  },
  {
    state: 'COORDINATOR',
    because: 'in a transaction that spans servers, and the transaction is specified',
    holds: ({ session }) => isInternal(session) && session.isTransactionSpecified,
  },
  {
    state: 'COORDINATOR',
    because:
      'in a transaction that spans servers, and the request is large or uses a database link',
    holds: ({ session, statement }) =>
      isInternal(session) && (statement.isLarge || statement.hasDblink),
  },
  {
    state: 'COORDINATOR',
    because: 'in a transaction that spans servers, and no single DML of a table',
    holds: ({ session, statement }) => isInternal(session) && !mayParticipate(statement),
  },
  {
    state: 'NEED_LOOKUP',
    because: 'in a transaction that spans servers',
    holds: ({ session }) => isInternal(session),
  },
  {
    state: 'LAST_SERVER',
    because: 'in a transaction',
    holds: ({ session }) => session.transaction === 'open',
  },
  {
    state: 'LAST_SERVER',
    because: 'the session has a temporary table, or has specified its next transaction',
    holds: ({ session }) => session.isTransactionSpecified,
  },
  {
    state: 'LAST_SERVER',
    because: 'it depends on the statement before',
    holds: ({ statement }) => statement.leansOnLast,
  },
  {
    state: 'LAST_SERVER',
    because: 'an answer in an exchange of passwords',
    holds: ({ session }) => session.isSwitchingAuth,
  },
  {
    state: 'NEED_LOOKUP',
    because: 'the statement names its servers',
    holds: ({ targets }) => targets.length > 0,
  },
  {
    state: 'LOCK_SERVER',
    because: 'the session holds table locks',
    holds: ({ statement, session }) => statement.usesTableLock && session.lockServer !== undefined,
  },
]

const FREE: LookupRule = {
  state: 'NEED_LOOKUP',
  because: 'nothing binds the session',
  holds: () => true,
}

export function lookupRule(view: RouteView): LookupRule {
  if (isFree(view)) return FREE
  for (let index = 0; index < LOOKUP_RULES.length; index++) {
    const rule = LOOKUP_RULES[index]
    if (rule?.holds(view) === true) return rule
  }
  return FREE
}

/** What none of the rules holds for: the usual statement, in fewer looks than there are rules. */
function isFree({ session, statement, targets }: RouteView): boolean {
  return (
    session.transaction !== 'open' &&
    targets.length === 0 &&
    statement.command !== 'content' &&
    !statement.leansOnLast &&
    !statement.usesTableLock &&
    !session.isTransactionSpecified &&
    !session.isSwitchingAuth
  )
}

/** In a transaction that may span servers (§8.3). */
export function isInternal({ transaction, isRoutedInternally }: SessionView): boolean {
  return transaction === 'open' && isRoutedInternally
}

/** Whether it may run on another server than the coordinator (§8.3). */
function mayParticipate(statement: StatementView): boolean {
  if (!statement.hasTable || !statement.isDml || statement.isMultiple) return false
  if (statement.isCall && statement.textForm === 'prepare') return false
  return (
    statement.command === 'query' ||
    statement.command === 'prepare' ||
    statement.command === 'execute'
  )
}

export type InternalFailure =
  | 'coordinator-unknown'
  | 'no-participant'
  | 'free-route-unsupported'
  | 'participant-lost'
  | 'plain-transaction'

export type InternalReaction = {
  readonly next: 'disconnect' | 'coordinator' | 'next-then-coordinator' | 'disconnect-or-forward'
  readonly because: string
}

/** What follows from a failure inside a transaction (§8.3). */
export const INTERNAL_REACTIONS: Readonly<Record<InternalFailure, InternalReaction>> = {
  'coordinator-unknown': { next: 'disconnect', because: 'nobody knows of the transaction' },
  'no-participant': { next: 'coordinator', because: 'no server of the partition is usable' },
  // Error 6279.
  'free-route-unsupported': {
    next: 'coordinator',
    because: 'the server cannot take part in the transaction',
  },
  // Connecting failed, or it is on the blacklist.
  'participant-lost': {
    next: 'next-then-coordinator',
    because: 'the server cannot be reached, and has not seen the statement',
  },
  'plain-transaction': {
    next: 'disconnect-or-forward',
    because: 'a transaction that is on one server is lost with it',
  },
}
