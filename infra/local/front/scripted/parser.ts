/** Statements of the scripted engine; whatever else comes is error 1064 that says so. */
import { CALL_WORDS } from './call-parser.ts'
import { readExpression } from './expression-parser.ts'
import { readLoad } from './load-parser.ts'
import { readSet } from './set-parser.ts'
import type { Expression, Limit, OrderBy, Select, SelectItem, Statement } from './statement.ts'
import { readCreate, readDrop } from './table-parser.ts'
import { TokensReader } from './tokens-reader.ts'
import { TRANSACTION_WORDS } from './transaction-parser.ts'

export type Parsed = { readonly statement: Statement; readonly parameters: number }

type Read = (reader: TokensReader) => Statement

const BY_WORD: Readonly<Record<string, Read>> = {
  select: readSelect,
  insert: reader => readInsert(reader, false),
  replace: reader => readInsert(reader, true),
  update: readUpdate,
  delete: readDelete,
  truncate: readTruncate,
  create: readCreate,
  drop: readDrop,
  use: reader => ({ kind: 'use', database: reader.needName() }),
  set: readSet,
  ...TRANSACTION_WORDS,
  ...CALL_WORDS,
  load: readLoad,
  kill: readKill,
  show: readShow,
  do: reader => ({ kind: 'do', expressions: reader.list(() => readExpression(reader)) }),
}

/** @throws SqlError 1065 for nothing at all, 1064 for what is not known. */
export function parse(sql: string): Parsed {
  const reader = new TokensReader(sql)
  if (reader.next.kind === 'end') return { statement: { kind: 'nothing' }, parameters: 0 }
  const read = reader.next.kind === 'word' ? BY_WORD[reader.next.text.toLowerCase()] : undefined
  if (read === undefined) throw reader.fail()
  reader.take()
  const statement = read(reader)
  reader.end()
  return { statement, parameters: reader.parameters }
}

function readSelect(reader: TokensReader): Select {
  const isCounting = reader.takeWords('sql_calc_found_rows')
  const items = reader.list(() => readItem(reader))
  const from = reader.takeWords('from') ? readFrom(reader) : undefined
  const where = readWhere(reader)
  return {
    kind: 'select',
    items,
    from,
    where,
    orderBy: readOrder(reader),
    limit: readLimit(reader),
    isForUpdate: reader.takeWords('for', 'update'),
    isCounting,
    hint: readHint(reader.sql),
  }
}

function readHint(sql: string): Select['hint'] {
  if (!sql.includes('/*+')) return undefined
  const found = /\/\*\+[^*]*\bread_consistency\s*\(\s*(weak|frozen|strong)\b/i.exec(sql)
  if (found === null) return undefined
  return found[1]?.toLowerCase() === 'strong' ? 'strong' : 'weak'
}

export function readOrder(reader: TokensReader): readonly OrderBy[] {
  if (!reader.takeWords('order', 'by')) return []
  return reader.list(() => {
    const expression = readExpression(reader)
    const isDescending = reader.takeWords('desc')
    if (!isDescending) reader.takeWords('asc')
    return { expression, isDescending }
  })
}

function readFrom(reader: TokensReader) {
  const table = reader.needTable()
  const isClause = ['where', 'order', 'limit', 'for'].includes(reader.next.text.toLowerCase())
  if (reader.takeWords('as') || (reader.next.kind === 'word' && !isClause)) reader.needName()
  return table.table.toLowerCase() === 'dual' ? undefined : table
}

export function readItem(reader: TokensReader): SelectItem {
  if (reader.takeSign('*')) return { kind: 'all' }
  const { at } = reader.next
  const expression = readExpression(reader)
  const written = reader.textSince(at)
  if (reader.takeWords('as')) {
    const name = reader.next.kind === 'string' ? reader.take().text : reader.needName()
    return { kind: 'expression', name, expression }
  }
  const isAlias = reader.next.kind === 'name' || reader.next.kind === 'string'
  if (isAlias) return { kind: 'expression', name: reader.take().text, expression }
  const ends = ['from', 'where', 'order', 'limit', 'for']
  if (reader.next.kind === 'word' && !ends.includes(reader.next.text.toLowerCase()))
    return { kind: 'expression', name: reader.take().text, expression }
  return { kind: 'expression', name: nameOf(expression, written), expression }
}

function nameOf(expression: Expression, written: string): string {
  if (expression.kind === 'column') return expression.name
  if (expression.kind === 'value' && typeof expression.value === 'string') return expression.value
  return written
}

export function readLimit(reader: TokensReader): Limit | undefined {
  if (!reader.takeWords('limit')) return undefined
  const first = readExpression(reader)
  if (reader.takeSign(',')) return { offset: first, count: readExpression(reader) }
  if (reader.takeWords('offset')) return { offset: readExpression(reader), count: first }
  return { offset: undefined, count: first }
}

function readWhere(reader: TokensReader): Expression | undefined {
  return reader.takeWords('where') ? readExpression(reader) : undefined
}

function readInsert(reader: TokensReader, isReplace: boolean): Statement {
  reader.takeWords('into')
  const into = reader.needTable()
  const columns = reader.takeSign('(') ? reader.list(() => reader.needName()) : undefined
  if (columns !== undefined) reader.needSign(')')
  if (!reader.takeWords('values') && !reader.takeWords('value')) throw reader.fail()
  const rows = reader.list(() => {
    reader.needSign('(')
    const row = reader.list(() => readExpression(reader))
    reader.needSign(')')
    return row
  })
  return { kind: 'insert', isReplace, into, columns, rows }
}

function readUpdate(reader: TokensReader): Statement {
  const table = reader.needTable()
  reader.needWords('set')
  const changes = reader.list(() => {
    const { table: column } = reader.needTable()
    reader.needSign('=')
    return { column, value: readExpression(reader) }
  })
  return { kind: 'update', table, changes, where: readWhere(reader) }
}

function readDelete(reader: TokensReader): Statement {
  reader.needWords('from')
  return { kind: 'delete', from: reader.needTable(), where: readWhere(reader) }
}

function readTruncate(reader: TokensReader): Statement {
  reader.takeWords('table')
  return { kind: 'truncate', table: reader.needTable() }
}

function readKill(reader: TokensReader): Statement {
  const isQuery = reader.takeWords('query')
  if (!isQuery) reader.takeWords('connection')
  return { kind: 'kill', isQuery, id: reader.needWhole() }
}

function readShow(reader: TokensReader): Statement {
  reader.takeWords('full')
  for (const scope of ['session', 'global']) if (reader.takeWords(scope)) break
  for (const what of ['databases', 'tables', 'processlist', 'warnings'] as const)
    if (reader.takeWords(what)) return { kind: 'show', what }
  reader.needWords('variables')
  if (!reader.takeWords('like')) return { kind: 'show-variables', pattern: undefined }
  if (reader.next.kind !== 'string') throw reader.fail()
  return { kind: 'show-variables', pattern: reader.take().text }
}
