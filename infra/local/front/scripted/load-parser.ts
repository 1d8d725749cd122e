/** LOAD DATA LOCAL INFILE with its ends of fields and lines. */
import type { Statement } from './statement.ts'
import type { TokensReader } from './tokens-reader.ts'

export function readLoad(reader: TokensReader): Statement {
  reader.needWords('data', 'local', 'infile')
  const file = reader.needText()
  const isReplace = reader.takeWords('replace')
  if (!isReplace) reader.takeWords('ignore')
  reader.needWords('into', 'table')
  const into = reader.needTable()
  const isFields = reader.takeWords('fields') || reader.takeWords('columns')
  const fieldEnd = isFields ? readEnd(reader) : '\t'
  const lineEnd = reader.takeWords('lines') ? readEnd(reader) : '\n'
  const columns = reader.takeSign('(') ? reader.list(() => reader.needName()) : undefined
  if (columns !== undefined) reader.needSign(')')
  return { kind: 'load', file, into, columns, isReplace, fieldEnd, lineEnd }
}

function readEnd(reader: TokensReader): string {
  reader.needWords('terminated', 'by')
  const end = reader.needText()
  if (end === '') throw reader.fail()
  return end
}
