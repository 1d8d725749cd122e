/**
 * Expressions and conditions of one statement, kept as numbers in columns that are used again for the
 * next: reading a statement's conditions makes no object. Nodes are known by their number and refer to
 * the statement's bytes; both are good until the next `clear`.
 * Source: proxy-routing.md §5.8 (the boolean tree recommended there). Hot path: see the rules.
 */
import { invariant } from '../base/invariant.ts'

/** No node. Node 0 is never given out. */
export const NO_NODE = 0

export const NODE = {
  // --- values; the span is the token's bytes, without quotes where there are some
  nullValue: 1,
  /** Digits only. */
  integer: 2,
  /** Digits with a point, no exponent. */
  decimal: 3,
  /** With an exponent. */
  double: 4,
  /** A text between quotes: escapes and doubled quotes are still in it. `extra`: TEXT_FORM bits. */
  text: 5,
  /** x'..' or 0x..: the hexadecimal digits. `extra`: 1 for the form in quotes. */
  hex: 6,
  /** b'..' or 0b..: the binary digits. */
  bits: 7,
  trueValue: 8,
  falseValue: 9,
  /** DATE '..', TIME '..', TIMESTAMP '..': the text is the only child. */
  dateText: 10,
  timeText: 11,
  timestampText: 12,
  /** `?`; `extra` is its place among the statement's parameters, from 0. */
  parameter: 13,
  /** `@name`: the name, with its quotes when it has some. */
  userVariable: 14,
  /** `extra`: its place in the list of columns that was asked for. */
  column: 15,
  /** A sub-query, `@@name`, anything not understood: it has no known value. */
  unknown: 16,
  /** `name(…)`: the span is the name, the children are the arguments. `extra`: CALL_FORM. */
  call: 17,
  /** A bare word as an argument: the unit of EXTRACT and of INTERVAL, the type of CAST. */
  word: 18,
  negate: 19,
  add: 20,
  subtract: 21,
  multiply: 22,
  divide: 23,
  /** DIV */
  quotient: 24,
  /** MOD and % */
  modulo: 25,
  bitAnd: 26,
  bitOr: 27,
  bitXor: 28,
  shiftLeft: 29,
  shiftRight: 30,
  bitNot: 31,
  /** `child COLLATE name`; the span is the collation's name. */
  collate: 32,
  /** `_charset child`; the span is the character set's name. */
  introduced: 33,
  /** INTERVAL amount unit: a value and a `word`. */
  interval: 34,
  /** `(a, b)` */
  row: 35,
  /** DEFAULT as a value of INSERT. */
  defaultValue: 36,
  /** A column that was not asked for, of this table or another: its span is the name, qualifiers included. */
  otherColumn: 37,
  /** `a || b` under PIPES_AS_CONCAT. */
  concat: 38,
  /** Texts side by side, which are one: its children. */
  joinedText: 39,

  // --- conditions; where a value is asked for, each is 1, 0 or NULL
  and: 64,
  or: 65,
  not: 66,
  xor: 67,
  equal: 68,
  /** `<=>` */
  nullSafeEqual: 69,
  notEqual: 70,
  less: 71,
  lessOrEqual: 72,
  greater: 73,
  greaterOrEqual: 74,
  /** First child: what is looked for; the others: the list. */
  in: 75,
  /** Three children: value, lower bound, upper bound. */
  between: 76,
  isNull: 77,
  isNotNull: 78,
  /** Value and pattern; a third child is the ESCAPE. */
  like: 79,
  /** A condition that was not understood: it may be true or not. */
  unknownCondition: 80,
  /** A value where a condition stands: true unless it is 0 or NULL. */
  truth: 81,
} as const

export type NodeKind = (typeof NODE)[keyof typeof NODE]

/** How a text was written. */
export const TEXT_FORM = {
  /** It holds a backslash or a doubled quote; without the bit its bytes are its value. */
  hasEscapes: 1,
  /** A backslash is itself (NO_BACKSLASH_ESCAPES). */
  plainBackslash: 2,
  /** Between double quotes. */
  doubleQuoted: 4,
  /** N'..': national character set. */
  national: 8,
} as const

/**
 * How a call was written, where the name does not tell. Children are in the order of the form with
 * commas: EXTRACT(unit FROM x) has `word`, x; CAST(x AS DECIMAL(10, 2)) and CONVERT(x, DECIMAL(10, 2))
 * have x, `word`, 10, 2; SUBSTRING(s FROM a FOR b) has s, a, b; TRIM(LEADING x FROM s) has s, x.
 */
