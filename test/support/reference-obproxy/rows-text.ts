/** Reads `REPLACE INTO table(columns) VALUES (…),(…)`: literals only, as the proxy does. Pure. */
import { Refusal } from './refusal.ts'

const MAX_ROWS = 200

export type RowFields = Readonly<Record<string, string>>

/** @throws Refusal */
export function replacedRows(text: string): RowFields[] {
  const [, columnList, valueList] =
    /^replace\s+into\s+\w+\s*\(([^)]*)\)\s*values\s*(.*)$/is.exec(text) ?? []
  if (columnList === undefined || valueList === undefined) throw new Refusal('unknown-command')
  const columns = columnList.split(',').map(name => name.trim().replaceAll('`', ''))
  const rows: RowFields[] = []
  let rest = valueList.trim()
  for (;;) {
    const [whole, inner] = ROW.exec(rest) ?? []
    if (whole === undefined) throw new Refusal('unknown-command')
    rows.push(fieldsOf(columns, inner ?? ''))
    rest = rest.slice(whole.length).trim()
    if (rest === '') break
    if (!rest.startsWith(',')) throw new Refusal('unknown-command')
    rest = rest.slice(1).trim()
  }
  if (rows.length > MAX_ROWS) throw new Refusal('invalid-argument')
  return rows
}

const LITERAL = String.raw`'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|-?\d+`
const ROW = new RegExp(String.raw`^\(((?:\s*(?:${LITERAL})\s*,?)*)\)`)

function fieldsOf(columns: readonly string[], inner: string): RowFields {
  const values = [...inner.matchAll(new RegExp(LITERAL, 'g'))].map(([literal]) => plain(literal))
  if (values.length !== columns.length) throw new Refusal('invalid-argument')
  return Object.fromEntries(columns.map((name, at) => [name, values[at] ?? '']))
}

function plain(literal: string): string {
  const quote = literal.charAt(0)
  if (quote !== "'" && quote !== '"') return literal
  return literal
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .replace(/\\(.)/gs, '$1')
}
