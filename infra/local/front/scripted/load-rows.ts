/** The rows of a local file, as an INSERT has them. */
import type { Expression, Load, Statement } from './statement.ts'

type Insert = Extract<Statement, { kind: 'insert' }>

/** `\N` is NULL; nothing else is escaped. */
export function insertOf(load: Load, content: string): Insert {
  const lines = content.split(load.lineEnd)
  // What stands behind the last end of a line is a line only when there is something.
  if (lines.at(-1) === '') lines.pop()
  const rows = lines.map(line =>
    line
      .split(load.fieldEnd)
      .map((field): Expression => ({ kind: 'value', value: field === '\\N' ? null : field })),
  )
  const { into, columns, isReplace } = load
  return { kind: 'insert', isReplace, into, columns, rows }
}
