/** Carries a statement out in its session: a statement goes in, an answer or an `SqlError` comes out. */
import type { Cell } from '../codec.ts'
import { type Answer, DONE } from './answer.ts'
import { callProcedure } from './calls.ts'
import { type Changed, chosen, insert, remove, update } from './changes.ts'
import type { StoredTable } from './database.ts'
import { commitsBefore, define } from './definitions.ts'
import { evaluate, type Scope } from './evaluate.ts'
import { parse } from './parser.ts'
import { NOTHING, type Result, select, sequenceSource } from './select.ts'
import type { Locals, Session } from './session.ts'
import { show, showBranches, showVariables } from './shows.ts'
import { makeSlowCalls } from './slow-calls.ts'
import { SqlError } from './sql-error.ts'
import type { Assignment, Select, SetTransaction, Statement, Xa } from './statement.ts'
import { touch } from './touch.ts'
import type { Transaction } from './transaction.ts'

type Of<Kind extends Statement['kind']> = Extract<Statement, { kind: Kind }>

/** Values that a statement is carried out with. */
export type Given = { readonly parameters: readonly Cell[]; readonly locals?: Locals }

const MAX_PREPARED = 1_000

/** @throws SqlError */
export async function run(session: Session, statement: Statement, given: Given): Promise<Answer> {
  const scope = session.scope(given.parameters, given.locals)
  switch (statement.kind) {
    case 'select': {
      const items = statement.items.flatMap(item => (item.kind === 'all' ? [] : [item.expression]))
      await makeSlowCalls(session, items, scope)
      touch(session, statement, scope)
      return { kind: 'rows', result: selected(session, statement, scope) }
    }
    case 'do':
      await makeSlowCalls(session, statement.expressions, scope)
      for (const expression of statement.expressions) evaluate(expression, scope)
      return DONE
    case 'insert':
    case 'update':
    case 'delete':
      return change(session, statement, scope)
    case 'set':
      return set(session, statement.assignments, scope)
    case 'use':
      session.use(statement.database)
      return DONE
    case 'kill':
      kill(session, statement)
      return DONE
    case 'show':
      return { kind: 'rows', result: show(session, statement.what) }
    case 'show-variables':
      return { kind: 'rows', result: showVariables(session, statement.pattern) }
    case 'load':
      // A table that is not there is told before a file is asked for.
      if (session.maySendFiles && session.table(statement.into)) {
        return { kind: 'file', load: statement }
      }
      throw new SqlError(3948, '42000', 'Loading local data is disabled')
    case 'nothing':
      return DONE
    default:
      return runOthers(session, statement, scope)
  }
}

/** Statements about transactions, other statements and definitions. */
async function runOthers(
  session: Session,
  statement: Exclude<
    Statement,
    Of<
      | 'select'
      | 'do'
      | 'insert'
      | 'update'
      | 'delete'
      | 'set'
      | 'use'
      | 'kill'
      | 'show'
      | 'show-variables'
      | 'load'
      | 'nothing'
    >
  >,
  scope: Scope,
): Promise<Answer> {
  const { transacting } = session
  switch (statement.kind) {
    case 'begin':
      await transacting.begin(statement.isReadOnly)
      return DONE
    case 'commit':
      await transacting.commit()
      return DONE
    case 'rollback':
      transacting.rollback()
      return DONE
    case 'savepoint':
      transacting.savepoint(statement.name)
      return DONE
    case 'rollback-to':
    case 'release':
      transacting.toSavepoint(statement.kind, statement.name)
      return DONE
    case 'set-transaction':
      setTransaction(session, statement)
      return DONE
    case 'xa':
      return xa(session, statement)
    case 'prepare':
      return prepare(session, statement, scope)
    case 'execute':
      return execute(session, statement, scope)
    case 'deallocate':
      if (!session.prepared.delete(statement.name)) throw unknownStatement(statement.name)
      return DONE
    case 'call': {
      const args = statement.args.map(arg => evaluate(arg, scope))
      return callProcedure(session, { name: statement.name, args }, (inner, locals) =>
        run(session, inner, { parameters: [], locals }),
      )
    }
    default:
      if (commitsBefore(statement)) await transacting.commit()
      return define(session, statement)
  }
}

/** Names and types of the columns that a statement will answer with, none for an OK. */
export function describe(session: Session, statement: Statement): Result['columns'] {
  if (statement.kind === 'select')
    return selected(session, { ...statement, isForUpdate: false }, session.scope([])).columns
  if (statement.kind === 'show') return show(session, statement.what).columns
  return statement.kind === 'show-variables' ? showVariables(session, undefined).columns : []
}

