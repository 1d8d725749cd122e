/**
 * Statements that came before with other values: a bounded table of texts without their values, and what
 * was found out about each. Finding one costs a pass over the bytes and a comparison with what is kept;
 * reading it costs ten times as much. A text is kept when it comes the second time, so that what never comes
 * again pushes nothing out. Hot path: see the rules.
 */
import type { Statement } from './classify.ts'
import { TextValues } from './text-values.ts'
import type { Verb } from './words.ts'

/** Longer ones are read each time: beside what they carry, reading them costs little. */
export const LONGEST_KNOWN_BYTES = 1024

/** Texts that are kept, in sets of `WAYS`, where the one used least gives way. */
const SETS = 256
const WAYS = 4
/** Hashes of texts that came once. */
const SEEN = 4096

/** Whose meaning does not depend on its values. */
const KEPT_VERBS: Readonly<Partial<Record<Verb, true>>> = {
  select: true,
  insert: true,
  update: true,
  delete: true,
  replace: true,
}

/** A text without its values, and what is known of every text that differs from it in values only. */
export class KnownText<Use> {
  readonly hash: number
  readonly mode: number
  readonly statement: Statement
  /** What its users have found out. */
  readonly use: Use
  private readonly kinds: Uint8Array
  /** What is between the values, one piece behind the other, and where each piece ends. */
  private readonly pieces: Uint8Array
  private readonly pieceEnds: Int32Array
  uses = 0

  constructor(values: TextValues, statement: Statement, use: Use) {
    const { bytes, from, to, count, starts, ends } = values
    this.hash = values.hash
    this.mode = values.mode
    this.statement = statement
    this.use = use
    this.kinds = values.kinds.slice(0, count)
    const pieces: Uint8Array[] = []
    for (let at = 0; at <= count; at++) {
      const begin = at === 0 ? from : (ends[at - 1] as number)
      pieces.push(bytes.subarray(begin, at === count ? to : (starts[at] as number)))
    }
    let length = 0
    this.pieceEnds = Int32Array.from(pieces, piece => {
      length += piece.length
      return length
    })
    this.pieces = new Uint8Array(length)
    let filled = 0
    for (const piece of pieces) {
      this.pieces.set(piece, filled)
      filled += piece.length
    }
  }

  /** Whether the text differs from this one in its values only. */
  fits({ bytes, from, to, mode, count, starts, ends, kinds }: TextValues): boolean {
    if (this.kinds.length !== count || this.mode !== mode) return false
    let at = from
    for (let index = 0; index < count; index++) {
      if (kinds[index] !== this.kinds[index]) return false
      if (!this.hasPiece(index, bytes, at, starts[index] as number)) return false
      at = ends[index] as number
    }
    return this.hasPiece(count, bytes, at, to)
  }

  private hasPiece(index: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { pieces, pieceEnds } = this
    let piece = index === 0 ? 0 : (pieceEnds[index - 1] as number)
    if (to - from !== (pieceEnds[index] as number) - piece) return false
    for (let at = from; at < to; at++) if (bytes[at] !== pieces[piece++]) return false
    return true
  }
}

export class KnownTexts<Use> {
  private readonly makeUse: () => Use
  private readonly sets: (KnownText<Use> | undefined)[] = new Array<undefined>(SETS * WAYS).fill(
    undefined,
  )
  private readonly seen = new Int32Array(SEEN)
  /** Of the text that was looked for last. */
  readonly values = new TextValues()
  private isFit = false
  /** Grows with each text that is looked for: what `values` says is of that one. */
  turn = 0

  constructor(makeUse: () => Use) {
    this.makeUse = makeUse
  }

  /** What is known of the text between `from` and `to`; undefined: it has to be read. */
  find(bytes: Uint8Array, from: number, to: number, mode: number): KnownText<Use> | undefined {
    const { values, sets } = this
    this.turn += 1
    this.isFit = to - from <= LONGEST_KNOWN_BYTES && values.read(bytes, from, to, mode)
    if (!this.isFit) return undefined
    const { hash } = values
    const first = firstOf(hash)
    for (let at = first; at < first + WAYS; at++) {
      const known = sets[at]
      if (known === undefined || known.hash !== hash || !known.fits(values)) continue
      known.uses += 1
      return known
    }
    return undefined
  }

  /**
   * Keeps what was found out about the text that was looked for last, if it came before and its meaning
   * does not depend on its values.
   */
  learn(statement: Statement): KnownText<Use> | undefined {
    const { values } = this
    if (!this.isFit || KEPT_VERBS[statement.verb] !== true || statement.table === undefined)
      return undefined
    // Where its table is written must be the same each time, and no value.
    if (values.count > 0 && statement.tableAt >= (values.starts[0] as number)) return undefined
    const { hash } = values
    const mark = (hash >>> 8) & (SEEN - 1)
    if (this.seen[mark] !== hash) {
      this.seen[mark] = hash
      return undefined
    }
    const place = this.leastUsed(firstOf(hash))
    const made = new KnownText(values, statement, this.makeUse())
    this.sets[place] = made
    return made
  }

  /** An empty place, or the least used one; the uses of all others count half from now on. */
  private leastUsed(first: number): number {
    const { sets } = this
    let least = first
    for (let at = first; at < first + WAYS; at++) {
      const known = sets[at]
      if (known === undefined) return at
      if (known.uses < (sets[least]?.uses ?? 0)) least = at
    }
    for (let at = first; at < first + WAYS; at++) {
      const known = sets[at]
      if (known !== undefined) known.uses >>>= 1
    }
    return least
  }
}

function firstOf(hash: number): number {
  return ((hash ^ (hash >>> 16)) & (SETS - 1)) * WAYS
}
