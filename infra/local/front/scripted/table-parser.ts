/** CREATE and DROP of databases and tables in the forms that the scripted engine keeps. */

import { needProcedure, readProcedure } from './call-parser.ts'
import { readExpression } from './expression-parser.ts'
import { readPartitioning } from './partition-parser.ts'
import type { ColumnDefinition, ColumnType, Statement } from './statement.ts'
import type { TokensReader } from './tokens-reader.ts'

const TYPES: Readonly<Record<string, ColumnType>> = Object.fromEntries([
  ...['tinyint', 'smallint', 'mediumint', 'int', 'integer', 'bigint', 'bool', 'boolean', 'bit'].map(
    name => [name, 'integer'] as const,
  ),
  ...['float', 'double', 'real'].map(name => [name, 'double'] as const),
  ...['char', 'varchar', 'text', 'tinytext', 'mediumtext', 'longtext', 'json', 'decimal'].map(
    name => [name, 'text'] as const,
  ),
  ...['date', 'datetime', 'time', 'timestamp'].map(name => [name, 'text'] as const),
])

export function readCreate(reader: TokensReader): Statement {
  if (reader.takeWords('database') || reader.takeWords('schema')) {
    const isLenient = reader.takeWords('if', 'not', 'exists')
    return { kind: 'create-database', name: reader.needName(), isLenient }
  }
  if (reader.takeWords('procedure')) return readProcedure(reader)
  const isTemporary = reader.takeWords('temporary')
  reader.needWords('table')
  const isLenient = reader.takeWords('if', 'not', 'exists')
  const table = reader.needTable()
  const columns: ColumnDefinition[] = []
  const keys: string[] = []
  reader.needSign('(')
  reader.list(() => readPart(reader, columns, keys))
  reader.needSign(')')
  skipOptions(reader)
  const levels = readPartitioning(reader)
  if (keys.length > 1) throw reader.fail()
  return { kind: 'create-table', table, columns, key: keys[0], levels, isLenient, isTemporary }
}

function readPart(reader: TokensReader, columns: ColumnDefinition[], keys: string[]): void {
  if (reader.takeWords('primary', 'key')) {
    keys.push(readKeyColumn(reader))
    return
  }
  // A second index changes no answer here.
  if (reader.takeWords('key') || reader.takeWords('index')) {
    if (reader.next.kind !== 'sign') reader.needName()
    readKeyColumn(reader)
    return
  }
  columns.push(readColumn(reader, keys))
}

/** Keys of several columns are not kept: 1064. */
function readKeyColumn(reader: TokensReader): string {
  reader.needSign('(')
  const column = reader.needName()
  reader.needSign(')')
  return column
}

function readColumn(reader: TokensReader, keys: string[]): ColumnDefinition {
  const name = reader.needName()
  const type = reader.next.kind === 'word' ? TYPES[reader.next.text.toLowerCase()] : undefined
  if (type === undefined) throw reader.fail()
  reader.take()
  if (reader.takeSign('(')) {
    reader.list(() => reader.needWhole())
    reader.needSign(')')
  }
  const seen = {
    isRequired: false,
    isCounted: false,
    otherwise: null as ColumnDefinition['otherwise'],
  }
  while (readColumnOption(reader, seen, () => keys.push(name)));
  return { name, type, ...seen }
}

type Seen = { isRequired: boolean; isCounted: boolean; otherwise: ColumnDefinition['otherwise'] }

function readColumnOption(reader: TokensReader, seen: Seen, isKey: () => void): boolean {
  if (reader.takeWords('not', 'null')) seen.isRequired = true
  else if (reader.takeWords('auto_increment')) seen.isCounted = true
  else if (reader.takeWords('primary', 'key')) isKey()
  else if (reader.takeWords('default')) {
    const otherwise = readExpression(reader)
    if (otherwise.kind !== 'value') throw reader.fail()
    seen.otherwise = otherwise.value
  } else return reader.takeWords('null') || reader.takeWords('unsigned')
  return true
}

/** `ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`, as tools write it. */
function skipOptions(reader: TokensReader): void {
  const isOption = () =>
    reader.next.kind === 'word' && reader.next.text.toLowerCase() !== 'partition'
  while (isOption()) {
    while (isOption()) reader.take()
    reader.needSign('=')
    reader.take()
  }
}

export function readDrop(reader: TokensReader): Statement {
  if (reader.takeWords('prepare'))
    return { kind: 'deallocate', name: reader.needName().toLowerCase() }
  if (reader.takeWords('procedure')) {
    const isLenient = reader.takeWords('if', 'exists')
    return { kind: 'drop-procedure', name: needProcedure(reader), isLenient }
  }
  if (reader.takeWords('database') || reader.takeWords('schema')) {
    const isLenient = reader.takeWords('if', 'exists')
    return { kind: 'drop-database', name: reader.needName(), isLenient }
  }
  const isTemporary = reader.takeWords('temporary')
  reader.needWords('table')
  const isLenient = reader.takeWords('if', 'exists')
  return {
    kind: 'drop-table',
    tables: reader.list(() => reader.needTable()),
    isLenient,
    isTemporary,
  }
}
