/**
 * OKs that end responses: nearly each says what one before it said, so what was copied then is shown again.
 * A view of a small chunk costs more than comparing the few bytes. Hot path: see the rules.
 */

/** Longer ones say something of a session, and nobody else's says the same. */
const MOST_BYTES = 63

export class KnownOks {
  /** By length. */
  private readonly known: (Uint8Array | undefined)[] = new Array(MOST_BYTES + 1).fill(undefined)

  /** A payload with the bytes from `from` up to `to`; nobody may change it. */
  of(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const length = to - from
    if (length > MOST_BYTES) return bytes.slice(from, to)
    const known = this.known[length]
    if (known !== undefined && isAt(known, bytes, from)) return known
    const made = bytes.slice(from, to)
    this.known[length] = made
    return made
  }
}

function isAt(known: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[from + at]) return false
  return true
}
