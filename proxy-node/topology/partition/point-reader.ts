/**
 * Equalities of integers and texts on every key column, joined by AND: the most frequent condition by
 * far, found without allocation. Whatever else a condition says of key columns is left to `Boxes`, whose
 * answer for these would be the same.
 * Source: proxy-routing.md §6.4–6.7. Hot path: see the rules.
 */
import { type Expressions, NO_NODE, NODE, TEXT_FORM } from '../../sql/expressions.ts'
import { type Collation, collationOf } from './collations.ts'
import type { ColumnType } from './column-type.ts'
import type { KeyHash } from './hash.ts'
import type { Level, Siblings, TablePartitions } from './table-partitions.ts'
import type { PruneSession } from './values.ts'

const OTHER = -1
/** Tables with more slots are left to `Boxes`. */
const MOST_SLOTS = 64
/** A double holds all integers of so many digits. */
const EXACT_DIGITS = 15
const MAX_DEPTH = 32
const ZERO = 0x30

const ODD_TEXT = TEXT_FORM.hasEscapes | TEXT_FORM.national

export class PointReader {
  private readonly hash: KeyHash
  /** By slot: the node of its value. */
  private readonly nodes = new Int32Array(MOST_SLOTS)

  constructor(hash: KeyHash) {
    this.hash = hash
  }

  /** The leaf; -1 for a condition of another shape. */
  leafOf(
    table: TablePartitions,
    expressions: Expressions,
    root: number,
    session: PruneSession,
  ): number {
    const { scheme } = table
    if (scheme === undefined || table.slots.length > MOST_SLOTS) return OTHER
    this.nodes.fill(NO_NODE)
    if (!this.bind(expressions, root, 0)) return OTHER
    const first = scheme.levels[0] as Level
    const at = this.indexOf(first, scheme.first, expressions, session)
    if (at < 0) return OTHER
    if (scheme.levels.length === 1) return at
    const second = scheme.levels[1] as Level
    const sub = this.indexOf(second, scheme.seconds[at] as Siblings, expressions, session)
    return sub < 0 ? OTHER : (table.leafStarts[at] as number) + sub
  }

  /** Notes the equalities; false when something else is said of a column. */
  private bind(expressions: Expressions, node: number, depth: number): boolean {
    if (depth > MAX_DEPTH) return false
    const kind = expressions.kind(node)
    if (kind === NODE.and) {
      let child = expressions.first(node)
      for (; child !== NO_NODE; child = expressions.next(child))
        if (!this.bind(expressions, child, depth + 1)) return false
      return true
    }
    if (kind === NODE.equal && this.bindEquality(expressions, node)) return true
    return isTrue(expressions, node) || isOpaque(expressions, node)
  }

  private bindEquality(expressions: Expressions, node: number): boolean {
    const left = expressions.first(node)
    const right = expressions.next(left)
    const isMirrored = expressions.kind(left) !== NODE.column
    const column = isMirrored ? right : left
    if (expressions.kind(column) !== NODE.column) return false
    const slot = expressions.extra(column)
    if (this.nodes[slot] !== NO_NODE) return false
    this.nodes[slot] = isMirrored ? left : right
    return true
  }

  private indexOf(
    level: Level,
    siblings: Siblings,
    expressions: Expressions,
    session: PruneSession,
  ): number {
    if (level.method === 'key') return this.keyIndex(level, siblings.count, expressions, session)
    if (level.slots.length !== 1 || !isInteger(level.types[0] as ColumnType)) return OTHER
    const value = integerAt(expressions, this.nodes[level.slots[0] as number] as number, session)
    if (!isWithin(level.types[0] as ColumnType, value)) return OTHER
    return numberIndex(level, siblings, value)
  }

  private keyIndex(
    level: Level,
    count: number,
    expressions: Expressions,
    session: PruneSession,
  ): number {
    const { murmur } = this.hash
    murmur.reset()
    for (let at = 0; at < level.slots.length; at++) {
      const node = this.nodes[level.slots[at] as number] as number
      const type = level.types[at] as ColumnType
      if (node === NO_NODE) return OTHER
      const isAdded = isInteger(type)
        ? this.addInteger(type, expressions, node, session)
        : level.textHash === 'murmur' && this.addText(type, expressions, node, session)
      if (!isAdded) return OTHER
    }
    return murmur.index(count)
  }

  private addInteger(
    type: ColumnType,
    expressions: Expressions,
    node: number,
    session: PruneSession,
  ): boolean {
    const value = integerAt(expressions, node, session)
    if (!isWithin(type, value)) return false
    this.hash.murmur.integer(value)
    return true
  }

