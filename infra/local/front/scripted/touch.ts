/**
 * Which partitions of its table a statement needs, from the conditions and values of the partitioning
 * columns, and what the front in front of the session says to it. Source: proxy-routing.md §4.8.
 */
import type { Cell } from '../codec.ts'
import { type Level, leavesFor, partOf } from '../partitioning.ts'
import type { Tablet } from '../picture.ts'
import type { StoredTable } from './database.ts'
import { evaluate, type Scope } from './evaluate.ts'
import type { Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { Expression, Statement, TableName } from './statement.ts'

type Touching = Extract<Statement, { kind: 'select' | 'insert' | 'update' | 'delete' }>

const PARTITION_HIT = 'ob_proxy_partition_hit'
const WEAK_FEEDBACK = '_ob_proxy_weakread_feedback'

/** @throws SqlError 4038 when the server does not lead and may not execute for another, 1526 */
export function touch(session: Session, statement: Touching, scope: Scope): void {
  const name = tableOf(statement)
  const { seat } = session
  if (seat === undefined || name === undefined || session.temporary.size > 0) return
  const table = session.table(name)
  const verdict = seat.judge({
    table: `${table.database}.${table.name}`,
    tablets: table.levels.length === 0 ? table.tablets : tabletsOf(table, statement, scope),
    isWeak: statement.kind === 'select' && isWeak(session, statement),
  })
  if (verdict.isRefused) throw new SqlError(4038, 'HY000', 'The replica is not master')
  if (!verdict.isHit) session.variables.tell(PARTITION_HIT, 'OFF')
  if (verdict.feedback > 0 && session.hearsWeakFeedback)
    session.variables.tell(WEAK_FEEDBACK, String(verdict.feedback))
}

function tableOf(statement: Touching): TableName | undefined {
  if (statement.kind === 'insert') return statement.into
  if (statement.kind === 'update') return statement.table
  const { from } = statement
  return from !== undefined && /^seq_\d+_to_\d+$/i.test(from.table) ? undefined : from
}

function isWeak(
  session: Session,
  { isForUpdate, hint }: Extract<Statement, { kind: 'select' }>,
): boolean {
  if (isForUpdate) return false
  if (session.isToldWeak) return true
  if (hint !== undefined) return hint === 'weak'
  return String(session.variables.value('ob_read_consistency')).toUpperCase() === 'WEAK'
}

function tabletsOf(table: StoredTable, statement: Touching, scope: Scope): readonly Tablet[] {
  const leaves =
    statement.kind === 'insert'
      ? insertLeaves(table, statement, scope)
      : leavesFor(
          table.levels,
          table.levels.map(({ column }) => valuesIn(statement.where, column, scope)),
        )
  // What no partition holds is looked for in the first.
  const chosen = leaves.length === 0 ? [0] : leaves
  return chosen.flatMap(leaf => table.tablets[leaf] ?? [])
}

function insertLeaves(
  table: StoredTable,
  { columns, rows }: Extract<Statement, { kind: 'insert' }>,
  scope: Scope,
): readonly number[] {
  const places = table.levels.map(({ column }) => {
    const named = columns ?? table.columns.map(({ name }) => name)
    return named.findIndex(name => name.toLowerCase() === column)
  })
  const leaves = new Set<number>()
  for (const row of rows) {
    const leaf = table.levels.reduce((before, level, at) => {
      const expression = row[places[at] ?? -1]
      const value = expression === undefined ? null : evaluate(expression, scope)
      return before * level.parts.length + needPart(level, value)
    }, 0)
    leaves.add(leaf)
  }
  return [...leaves]
}

function needPart(level: Level, value: Cell): number {
  const part = partOf(level, value)
  if (part === undefined) throw new SqlError(1526, 'HY000', 'Table has no partition for value')
  return part
}

/** Values that a condition leaves a column; undefined when it does not say. */
function valuesIn(
  where: Expression | undefined,
  column: string,
  scope: Scope,
): readonly Cell[] | undefined {
  if (where?.kind === 'in') {
    const isKnown = isColumn(where.operand, column) && where.list.every(isConstant)
    return isKnown ? where.list.map(item => evaluate(item, scope)) : undefined
  }
  if (where?.kind !== 'binary') return undefined
  const { operator, left, right } = where
  if (operator === 'and') return valuesIn(left, column, scope) ?? valuesIn(right, column, scope)
  if (operator === 'or')
    return either(valuesIn(left, column, scope), valuesIn(right, column, scope))
  if (operator !== '=') return undefined
  if (isColumn(left, column) && isConstant(right)) return [evaluate(right, scope)]
  return isColumn(right, column) && isConstant(left) ? [evaluate(left, scope)] : undefined
}

function either(left: readonly Cell[] | undefined, right: readonly Cell[] | undefined) {
  return left === undefined || right === undefined ? undefined : [...left, ...right]
}

function isColumn(expression: Expression, column: string): boolean {
  return expression.kind === 'column' && expression.name.toLowerCase() === column
}

/** Without effects, and without a row. */
function isConstant(expression: Expression): boolean {
  switch (expression.kind) {
    case 'value':
    case 'parameter':
    case 'variable':
    case 'user-variable':
      return true
    case 'unary':
      return isConstant(expression.operand)
    case 'binary':
      return isConstant(expression.left) && isConstant(expression.right)
    default:
      return false
  }
}
