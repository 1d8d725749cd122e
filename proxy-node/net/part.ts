/** Bytes from `from` up to `to`: the array itself when that is all of it, for a view costs as much as a small write. */
export function part(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)
}