  private addText(
    type: ColumnType,
    expressions: Expressions,
    node: number,
    session: PruneSession,
  ): boolean {
    if (type.kind !== 'varchar' && type.kind !== 'char') return false
    const collation = collationOf(type.collation)
    if (collation === undefined || !isReadAlike(collation, session)) return false
    const kind = expressions.kind(node)
    if (kind === NODE.text) {
      if ((expressions.extra(node) & ODD_TEXT) !== 0) return false
      const { bytes } = expressions
      return this.hash.addBytes(collation, bytes, expressions.from(node), expressions.to(node))
    }
    const { parameters } = session
    if (kind !== NODE.parameter || parameters === undefined) return false
    if (!parameters.findText(expressions.extra(node))) return false
    const { source, textFrom, textTo } = parameters
    return this.hash.addBytes(collation, source, textFrom, textTo)
  }
}

/** The partition of an integer under HASH, RANGE or LIST of one column. */
function numberIndex(level: Level, siblings: Siblings, value: number): number {
  const { numbers, byNumber, count, defaultAt } = siblings
  if (level.method === 'hash') return Math.abs(value) % count
  if (level.method === 'range') return numbers === undefined ? OTHER : above(numbers, value)
  return byNumber === undefined ? OTHER : (byNumber.get(value) ?? defaultAt)
}

function isInteger({ kind }: ColumnType): boolean {
  return kind === 'int' || kind === 'unsigned'
}

/** A statement's bytes are those of the column. */
function isReadAlike({ charset }: Collation, session: PruneSession): boolean {
  return charset === session.charset || (charset === 'binary' && session.charset !== undefined)
}

/** Whether an integer column can have the value, which NaN is none of. */
function isWithin({ kind, bits }: ColumnType, value: number): boolean {
  const most = kind === 'unsigned' ? 2 ** bits : 2 ** (bits - 1)
  return value >= (kind === 'unsigned' ? 0 : -most) && value < most
}

/** `1 = 1`, `TRUE` and `1`, which frameworks write before the conditions that they add. */
function isTrue(expressions: Expressions, node: number): boolean {
  const kind = expressions.kind(node)
  const first = expressions.first(node)
  if (kind === NODE.truth)
    return expressions.kind(first) === NODE.trueValue || digitsOf(expressions, first) > 0
  const number = kind === NODE.equal ? digitsOf(expressions, first) : Number.NaN
  return number === digitsOf(expressions, expressions.next(first))
}

function digitsOf(expressions: Expressions, node: number): number {
  return expressions.kind(node) === NODE.integer ? digitsAt(expressions, node) : Number.NaN
}

/** About something that is not known, and about no column of the key. */
function isOpaque(expressions: Expressions, root: number): boolean {
  return opacityOf(expressions, root, 0) === OPACITY.unknown
}

/** What a condition is made of; the highest one found counts. */
const OPACITY = { constant: 0, unknown: 1, column: 2 } as const

function opacityOf(expressions: Expressions, node: number, depth: number): number {
  const kind = expressions.kind(node)
  if (depth > MAX_DEPTH || kind === NODE.column) return OPACITY.column
  const isUnknown =
    kind === NODE.unknown || kind === NODE.unknownCondition || kind === NODE.otherColumn
  let most: number = isUnknown ? OPACITY.unknown : OPACITY.constant
  let child = expressions.first(node)
  for (; child !== NO_NODE && most < OPACITY.column; child = expressions.next(child))
    most = Math.max(most, opacityOf(expressions, child, depth + 1))
  return most
}

/** An integer literal or parameter; NaN for anything else, and for one that a double does not hold. */
function integerAt(expressions: Expressions, node: number, session: PruneSession): number {
  switch (expressions.kind(node)) {
    case NODE.integer:
      return digitsAt(expressions, node)
    case NODE.negate: {
      const child = expressions.first(node)
      return expressions.kind(child) === NODE.integer ? -digitsAt(expressions, child) : Number.NaN
    }
    case NODE.parameter: {
      const { parameters } = session
      const index = expressions.extra(node)
      return parameters?.isInteger(index) === true ? parameters.number(index) : Number.NaN
    }
    default:
      return Number.NaN
  }
}

function digitsAt(expressions: Expressions, node: number): number {
  const { bytes } = expressions
  const to = expressions.to(node)
  const from = expressions.from(node)
  if (to - from > EXACT_DIGITS) return Number.NaN
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + (bytes[at] as number) - ZERO
  return value
}

/** The first bound above a value; -1 for none. */
function above(bounds: Float64Array, value: number): number {
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((bounds[middle] as number) > value) high = middle
    else low = middle + 1
  }
  return low < bounds.length ? low : OTHER
}
