/**
 * What a statement says of the columns that its first table is routed by: a condition on them, or the
 * values of a new row. One object reads one statement after another and makes nothing for it. What it
 * found is good until the next statement, and as long as the statement's bytes are.
 * Hot path: see the rules. Source: proxy-routing.md §5.8, §14 rows 4, 5, 6, 8, 10, 28.
 */
import type { Statement } from './classify.ts'
import { ExpressionReader } from './expression-reader.ts'
import { Expressions, NO_NODE } from './expressions.ts'
import { FromReader } from './from-reader.ts'
import { InsertReader } from './insert-reader.ts'
import type { KeyColumns } from './key-columns.ts'
import { TableReference } from './table-reference.ts'
import type { Verb } from './words.ts'

/** A statement's text as it came. */
export type StatementText = {
  readonly bytes: Uint8Array
  /** Behind the last byte that is read. */
  readonly to: number
  /** Bits of LEXER_MODE. */
  readonly mode: number
  /** The statement goes on behind `to`. */
  readonly isCut: boolean
}

const READ_VERBS: Readonly<Partial<Record<Verb, true>>> = {
  select: true,
  delete: true,
  update: true,
  insert: true,
  replace: true,
  merge: true,
}

export class Predicates {
  readonly expressions = new Expressions()
  private readonly reader = new ExpressionReader(this.expressions)
  private readonly operands = this.reader.operands
  private readonly table = new TableReference(this.reader.lexer)
  private readonly source = new FromReader(this.reader, this.expressions)
  private readonly row = new InsertReader(this.reader)
  /** What holds for every row of the table that the statement is about; NO_NODE when nothing is known. */
  condition = NO_NODE
  /** INSERT and REPLACE: `value` tells of the first row. */
  hasValues = false

  constructor() {
    this.operands.table = this.table.name
    this.operands.database = this.table.database
  }

  /** Reads the statement that `classify` judged to be `statement`. */
  read(text: StatementText, statement: Statement, columns: KeyColumns): void {
    const { table, expressions } = this
    this.condition = NO_NODE
    this.hasValues = false
    table.forget()
    expressions.clear(text.bytes)
    if (statement.tableAt === 0 || READ_VERBS[statement.verb] !== true) return
    this.begin(text, statement)
    this.dispatch(statement, columns)
    if (expressions.isFull) {
      this.condition = NO_NODE
      this.hasValues = false
    }
  }

  private begin({ bytes, to, mode, isCut }: StatementText, statement: Statement): void {
    const { lexer } = this.reader
    lexer.reset(bytes, statement.tableAt, to, mode)
    lexer.parameters = statement.parameters
    this.operands.isCut = isCut
    lexer.next()
    this.table.read(statement.verb !== 'insert' && statement.verb !== 'replace', isCut)
  }

  private dispatch({ verb, openJoins }: Statement, columns: KeyColumns): void {
    const { source, operands } = this
    operands.columns = columns
    if (verb === 'select' || verb === 'delete' || verb === 'update')
      this.condition = source.read(openJoins)
    else if (verb === 'merge') this.condition = source.merged()
    else this.hasValues = this.row.read(columns)
  }

  /** Of a key column, when `hasValues`: NO_NODE when the statement leaves it to its default. */
  value(column: number): number {
    return this.row.value(column)
  }

  /** How many partitions the statement names behind the table; 0 too when the list is not understood. */
  get partitionNames(): number {
    return this.table.partitionNames
  }

  /** In lower case. */
  partitionName(index: number): string {
    return this.table.partitionName(index)
  }
}
