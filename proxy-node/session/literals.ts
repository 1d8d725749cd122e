/**
 * How a session's system variables are written in the SET statements that bring them to another
 * server. They come as display text in UTF-8 and are written so that any reader takes them alike,
 * whatever its character sets and sql_mode; user variables are `user-values.ts`.
 * Source: proxy-protocol.md §4.5; proxy-protocol-tried.md A7, C9.
 */
import { SIMPLE_TEXT } from '../sql/texts.ts'
import { SetTexts } from './set-texts.ts'
import { isText } from './system-variables.ts'

const NUMBER = /^-?\d+(\.\d+)?$/

/** SQL of a system variable's value. */
export function systemLiteral(name: string, value: string): Uint8Array {
  if (name === 'character_set_results' && value === '') return Buffer.from('NULL')
  const isBare = NUMBER.test(value) || value === 'ON' || value === 'OFF'
  if (isBare && !isText(name)) return Buffer.from(value)
  if (SIMPLE_TEXT.test(value)) return Buffer.from(`'${value}'`)
  return Buffer.from(`_utf8mb4 X'${Buffer.from(value).toString('hex')}'`)
}

/** COM_QUERY texts that set system variables, in the given order; every name must be replayable. */
export function setStatements(values: Iterable<readonly [string, string]>): readonly Uint8Array[] {
  const texts = new SetTexts()
  for (const [name, value] of values) texts.add(`@@${name}`, systemLiteral(name, value))
  return texts.all()
}
