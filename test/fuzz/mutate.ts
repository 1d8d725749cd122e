/**
 * Inputs for parsers: seeds that are damaged in ways that parsers get wrong, made in place in one
 * buffer. Seed, number and pool say which input it is, so that a run can be repeated.
 */

/** Lengths and marks at which something changes in the protocols here. */
const BYTES = [0, 1, 2, 3, 4, 7, 8, 9, 0x0a, 0x20, 0x27, 0x5c, 0x60, 0x7f, 0x80, 0xfa, 0xfb, 0xfc]
const LAST_BYTES = [0xfd, 0xfe, 0xff]
const NUMBERS = [
  0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x1_0000, 0x7f_ffff,
  0x80_0000, 0xff_fffe, 0xff_ffff, 0x100_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
]
const MARKS = Uint8Array.from([...BYTES, ...LAST_BYTES])
const MAX_ROUNDS = 4
/** One input in so many has nothing of a seed. */
const RANDOM_SHARE = 64
const GOLDEN = 0x9e37_79b9
/** Inputs that found something new are mutated as seeds are; there are never more. */
const POOL_LIMIT = 256

export class Mutator {
  private readonly seed: number
  private readonly buffer: Uint8Array
  private readonly pool: Uint8Array[]
  private readonly words: readonly Uint8Array[]
  private state = 1
  private length = 0

  constructor(
    seeds: readonly Uint8Array[],
    words: readonly Uint8Array[],
    { seed, maxBytes }: { readonly seed: number; readonly maxBytes: number },
  ) {
    this.seed = seed
    this.buffer = new Uint8Array(maxBytes)
    this.pool = [...seeds]
    this.words = words
  }

  /** Mutates `bytes` too from now on. */
  learn(bytes: Uint8Array): void {
    if (this.pool.length < POOL_LIMIT) this.pool.push(bytes.slice())
  }

  /** Input number `index`: a view, valid until the next call. */
  input(index: number): Uint8Array {
    this.state = (Math.imul(index + 1, GOLDEN) ^ Math.imul(this.seed, 0x85eb_ca6b)) | 1
    this.below(2)
    if (this.pool.length === 0 || this.below(RANDOM_SHARE) === 0) this.random()
    else {
      this.take(this.pool[this.below(this.pool.length)] as Uint8Array)
      for (let rounds = 1 + this.below(MAX_ROUNDS); rounds > 0; rounds--) this.damage()
    }
    return this.buffer.subarray(0, this.length)
  }

  private damage(): void {
    const kind = this.below(12)
    if (kind < 2) this.flip()
    else if (kind < 4) this.mark()
    else if (kind < 6) this.number()
    else if (kind === 6) this.length = this.below(this.length + 1)
    else if (kind === 7) this.insert(this.buffer.subarray(this.spot(), this.length))
    else if (kind === 8) this.splice()
    else if (kind === 9) this.noise()
    else if (kind === 10) this.cutOut()
    else this.word()
  }

  private flip(): void {
    const at = this.spot()
    this.buffer[at] = (this.buffer[at] as number) ^ (1 << this.below(8))
  }

  private mark(): void {
    this.buffer[this.spot()] = MARKS[this.below(MARKS.length)] as number
  }

  /** A number at a boundary, 1 to 4 bytes, low byte first or last. */
  private number(): void {
    const value = NUMBERS[this.below(NUMBERS.length)] as number
    const at = this.spot()
    const size = Math.min(1 + this.below(4), this.length - at)
    const swapped = this.below(4) === 0
    for (let index = 0; index < size; index++)
      this.buffer[at + (swapped ? size - 1 - index : index)] = value >>> (8 * index)
  }

  /** The beginning of this input and the end of another. */
  private splice(): void {
    const other = this.pool[this.below(this.pool.length)] as Uint8Array
    const from = this.below(other.length + 1)
    const at = this.below(this.length + 1)
    const size = Math.min(other.length - from, this.buffer.length - at)
    for (let index = 0; index < size; index++)
      this.buffer[at + index] = other[from + index] as number
    this.length = at + size
  }

  private noise(): void {
    const at = this.spot()
    const to = Math.min(this.length, at + 1 + this.below(8))
    for (let index = at; index < to; index++) this.buffer[index] = this.below(256)
  }

  private cutOut(): void {
    const at = this.spot()
    const size = Math.min(1 + this.below(16), this.length - at)
    this.buffer.copyWithin(at, at + size, this.length)
    this.length -= size
  }

  /** A word of the language, sometimes many times: nesting, long lists. */
  private word(): void {
    const word = this.words[this.below(Math.max(1, this.words.length))] ?? MARKS
    const times = this.below(16) === 0 ? 1 + this.below(64) : 1
    for (let time = 0; time < times; time++) this.insert(word)
  }

  /** Puts a copy of up to 256 of `bytes` somewhere; what does not fit falls off the end. */
  private insert(bytes: Uint8Array): void {
    const size = Math.min(bytes.length, 256, this.buffer.length - this.length)
    const at = this.below(this.length + 1)
    const piece = bytes.buffer === this.buffer.buffer ? bytes.slice(0, size) : bytes
    this.buffer.copyWithin(at + size, at, this.length)
    for (let index = 0; index < size; index++) this.buffer[at + index] = piece[index] as number
    this.length += size
  }

  private random(): void {
    this.length = this.below(Math.min(this.buffer.length, 128))
    for (let index = 0; index < this.length; index++) this.buffer[index] = this.below(256)
  }

  private take(bytes: Uint8Array): void {
    this.length = Math.min(bytes.length, this.buffer.length)
    for (let index = 0; index < this.length; index++) this.buffer[index] = bytes[index] as number
  }

  /** A place within the input; of an empty one, the first byte, which is then part of it. */
  private spot(): number {
    if (this.length > 0) return this.below(this.length)
    this.length = 1
    return 0
  }

  private below(limit: number): number {
    let next = this.state
    next ^= next << 13
    next ^= next >>> 17
    next ^= next << 5
    this.state = next
    return (next >>> 0) % limit
  }
}
