/**
 * MySQL's expressions as nodes, read by precedence from the tokens of a statement. What is not
 * understood is `unknown`, alone and never all of it, and never an error; nesting, links of a chain
 * and nodes are bounded, so that reading ends in time in proportion to the text.
 * Hot path: see the rules. Source: proxy-routing.md §5.8, §5.9; MySQL manual, "Expression Syntax".
 */
import {
  ENDS,
  LEVEL,
  levelOf,
  NO_OPERATOR,
  operatorAt,
  stepOverOperator,
} from './expression-words.ts'
import { type Expressions, NO_NODE, NODE, type NodeKind } from './expressions.ts'
import type { KeyColumns } from './key-columns.ts'
import { keyword, LEXER_MODE, Lexer, SIGN, TOKEN } from './lexer.ts'
import { OperandReader } from './operand-reader.ts'
import { skipOne, skipOut, stepOver, stepOverSign } from './token-steps.ts'

/** Nested readings of one operand; deeper ones are unknown. */
const MAX_DEPTH = 160
/** Operators of one level side by side, so that nodes are not nested without bound either. */
const MAX_LINKS = 64

const AND = keyword('and')
const NOT = keyword('not')
const IN = keyword('in')
const BETWEEN = keyword('between')
const LIKE = keyword('like')
const ESCAPE = keyword('escape')
const NULL = keyword('null')
const DISTINCT = keyword('distinct')
const FROM = keyword('from')

const NOTHING = new Uint8Array(0)
const FIRST_CONDITION = NODE.and

/**
 * The expression between `from` and `to` of the arena's bytes, all of it, with names in `columns` as
 * `column` nodes; NO_NODE when it is none or has too many nodes.
 */
export function readExpression(
  expressions: Expressions,
  { from, to }: { readonly from: number; readonly to: number },
  columns: KeyColumns,
  mode: number = LEXER_MODE.plain,
): number {
  const reader = new ExpressionReader(expressions)
  reader.operands.columns = columns
  reader.lexer.reset(expressions.bytes, from, to, mode)
  reader.lexer.next()
  const node = reader.expression()
  return reader.lexer.type === TOKEN.end && !expressions.isFull ? node : NO_NODE
}

export class ExpressionReader {
  readonly lexer = new Lexer(NOTHING, 0, 0)
  private readonly expressions: Expressions
  /** What it knows of names, calls and literals. */
  readonly operands: OperandReader
  private depth = 0

  constructor(expressions: Expressions) {
    this.expressions = expressions
    this.operands = new OperandReader(this.lexer, this, expressions)
  }

  /** A value or a condition, from the current token on; behind it is what can follow an expression. */
  expression(): number {
    return this.climb(LEVEL.or)
  }

  /** A value whose operators bind at least as `level`. */
  value(level: number = LEVEL.or): number {
    return this.asValue(this.climb(level))
  }

  /** A condition whose operators bind at least as `level`. */
  condition(level: number = LEVEL.or): number {
    return this.asCondition(this.climb(level))
  }

  /** Operands and operators that bind at least as `level`. */
  private climb(level: number): number {
    if (this.depth >= MAX_DEPTH) return this.odd()
    this.depth += 1
    let left = this.whole(this.operands.read())
    for (let links = 0; ; links++) {
      let operator = operatorAt(this.lexer)
      if (operator === NO_OPERATOR && level <= LEVEL.not && !this.isFollowed()) {
        left = this.odd()
        operator = operatorAt(this.lexer)
      }
      if (levelOf(operator) < level || operator === NO_OPERATOR) break
      const isFlat = operator === NODE.and || operator === NODE.or
      left = this.applied(operator, links < MAX_LINKS || isFlat ? left : this.unknown())
    }
    this.depth -= 1
    return left
  }

  /** `node`, or an unknown when more may belong to it than is there. */
  private whole(node: number): number {
    return this.operands.isTorn ? this.unknown() : node
  }

  /** Whether what stands here can follow an expression. */
  private isFollowed(): boolean {
    const { lexer } = this
    if (lexer.type === TOKEN.end) return true
    if (lexer.type === TOKEN.word) return ENDS.lookup(lexer) === true
    return lexer.isSign(SIGN.close) || lexer.isSign(SIGN.comma) || lexer.isSign(SIGN.semicolon)
  }

  /** Not understood: goes on where another operand of AND, OR or XOR, or another clause, begins. */
  private odd(): number {
    const { lexer } = this
    for (; !this.isFollowed(); skipOne(lexer)) {
      const level = levelOf(operatorAt(lexer))
      if (level !== 0 && level < LEVEL.not) break
    }
    return this.unknown()
  }

  private unknown(): number {
    const { start } = this.lexer
    return this.expressions.add(NODE.unknown, start, start)
  }

  // --- operators