function selected(session: Session, statement: Select, scope: Scope): Result {
  const { from } = statement
  if (from === undefined) return select(statement, NOTHING, scope)
  const sequence = sequenceSource(from.table)
  if (sequence !== undefined) return select(statement, sequence, scope)
  const table = session.table(from)
  const rows = chosen(table, statement.where, session.transacting.reading(), scope)
  if (statement.isForUpdate) lock(session, table, rows)
  const source = { columns: table.columns, rows: rows.map(({ row }) => row) }
  return select({ ...statement, where: undefined }, source, scope)
}

function lock(session: Session, table: StoredTable, rows: ReturnType<typeof chosen>): void {
  const same = new Map(rows.map(({ key, row }) => [key, row]))
  session.transacting.lock(transaction => transaction.change(table, same))
}

/** The last number that AUTO_INCREMENT gave is a variable of the session. */
export async function change(
  session: Session,
  statement: Of<'insert' | 'update' | 'delete'>,
  scope: Scope,
): Promise<Answer> {
  touch(session, statement, scope)
  const changed = await session.transacting.change(transaction =>
    changedRows(session, statement, { transaction, scope }),
  )
  if (changed.lastInsertId > 0) session.variables.set('last_insert_id', changed.lastInsertId)
  return { kind: 'ok', ...changed }
}

function changedRows(
  session: Session,
  statement: Of<'insert' | 'update' | 'delete'>,
  { transaction, scope }: { readonly transaction: Transaction; readonly scope: Scope },
): Changed {
  if (statement.kind === 'insert')
    return insert(statement, session.table(statement.into), transaction, scope)
  if (statement.kind === 'update')
    return update(statement, session.table(statement.table), transaction, scope)
  return remove(session.table(statement.from), statement.where, transaction, scope)
}

/** Assignments in front of one that fails stay in force (A10). */
async function set(
  session: Session,
  assignments: readonly Assignment[],
  scope: Scope,
): Promise<Answer> {
  const { variables } = session
  for (const { kind, name, value } of assignments) {
    if (value === undefined) variables.setDefault(name)
    else if (kind === 'user') variables.setUser(name, evaluate(value, scope))
    else variables.set(name, evaluate(value, scope))
  }
  // Autocommit that comes on ends what was open.
  if (assignments.some(({ name }) => name === 'autocommit') && variables.isAutocommit)
    await session.transacting.commit()
  return DONE
}

function kill(session: Session, { id, isQuery }: Of<'kill'>): void {
  if (id !== session.id) session.world.kill(id, !isQuery)
  else if (!isQuery) {
    session.world.refuse(id)
    session.leave()
  }
}

function setTransaction(session: Session, statement: SetTransaction): void {
  const { isOfSession, isReadOnly, isolation } = statement
  if (!isOfSession) {
    session.transacting.plan({ isReadOnly, isolation })
    return
  }
  if (isReadOnly !== undefined) session.variables.set('tx_read_only', isReadOnly ? 1 : 0)
  if (isolation !== undefined) session.variables.set('tx_isolation', isolation)
}

async function xa(session: Session, { verb, xid, isOnePhase }: Xa): Promise<Answer> {
  const { transacting } = session
  if (verb === 'recover') return { kind: 'rows', result: showBranches(session) }
  if (verb === 'start') transacting.startBranch(xid)
  if (verb === 'end') transacting.endBranch(xid)
  if (verb === 'prepare') transacting.prepareBranch(xid)
  if (verb === 'commit') await transacting.commitBranch(xid, isOnePhase)
  if (verb === 'rollback') transacting.rollbackBranch(xid)
  return DONE
}

function prepare(session: Session, { name, from }: Of<'prepare'>, scope: Scope): Answer {
  const sql = String(evaluate(from, scope) ?? '')
  session.prepared.delete(name)
  if (session.prepared.size >= MAX_PREPARED)
    throw new SqlError(1461, '42000', `more than ${MAX_PREPARED} prepared statements`)
  parse(sql)
  session.prepared.set(name, sql)
  return DONE
}

async function execute(session: Session, { name, using }: Of<'execute'>, scope: Scope) {
  const sql = session.prepared.get(name)
  if (sql === undefined) throw unknownStatement(name)
  const { statement, parameters } = parse(sql)
  if (parameters !== using.length)
    throw new SqlError(1210, 'HY000', 'Incorrect arguments to EXECUTE')
  if (statement.kind === 'execute' || statement.kind === 'prepare')
    throw new SqlError(1295, 'HY000', 'This command is not supported in the prepared statement')
  return run(session, statement, { parameters: using.map(value => evaluate(value, scope)) })
}

function unknownStatement(name: string): SqlError {
  return new SqlError(1243, 'HY000', `Unknown prepared statement handler (${name})`)
}
