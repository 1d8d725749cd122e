/** SELECT over one table, a sequence (`seq_1_to_100`) or nothing. */
import { type Cell, COLUMN } from '../codec.ts'
import type { Row, StoredTable } from './database.ts'
import { compare, evaluate, isTrue, numberOf, type Scope, typeOf } from './evaluate.ts'
import { SqlError } from './sql-error.ts'
import type {
  ColumnDefinition,
  ColumnType,
  Expression,
  OrderBy,
  Select,
  SelectItem,
} from './statement.ts'

export type ResultColumn = { readonly name: string; readonly type: number }
export type Result = {
  readonly columns: readonly ResultColumn[]
  readonly rows: Iterable<Row>
  /** What FOUND_ROWS() says afterwards, when it is not the number of rows. */
  readonly found?: number
}

/** Where the rows come from: columns, and rows that are made when they are asked for. */
export type Source = { readonly columns: readonly ColumnDefinition[]; readonly rows: Iterable<Row> }

export const PROTOCOL_TYPE: Readonly<Record<ColumnType, number>> = {
  integer: COLUMN.integer,
  double: COLUMN.double,
  text: COLUMN.text,
}
const AGGREGATES = ['count', 'min', 'max', 'sum']

/** One row without columns: `SELECT 1`. */
export const NOTHING: Source = { columns: [], rows: [[]] }

/** The rows of `seq_FROM_to_TO`, as MariaDB's sequence tables; undefined for other names. */
export function sequenceSource(name: string): Source | undefined {
  const found = /^seq_(\d{1,9})_to_(\d{1,9})$/i.exec(name)
  if (found === null) return undefined
  const column: ColumnDefinition = {
    name: 'seq',
    type: 'integer',
    isRequired: true,
    isCounted: false,
    otherwise: null,
  }
  return { columns: [column], rows: sequence(Number(found[1]), Number(found[2])) }
}

function* sequence(from: number, to: number): Generator<Row> {
  for (let value = from; value <= to; value++) yield [value]
}

/** A scope whose row can be changed between evaluations. */
export function rowScope(scope: Scope, columns: readonly ColumnDefinition[]) {
  const places = new Map(columns.map(({ name }, index) => [name.toLowerCase(), index]))
  const place = (name: string) => places.get(name.toLowerCase())
  const at: { row: Row } = { row: [] }
  return {
    at,
    scope: {
      ...scope,
      // What is no column may be a parameter of the procedure around it.
      column: (name: string): Cell => {
        const index = place(name)
        return index === undefined ? scope.column(name) : (at.row[index] ?? null)
      },
      columnType: (name: string): ColumnType => {
        const index = place(name)
        return index === undefined ? scope.columnType(name) : (columns[index]?.type ?? 'text')
      },
    },
  }
}

/** @throws SqlError */
export function select(statement: Select, source: Source, outer: Scope): Result {
  const { scope, at } = rowScope(outer, source.columns)
  const items = statement.items.flatMap(item => named(item, source))
  if (items.length === 0) throw new SqlError(1096, 'HY000', 'No tables used')
  const columns = items.map(({ name, expression }) => ({
    name,
    type: PROTOCOL_TYPE[typeOf(expression, scope)],
  }))
  const expressions = items.map(({ expression }) => expression)
  const totalled = expressions.filter(isAggregate)
  if (totalled.length > 0 && totalled.length < expressions.length)
    throw new SqlError(1140, '42000', 'the scripted engine does not group')
  const moving = { scope, at }
  const wanted = filtered(source.rows, statement.where, moving)
  const all = statement.isCounting ? [...wanted] : undefined
  const kept = ordered(all ?? wanted, statement, moving)
  const found = all === undefined ? {} : { found: all.length }
  if (totalled.length > 0) return { columns, rows: [totals(totalled, kept, { scope, at })] }
  return { columns, rows: projected(kept, expressions, { scope, at }), ...found }
}

type Named = { readonly name: string; readonly expression: Expression }

function named(item: SelectItem, source: Source): readonly Named[] {
  if (item.kind === 'expression') return [item]
  return source.columns.map(({ name }) => ({ name, expression: { kind: 'column', name } }))
}

