/**
 * Texts from one character set to another, by way of a string; ASCII is the same bytes in all but
 * utf16. Undefined where a text has no form there, or the character set is not known.
 */
import type { Charset } from './collations.ts'

type Label = 'utf-8' | 'utf-16be' | 'gbk' | 'gb18030'

const LABELS: Readonly<Partial<Record<Charset, Label>>> = {
  utf8mb4: 'utf-8',
  utf16: 'utf-16be',
  gbk: 'gbk',
  gb18030: 'gb18030',
}

/** MySQL's names of character sets. */
export function charsetNamed(name: string): Charset | undefined {
  switch (name.toLowerCase()) {
    case 'utf8':
    case 'utf8mb3':
    case 'utf8mb4':
      return 'utf8mb4'
    case 'utf16':
      return 'utf16'
    case 'latin1':
      return 'latin1'
    case 'ascii':
      return 'ascii'
    case 'gbk':
      return 'gbk'
    case 'gb18030':
      return 'gb18030'
    case 'binary':
      return 'binary'
    default:
      return undefined
  }
}

const NEWLINE = 0x0a
const REPLACEMENT = 0xfffd

export function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] as number) >= 0x80) return false
  return true
}

export function converted(bytes: Uint8Array, from: Charset, to: Charset): Uint8Array | undefined {
  if (from === to || to === 'binary') return bytes
  const isWide = from === 'utf16' || to === 'utf16'
  if (!isWide && isAscii(bytes)) return bytes
  const text = textOfBytes(bytes, from)
  return text === undefined ? undefined : bytesOfText(text, to)
}

export function textOfBytes(bytes: Uint8Array, charset: Charset): string | undefined {
  if (charset !== 'utf16' && isAscii(bytes)) return Buffer.from(bytes).toString('latin1')
  if (charset === 'latin1') return textOfLatin1(bytes)
  const label = LABELS[charset]
  if (label === undefined) return undefined
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Bytes that are no text of the character set.
    return undefined
  }
}

/** MySQL's latin1 is windows-1252; not every runtime's decoder knows its characters from 0x80 to 0x9f. */
const LATIN1_SPECIAL =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178'

function textOfLatin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes)
    text += byte >= 0x80 && byte < 0xa0 ? LATIN1_SPECIAL[byte - 0x80] : String.fromCharCode(byte)
  return text
}

export function bytesOfText(text: string, charset: Charset): Uint8Array | undefined {
  switch (charset) {
    case 'binary':
    case 'utf8mb4':
      return Buffer.from(text, 'utf8')
    case 'utf16':
      return Buffer.from(text, 'utf16le').swap16()
    case 'ascii':
      return singles(text, point => (point < 0x80 ? point : undefined))
    case 'latin1':
      return singles(text, latin1Of)
    case 'gbk':
      return doubles(text)
    case 'gb18030':
      return undefined
  }
}

function singles(
  text: string,
  byteOf: (point: number) => number | undefined,
): Uint8Array | undefined {
  const bytes: number[] = []
  for (const character of text) {
    const byte = byteOf(character.codePointAt(0) ?? 0)
    if (byte === undefined) return undefined
    bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

function latin1Of(point: number): number | undefined {
  if (point < 0x80 || (point >= 0xa0 && point < 0x100)) return point
  const special = LATIN1_SPECIAL.indexOf(String.fromCharCode(point))
  return special < 0 || point > 0xffff ? undefined : 0x80 + special
}

/** The two bytes of each character of the basic plane, by what the decoder makes of them; 0 for none. */
let gbkPairs: Uint16Array | undefined

function doubles(text: string): Uint8Array | undefined {
  const pairs = pairsOfGbk()
  const bytes: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    const pair = pairs[point] ?? 0
    if (point < 0x80) bytes.push(point)
    else if (pair === 0) return undefined
    else bytes.push(pair >> 8, pair & 0xff)
  }
  return Uint8Array.from(bytes)
}

/** Made once a process. */
export function pairsOfGbk(): Uint16Array {
  if (gbkPairs !== undefined) return gbkPairs
  const pairs = new Uint16Array(0x1_0000)
  const decoder = new TextDecoder('gbk')
  for (let lead = 0x81; lead < 0xff; lead++) fillRow(pairs, decoder, lead)
  gbkPairs = pairs
  return pairs
}

/** A row is decoded at once, with line feeds between, which belong to no character. */
function fillRow(pairs: Uint16Array, decoder: TextDecoder, lead: number): void {
  const row: number[] = []
  for (let trail = 0x40; trail < 0xff; trail++) row.push(lead, trail, NEWLINE)
  const texts = decoder.decode(Uint8Array.from(row)).split('\n')
  for (let trail = 0x40; trail < 0xff; trail++) {
    const text = texts[trail - 0x40] ?? ''
    const point = text.charCodeAt(0)
    const isOne = text.length === 1 && point !== REPLACEMENT
    if (isOne && pairs[point] === 0) pairs[point] = (lead << 8) | trail
  }
}
