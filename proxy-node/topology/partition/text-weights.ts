/**
 * The weights of one text, by which texts of a collation are compared and hashed, in room that is used
 * again. Source: proxy-routing-tried.md "Bytes to hash". Hot path: see the rules.
 */
import { invariant } from '../../base/invariant.ts'
import type { Collation } from './collations.ts'
import { WEIGHTS_A_CHARACTER, weightsOf } from './weights.ts'

const SPACE = 0x20
/** Longer texts are not computed: no partition key is longer. */
export const LONGEST_TEXT = 65_536
const FIRST_ROOM = 1024
const MALFORMED = -1

export class TextWeights {
  weights = new Int32Array(FIRST_ROOM)
  length = 0
  /** Where the character read last ends. */
  private next = 0

  /** Reads the text from `from` to `to`; false when it is none of its character set, or too long. */
  fill(collation: Collation, bytes: Uint8Array, from: number, to: number): boolean {
    this.length = 0
    if (to - from > LONGEST_TEXT) return false
    const end = endOf(collation, bytes, from, to)
    switch (collation.rule) {
      case 'binary':
      case 'bin':
        this.makeRoom(end - from)
        return collation.charset === 'utf16'
          ? this.fillUnits(bytes, from, end)
          : this.fillPlain(bytes, from, end)
      case 'byte-table':
        return this.fillBytes(collation, bytes, from, end)
      case 'general':
      case 'uca':
      case 'uca-900':
        return this.fillCharacters(collation, bytes, from, end)
    }
  }

  private fillPlain(bytes: Uint8Array, from: number, end: number): boolean {
    for (let at = from; at < end; at++) this.weights[this.length++] = bytes[at] as number
    return true
  }

  /** By two bytes, as a space at the end has two. */
  private fillUnits(bytes: Uint8Array, from: number, end: number): boolean {
    for (let at = from; at + 1 < end; at += 2) this.weights[this.length++] = unitAt(bytes, at)
    return (end - from) % 2 === 0
  }

  private fillBytes(collation: Collation, bytes: Uint8Array, from: number, end: number): boolean {
    const table = collation.bytes
    invariant(table !== undefined, 'collation: a rule of bytes without its table')
    this.makeRoom(end - from)
    for (let at = from; at < end; at++)
      this.weights[this.length++] = table[bytes[at] as number] as number
    return true
  }

  private fillCharacters(
    collation: Collation,
    bytes: Uint8Array,
    from: number,
    end: number,
  ): boolean {
    invariant(collation.weights !== undefined, 'collation: a rule of weights without its table')
    const table = weightsOf(collation.weights)
    const isWide = collation.charset === 'utf16'
    this.next = from
    while (this.next < end) {
      this.makeRoom(this.length + WEIGHTS_A_CHARACTER)
      const point = isWide ? this.wide(bytes, end) : this.character(bytes, end)
      if (point === MALFORMED) return false
      this.length = table.write(point, this.weights, this.length)
    }
    return true
  }

  /** The UTF-8 character at `next`. */
  private character(bytes: Uint8Array, end: number): number {
    const at = this.next
    const first = bytes[at] as number
    const size = sizeOf(first)
    if (size === 0 || at + size > end) return MALFORMED
    this.next = at + size
    if (size === 1) return first
    let point = first & (0x7f >> size)
    for (let index = at + 1; index < at + size; index++) {
      const byte = bytes[index] as number
      if ((byte & 0xc0) !== 0x80) return MALFORMED
      point = (point << 6) | (byte & 0x3f)
    }
    return point < (LEAST[size] as number) ||
      (point >= 0xd800 && point <= 0xdfff) ||
      point > 0x10ffff
      ? MALFORMED
      : point
  }

  /** The UTF-16 character, big-endian, at `next`. */
  private wide(bytes: Uint8Array, end: number): number {
    const at = this.next
    if (at + 2 > end) return MALFORMED
    const unit = unitAt(bytes, at)
    this.next = at + 2
    if (unit < 0xd800 || unit > 0xdfff) return unit
    if (unit > 0xdbff || at + 4 > end) return MALFORMED
    this.next = at + 4
    return 0x10000 + ((unit & 0x3ff) << 10) + (unitAt(bytes, at + 2) & 0x3ff)
  }

  private makeRoom(length: number): void {
    if (length <= this.weights.length) return
    const roomier = new Int32Array(Math.max(length, this.weights.length * 2))
    roomier.set(this.weights)
    this.weights = roomier
  }
}

/** Where a text ends when spaces at its end do not count. */
export function endOf(collation: Collation, bytes: Uint8Array, from: number, to: number): number {
  return collation.padsSpaces ? withoutSpaces(collation, bytes, from, to) : to
}

/** Where a text ends without its last spaces. */
export function withoutSpaces(
  collation: Collation,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let end = to
  if (collation.charset !== 'utf16') {
    while (end > from && bytes[end - 1] === SPACE) end -= 1
    return end
  }
  while (end - 2 >= from && bytes[end - 1] === SPACE && bytes[end - 2] === 0) end -= 2
  return end
}

/** The weight of what follows a text that ended first. */
export function padOf(collation: Collation): number {
  if (!collation.padsSpaces) return -1
  if (collation.rule !== 'uca') return SPACE
  return spaceWeight(collation)
}

/** The weight of a space in the tables of the Unicode collation algorithm. */
export function spaceWeight(collation: Collation): number {
  return collation.weights === 'unicode520' ? 0x020a : 0x0209
}

/** Smallest code point of a form with so many bytes. */
const LEAST = [0, 0, 0x80, 0x800, 0x10000]

function sizeOf(first: number): number {
  if (first < 0x80) return 1
  if (first < 0xc2) return 0
  if (first < 0xe0) return 2
  if (first < 0xf0) return 3
  return first < 0xf5 ? 4 : 0
}

function unitAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}
