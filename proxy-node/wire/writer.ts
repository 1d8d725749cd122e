/**
 * Builds whole packets: header, fixed and length-encoded values. For logins, errors and admin
 * answers; relayed bytes never pass here. Payloads above 16 MiB - 1 are split as the protocol asks.
 */
import { invariant } from '../base/invariant.ts'
import { HEADER_BYTES, MAX_PAYLOAD } from './protocol.ts'

const utf8 = new TextEncoder()

export class Writer {
  private bytes: Uint8Array
  private length = 0

  constructor(capacity = 128) {
    this.bytes = new Uint8Array(capacity)
  }

  u8(value: number): this {
    this.room(1)
    this.bytes[this.length++] = value
    return this
  }

  u16(value: number): this {
    return this.u8(value & 0xff).u8((value >>> 8) & 0xff)
  }

  u24(value: number): this {
    return this.u16(value & 0xffff).u8((value >>> 16) & 0xff)
  }

  u32(value: number): this {
    return this.u16(value & 0xffff).u16((value >>> 16) & 0xffff)
  }

  u64(value: number): this {
    invariant(Number.isSafeInteger(value) && value >= 0, 'u64 is a safe non-negative integer')
    return this.u32(value % 0x1_0000_0000).u32(Math.floor(value / 0x1_0000_0000))
  }

  /** A bigint is taken for values above 2^53, up to 2^64 - 1. */
  lenenc(value: number | bigint): this {
    if (typeof value === 'bigint') return this.lenencWide(value)
    if (value < 0xfb) return this.u8(value)
    if (value <= 0xffff) return this.u8(0xfc).u16(value)
    if (value <= 0xffffff) return this.u8(0xfd).u24(value)
    return this.u8(0xfe).u64(value)
  }

  raw(bytes: Uint8Array): this {
    this.room(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
    return this
  }

  zeros(count: number): this {
    this.room(count)
    this.length += count
    return this
  }

  text(value: string): this {
    return this.raw(utf8.encode(value))
  }

  nul(value: string): this {
    return this.text(value).u8(0)
  }

  lenencBytes(value: Uint8Array): this {
    return this.lenenc(value.length).raw(value)
  }

  lenencText(value: string): this {
    return this.lenencBytes(utf8.encode(value))
  }

  private lenencWide(value: bigint): this {
    if (value <= Number.MAX_SAFE_INTEGER) return this.lenenc(Number(value))
    return this.u8(0xfe)
      .u32(Number(value & 0xffff_ffffn))
      .u32(Number((value >> 32n) & 0xffff_ffffn))
  }

  /** The payload so far, a view. */
  payload(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  private room(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}

/** Puts headers around a payload, split at 16 MiB - 1; `sequence` is the number of the first packet. */
export function packet(sequence: number, payload: Uint8Array): Uint8Array {
  const parts = Math.floor(payload.length / MAX_PAYLOAD) + 1
  const framed = new Uint8Array(payload.length + parts * HEADER_BYTES)
  for (let part = 0, at = 0; part < parts; part++) {
    const slice = payload.subarray(part * MAX_PAYLOAD, (part + 1) * MAX_PAYLOAD)
    framed[at] = slice.length & 0xff
    framed[at + 1] = (slice.length >>> 8) & 0xff
    framed[at + 2] = slice.length >>> 16
    framed[at + 3] = (sequence + part) & 0xff
    framed.set(slice, at + HEADER_BYTES)
    at += HEADER_BYTES + slice.length
  }
  return framed
}

/** Joins byte arrays into one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
