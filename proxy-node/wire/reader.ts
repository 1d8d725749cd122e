/**
 * Reads MySQL's fixed and length-encoded values from one payload. Whatever the bytes are, the only
 * error is the fault `protocol.malformed`. Strings are made only where asked for.
 */
import { Fault } from '#contract/fault'

const text = new TextDecoder('utf-8', { ignoreBOM: true })

export class Reader {
  readonly bytes: Uint8Array
  readonly end: number
  offset: number

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes
    this.offset = offset
    this.end = end
  }

  get left(): number {
    return this.end - this.offset
  }

  u8(): number {
    const at = this.take(1)
    return this.bytes[at] as number
  }

  u16(): number {
    const at = this.take(2)
    return this.at(at) | (this.at(at + 1) << 8)
  }

  u24(): number {
    const at = this.take(3)
    return this.at(at) | (this.at(at + 1) << 8) | (this.at(at + 2) << 16)
  }

  u32(): number {
    const low = this.u16()
    return low + this.u16() * 0x1_0000
  }

  /** Exact up to 2^53, more is malformed: no length or id of this protocol is that large. */
  u64(): number {
    const low = this.u32()
    const value = this.u32() * 0x1_0000_0000 + low
    if (!Number.isSafeInteger(value)) throw malformed('integer above 2^53')
    return value
  }

  /** Length-encoded integer; NULL (0xFB) and 0xFF are malformed here. */
  lenenc(): number {
    const first = this.u8()
    if (first < 0xfb) return first
    if (first === 0xfc) return this.u16()
    if (first === 0xfd) return this.u24()
    if (first === 0xfe) return this.u64()
    throw malformed('length-encoded integer')
  }

  /** Length-encoded count of up to 64 bits, as an insert id can be: a bigint where a number is not exact. */
  lenencWide(): number | bigint {
    if (this.left === 0 || this.bytes[this.offset] !== 0xfe) return this.lenenc()
    this.take(1)
    const low = this.u32()
    const high = this.u32()
    return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low)
  }

  view(length: number): Uint8Array {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  lenencView(): Uint8Array {
    return this.view(this.lenenc())
  }

  /** A text cell: NULL (0xFB) is null. */
  cell(): Uint8Array | null {
    if (this.left > 0 && this.bytes[this.offset] === 0xfb) {
      this.offset += 1
      return null
    }
    return this.lenencView()
  }

  string(length: number): string {
    return text.decode(this.view(length))
  }

  lenencString(): string {
    return text.decode(this.lenencView())
  }

  /** Up to the next NUL, which is consumed. */
  nulView(): Uint8Array {
    const at = this.bytes.indexOf(0, this.offset)
    if (at < 0 || at >= this.end) throw malformed('string without terminator')
    const view = this.bytes.subarray(this.offset, at)
    this.offset = at + 1
    return view
  }

  nulString(): string {
    return text.decode(this.nulView())
  }

  rest(): Uint8Array {
    return this.view(this.left)
  }

  skip(length: number): void {
    this.take(length)
  }

  private at(index: number): number {
    return this.bytes[index] as number
  }

  private take(length: number): number {
    const at = this.offset
    if (length < 0 || at + length > this.end) throw malformed('value beyond the end of the packet')
    this.offset = at + length
    return at
  }
}

export function malformed(detail: string): Fault {
  return new Fault('protocol.malformed', { detail })
}
