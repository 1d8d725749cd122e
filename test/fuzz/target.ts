/** What the fuzzer knows of a parser, and how it is shown one input. */
import { Fault } from '#contract/fault'

export type Target = {
  /** Path below proxy-node, without `.ts`. */
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  /** Words of the language, for texts. */
  readonly words?: readonly Uint8Array[]
  readonly maxBytes?: number
  /** Parses; the bytes alone decide what happens. What it gives back tells outcomes apart. */
  readonly run: (bytes: Uint8Array) => number
  /** Errors that are a proper answer to bad input; by default the fault `protocol.malformed` alone. */
  readonly allows?: (error: unknown) => boolean
}

export const MAX_BYTES = 1024

export class Finding extends Error {}

/** Shows `bytes` to the parser: its outcome. @throws what it must not throw. */
export function show(target: Target, bytes: Uint8Array): number | string {
  try {
    return target.run(bytes)
  } catch (error) {
    if (!(target.allows ?? isMalformed)(error)) throw error
    return error instanceof Error ? error.message : 'error'
  }
}

export function isMalformed(error: unknown): boolean {
  return error instanceof Fault && error.code === 'protocol.malformed'
}

/** @throws Finding when a parser says of the same input two things. */
export function demand(condition: boolean, what: string): void {
  if (!condition) throw new Finding(what)
}

export function bytesOf(
  ...parts: readonly (string | Uint8Array | readonly number[])[]
): Uint8Array {
  const joined = Buffer.concat(
    parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'utf8') : Buffer.from(part))),
  )
  // A slice of a Buffer is no copy, of a Uint8Array it is.
  return Uint8Array.from(joined)
}

/** Calls `feed` with the pieces of `bytes`; `cut` is the length of pieces, 0 for all at once. */
export function inPieces(bytes: Uint8Array, cut: number, feed: (piece: Uint8Array) => void): void {
  let size = cut === 0 ? bytes.length : cut
  if (size === 0) feed(bytes)
  for (let at = 0; at < bytes.length; at += size) {
    if (cut > 0) size = 1 + ((size * 7 + cut) % 61)
    feed(bytes.subarray(at, at + size))
  }
}
