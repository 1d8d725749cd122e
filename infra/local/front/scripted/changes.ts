/** INSERT, REPLACE, UPDATE, DELETE: planned whole, then taken by the transaction, all or nothing. */
import type { Cell } from '../codec.ts'
import type { Key, Row, StoredTable } from './database.ts'
import { evaluate, isTrue, numberOf, type Scope } from './evaluate.ts'
import { onlyKey, rowScope } from './select.ts'
import { SqlError } from './sql-error.ts'
import type { ColumnDefinition, Expression, Statement } from './statement.ts'
import type { Transaction } from './transaction.ts'

export type Changed = { readonly affectedRows: number; readonly lastInsertId: number }

type Insert = Extract<Statement, { kind: 'insert' }>
type Update = Extract<Statement, { kind: 'update' }>

/** @throws SqlError */
export function insert(
  statement: Insert,
  table: StoredTable,
  transaction: Transaction,
  scope: Scope,
): Changed {
  const places = placesOf(table, statement.columns)
  const planned = new Map<Key, Row | undefined>()
  let [affectedRows, lastInsertId] = [0, 0]
  for (const values of statement.rows) {
    if (values.length !== places.length)
      throw new SqlError(1136, '21S01', "Column count doesn't match value count")
    const given = new Map(values.map((value, index) => [places[index], evaluate(value, scope)]))
    const { row, counted } = completed(table, given)
    if (counted !== undefined && lastInsertId === 0) lastInsertId = counted
    const key = keyOf(table, row)
    const before = planned.get(key) ?? transaction.row(table, key)
    if (!statement.isReplace) needFree(before, key)
    affectedRows += before === undefined ? 1 : 2
    planned.set(key, row)
  }
  transaction.change(table, planned)
  return { affectedRows, lastInsertId }
}

function placesOf(table: StoredTable, columns: readonly string[] | undefined): readonly number[] {
  if (columns === undefined) return table.columns.map((_column, index) => index)
  return columns.map(name => placeOf(table, name))
}

function placeOf(table: StoredTable, name: string): number {
  const place = table.columns.findIndex(column => column.name.toLowerCase() === name.toLowerCase())
  if (place < 0) throw new SqlError(1054, '42S22', `Unknown column '${name}' in 'field list'`)
  return place
}

function completed(table: StoredTable, given: ReadonlyMap<number | undefined, Cell>) {
  let counted: number | undefined
  const row = table.columns.map((column, index) => {
    const value = given.has(index) ? (given.get(index) ?? null) : column.otherwise
    if (column.isCounted && (value === null || value === 0)) {
      counted = table.counter++
      return counted
    }
    const fit = fitting(column, value, index === table.keyIndex)
    if (column.isCounted && typeof fit === 'number')
      table.counter = Math.max(table.counter, fit + 1)
    return fit
  })
  return { row, counted }
}

/** The value as its column holds it. @throws SqlError 1048, 1366 */
function fitting(column: ColumnDefinition, value: Cell, isKey: boolean): Cell {
  if (value === null) {
    if (column.isRequired || isKey)
      throw new SqlError(1048, '23000', `Column '${column.name}' cannot be null`)
    return null
  }
  if (column.type === 'text') return String(value)
  const isNumeric =
    typeof value === 'number' || /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value)
  if (!isNumeric)
    throw new SqlError(1366, 'HY000', `Incorrect ${column.type} value for column '${column.name}'`)
  return column.type === 'integer' ? Math.round(numberOf(value)) : numberOf(value)
}

function keyOf(table: StoredTable, row: Row): Key {
  const value = table.keyIndex === undefined ? null : (row[table.keyIndex] ?? null)
  if (value === null) return `#${table.counter++}`
  return typeof value === 'string' ? value.toLowerCase() : value
}

type Chosen = { readonly key: Key; readonly row: Row }

/** Rows that a condition leaves; by the key alone where it can. */
export function chosen(
  table: StoredTable,
  where: Expression | undefined,
  transaction: Transaction,
  outer: Scope,
): readonly Chosen[] {
  const { scope, at } = rowScope(outer, table.columns)
  const key = onlyKey(where, table, scope)
  if (key !== undefined) {
    const row = transaction.row(table, key)
    return row === undefined ? [] : [{ key, row }]
  }
  return transaction.rows(table).flatMap(([rowKey, row]) => {
    at.row = row
    return where === undefined || isTrue(evaluate(where, scope)) ? [{ key: rowKey, row }] : []
  })
}

/** @throws SqlError */
export function update(
  statement: Update,
  table: StoredTable,
  transaction: Transaction,
  outer: Scope,
): Changed {
  const { scope, at } = rowScope(outer, table.columns)
  const changes = statement.changes.map(({ column, value }) => ({
    place: placeOf(table, column),
    value,
  }))
  const planned = new Map<Key, Row | undefined>()
  let affectedRows = 0
  for (const { key, row } of chosen(table, statement.where, transaction, outer)) {
    at.row = row
    const after = [...row]
    for (const { place, value } of changes) {
      const column = table.columns[place]
      if (column !== undefined)
        after[place] = fitting(column, evaluate(value, scope), place === table.keyIndex)
    }
    if (after.every((cell, index) => cell === row[index])) continue
    affectedRows += 1
    const movedTo = table.keyIndex === undefined ? key : keyOf(table, after)
    if (movedTo !== key) {
      needFree(planned.get(movedTo) ?? transaction.row(table, movedTo), movedTo)
      planned.set(key, undefined)
    }
    planned.set(movedTo, after)
  }
  transaction.change(table, planned)
  return { affectedRows, lastInsertId: 0 }
}

/** @throws SqlError 1062 */
function needFree(row: Row | undefined, key: Key): void {
  if (row !== undefined)
    throw new SqlError(1062, '23000', `Duplicate entry '${key}' for key 'PRIMARY'`)
}

/** @throws SqlError */
export function remove(
  table: StoredTable,
  where: Expression | undefined,
  transaction: Transaction,
  scope: Scope,
): Changed {
  const rows = chosen(table, where, transaction, scope)
  transaction.change(table, new Map(rows.map(({ key }) => [key, undefined])))
  return { affectedRows: rows.length, lastInsertId: 0 }
}