export const CALL_FORM = {
  plain: 0,
  /** CONVERT(x USING charset): x, `word`. */
  using: 1,
  /** TRIM(LEADING …) */
  leading: 2,
  /** TRIM(TRAILING …) */
  trailing: 3,
  /** TRIM(BOTH …); TRIM(x FROM s) too. */
  both: 4,
} as const

/** Nodes of one statement; a statement with more is not understood. */
export const MAX_NODES = 2048

const COLUMNS = ['kinds', 'froms', 'tos', 'extras', 'firsts', 'lasts', 'nexts'] as const

export class Expressions {
  private readonly kinds: Uint8Array
  private readonly froms: Int32Array
  private readonly tos: Int32Array
  private readonly extras: Int32Array
  private readonly firsts: Int32Array
  private readonly lasts: Int32Array
  private readonly nexts: Int32Array
  /** What the spans point into. */
  bytes: Uint8Array = new Uint8Array(0)
  private count = 0
  private readonly capacity: number

  /** `capacity`: nodes at most; fewer for expressions that are kept. */
  constructor(capacity: number = MAX_NODES) {
    this.capacity = capacity
    this.kinds = new Uint8Array(capacity + 1)
    this.froms = new Int32Array(capacity + 1)
    this.tos = new Int32Array(capacity + 1)
    this.extras = new Int32Array(capacity + 1)
    this.firsts = new Int32Array(capacity + 1)
    this.lasts = new Int32Array(capacity + 1)
    this.nexts = new Int32Array(capacity + 1)
  }

  /** Forgets all nodes; the next ones are of `bytes`. */
  clear(bytes: Uint8Array): void {
    this.bytes = bytes
    this.count = 0
  }

  get size(): number {
    return this.count
  }

  /** The same nodes, kept apart from what is read next, with room for no more; of no text yet. */
  copy(): Expressions {
    const copy = new Expressions(this.count)
    for (const column of COLUMNS) copy[column].set(this[column].subarray(0, this.count + 1))
    copy.count = this.count
    return copy
  }

  /** Its span from now on. */
  move(node: number, from: number, to: number): void {
    this.froms[node] = from
    this.tos[node] = to
  }

  get isFull(): boolean {
    return this.count >= this.capacity
  }

  /** A new node; NO_NODE when there are too many, which every reader takes for `unknown`. */
  add(kind: NodeKind, from: number, to: number, extra = 0): number {
    if (this.isFull) return NO_NODE
    this.count += 1
    const node = this.count
    this.kinds[node] = kind
    this.froms[node] = from
    this.tos[node] = to
    this.extras[node] = extra
    this.firsts[node] = NO_NODE
    this.lasts[node] = NO_NODE
    this.nexts[node] = NO_NODE
    return node
  }

  /** What `extra` says from now on. */
  mark(node: number, extra: number): void {
    if (node !== NO_NODE) this.extras[node] = extra
  }

  /** Puts `child` behind the other children of `parent`. A child has one parent. */
  append(parent: number, child: number): void {
    if (parent === NO_NODE || child === NO_NODE) return
    invariant(
      parent <= this.count && child <= this.count,
      'expression: a node of another statement',
    )
    const last = this.lasts[parent] as number
    if (last === NO_NODE) this.firsts[parent] = child
    else this.nexts[last] = child
    this.lasts[parent] = child
  }

  /** Of NO_NODE: `unknown`. */
  kind(node: number): NodeKind {
    return node === NO_NODE ? NODE.unknown : (this.kinds[node] as NodeKind)
  }

  from(node: number): number {
    return this.froms[node] as number
  }

  to(node: number): number {
    return this.tos[node] as number
  }

  extra(node: number): number {
    return this.extras[node] as number
  }

  first(node: number): number {
    return this.firsts[node] as number
  }

  next(node: number): number {
    return this.nexts[node] as number
  }

  /** The child at `index`, from 0; NO_NODE when there are fewer. */
  child(node: number, index: number): number {
    let found = this.first(node)
    for (let at = 0; at < index && found !== NO_NODE; at++) found = this.next(found)
    return found
  }

  children(node: number): number {
    let count = 0
    for (let at = this.first(node); at !== NO_NODE; at = this.next(at)) count += 1
    return count
  }

  /** The span as text, for explanations and for names that are looked up once. */
  text(node: number): string {
    const { bytes } = this
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
      'utf8',
      this.from(node),
      this.to(node),
    )
  }
}
