/**
 * Names of databases and tables as strings, without making a string for one that was seen before: a
 * string costs more than all the rest of reading a statement. Hot path: see the rules.
 */

/** Slots, each for one name; a name that hashes to another's slot takes its place. */
const SLOTS = 1024
/** Longer ones, which no server takes for names, are not kept. */
const LONGEST_BYTES = 256

const HASH_SEED = 0x811c9dc5
const HASH_PRIME = 0x01000193
const NOTHING = new Uint8Array(0)

/** What a name stands for, as its tenant compares names. */
export const NAME_CASE = { lower: 0, written: 1, capital: 2 } as const

/** Names in one kind of quotes, by how they are meant. */
export function namesByCase(): readonly Names[] {
  return Object.values(NAME_CASE).map(() => new Names())
}

export function casedName(text: string, as: number): string {
  if (as === NAME_CASE.lower) return text.toLowerCase()
  return as === NAME_CASE.capital ? text.toUpperCase() : text
}

export class Names {
  private readonly written: Uint8Array[] = Array.from({ length: SLOTS }, () => NOTHING)
  private readonly meant: string[] = Array.from({ length: SLOTS }, () => '')

  /** The name kept for these bytes; undefined when none is. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    const slot = slotOf(bytes, start, end)
    const written = this.written[slot] as Uint8Array
    if (written.length !== end - start || start === end) return undefined
    for (let at = start; at < end; at++) if (bytes[at] !== written[at - start]) return undefined
    return this.meant[slot]
  }

  /** Keeps `name` for these bytes, which are copied. */
  keep(bytes: Uint8Array, start: number, end: number, name: string): void {
    if (end - start > LONGEST_BYTES) return
    const slot = slotOf(bytes, start, end)
    this.written[slot] = new Uint8Array(bytes.subarray(start, end))
    this.meant[slot] = name
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_SEED
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), HASH_PRIME)
  return (hash ^ (hash >>> 16)) & (SLOTS - 1)
}
