/**
 * Quoted texts: what is between the quotes, and how a text is put between quotes, byte by byte and
 * without a string. Source: MySQL manual, "String Literals".
 */
import { isDoubleByteAt, LEXER_MODE } from './lexer.ts'

/** Printable and neither a quote nor a backslash: such a text needs no escape in any mode. */
export const SIMPLE_TEXT = /^[ !#-&(-[\]-~]*$/

const QUOTE = 0x27
const BACKSLASH = 0x5c
const PERCENT = 0x25
const UNDERSCORE = 0x5f

/** What the letter behind a backslash stands for; a letter that is not here stands for itself. */
const ESCAPED = new Map(
  Object.entries({ '0': 0, b: 8, t: 9, n: 10, r: 13, Z: 26 }).map(([letter, byte]) => [
    letter.charCodeAt(0),
    byte,
  ]),
)

/** The bytes that the text between `start` and `end`, written in `quote`s, stands for. */
export function unescaped(
  bytes: Uint8Array,
  { start, end, quote }: { readonly start: number; readonly end: number; readonly quote: number },
  mode: number = LEXER_MODE.plain,
): Uint8Array {
  const escapes = (mode & LEXER_MODE.noBackslashEscapes) === 0
  const plain = new Uint8Array(end - start)
  let length = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const isPair = isDoubleByteAt(bytes, at, end, mode)
    const isEscape = escapes && byte === BACKSLASH && at + 1 < end
    if (isPair || isEscape || (byte === quote && bytes[at + 1] === quote)) at += 1
    const second = bytes[at] as number
    if (isPair || (isEscape && (second === PERCENT || second === UNDERSCORE)))
      plain[length++] = byte
    plain[length++] = isEscape ? (ESCAPED.get(second) ?? second) : second
  }
  return plain.subarray(0, length)
}

/** `text` in single quotes, for a reader of this mode. */
export function quotedText(text: Uint8Array, mode: number = LEXER_MODE.plain): Uint8Array {
  const escapes = (mode & LEXER_MODE.noBackslashEscapes) === 0
  const quoted = new Uint8Array(text.length * 2 + 2)
  let length = 0
  quoted[length++] = QUOTE
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as number
    if (isDoubleByteAt(text, at, text.length, mode)) {
      quoted[length++] = byte
      at += 1
    } else if (byte === QUOTE || (escapes && byte === BACKSLASH)) quoted[length++] = byte
    quoted[length++] = text[at] as number
  }
  quoted[length++] = QUOTE
  return quoted.slice(0, length)
}
