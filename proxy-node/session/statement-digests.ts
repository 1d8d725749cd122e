/**
 * What one worker's statements count by what they have in common: a bounded table of digests, in sets of
 * eight, where the least used of a set gives way to a new one. Hot path: a known digest costs the
 * reading of its statement and additions; only a new one makes a string. Source: proxy-routing.md §12.
 */
import { OUTCOME } from '#contract/names'
import { DIGEST_CELLS, type DigestSnapshot, digestCell } from '#contract/telemetry'
import { Digest } from '../sql/digest.ts'
import type { TenantTraffic } from './traffic.ts'

/** Places of a set. */
const WAYS = 8
/** A set's uses are halved when one of it gives way, so that what was in use once goes in time. */
const AGING = 1

/** Of a statement that is read. */
const DIGESTED_BYTES = 4096
const NOWHERE = -1

/** What comes again and again, and its hash once that is known. */
export type Digested = { digest: { readonly high: number; readonly low: number } | undefined }

export class StatementDigests {
  private readonly limit: () => number
  private readonly digest = new Digest()
  private sets = 0
  private highs = new Int32Array(0)
  private lows = new Int32Array(0)
  private uses = new Uint32Array(0)
  private cells = new Float64Array(0)
  private owners: (TenantTraffic | undefined)[] = []
  private texts: string[] = []

  /** `limit` digests are told apart, rounded up to whole sets; 0: none is. */
  constructor(limit: () => number) {
    this.limit = limit
  }

  get isOn(): boolean {
    return this.limit() > 0
  }

  /** Where a statement is counted whose text is `bytes` from `from` on; -1: nowhere. */
  placeOf(bytes: Uint8Array, from: number, mode: number, traffic: TenantTraffic): number {
    this.fit()
    if (this.sets === 0) return NOWHERE
    this.read(bytes, from, mode)
    const { high, low } = this.digest
    const place = this.find(high, low, traffic)
    return place < 0 ? this.take(high, low, traffic) : place
  }

  /** Where a statement that came before is counted; -1: that has to be looked up by its text. */
  placeOfKnown({ digest }: Digested, traffic: TenantTraffic): number {
    this.fit()
    if (digest === undefined || this.sets === 0) return NOWHERE
    return this.find(digest.high, digest.low, traffic)
  }

  /** Keeps the hash of the statement that was looked up last. */
  note(known: Digested): void {
    known.digest = { high: this.digest.high, low: this.digest.low }
  }

  /** A statement is over; `route` is a position in `ROUTES`, `outcome` bits of `OUTCOME`. */
  count(place: number, route: number, outcome: number, us: number): void {
    if (place < 0) return
    const { cells, uses } = this
    const at = place * DIGEST_CELLS
    const kind = at + digestCell(route)
    uses[place] = (uses[place] as number) + 1
    cells[at] = (cells[at] as number) + 1
    cells[at + 1] = (cells[at + 1] as number) + us
    if (us > (cells[at + 2] as number)) cells[at + 2] = us
    if ((outcome & OUTCOME.failed) !== 0) cells[at + 3] = (cells[at + 3] as number) + 1
    if ((outcome & OUTCOME.missed) !== 0) cells[at + 4] = (cells[at + 4] as number) + 1
    cells[kind] = (cells[kind] as number) + 1
  }

  /** What is counted now. */
  snapshot(): readonly DigestSnapshot[] {
    const found: DigestSnapshot[] = []
    for (let place = 0; place < this.owners.length; place++) {
      const owner = this.owners[place]
      if (owner === undefined) continue
      const high = (this.highs[place] as number) >>> 0
      const low = (this.lows[place] as number) >>> 0
      found.push({
        cluster: owner.cluster,
        tenant: owner.tenant,
        id: high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0'),
        text: this.texts[place] ?? '',
        cells: [...this.cells.subarray(place * DIGEST_CELLS, (place + 1) * DIGEST_CELLS)],
      })
    }
    return found
  }

  private read(bytes: Uint8Array, from: number, mode: number): void {
    const to = Math.min(bytes.length, from + DIGESTED_BYTES)
    this.digest.read(bytes, from, to, mode)
  }

  /** Another limit begins with an empty table. */
  private fit(): void {
    const sets = Math.ceil(this.limit() / WAYS)
    if (sets === this.sets) return
    this.sets = sets
    const places = sets * WAYS
    this.highs = new Int32Array(places)
    this.lows = new Int32Array(places)
    this.uses = new Uint32Array(places)
    this.cells = new Float64Array(places * DIGEST_CELLS)
    this.owners = new Array<undefined>(places).fill(undefined)
    this.texts = new Array<string>(places).fill('')
  }

  /** -1: it is not there. */
  private find(high: number, low: number, traffic: TenantTraffic): number {
    const first = ((low >>> 0) % this.sets) * WAYS
    const { highs, lows, owners } = this
    for (let place = first; place < first + WAYS; place++)
      if (lows[place] === low && highs[place] === high && owners[place] === traffic) return place
    return -1
  }

  /** An empty place of the set, or the least used one emptied, for the digest that was read last. */
  private take(high: number, low: number, traffic: TenantTraffic): number {
    const first = ((low >>> 0) % this.sets) * WAYS
    const least = this.leastUsed(first)
    const { uses } = this
    for (let place = first; place < first + WAYS; place++)
      uses[place] = (uses[place] as number) >>> AGING
    this.highs[least] = high
    this.lows[least] = low
    this.owners[least] = traffic
    this.texts[least] = this.digest.text()
    this.cells.fill(0, least * DIGEST_CELLS, (least + 1) * DIGEST_CELLS)
    uses[least] = 0
    return least
  }

  private leastUsed(first: number): number {
    const { uses, owners } = this
    let least = first
    for (let place = first; place < first + WAYS; place++) {
      if (owners[place] === undefined) return place
      if ((uses[place] as number) < (uses[least] as number)) least = place
    }
    return least
  }
}
