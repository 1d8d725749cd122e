/**
 * The chained hash of KEY partitioning: what bytes a value of each type and collation gives to it.
 * Source: proxy-routing.md §6.5; proxy-routing-tried.md "Bytes to hash". Hot path: see the rules.
 */
import { invariant } from '../../base/invariant.ts'
import type { Decimal } from './cells.ts'
import { type Collation, collationOf } from './collations.ts'
import type { ColumnType } from './column-type.ts'
import { Murmur } from './murmur.ts'
import { spaceWeight, TextWeights, withoutSpaces } from './text-weights.ts'

/** A value of a column: integers and times as stored, decimals of any scale, texts in its character set. */
export type Key = null | bigint | number | Uint8Array | Decimal

const BLOCK_BYTES = 128
const BLOCK_WEIGHTS = 32
const NOTHING = new Uint8Array(0)
/** As the server has it; OBProxy takes eight. */
const NULL_BYTES = new Uint8Array(4)
const MOST_DECIMALS = 30

const FNV_LOW = 0x84222325 | 0
const FNV_HIGH = 0xcbf29ce4 | 0
/** 1099511628211 = 2^40 + 435. */
const FNV_PRIME = 435
const TWO_32 = 0x1_0000_0000

/** Which hash texts get: `two-register` is that of 3.x tables with the codes 2 and 6. */
export type TextHash = 'murmur' | 'two-register'

export class KeyHash {
  readonly murmur = new Murmur()
  readonly text = new TextWeights()
  private readonly block = new Uint8Array(BLOCK_BYTES)
  private readonly eight = new DataView(new ArrayBuffer(8))

  /** Chains a value; false when it cannot be hashed. */
  add(type: ColumnType, key: Key, textHash: TextHash = 'murmur'): boolean {
    if (key === null) this.addNull(type)
    else if (key instanceof Uint8Array) return this.addText(type, key, textHash)
    else if (typeof key === 'bigint') this.murmur.bigint(key)
    else if (typeof key === 'number') this.addReal(type, key)
    else this.addDecimal(type, key)
    return true
  }

  addNull(type: ColumnType): void {
    if (type.kind === 'decimal-int') this.murmur.bytes(NOTHING, 0, 0)
    else this.murmur.bytes(NULL_BYTES, 0, NULL_BYTES.length)
  }

  private addText(type: ColumnType, bytes: Uint8Array, textHash: TextHash): boolean {
    const collation = collationOf(type.collation)
    if (collation === undefined) return false
    return textHash === 'murmur'
      ? this.addBytes(collation, bytes, 0, bytes.length)
      : this.addTwoRegister(collation, bytes)
  }

  /** Chains the text from `from` to `to`, which is in the collation's character set. */
  addBytes(collation: Collation, bytes: Uint8Array, from: number, to: number): boolean {
    switch (collation.rule) {
      case 'binary':
        this.murmur.bytes(bytes, from, to)
        return true
      case 'bin':
        this.murmur.bytes(bytes, from, withoutSpaces(collation, bytes, from, to))
        return true
      case 'general':
        if (!this.text.fill(collation, bytes, from, to)) return false
        this.addPairs()
        return true
      case 'byte-table':
        if (!this.text.fill(collation, bytes, from, to)) return false
        this.addSingles()
        return true
      case 'uca':
        if (!this.text.fill(collation, bytes, from, to)) return false
        this.addWords(spaceWeight(collation))
        return true
      case 'uca-900':
        if (!this.text.fill(collation, bytes, from, to)) return false
        this.addFnv()
        return true
    }
  }

  /** Two bytes a weight, a block when the next does not fit. */
  private addPairs(): void {
    const { block, murmur } = this
    const { weights, length } = this.text
    let filled = 0
    for (let index = 0; index < length; index++) {
      if (filled === BLOCK_BYTES) {
        murmur.bytes(block, 0, filled)
        filled = 0
      }
      const weight = weights[index] as number
      block[filled++] = weight & 0xff
      block[filled++] = weight >> 8
    }
    if (filled > 0) murmur.bytes(block, 0, filled)
  }

  private addSingles(): void {
    const { block, murmur } = this
    const { weights, length } = this.text
    let filled = 0
    for (let index = 0; index < length; index++) {
      if (filled === BLOCK_BYTES) {
        murmur.bytes(block, 0, filled)
        filled = 0
      }
      block[filled++] = weights[index] as number
    }
    if (filled > 0) murmur.bytes(block, 0, filled)
  }

  /**
   * Four bytes a weight. Spaces at the end do not count, whatever character they are; the hash of the
   * last block that ends in something else is kept, and only every block's own moves on.
   */
  private addWords(space: number): void {
    const { murmur } = this
    const { weights, length } = this.text
    let keptLow = murmur.low
    let keptHigh = murmur.high
    let buffered = 0
    let last = 0
    for (let index = 0; index < length; index++) {
      if (buffered === BLOCK_WEIGHTS) {
        murmur.bytes(this.block, 0, BLOCK_BYTES)
        if (last > 0) {
          const low = murmur.low
          const high = murmur.high
          murmur.bytes(this.block, 0, last * 4)
          keptLow = murmur.low
          keptHigh = murmur.high
          murmur.low = low
          murmur.high = high
          last = 0
        }
        buffered = 0
      }
      const weight = weights[index] as number
      this.putWord(buffered, weight)
      buffered += 1
      if (weight !== space) last = buffered
    }
    if (last > 0) murmur.bytes(this.block, 0, last * 4)
    else {
      murmur.low = keptLow
      murmur.high = keptHigh
    }
  }

