/**
 * The system variables of a login OK: what a session begins with and goes back to. All sessions of a
 * tenant begin with the same 838 values, so the list is kept once for all that share it, and a new
 * server session that began with others is told by one comparison. Source: proxy-protocol.md §2.5, §4.5.
 */
import { variablesOfOk } from '../wire/ok.ts'
import { Reader } from '../wire/reader.ts'

/** Different lists kept at a time; a tenant has another one after each change of its globals. */
const MAX_LISTS = 32
const USER_VARIABLES_FOLLOW = '__NULL'

export class Baseline {
  readonly bytes: Uint8Array
  private readonly values = new Map<string, string>()

  /** @throws protocol.malformed */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    const reader = new Reader(bytes)
    while (reader.left > 0) {
      const name = reader.lenencString()
      const value = Buffer.from(reader.lenencView()).toString('utf8')
      if (name === USER_VARIABLES_FOLLOW) return
      this.values.set(name, value)
    }
  }

  value(name: string): string | undefined {
    return this.values.get(name)
  }

  /** Variables that `other` has with another value, with the values of this list. */
  against(other: Baseline): [string, string][] {
    if (other === this) return []
    return [...this.values].filter(([name, value]) => other.values.get(name) !== value)
  }
}

/** The lists of one worker. */
export class Baselines {
  private readonly lists: Baseline[] = []

  /** The list in this login OK; the same object for the same bytes. @throws protocol.malformed */
  of(payload: Uint8Array): Baseline {
    const bytes = variablesOfOk(payload)
    const found = this.lists.find(list => Buffer.compare(list.bytes, bytes) === 0)
    if (found !== undefined) return found
    const made = new Baseline(bytes.slice())
    if (this.lists.length >= MAX_LISTS) this.lists.shift()
    this.lists.push(made)
    return made
  }
}
