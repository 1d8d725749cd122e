/**
 * The two checksums of the OceanBase 2.0 protocol: CRC-16/ARC over a frame's header, CRC-32C with
 * initial value and final xor 0 over its payload. The payload's is incremental: what comes out goes
 * in as the seed of the next piece. Source: proxy-protocol.md §3.2.
 * Hot path: see the rules. Slicing by 8 over one flat table was the fastest of six under Bun, 1,500
 * MB/s; reading words through an Int32Array lost, the view costs more than it saves.
 */
const CRC16_POLYNOMIAL = 0xa001
const CRC32C_POLYNOMIAL = 0x82f6_3b78
/** Bytes taken at a time; one table of 256 entries for each. */
const SLICE = 8

const CRC16 = tables(CRC16_POLYNOMIAL, 1)
const CRC32C = tables(CRC32C_POLYNOMIAL, SLICE)

/** CRC-16/ARC of `bytes[from, to)`. */
export function crc16(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0
  for (let at = from; at < to; at++)
    crc = (CRC16[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  return crc
}

/** CRC-32C, without the usual inversions, of `bytes[from, to)` behind what gave `seed`; unsigned. */
export function crc32c(bytes: Uint8Array, from: number, to: number, seed = 0): number {
  let crc = seed | 0
  let at = from
  for (const last = to - SLICE; at <= last; at += SLICE) crc = eight(bytes, at, crc)
  for (; at < to; at++) crc = (CRC32C[(crc ^ at8(bytes, at)) & 0xff] as number) ^ (crc >>> 8)
  return crc >>> 0
}

/** The first four bytes meet the checksum so far; each byte's table knows how many follow it. */
function eight(bytes: Uint8Array, at: number, crc: number): number {
  const met =
    crc ^
    (at8(bytes, at) |
      (at8(bytes, at + 1) << 8) |
      (at8(bytes, at + 2) << 16) |
      (at8(bytes, at + 3) << 24))
  return (
    (CRC32C[1792 + (met & 0xff)] as number) ^
    (CRC32C[1536 + ((met >>> 8) & 0xff)] as number) ^
    (CRC32C[1280 + ((met >>> 16) & 0xff)] as number) ^
    (CRC32C[1024 + (met >>> 24)] as number) ^
    (CRC32C[768 + at8(bytes, at + 4)] as number) ^
    (CRC32C[512 + at8(bytes, at + 5)] as number) ^
    (CRC32C[256 + at8(bytes, at + 6)] as number) ^
    (CRC32C[at8(bytes, at + 7)] as number)
  )
}

function at8(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

/** Table k holds the remainder of each byte that k bytes follow; signed, as bit operations give it. */
function tables(polynomial: number, count: number): Int32Array {
  const all = new Int32Array(count * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : polynomial)
    all[byte] = crc
  }
  for (let index = 256; index < all.length; index++) {
    const before = all[index - 256] as number
    all[index] = (all[before & 0xff] as number) ^ (before >>> 8)
  }
  return all
}
