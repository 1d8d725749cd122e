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
const BACK_TICK = 0x60

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
  return quoted(text, QUOTE, mode, byte => byte === QUOTE || (escapes && byte === BACKSLASH))
}

/** `name` in back-ticks, for a reader of this mode. */
export function quotedName(name: Uint8Array, mode: number = LEXER_MODE.plain): Uint8Array {
  return quoted(name, BACK_TICK, mode, byte => byte === BACK_TICK)
}

/** Between two `quote`s; a byte that is `doubled` and no half of a character stands twice. */
function quoted(
  text: Uint8Array,
  quote: number,
  mode: number,
  doubled: (byte: number) => boolean,
): Uint8Array {
  const all = new Uint8Array(text.length * 2 + 2)
  let length = 0
  all[length++] = quote
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as number
    if (isDoubleByteAt(text, at, text.length, mode)) {
      all[length++] = byte
      at += 1
    } else if (doubled(byte)) all[length++] = byte
    all[length++] = text[at] as number
  }
  all[length++] = quote
  return all.slice(0, length)
}