  private applied(operator: NodeKind, left: number): number {
    const { lexer } = this
    stepOverOperator(lexer)
    switch (operator) {
      case NODE.and:
      case NODE.or:
      case NODE.xor:
        return this.joined(operator, left)
      case NODE.isNull:
        return this.judged(left)
      case NODE.not:
        return this.denied(left)
      case NODE.in:
        return this.listed(left)
      case NODE.between:
        return this.bounded(left)
      case NODE.like:
        return this.matched(left)
      case NODE.collate:
        return this.collated(left)
      case NODE.unknownCondition:
        this.climb(levelOf(operator) + 1)
        return this.node(operator, left)
      default:
        return this.combined(operator, left)
    }
  }

  /** AND, OR and XOR; operands side by side of AND and OR are children of one node. */
  private joined(operator: NodeKind, left: number): number {
    const { expressions } = this
    const right = this.condition(levelOf(operator) + 1)
    const isFlat = operator !== NODE.xor && expressions.kind(left) === operator
    const node = isFlat ? left : this.node(operator, left)
    if (!isFlat) expressions.append(node, this.asCondition(left))
    expressions.append(node, right)
    return node
  }

  private combined(operator: NodeKind, left: number): number {
    const { expressions } = this
    const right = this.value(levelOf(operator) + 1)
    const node = this.node(operator, left)
    expressions.append(node, this.asValue(left))
    expressions.append(node, right)
    return node
  }

  /** IS [NOT] NULL; whatever else IS asks. */
  private judged(left: number): number {
    const { lexer } = this
    const isDenied = stepOver(lexer, NOT)
    const isNull = stepOver(lexer, NULL)
    if (!isNull) {
      if (stepOver(lexer, DISTINCT)) stepOver(lexer, FROM)
      this.climb(LEVEL.predicate)
      return this.node(NODE.unknownCondition, left)
    }
    return this.whole(this.over(isDenied ? NODE.isNotNull : NODE.isNull, left))
  }

  /** NOT IN, NOT BETWEEN, NOT LIKE, NOT REGEXP. */
  private denied(left: number): number {
    const { lexer, expressions } = this
    const operator = operatorAt(lexer)
    const isKnown = lexer.is(IN) || lexer.is(BETWEEN) || lexer.is(LIKE)
    if (!isKnown && operator !== NODE.unknownCondition) return this.odd()
    const node = this.node(NODE.not, left)
    expressions.append(node, this.applied(operator as NodeKind, left))
    return node
  }

  private listed(left: number): number {
    const { lexer, expressions, operands } = this
    if (!stepOverSign(lexer, SIGN.open)) return this.odd()
    const node = this.over(NODE.in, left)
    if (operands.isQuery()) return this.queried(node)
    if (lexer.isSign(SIGN.close)) {
      skipOut(lexer)
      return this.node(NODE.unknownCondition, left)
    }
    do expressions.append(node, this.value())
    while (stepOverSign(lexer, SIGN.comma))
    return this.whole(operands.close(node))
  }

  /** IN of a query, which is understood when it is of one value. */
  private queried(node: number): number {
    const { expressions, operands } = this
    const value = operands.query()
    if (expressions.kind(value) === NODE.unknown)
      return this.node(NODE.unknownCondition, expressions.first(node))
    expressions.append(node, value)
    return node
  }

  private bounded(left: number): number {
    const { expressions } = this
    const node = this.over(NODE.between, left)
    expressions.append(node, this.value(LEVEL.bitOr))
    if (!stepOver(this.lexer, AND)) return this.odd()
    expressions.append(node, this.value(LEVEL.predicate))
    return node
  }

  private matched(left: number): number {
    const { expressions } = this
    const node = this.over(NODE.like, left)
    expressions.append(node, this.value(LEVEL.unary))
    if (stepOver(this.lexer, ESCAPE)) expressions.append(node, this.value(LEVEL.unary))
    return node
  }

  private collated(left: number): number {
    const { lexer, expressions } = this
    if (lexer.type === TOKEN.sign || lexer.type === TOKEN.end) return this.odd()
    const node = expressions.add(NODE.collate, lexer.start, lexer.end)
    expressions.append(node, this.asValue(left))
    lexer.next()
    return node
  }

  /** A node that begins where `left` does. */
  private node(kind: NodeKind, left: number): number {
    return this.expressions.add(kind, this.expressions.from(left), this.lexer.start)
  }

  /** A node with the value `left` as its first child. */
  private over(kind: NodeKind, left: number): number {
    const node = this.node(kind, left)
    this.expressions.append(node, this.asValue(left))
    return node
  }

  /** `node`; an unknown when it is a condition that was not understood. */
  private asValue(node: number): number {
    return this.expressions.kind(node) === NODE.unknownCondition ? this.unknown() : node
  }

  /** `node`, or the condition that a value is. */
  private asCondition(node: number): number {
    const { expressions } = this
    const kind = expressions.kind(node)
    if (kind >= FIRST_CONDITION) return node
    if (kind === NODE.unknown) return this.node(NODE.unknownCondition, node)
    const truth = this.node(NODE.truth, node)
    expressions.append(truth, node)
    return truth
  }
}
