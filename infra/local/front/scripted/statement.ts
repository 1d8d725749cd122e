/** What the scripted engine understands: the shapes of statements and expressions. */
import type { Cell } from '../codec.ts'
import type { Levels } from '../partitioning.ts'

export type Expression =
  | { readonly kind: 'value'; readonly value: Cell }
  | { readonly kind: 'parameter'; readonly index: number }
  /** `of` is the table that it was written with. */
  | { readonly kind: 'column'; readonly name: string; readonly of?: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'user-variable'; readonly name: string }
  | { readonly kind: 'assign'; readonly name: string; readonly value: Expression }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'unary'; readonly operator: '-' | 'not'; readonly operand: Expression }
  | {
      readonly kind: 'binary'
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly kind: 'in'; readonly operand: Expression; readonly list: readonly Expression[] }
  | { readonly kind: 'is-null'; readonly operand: Expression }

export type TableName = { readonly database: string | undefined; readonly table: string }
export type ColumnType = 'integer' | 'double' | 'text'

export type ColumnDefinition = {
  readonly name: string
  readonly type: ColumnType
  readonly isRequired: boolean
  readonly isCounted: boolean
  readonly otherwise: Cell
}

export type SelectItem =
  | { readonly kind: 'all' }
  | { readonly kind: 'expression'; readonly name: string; readonly expression: Expression }

export type OrderBy = { readonly expression: Expression; readonly isDescending: boolean }

export type Select = {
  readonly kind: 'select'
  readonly items: readonly SelectItem[]
  readonly from: TableName | undefined
  readonly where: Expression | undefined
  readonly orderBy: readonly OrderBy[]
  readonly limit: Limit | undefined
  readonly isForUpdate: boolean
  /** SQL_CALC_FOUND_ROWS. */
  readonly isCounting: boolean
  /** What its READ_CONSISTENCY hint says. */
  readonly hint: 'weak' | 'strong' | undefined
}

export type Limit = { readonly offset: Expression | undefined; readonly count: Expression }

export type SetTransaction = {
  readonly kind: 'set-transaction'
  readonly isOfSession: boolean
  readonly isReadOnly: boolean | undefined
  readonly isolation: string | undefined
}

export type Xa = {
  readonly kind: 'xa'
  readonly verb: 'start' | 'end' | 'prepare' | 'commit' | 'rollback' | 'recover'
  readonly xid: string
  readonly isOnePhase: boolean
}

export type Load = {
  readonly kind: 'load'
  readonly file: string
  readonly into: TableName
  readonly columns: readonly string[] | undefined
  readonly isReplace: boolean
  readonly fieldEnd: string
  readonly lineEnd: string
}

export type CreateProcedure = {
  readonly kind: 'create-procedure'
  readonly name: string
  readonly parameters: readonly string[]
  /** Statement by statement. */
  readonly body: readonly string[]
}

export type Assignment =
  /** Without a value it is DEFAULT. */
  | { readonly kind: 'system'; readonly name: string; readonly value: Expression | undefined }
  | { readonly kind: 'user'; readonly name: string; readonly value: Expression }

export type Statement =
  | Select
  | {
      readonly kind: 'insert'
      readonly isReplace: boolean
      readonly into: TableName
      readonly columns: readonly string[] | undefined
      readonly rows: readonly (readonly Expression[])[]
    }
  | {
      readonly kind: 'update'
      readonly table: TableName
      readonly changes: readonly { readonly column: string; readonly value: Expression }[]
      readonly where: Expression | undefined
    }
  | { readonly kind: 'delete'; readonly from: TableName; readonly where: Expression | undefined }
  | { readonly kind: 'truncate'; readonly table: TableName }
  | { readonly kind: 'create-database'; readonly name: string; readonly isLenient: boolean }
  | { readonly kind: 'drop-database'; readonly name: string; readonly isLenient: boolean }
  | {
      readonly kind: 'create-table'
      readonly table: TableName
      readonly columns: readonly ColumnDefinition[]
      readonly key: string | undefined
      readonly levels: Levels
      readonly isLenient: boolean
      readonly isTemporary: boolean
    }
  | {
      readonly kind: 'drop-table'
      readonly tables: readonly TableName[]
      readonly isLenient: boolean
      readonly isTemporary: boolean
    }
  | { readonly kind: 'use'; readonly database: string }
  | { readonly kind: 'set'; readonly assignments: readonly Assignment[] }
  | { readonly kind: 'begin'; readonly isReadOnly: boolean }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'do'; readonly expressions: readonly Expression[] }
  | { readonly kind: 'savepoint' | 'rollback-to' | 'release'; readonly name: string }
  | SetTransaction
  | Xa
  | Load
  | { readonly kind: 'prepare'; readonly name: string; readonly from: Expression }
  | { readonly kind: 'execute'; readonly name: string; readonly using: readonly Expression[] }
  | { readonly kind: 'deallocate'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | CreateProcedure
  | { readonly kind: 'drop-procedure'; readonly name: string; readonly isLenient: boolean }
  | { readonly kind: 'kill'; readonly isQuery: boolean; readonly id: number }
  | { readonly kind: 'show'; readonly what: 'databases' | 'tables' | 'processlist' | 'warnings' }
  | { readonly kind: 'show-variables'; readonly pattern: string | undefined }
