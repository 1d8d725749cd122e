/**
 * What INSERT and REPLACE put into the columns that routing asks for, in their first row. Reading ends
 * with the last of them. Hot path: see the rules. Source: proxy-routing.md §5.8, §14 row 28.
 */
import type { ExpressionReader } from './expression-reader.ts'
import { NO_NODE } from './expressions.ts'
import { type KeyColumns, NO_COLUMNS } from './key-columns.ts'
import { keyword, type Lexer, SIGN, TOKEN } from './lexer.ts'
import { isAtEnd, skipOne, stepOver, stepOverSign } from './token-steps.ts'

/** Columns that one table is routed by, sources of generated ones included. */
export const MAX_KEY_COLUMNS = 64

const VALUES = keyword('values')
const VALUE = keyword('value')
const ROW = keyword('row')
const SET = keyword('set')
const EQUAL = 0x3d
const ABSENT = -1

export class InsertReader {
  private readonly reader: ExpressionReader
  private readonly lexer: Lexer
  private readonly nodes = new Int32Array(MAX_KEY_COLUMNS)
  /** Of each key column: its place in the row; ABSENT when the row has none for it. */
  private readonly places = new Int32Array(MAX_KEY_COLUMNS)
  private columns = NO_COLUMNS
  /** Key columns whose value is still to come. */
  private missing = 0

  constructor(reader: ExpressionReader) {
    this.reader = reader
    this.lexer = reader.lexer
  }

  /** The value of a key column; NO_NODE when the statement leaves it to its default. */
  value(column: number): number {
    return this.nodes[column] as number
  }

  /** From behind the table on; false when the values are not known. */
  read(columns: KeyColumns): boolean {
    const { lexer } = this
    if (columns.size > MAX_KEY_COLUMNS) return false
    this.columns = columns
    // A column in a value is one of the new row, which is not known yet.
    this.reader.operands.columns = NO_COLUMNS
    this.nodes.fill(NO_NODE)
    this.places.fill(ABSENT)
    this.missing = columns.size
    if (stepOver(lexer, SET)) return this.assignments()
    const isListed = lexer.isSign(SIGN.open)
    if (isListed ? !this.list() : !this.order()) return false
    if (!stepOver(lexer, VALUES) && !stepOver(lexer, VALUE)) return false
    stepOver(lexer, ROW)
    return stepOverSign(lexer, SIGN.open) && this.row()
  }

  /** `(a, t.b, …)`; false for a query in parentheses. */
  private list(): boolean {
    const { lexer, reader } = this
    lexer.next()
    if (reader.operands.isQuery()) return false
    this.missing = 0
    for (let place = 0; !lexer.isSign(SIGN.close); place++) {
      const column = this.columnHere()
      if (column >= 0) {
        this.places[column] = place
        this.missing += 1
      }
      if (!stepOverSign(lexer, SIGN.comma) && !lexer.isSign(SIGN.close)) return false
    }
    lexer.next()
    return true
  }

  /** Without a list, the row is in the order of the table's columns. */
  private order(): boolean {
    const { columns } = this
    for (let column = 0; column < columns.size; column++)
      this.places[column] = columns.place(column)
    return columns.hasPlaces
  }

  /** Behind the row's parenthesis. An empty row leaves all to the defaults. */
  private row(): boolean {
    const { lexer } = this
    if (lexer.isSign(SIGN.close)) return true
    for (let place = 0; this.missing > 0; place++) {
      const column = this.places.indexOf(place)
      if (column < 0) this.skipValue()
      else this.take(column)
      if (!stepOverSign(lexer, SIGN.comma)) break
    }
    return this.missing === 0
  }

  private take(column: number): void {
    if (this.nodes[column] === NO_NODE) this.missing -= 1
    this.nodes[column] = this.reader.value()
  }

  private skipValue(): void {
    const { lexer } = this
    while (!isAtEnd(lexer) && !lexer.isSign(SIGN.comma) && !lexer.isSign(SIGN.close)) skipOne(lexer)
  }

  /** `a = 1, t.b = 2`; what is not named gets its default. */
  private assignments(): boolean {
    const { lexer } = this
    do {
      const column = this.columnHere()
      if (!stepOverSign(lexer, EQUAL)) return false
      if (column >= 0) this.take(column)
      else this.reader.value()
    } while (stepOverSign(lexer, SIGN.comma))
    // Else those that are not there yet may be named behind the cut.
    return this.missing === 0 || !this.reader.operands.isTorn
  }

  /** The key column that is named here, with or without its table; steps behind the name. */
  private columnHere(): number {
    const { lexer, columns } = this
    let column = ABSENT
    do {
      if (lexer.type === TOKEN.sign || lexer.type === TOKEN.end) return ABSENT
      const isPlain = lexer.type === TOKEN.word || !lexer.hasEscapes
      column = isPlain ? columns.find(lexer.bytes, lexer.start, lexer.end) : ABSENT
      lexer.next()
    } while (stepOverSign(lexer, SIGN.dot))
    return column
  }
}
