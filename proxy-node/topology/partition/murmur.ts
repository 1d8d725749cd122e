/**
 * MurmurHash64A as OceanBase chains it: the running hash is the seed of the next. The 64 bits are two
 * 32-bit halves, for a bigint would be an object for each step.
 * Source: proxy-routing.md §6.5. Hot path: see the rules.
 */

/** m = 0xc6a4a793_5bd1e995 */
const M_LOW = 0x5bd1e995 | 0
const M_HIGH = 0xc6a4a793 | 0
const M_LOW_16 = 0xe995
const M_HIGH_16 = 0x5bd1
/** Of r = 47: the shift within the upper half. */
const R_HIGH = 15
const TWO_32 = 0x1_0000_0000

export class Murmur {
  /** The running hash, as signed halves. */
  low = 0
  high = 0
  private wordLow = 0
  private wordHigh = 0

  /** Back to the seed 0. */
  reset(): void {
    this.low = 0
    this.high = 0
  }

  /** Takes eight bytes: a 64-bit integer by its halves. */
  word(low: number, high: number): void {
    this.begin(8)
    this.mix(low, high)
    this.finish()
  }

  /** Takes an integer that a double holds exactly. */
  integer(value: number): void {
    const high = Math.floor(value / TWO_32)
    this.word((value - high * TWO_32) | 0, high | 0)
  }

  /** Takes a 64-bit integer. */
  bigint(value: bigint): void {
    this.word(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
  }

  /** Takes the bytes from `from` to `to`. */
  bytes(bytes: Uint8Array, from: number, to: number): void {
    this.begin(to - from)
    let at = from
    for (; at + 8 <= to; at += 8) this.mix(wordAt(bytes, at), wordAt(bytes, at + 4))
    if (at < to) this.tail(bytes, at, to)
    this.finish()
  }

  /** |hash| mod `count`; `count` is at most 2^20. The least int64 is its own magnitude. */
  index(count: number): number {
    let low = this.low
    let high = this.high
    if (high < 0) {
      low = -low | 0
      high = low === 0 ? -high | 0 : ~high
    }
    return (((high >>> 0) % count) * (TWO_32 % count) + ((low >>> 0) % count)) % count
  }

  private begin(length: number): void {
    this.multiply(length, 0)
    this.low ^= this.wordLow
    this.high ^= this.wordHigh
  }

  private mix(low: number, high: number): void {
    this.multiply(low, high)
    this.multiply(this.wordLow ^ (this.wordHigh >>> R_HIGH), this.wordHigh)
    this.multiply(this.low ^ this.wordLow, this.high ^ this.wordHigh)
    this.low = this.wordLow
    this.high = this.wordHigh
  }

  /** Fewer than eight bytes are at the end. */
  private tail(bytes: Uint8Array, from: number, to: number): void {
    let low = 0
    let high = 0
    for (let at = to - 1; at >= from; at--) {
      const place = at - from
      if (place >= 4) high = (high << 8) | (bytes[at] as number)
      else low = (low << 8) | (bytes[at] as number)
    }
    this.multiply(this.low ^ low, this.high ^ high)
    this.low = this.wordLow
    this.high = this.wordHigh
  }

  private finish(): void {
    this.multiply(this.low ^ (this.high >>> R_HIGH), this.high)
    this.low = this.wordLow ^ (this.wordHigh >>> R_HIGH)
    this.high = this.wordHigh
  }

  /** The lower 64 bits of the product with m, left in `wordLow` and `wordHigh`. */
  private multiply(low: number, high: number): void {
    const low16 = low & 0xffff
    const high16 = low >>> 16
    const first = Math.imul(low16, M_LOW_16) >>> 0
    const second = (Math.imul(high16, M_LOW_16) >>> 0) + (first >>> 16)
    const third = (Math.imul(low16, M_HIGH_16) >>> 0) + (second & 0xffff)
    const carried = Math.imul(high16, M_HIGH_16) + (second >>> 16) + (third >>> 16)
    this.wordLow = Math.imul(low, M_LOW)
    this.wordHigh = (carried + Math.imul(low, M_HIGH) + Math.imul(high, M_LOW)) | 0
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}
