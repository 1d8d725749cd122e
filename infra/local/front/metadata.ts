/**
 * Answers the proxy's questions about the cluster: selects over the picture's tables, evaluated as a
 * server would. What is no question of this kind is left to the engine.
 */
import type { Cell, Table } from './codec.ts'
import { constantsIn, type Query, readQuery, type Source, tablesOf } from './metadata-parser.ts'
import type { Flavour } from './picture.ts'
import { evaluate, isTrue, type Scope } from './scripted/evaluate.ts'
import { nullsFirst } from './scripted/select.ts'
import { SqlError } from './scripted/sql-error.ts'
import type { Expression, SelectItem } from './scripted/statement.ts'
import { isSystemTable } from './system-tables.ts'

export type Constants = ReturnType<typeof constantsIn>
/** The rows of a table; constants are what the condition demands of its columns. */
export type TableSource = (name: string, constants: Constants) => Promise<Table>

const SCHEMA = '__all_virtual_proxy_schema'
const ROUTINES = '__all_virtual_proxy_routine'
const DESCRIPTIONS = [
  '__all_virtual_proxy_partition_info',
  '__all_virtual_proxy_partition',
  '__all_virtual_proxy_sub_partition',
]
/** A cheap look before a statement is read: no other statement has one of these words. */
const HINT = /ob_version\s*\(|[\s.`](?:DBA_OB_|CDB_OB_|G?V\$OB_|__all_)/i
const BINARY = ['high_bound_val_bin', 'part_key_default_value', 'low_bound_val_bin']

/**
 * The question that a statement puts, undefined for what is the engine's. `describes`: the engine
 * answers for its routines and for the insides of its partitions itself.
 */
export function metadataQuestion(
  sql: string,
  flavour: Flavour,
  describes: boolean,
): Query | undefined {
  if (!HINT.test(sql)) return undefined
  const query = readQuery(sql)
  if (query === undefined) return undefined
  if (query.source === undefined) return isVersion(query) ? query : undefined
  const isOurs = (name: string) =>
    name === SCHEMA ||
    isSystemTable(flavour, name) ||
    (!describes && (DESCRIPTIONS.includes(name) || (name === ROUTINES && flavour === 'v4')))
  return tablesOf(query).every(isOurs) ? query : undefined
}

const TENANT = /\btenant_name\s*=\s*'([^'\\]*)'/i

/**
 * The tenant that a question about insides of tables names, and the same question about tenant `sys`;
 * undefined for other statements.
 */
export function describedTenant(
  sql: string,
): { readonly tenant: string; readonly ofSys: string } | undefined {
  if (!/\b__all_virtual_proxy_(?:partition|sub_partition|partition_info|routine)\b/i.test(sql))
    return undefined
  const tenant = TENANT.exec(sql)?.[1]
  if (tenant === undefined) return undefined
  return { tenant, ofSys: sql.replace(TENANT, "tenant_name = 'sys'") }
}

function isVersion({ items }: Query): boolean {
  return items.some(
    item =>
      item.kind === 'expression' &&
      item.expression.kind === 'call' &&
      item.expression.name === 'ob_version',
  )
}

/** Columns with their qualified twins (`a.zone`) behind the first `shown`. */
type Joined = {
  readonly columns: readonly { readonly of: string; readonly name: string }[]
  readonly rows: readonly (readonly Cell[])[]
}

const ONE_ROW: Joined = { columns: [], rows: [[]] }

/** @throws SqlError for columns that no table has */
export async function answerQuery(
  query: Query,
  tables: TableSource,
  version: string,
): Promise<Table> {
  const constants = constantsIn(query.where)
  let joined =
    query.source === undefined
      ? ONE_ROW
      : await rowsOf(query.source, constants, { tables, version })
  for (const { side, source, on, using } of query.joins) {
    const right = await rowsOf(source, constants, { tables, version })
    const matches = (row: readonly Cell[], columns: Joined['columns']) =>
      on === undefined
        ? using.every(name => areSame(columns, row, name))
        : isTrue(evaluate(on, scopeOf({ columns, rows: [] }, row, version)))
    joined =
      side === 'right'
        ? join(right, joined, true, matches)
        : join(joined, right, side === 'left', matches)
  }
  return project(query, joined, version)
}

async function rowsOf(
  source: Source,
  constants: Constants,
  { tables, version }: { readonly tables: TableSource; readonly version: string },
): Promise<Joined> {
  const { columns, rows } =
    source.kind === 'table'
      ? await tables(source.name, constants)
      : await answerQuery(source.query, tables, version)
  return { columns: columns.map(name => ({ of: source.alias, name: name.toLowerCase() })), rows }
}

type Matches = (row: readonly Cell[], columns: Joined['columns']) => boolean

function join(left: Joined, right: Joined, keepsLeft: boolean, matches: Matches): Joined {
  const columns = [...left.columns, ...right.columns]
  const nothing = right.columns.map(() => null)
  const rows = left.rows.flatMap(row => {
    const found = right.rows.map(other => [...row, ...other]).filter(each => matches(each, columns))
    return found.length === 0 && keepsLeft ? [[...row, ...nothing]] : found
  })
  return { columns, rows }
}

/** With USING all columns of that name are the same. */
function areSame(columns: Joined['columns'], row: readonly Cell[], name: string): boolean {
  const cells = row.filter((_cell, at) => columns[at]?.name === name.toLowerCase())
  return cells.every(cell => cell !== null && cell === cells[0])
}

function placeOf(columns: Joined['columns'], name: string, of: string | undefined): number {
  const [small, owner] = [name.toLowerCase(), of?.toLowerCase()]
  const at = columns.findIndex(
    column => column.name === small && (owner === undefined || column.of === owner),
  )
  if (at < 0) throw new SqlError(1054, '42S22', `Unknown column '${name}' in 'field list'`)
  return at
}

function scopeOf({ columns, rows }: Joined, row: readonly Cell[], version: string): Scope {
  const column = (name: string, of?: string) => row[placeOf(columns, name, of)] ?? null
  return {
    parameters: [],
    column,
    columnType: () => 'text',
    variable: () => null,
    userVariable: () => null,
    assign: () => {},
    session: {
      ob_version: () => version,
      hex: ([value]) => hexOf(value ?? null),
      // Of the group of rows that the row stands for.
      count: () => rows.length,
    },
  }
}

function hexOf(value: Cell): Cell {
  if (value === null) return null
  return Buffer.from(String(value), 'latin1').toString('hex').toUpperCase()
}

function project(query: Query, joined: Joined, version: string): Table {
  const { where, orderBy, groupBy, isDistinct } = query
  const scope = (row: readonly Cell[], rows: Joined['rows'] = []) =>
    scopeOf({ columns: joined.columns, rows }, row, version)
  const kept = joined.rows.filter(row => where === undefined || isTrue(evaluate(where, scope(row))))
  const groups = groupsOf(kept, query, row => groupBy.map(each => evaluate(each, scope(row))))
  const items = query.items.flatMap(item => expand(item, joined))
  const rows = groups.map(group => {
    const [first = []] = group
    return items.map(({ expression }) => evaluate(expression, scope(first, group)))
  })
  const keys = groups.map(([first = []]) =>
    orderBy.map(({ expression }) => orderKey(expression, items, scope(first))),
  )
  const sorted = sortRows(rows, keys, orderBy)
  const distinct = isDistinct ? withoutTwins(sorted) : sorted
  return {
    columns: items.map(({ name }) => name),
    rows: limited(distinct, query, scope([])),
    binary: binaryOf(items),
  }
}

type Item = Extract<SelectItem, { kind: 'expression' }>

function expand(item: Query['items'][number], { columns }: Joined): readonly Item[] {
  if (item.kind === 'expression') return [item]
  const of = item.kind === 'all-of' ? item.of : undefined
  return columns
    .filter(column => of === undefined || column.of === of)
    .map(column => ({
      kind: 'expression',
      name: column.name,
      expression: { kind: 'column', ...column },
    }))
}

/** Rows that become one: all of a group, all there are under an aggregate alone, otherwise each. */
function groupsOf(
  rows: Joined['rows'],
  { groupBy, items }: Query,
  keyOf: (row: readonly Cell[]) => readonly Cell[],
): readonly Joined['rows'][] {
  if (groupBy.length === 0) {
    const isTotal = items.some(
      item =>
        item.kind === 'expression' &&
        item.expression.kind === 'call' &&
        item.expression.name === 'count',
    )
    return isTotal ? [rows] : rows.map(row => [row])
  }
  const groups = new Map<string, (readonly Cell[])[]>()
  for (const row of rows) {
    const key = JSON.stringify(keyOf(row))
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()]
}

/** A name may be the one that an item was given. */
function orderKey(expression: Expression, items: readonly Item[], scope: Scope): Cell {
  const named =
    expression.kind === 'column' && expression.of === undefined
      ? items.find(({ name }) => name.toLowerCase() === expression.name.toLowerCase())
      : undefined
  return evaluate(named?.expression ?? expression, scope)
}

type Order = Query['orderBy']

function sortRows(
  rows: readonly (readonly Cell[])[],
  keys: readonly (readonly Cell[])[],
  orderBy: Order,
): readonly (readonly Cell[])[] {
  if (orderBy.length === 0) return rows
  const places = rows.map((_row, at) => at)
  places.sort((a, b) => {
    for (const [index, { isDescending }] of orderBy.entries()) {
      const order = nullsFirst(keys[a]?.[index] ?? null, keys[b]?.[index] ?? null)
      if (order !== 0) return isDescending ? -order : order
    }
    return a - b
  })
  return places.map(at => rows[at] ?? [])
}

function withoutTwins(rows: readonly (readonly Cell[])[]): readonly (readonly Cell[])[] {
  return [...new Map(rows.map(row => [JSON.stringify(row), row])).values()]
}

function limited(
  rows: readonly (readonly Cell[])[],
  { limit }: Query,
  scope: Scope,
): readonly (readonly Cell[])[] {
  if (limit === undefined) return rows
  const from = limit.offset === undefined ? 0 : Number(evaluate(limit.offset, scope))
  return rows.slice(from, from + Number(evaluate(limit.count, scope)))
}

function binaryOf(items: readonly Item[]): ReadonlySet<number> {
  const places = items.flatMap(({ expression }, at) =>
    expression.kind === 'column' && BINARY.includes(expression.name.toLowerCase()) ? [at] : [],
  )
  return new Set(places)
}
