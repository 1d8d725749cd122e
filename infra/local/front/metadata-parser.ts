/**
 * The proxy's questions as statements: SELECT over system tables with joins, groups and tables made of
 * selects, read by their words so that a question may be put in any way.
 */
import { readExpression } from './scripted/expression-parser.ts'
import { readItem, readLimit, readOrder } from './scripted/parser.ts'
import { SqlError } from './scripted/sql-error.ts'
import type { Expression, Limit, OrderBy, SelectItem } from './scripted/statement.ts'
import { TokensReader } from './scripted/tokens-reader.ts'

export type QueryItem = SelectItem | { readonly kind: 'all-of'; readonly of: string }

/** One table of FROM, under the name that its columns go by; both in small letters. */
export type Source = { readonly alias: string } & (
  | { readonly kind: 'table'; readonly name: string }
  | { readonly kind: 'query'; readonly query: Query }
)

export type Join = {
  readonly side: 'inner' | 'left' | 'right'
  readonly source: Source
  readonly on: Expression | undefined
  readonly using: readonly string[]
}

export type Query = {
  readonly isDistinct: boolean
  readonly items: readonly QueryItem[]
  readonly source: Source | undefined
  readonly joins: readonly Join[]
  readonly where: Expression | undefined
  readonly groupBy: readonly Expression[]
  readonly orderBy: readonly OrderBy[]
  readonly limit: Limit | undefined
}

/** Words that begin a clause, so that they are no alias. */
const CLAUSES = [
  'where',
  'group',
  'order',
  'limit',
  'on',
  'using',
  'join',
  'left',
  'right',
  'inner',
]
/** Ids of 3.x exceed what a number holds: as texts they stay whole. */
const LONG_NUMBER = /(?<![\w'.])\d{16,20}(?![\w'.])/g
const MAX_DEPTH = 4

/** Undefined for whatever is no such select. */
export function readQuery(sql: string): Query | undefined {
  try {
    const reader = new TokensReader(sql.replace(LONG_NUMBER, "'$&'"))
    const query = readSelect(reader, 0)
    reader.end()
    return query
  } catch (error) {
    if (error instanceof SqlError) return undefined
    throw error
  }
}

/** Names of all tables of a query, in small letters. */
export function tablesOf({ source, joins }: Query): readonly string[] {
  return [source, ...joins.map(join => join.source)].flatMap(each => {
    if (each === undefined) return []
    return each.kind === 'table' ? [each.name] : tablesOf(each.query)
  })
}

function readSelect(reader: TokensReader, depth: number): Query {
  if (depth > MAX_DEPTH) throw reader.fail()
  reader.needWords('select')
  const isDistinct = reader.takeWords('distinct')
  const items = reader.list(() => readQueryItem(reader))
  const joins: Join[] = []
  let source: Source | undefined
  if (reader.takeWords('from')) {
    source = readSource(reader, depth)
    for (let join = readJoin(reader, depth); join !== undefined; join = readJoin(reader, depth))
      joins.push(join)
  }
  const where = reader.takeWords('where') ? readExpression(reader) : undefined
  const groupBy = reader.takeWords('group', 'by') ? reader.list(() => readExpression(reader)) : []
  const orderBy = readOrder(reader)
  return { isDistinct, items, source, joins, where, groupBy, orderBy, limit: readLimit(reader) }
}

function readQueryItem(reader: TokensReader): QueryItem {
  const isAllOf = reader.behind(1).text === '.' && reader.behind(2).text === '*'
  if (!isAllOf) return readItem(reader)
  const of = reader.needName().toLowerCase()
  reader.take()
  reader.take()
  return { kind: 'all-of', of }
}

function readJoin(reader: TokensReader, depth: number): Join | undefined {
  const side = (['left', 'right', 'inner'] as const).find(word => reader.takeWords(word))
  reader.takeWords('outer')
  const isJoin = reader.takeWords('join')
  if (!isJoin && (side !== undefined || !reader.takeSign(','))) {
    if (side !== undefined) throw reader.fail()
    return undefined
  }
  const source = readSource(reader, depth)
  const on = reader.takeWords('on') ? readExpression(reader) : undefined
  const using = on === undefined && reader.takeWords('using') ? readUsing(reader) : []
  return { side: side ?? 'inner', source, on, using }
}

function readUsing(reader: TokensReader): readonly string[] {
  reader.needSign('(')
  const columns = reader.list(() => reader.needName())
  reader.needSign(')')
  return columns
}

function readSource(reader: TokensReader, depth: number): Source {
  if (reader.takeSign('(')) {
    const query = readSelect(reader, depth + 1)
    reader.needSign(')')
    return { kind: 'query', query, alias: readAlias(reader) ?? '' }
  }
  const name = reader.needTable().table.toLowerCase()
  return { kind: 'table', name, alias: readAlias(reader) ?? name }
}

function readAlias(reader: TokensReader): string | undefined {
  const isClause = CLAUSES.includes(reader.next.text.toLowerCase())
  const isNamed = reader.next.kind === 'word' && !isClause
  return reader.takeWords('as') || isNamed ? reader.needName().toLowerCase() : undefined
}

/** Constants that a condition demands of columns, by small column name: `a = 1 AND b IN (2, 3)`. */
export function constantsIn(where: Expression | undefined): ReadonlyMap<string, readonly Value[]> {
  const found = new Map<string, readonly Value[]>()
  collect(where, found)
  return found
}

type Value = string | number

function collect(where: Expression | undefined, found: Map<string, readonly Value[]>): void {
  if (where?.kind === 'in' && where.operand.kind === 'column')
    found.set(where.operand.name.toLowerCase(), where.list.flatMap(constantOf))
  if (where?.kind !== 'binary') return
  const { operator, left, right } = where
  if (operator === 'and') {
    collect(left, found)
    collect(right, found)
  }
  const value = constantOf(right)
  if (operator === '=' && left.kind === 'column' && value.length > 0)
    found.set(left.name.toLowerCase(), value)
}

function constantOf(expression: Expression): readonly Value[] {
  if (expression.kind !== 'value' || expression.value === null) return []
  return [expression.value]
}
