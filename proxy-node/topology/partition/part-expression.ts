/**
 * The text of a partitioning: a list of names, or one expression that is read into an arena of its own.
 * Source: proxy-routing-tried.md "Metadata", "Expressions, casts".
 */
import { readExpression } from '../../sql/expression-reader.ts'
import { Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'
import { KeyColumns } from '../../sql/key-columns.ts'
import type { Derived } from './table-partitions.ts'
import { Unprunable } from './unprunable.ts'

/** Columns by place; those that an expression mentions besides are added at the end. */
export type Names = { list: string[] }

/** Whatever is between quotes, and the signs that part and group. */
const TOKENS = /`[^`]*`|'[^']*'|"[^"]*"|[(),]/g

/** What stands between commas outside quotes and parentheses, without blanks around it. */
export function pieces(text: string): readonly string[] {
  const found: string[] = []
  let depth = 0
  let from = 0
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token === '(') depth += 1
    if (token === ')') depth -= 1
    if (token !== ',' || depth > 0) continue
    found.push(text.slice(from, index).trim())
    from = index + 1
  }
  found.push(text.slice(from).trim())
  return found
}

/** A name in lower case without back-ticks. */
export function unquoted(name: string): string {
  const isQuoted = name.startsWith('`') && name.endsWith('`') && name.length > 1
  return (isQuoted ? name.slice(1, -1) : name).toLowerCase()
}

/** Of one expression of a table; a longer one is not understood. */
const MOST_NODES = 128

const QUOTED = /`((?:[^`]|``)+)`/g

/** Reads the expression; columns in it that `names` does not have yet are added to it. */
export function derivedFrom(text: string, names: Names): Derived {
  for (const [, name = ''] of text.matchAll(QUOTED)) addName(names, name.toLowerCase())
  const bytes = Buffer.from(text)
  const expressions = new Expressions(MOST_NODES)
  expressions.clear(bytes)
  const columns = new KeyColumns(names.list)
  const node = readExpression(expressions, { from: 0, to: bytes.length }, columns)
  if (node === NO_NODE) throw new Unprunable(`partitioned by ${text}`)
  return { expressions, node, sources: sourcesOf(expressions, node, text), text }
}

function addName(names: Names, name: string): void {
  if (!names.list.includes(name)) names.list = [...names.list, name]
}

function sourcesOf(expressions: Expressions, node: number, text: string): readonly number[] {
  const sources = new Set<number>()
  const walk = (at: number): void => {
    const kind = expressions.kind(at)
    if (kind === NODE.unknown || kind === NODE.otherColumn)
      throw new Unprunable(`partitioned by ${text}`)
    if (kind === NODE.column) sources.add(expressions.extra(at))
    for (let child = expressions.first(at); child !== NO_NODE; child = expressions.next(child))
      walk(child)
  }
  walk(node)
  return [...sources]
}
