/**
 * Columns that are no keys but equal to one in every row that counts: `t.k = u.k AND u.k = 5` says that
 * k is 5. Names are the same when they are written alike, byte by byte.
 * Source: the kernel's EXPLAIN of joins; proxy-routing.md §5.8.
 */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'

/** Equalities of columns that are looked at. */
const MOST_PAIRS = 16
const MAX_DEPTH = 32
const NO_SLOT = -1

export class Equated {
  private readonly expressions: Expressions
  /** Two nodes a pair, one behind the other. */
  private readonly pairs: number[] = []
  /** By its node: the slot that a column is equal to. */
  private readonly slots = new Map<number, number>()

  constructor(expressions: Expressions) {
    this.expressions = expressions
  }

  /** Takes what `root` says of all rows. */
  collect(root: number): void {
    this.pairs.length = 0
    this.slots.clear()
    this.gather(root, 0)
    for (let before = -1; before !== this.slots.size; ) {
      before = this.slots.size
      for (let at = 0; at < this.pairs.length; at += 2) this.follow(at)
    }
  }

  /** The slot that the column at `node` is equal to; -1 for none. */
  slotOf(node: number): number {
    const { expressions, slots } = this
    if (slots.size === 0 || expressions.kind(node) !== NODE.otherColumn) return NO_SLOT
    for (const [known, slot] of slots) if (this.isSame(known, node)) return slot
    return NO_SLOT
  }

  private gather(node: number, depth: number): void {
    const { expressions, pairs } = this
    if (depth > MAX_DEPTH) return
    const kind = expressions.kind(node)
    const first = expressions.first(node)
    if (kind === NODE.and) {
      for (let child = first; child !== NO_NODE; child = expressions.next(child))
        this.gather(child, depth + 1)
    } else if (kind === NODE.equal || kind === NODE.nullSafeEqual) {
      const second = expressions.next(first)
      const isPair = this.isColumn(first) && this.isColumn(second)
      if (isPair && pairs.length < 2 * MOST_PAIRS) pairs.push(first, second)
    }
  }

  private follow(at: number): void {
    const [one = NO_NODE, other = NO_NODE] = this.pairs.slice(at, at + 2)
    const [left, right] = [this.known(one), this.known(other)]
    if (left >= 0 && right < 0) this.slots.set(other, left)
    if (right >= 0 && left < 0) this.slots.set(one, right)
  }

  private known(node: number): number {
    const { expressions } = this
    return expressions.kind(node) === NODE.column ? expressions.extra(node) : this.slotOf(node)
  }

  private isColumn(node: number): boolean {
    const kind = this.expressions.kind(node)
    return kind === NODE.column || kind === NODE.otherColumn
  }

  private isSame(one: number, other: number): boolean {
    const { expressions } = this
    const { bytes } = expressions
    const [from, start] = [expressions.from(one), expressions.from(other)]
    const length = expressions.to(one) - from
    if (length === 0 || length !== expressions.to(other) - start) return false
    for (let at = 0; at < length; at++) if (bytes[from + at] !== bytes[start + at]) return false
    return true
  }
}