type Moving = { readonly scope: Scope; readonly at: { row: Row } }

function* filtered(rows: Iterable<Row>, where: Expression | undefined, moving: Moving) {
  for (const row of rows) {
    moving.at.row = row
    if (where === undefined || isTrue(evaluate(where, moving.scope))) yield row
  }
}

function ordered(rows: Iterable<Row>, statement: Select, moving: Moving): Iterable<Row> {
  const { orderBy, limit } = statement
  const sorted = orderBy.length === 0 ? rows : sort([...rows], orderBy, moving)
  if (limit === undefined) return sorted
  const whole = (expression: Expression | undefined) =>
    expression === undefined ? 0 : numberOf(evaluate(expression, moving.scope) ?? 0)
  return limited(sorted, whole(limit.offset), whole(limit.count))
}

function* limited(rows: Iterable<Row>, offset: number, count: number) {
  let seen = 0
  if (count <= 0) return
  for (const row of rows) {
    seen += 1
    if (seen > offset) yield row
    if (seen >= offset + count) return
  }
}

function sort(rows: Row[], orderBy: readonly OrderBy[], { scope, at }: Moving): Row[] {
  const keyed = rows.map(row => {
    at.row = row
    return { row, keys: orderBy.map(({ expression }) => evaluate(expression, scope)) }
  })
  keyed.sort((a, b) => {
    for (const [index, { isDescending }] of orderBy.entries()) {
      const order = nullsFirst(a.keys[index] ?? null, b.keys[index] ?? null)
      if (order !== 0) return isDescending ? -order : order
    }
    return 0
  })
  return keyed.map(({ row }) => row)
}

export function nullsFirst(left: Cell, right: Cell): number {
  if (left === null || right === null) return Number(left !== null) - Number(right !== null)
  return compare(left, right)
}

function* projected(rows: Iterable<Row>, expressions: readonly Expression[], moving: Moving) {
  for (const row of rows) {
    moving.at.row = row
    yield expressions.map(expression => evaluate(expression, moving.scope))
  }
}

function isAggregate(expression: Expression): expression is Call {
  return expression.kind === 'call' && AGGREGATES.includes(expression.name)
}

type Call = Extract<Expression, { kind: 'call' }>

function totals(calls: readonly Call[], rows: Iterable<Row>, { scope, at }: Moving): Row {
  const running = calls.map((): (string | number)[] => [])
  for (const row of rows) {
    at.row = row
    for (const [index, { name, args }] of calls.entries()) {
      const [argument] = args
      const value = argument === undefined ? 1 : evaluate(argument, scope)
      if (value !== null) fold(running[index] ?? [], name, value)
    }
  }
  return calls.map(({ name }, index) => running[index]?.[0] ?? (name === 'count' ? 0 : null))
}

/** The running total is the only element. */
function fold(total: (string | number)[], name: string, value: string | number): void {
  const [before] = total
  if (name === 'count') total[0] = numberOf(before ?? 0) + 1
  else if (name === 'sum') total[0] = numberOf(before ?? 0) + numberOf(value)
  else if (before === undefined) total[0] = value
  else if (name === 'min') total[0] = compare(value, before) < 0 ? value : before
  else total[0] = compare(value, before) > 0 ? value : before
}

/** The one key that a condition leaves, when it says `key = value`; else every row must be seen. */
export function onlyKey(
  where: Expression | undefined,
  table: StoredTable,
  scope: Scope,
): string | number | undefined {
  if (where?.kind !== 'binary' || where.operator !== '=' || table.keyIndex === undefined)
    return undefined
  const key = table.columns[table.keyIndex]
  const { left, right } = where
  const named = left.kind === 'column' && left.name.toLowerCase() === key?.name.toLowerCase()
  if (!named || (right.kind !== 'value' && right.kind !== 'parameter')) return undefined
  const value = evaluate(right, scope)
  // Another type compares in its own way: `id = '1x'`.
  if (key?.type === 'integer' && typeof value === 'number') return value
  return key?.type === 'text' && typeof value === 'string' ? value.toLowerCase() : undefined
}
