/**
 * By which word a statement is counted. Looks at its first word only, so that statements that stay
 * where they are need no understanding. Hot path: allocates nothing.
 */
import { SQL_TYPES, type SqlType } from '#contract/names'

const WORDS: Readonly<Partial<Record<SqlType, string>>> = {
  TEXT_PS_PREPARE: 'PREPARE',
  TEXT_PS_EXECUTE: 'EXECUTE',
}
export const OTHERS = SQL_TYPES.indexOf('OTHERS')

/** Position in `SQL_TYPES` and the word as bytes in capitals, by the word's first letter. */
const BY_LETTER: readonly (readonly { readonly type: number; readonly word: Uint8Array }[])[] =
  Array.from({ length: 26 }, (_none, letter) =>
    SQL_TYPES.map((name, type) => ({ type, word: Buffer.from(WORDS[name] ?? name, 'latin1') }))
      .filter(({ type }) => type !== OTHERS)
      .filter(({ word }) => word[0] === 0x41 + letter),
  )

/** Position in `SQL_TYPES` of the statement in `bytes` from `from`; leading blanks, comments and `(` are skipped. */
export function statementType(bytes: Uint8Array, from: number): number {
  const start = firstWord(bytes, from)
  const letter = ((bytes[start] ?? 0) & 0xdf) - 0x41
  for (const { type, word } of BY_LETTER[letter] ?? []) if (isWord(bytes, start, word)) return type
  return OTHERS
}

function firstWord(bytes: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    const byte = bytes[at] as number
    if (byte === 0x20 || (byte >= 9 && byte <= 13) || byte === 0x28) at += 1
    else if (byte === 0x2f && bytes[at + 1] === 0x2a) at = endOfComment(bytes, at + 2)
    else return at
  }
}

function endOfComment(bytes: Uint8Array, from: number): number {
  for (let at = from; at + 1 < bytes.length; at++)
    if (bytes[at] === 0x2a && bytes[at + 1] === 0x2f) return at + 2
  return bytes.length
}

function isWord(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
  for (let index = 0; index < word.length; index++)
    if (((bytes[start + index] as number) & 0xdf) !== word[index]) return false
  const after = bytes[start + word.length] ?? 0x20
  return !(
    after === 0x5f ||
    (after >= 0x30 && after <= 0x39) ||
    ((after & 0xdf) >= 0x41 && (after & 0xdf) <= 0x5a)
  )
}