  private putWord(place: number, weight: number): void {
    const at = place * 4
    this.block[at] = weight & 0xff
    this.block[at + 1] = weight >> 8
    this.block[at + 2] = 0
    this.block[at + 3] = 0
  }

  private addFnv(): void {
    const { weights, length } = this.text
    let low = this.murmur.low ^ FNV_LOW
    let high = this.murmur.high ^ FNV_HIGH
    for (let index = 0; index < length; index++) {
      low ^= weights[index] as number
      const product = (low >>> 0) * FNV_PRIME
      const carried = Math.floor(product / TWO_32)
      high = (Math.imul(high, FNV_PRIME) + carried + (low << 8)) | 0
      low = Math.imul(low, FNV_PRIME)
    }
    this.murmur.low = low
    this.murmur.high = high
  }

  private addReal(type: ColumnType, value: number): void {
    if (type.kind === 'double' && type.scale >= 0 && type.scale <= MOST_DECIMALS) {
      const text = Buffer.from((value === 0 ? 0 : value).toFixed(type.scale), 'latin1')
      this.murmur.bytes(text, 0, text.length)
      return
    }
    this.eight.setFloat64(0, value === 0 ? 0 : value, true)
    this.murmur.word(this.eight.getInt32(0, true), this.eight.getInt32(4, true))
  }

  private addDecimal(type: ColumnType, { units, scale }: Decimal): void {
    if (type.kind === 'decimal-int') {
      const bytes = integerBytes(units)
      this.murmur.bytes(bytes, 0, bytes.length)
      return
    }
    const { sign, words } = numberOf({ units, scale })
    this.murmur.bytes(Uint8Array.of(sign), 0, 1)
    const bytes = Buffer.alloc(words.length * 4)
    for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, index * 4)
    this.murmur.bytes(bytes, 0, bytes.length)
  }

  /** The hash of 3.x: n1 = seed, n2 = m; for each byte n1 ^= ((n1 & 63) + n2)·c + (n1 << 8), n2 += 3. */
  private addTwoRegister(collation: Collation, bytes: Uint8Array): boolean {
    if (!this.text.fill(collation, bytes, 0, bytes.length)) return false
    const { weights, length } = this.text
    const isSingle = collation.rule !== 'general'
    if (collation.rule === 'uca' || collation.rule === 'uca-900') return false
    const { low, high } = this.murmur
    let first = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
    let second = 0xc6a4a7935bd1e995n
    const take = (byte: number) => {
      const product = ((first & 63n) + second) * BigInt(byte) + (first << 8n)
      first = BigInt.asUintN(64, first ^ product)
      second = BigInt.asUintN(64, second + 3n)
    }
    for (let index = 0; index < length; index++) {
      const weight = weights[index] as number
      take(weight & 0xff)
      if (!isSingle) take(weight >> 8)
    }
    this.murmur.low = Number(BigInt.asIntN(32, first))
    this.murmur.high = Number(BigInt.asIntN(32, first >> 32n))
    return true
  }
}

/** Two's complement, little-endian, in as few words of four bytes as hold it. */
function integerBytes(units: bigint): Uint8Array {
  let words = 1
  while (BigInt.asIntN(words * 32, units) !== units) words += 1
  const bytes = new Uint8Array(words * 4)
  let rest = BigInt.asUintN(words * 32, units)
  for (let at = 0; at < bytes.length; at++, rest >>= 8n) bytes[at] = Number(rest & 0xffn)
  return bytes
}

const NUMBER_WORD_DIGITS = 9
const NUMBER_WORD = 1_000_000_000n

/** A decimal as OceanBase's number: sign and exponent in a byte, words of nine digits. */
function numberOf({ units, scale }: Decimal): { sign: number; words: number[] } {
  if (units === 0n) return { sign: 0x80, words: [] }
  const padding = (NUMBER_WORD_DIGITS - (scale % NUMBER_WORD_DIGITS)) % NUMBER_WORD_DIGITS
  let rest = (units < 0n ? -units : units) * 10n ** BigInt(padding)
  let exponent = -((scale + padding) / NUMBER_WORD_DIGITS)
  const words: number[] = []
  for (; rest > 0n; rest /= NUMBER_WORD) words.unshift(Number(rest % NUMBER_WORD))
  exponent += words.length - 1
  while (words.at(-1) === 0) words.pop()
  invariant(words.length > 0, 'number: no digits')
  const sign = units < 0n ? (0x40 - exponent) & 0x7f : 0x80 | ((0x40 + exponent) & 0x7f)
  return { sign, words }
}
