/**
 * Entries by key: those in use as objects, all others packed into one text each, which takes a third of
 * the room. A million tables are known, a few thousand are in use. Source: proxy-routing.md §4.10.
 */
import type { Entry } from './location-store.ts'

/** How a value becomes a text, and again itself. */
export type Packing<V> = {
  readonly pack: (value: V) => string
  readonly unpack: (text: string) => V
}

/** Entries that are kept as objects, at most; some of them are packed when there are more, in a few milliseconds. */
const MOST_LOOSE = 16_384
const PACKED_AT_ONCE = 512
/** Between the times of an entry, its size and its value. */
const MARK = '|'
const FIELDS = 5

export class EntryShelf<V> {
  private readonly packing: Packing<V>
  private readonly loose = new Map<string, Entry<V>>()
  private readonly packed = new Map<string, string>()

  constructor(packing: Packing<V>) {
    this.packing = packing
  }

  get size(): number {
    return this.loose.size + this.packed.size
  }

  has(key: string): boolean {
    return this.loose.has(key) || this.packed.has(key)
  }

  /** For use: it is an object from now on. */
  get(key: string): Entry<V> | undefined {
    const loose = this.loose.get(key)
    if (loose !== undefined) return loose
    const text = this.packed.get(key)
    if (text === undefined) return undefined
    const entry = this.unpacked(key, text)
    this.packed.delete(key)
    this.set(entry)
    return entry
  }

  /** The value alone; nothing is used by looking. */
  peek(key: string): V | undefined {
    const text = this.packed.get(key)
    return text === undefined ? this.loose.get(key)?.value : this.unpacked(key, text).value
  }

  /** An entry for looking; of a packed one a copy. */
  look(key: string): Entry<V> | undefined {
    const text = this.packed.get(key)
    return text === undefined ? this.loose.get(key) : this.unpacked(key, text)
  }

  *keys(): Generator<string, undefined> {
    yield* this.loose.keys()
    yield* this.packed.keys()
    return undefined
  }

  set(entry: Entry<V>): void {
    this.loose.set(entry.key, entry)
    if (this.loose.size > MOST_LOOSE) this.tidy()
  }

  delete(key: string): void {
    if (!this.loose.delete(key)) this.packed.delete(key)
  }

  /** All of them; of the packed ones copies, which are good for looking. */
  *values(): Generator<Entry<V>, undefined> {
    yield* this.loose.values()
    for (const [key, text] of this.packed) yield this.lookedAt(key, text)
    return undefined
  }

  /** Those that were made objects first, if nothing happens with them. */
  private tidy(): void {
    let left = PACKED_AT_ONCE
    for (const entry of this.loose.values()) {
      if (left === 0) return
      left -= 1
      if (entry.state !== 'avail' || entry.waiting !== undefined || entry.value === undefined) {
        // To the back: those in front would be looked at each time, and nothing behind them be packed.
        this.loose.delete(entry.key)
        this.loose.set(entry.key, entry)
        continue
      }
      const { createdAt, updatedAt, validAt, usedAt, size } = entry
      const head = [createdAt, updatedAt, validAt, usedAt, size].map(Math.floor).join(MARK)
      this.loose.delete(entry.key)
      this.packed.set(flat(entry.key), flat(`${head}${MARK}${this.packing.pack(entry.value)}`))
    }
  }

  private unpacked(key: string, text: string): Entry<V> {
    const entry = this.lookedAt(key, text)
    return { ...entry, value: entry.value }
  }

  /** Its value is unpacked when it is asked for. */
  private lookedAt(key: string, text: string): Entry<V> {
    const { packing } = this
    const numbers: number[] = []
    let from = 0
    for (let field = 0; field < FIELDS; field++) {
      const to = text.indexOf(MARK, from)
      numbers.push(Number(text.slice(from, to)))
      from = to + 1
    }
    const [createdAt = 0, updatedAt = 0, validAt = 0, usedAt = 0, size = 0] = numbers
    return {
      key,
      state: 'avail',
      get value() {
        return packing.unpack(text.slice(from))
      },
      createdAt,
      updatedAt,
      validAt,
      usedAt,
      size,
      waiting: undefined,
    }
  }
}

/** The same text in one piece: one that was put together holds on to its parts. */
function flat(text: string): string {
  return Buffer.from(text).toString()
}
