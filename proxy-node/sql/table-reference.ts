/**
 * The table reference that a statement is routed by, with its partitions and its alias, read again from
 * where `classify` found it: `[db.]t[@link] [PARTITION (p, …)] [[AS] alias]`.
 * Hot path: see the rules. Source: proxy-routing.md §5.2.
 */
import { ENDS } from './expression-words.ts'
import { keyword, type Lexer, SIGN, TOKEN, WordTable } from './lexer.ts'
import type { Span } from './operand-reader.ts'
import { stepOver, stepOverSign } from './token-steps.ts'

const PARTITION = keyword('partition')
const SUBPARTITION = keyword('subpartition')
const AS = keyword('as')
const OF = keyword('of')

/** A statement that names more partitions is not read. */
export const MAX_PARTITIONS = 16

/** Words behind a table that are no alias, besides those that begin a clause. */
const NO_ALIAS = new WordTable<true>({
  use: true,
  force: true,
  ignore: true,
  select: true,
  with: true,
  table: true,
  sample: true,
  tablesample: true,
  connect: true,
  start: true,
})

export class TableReference {
  private readonly lexer: Lexer
  /** Of the table: its alias when it has one, since then its name means another table. */
  readonly name: Span = { from: 0, to: 0 }
  readonly database: Span = { from: 0, to: 0 }
  private readonly partitions = new Int32Array(2 * MAX_PARTITIONS)
  private partitionCount = 0
  /** There is a list of partitions that is not understood. */
  hasOddPartitions = false

  constructor(lexer: Lexer) {
    this.lexer = lexer
  }

  get partitionNames(): number {
    return this.partitionCount
  }

  /** In lower case; of a list that is not understood there are none. */
  partitionName(index: number): string {
    const { buffer, byteOffset } = this.lexer.bytes
    const from = this.partitions[2 * index] as number
    const to = this.partitions[2 * index + 1] as number
    return Buffer.from(buffer, byteOffset + from, to - from)
      .toString()
      .toLowerCase()
  }

  forget(): void {
    setSpan(this.name, 0, 0)
    setSpan(this.database, 0, 0)
    this.partitionCount = 0
    this.hasOddPartitions = false
  }

  /**
   * From the current token to behind the reference; a table that INSERT fills has no alias. `isCut`: the
   * statement goes on behind the text.
   */
  read(mayHaveAlias: boolean, isCut: boolean): void {
    const { lexer } = this
    this.nameHere(this.name)
    if (stepOverSign(lexer, SIGN.dot)) {
      setSpan(this.database, this.name.from, this.name.to)
      this.nameHere(this.name)
    }
    if (stepOverSign(lexer, SIGN.at)) lexer.next()
    this.partitionList()
    if (mayHaveAlias && this.alias()) this.partitionList()
    // The last name may be longer.
    if (isCut && lexer.type === TOKEN.end) this.partitionCount = 0
  }

  private nameHere(span: Span): void {
    const { lexer } = this
    setSpan(span, lexer.start, lexer.end)
    lexer.next()
  }

  /** Whether there was one. */
  private alias(): boolean {
    const { lexer } = this
    const isMarked = stepOver(lexer, AS)
    const isFlashback = isMarked && lexer.is(OF)
    if (lexer.type === TOKEN.end || lexer.type === TOKEN.sign || isFlashback) return false
    const isOther = ENDS.lookup(lexer) === true || NO_ALIAS.lookup(lexer) === true
    if (isOther && !isMarked) return false
    this.nameHere(this.name)
    return true
  }

  /** `PARTITION (p, …)`, `SUBPARTITION (p)`, `PARTITION p`. */
  private partitionList(): void {
    const { lexer } = this
    if (!stepOver(lexer, PARTITION) && !stepOver(lexer, SUBPARTITION)) return
    const isList = stepOverSign(lexer, SIGN.open)
    do this.partition()
    while (isList && stepOverSign(lexer, SIGN.comma))
    if (isList && !stepOverSign(lexer, SIGN.close)) this.hasOddPartitions = true
    if (this.hasOddPartitions) this.partitionCount = 0
  }

  private partition(): void {
    const { lexer, partitionCount } = this
    const isName = lexer.type !== TOKEN.sign && lexer.type !== TOKEN.end
    if (!isName || partitionCount >= MAX_PARTITIONS) {
      this.hasOddPartitions = true
      return
    }
    this.partitions[2 * partitionCount] = lexer.start
    this.partitions[2 * partitionCount + 1] = lexer.end
    this.partitionCount += 1
    lexer.next()
  }
}

function setSpan(span: Span, from: number, to: number): void {
  span.from = from
  span.to = to
}
