/**
 * Texts from one character set to another, by way of a string; ASCII is the same bytes in all but
 * utf16. Undefined where a text has no form there, or the character set is not known.
 */
import type { Charset } from './collations.ts'

type Label = 'utf-8' | 'utf-16be' | 'windows-1252' | 'gbk' | 'gb18030'

const LABELS: Readonly<Partial<Record<Charset, Label>>> = {
  utf8mb4: 'utf-8',
  utf16: 'utf-16be',
  latin1: 'windows-1252',
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
  // Above its control characters it is Unicode's first page; a decoder need not be asked.
  if (charset === 'latin1' && !bytes.some(isSpecial)) return Buffer.from(bytes).toString('latin1')
  const label = LABELS[charset]
  if (label === undefined) return undefined
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Bytes that are no text of the character set.
    return undefined
  }
}

function isSpecial(byte: number): boolean {
  return byte >= 0x80 && byte < 0xa0
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

/** Built when first asked for: bytes of each character by what the decoder makes of them. */
const TABLES = new Map<Charset, ReadonlyMap<string, readonly number[]>>()

function latin1Of(point: number): number | undefined {
  if (point < 0x80) return point
  return tableOf('latin1').get(String.fromCodePoint(point))?.[0]
}

function doubles(text: string): Uint8Array | undefined {
  const table = tableOf('gbk')
  const bytes: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    const pair = point < 0x80 ? [point] : table.get(character)
    if (pair === undefined) return undefined
    bytes.push(...pair)
  }
  return Uint8Array.from(bytes)
}

function tableOf(charset: 'latin1' | 'gbk'): ReadonlyMap<string, readonly number[]> {
  const known = TABLES.get(charset)
  if (known !== undefined) return known
  const table = new Map<string, readonly number[]>()
  for (const bytes of charset === 'latin1' ? highBytes() : pairs()) {
    const text = textOfBytes(Uint8Array.from(bytes), charset)
    if (text !== undefined && !table.has(text)) table.set(text, bytes)
  }
  TABLES.set(charset, table)
  return table
}

function highBytes(): number[][] {
  return Array.from({ length: 128 }, (_, index) => [0x80 + index])
}

function* pairs(): Iterable<number[]> {
  for (let lead = 0x81; lead < 0xff; lead++)
    for (let trail = 0x40; trail < 0xff; trail++) if (trail !== 0x7f) yield [lead, trail]
}
