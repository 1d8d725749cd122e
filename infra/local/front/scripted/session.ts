/**
 * What one scripted server session is besides its bytes: who logged in, the current database, the
 * variables, the open transaction. Statements come in here and leave as an answer or an `SqlError`.
 */
import type { Cell } from '../codec.ts'
import { type Changed, chosen, insert, remove, update } from './changes.ts'
import type { StoredTable } from './database.ts'
import { evaluate, isLike, numberOf, type Scope } from './evaluate.ts'
import { NOTHING, PROTOCOL_TYPE, type Result, select, sequenceSource } from './select.ts'
import { SqlError } from './sql-error.ts'
import type { Assignment, Select, Statement, TableName } from './statement.ts'
import { Transaction } from './transaction.ts'
import { Variables, VERSION } from './variables.ts'
import type { World } from './world.ts'

export type Answer =
  | { readonly kind: 'rows'; readonly result: Result }
  | ({ readonly kind: 'ok' } & Changed)

type Of<Kind extends Statement['kind']> = Extract<Statement, { kind: Kind }>

const DONE: Answer = { kind: 'ok', affectedRows: 0, lastInsertId: 0 }
const LONGEST_SLEEP_SEC = 86_400
/** Statements after which an open transaction has been committed. */
const COMMITS = [
  'begin',
  'create-database',
  'create-table',
  'drop-database',
  'drop-table',
  'truncate',
]

export class Session {
  /** What KILL and CONNECTION_ID() call it. */
  id: number
  user = ''
  database: string | undefined
  isDatabaseChanged = false
  variables = new Variables()
  /** The statement under way, for SHOW PROCESSLIST. */
  text: string | undefined
  private readonly world: World
  private transaction: Transaction | undefined
  /** BEGIN was said, or a change made without autocommit. */
  isInTransaction = false
  private killed: 'no' | 'statement' | 'session' = 'no'
  private wake: (() => void) | undefined
  private readonly ended: () => void

  /** `ended` is called when another session kills this one. */
  constructor(id: number, world: World, ended: () => void) {
    this.id = id
    this.world = world
    this.ended = ended
  }

  get status(): number {
    const autocommit = this.variables.isAutocommit ? 0x0002 : 0
    return 0x0020 | autocommit | (this.isInTransaction ? 0x0001 : 0)
  }

  /** Ends the statement under way with 1317, with `whole` the session: 5066 when it is busy (A15). */
  kill(whole: boolean): void {
    if (this.text === undefined) {
      if (whole) this.ended()
      return
    }
    this.killed = whole ? 'session' : 'statement'
    this.wake?.()
  }

  /** The session was killed in its statement: it ends after the answer. */
  get isOver(): boolean {
    return this.killed === 'session'
  }

  /** @throws SqlError 1317, 5066 when KILL came meanwhile */
  stayAlive(): void {
    if (this.killed === 'statement')
      throw new SqlError(1317, '70100', 'Query execution was interrupted')
    if (this.killed === 'session') throw new SqlError(5066, 'HY000', 'Session interrupted')
  }

  /** Marks a statement as under way; `undefined` at its end. */
  mark(text: string | undefined): void {
    this.text = text
    this.killed = 'no'
  }

  /** The client is gone: nothing of it stays. */
  end(): void {
    this.transaction?.end()
    this.wake?.()
  }

  /** COM_RESET_CONNECTION: the database stays, everything else is as after the login. */
  reset(): void {
    this.rollback()
    const capabilities = this.variables.value('ob_capability_flag')
    this.variables = new Variables()
    this.variables.agree(Number(capabilities))
  }

  /** @throws SqlError 1049 */
  use(database: string): void {
    if (!this.world.database.has(database))
      throw new SqlError(1049, '42000', `Unknown database '${database}'`)
    this.database = database.toLowerCase()
    this.isDatabaseChanged = true
  }

  /** @throws SqlError */
  async run(statement: Statement, parameters: readonly Cell[]): Promise<Answer> {
    if (COMMITS.includes(statement.kind)) await this.commit()
    switch (statement.kind) {
      case 'select':
        await this.sleep(statement, parameters)
        return { kind: 'rows', result: this.select(statement, parameters) }
      case 'insert':
      case 'update':
      case 'delete':
        return await this.change(statement, parameters)
      case 'begin':
      case 'commit':
      case 'rollback':
      case 'nothing':
        return await this.transact(statement.kind)
      case 'set':
        return await this.set(statement.assignments, parameters)
      case 'use':
        this.use(statement.database)
        return DONE
      case 'kill':
        this.world.kill(statement.id, !statement.isQuery)
        return DONE
      case 'show':
        return { kind: 'rows', result: this.show(statement.what) }
      case 'show-variables':
        return { kind: 'rows', result: this.showVariables(statement.pattern) }
      default:
        return await this.define(statement)
    }
  }

  /** Names and types of the columns that a statement will answer with, none for an OK. */
  describe(statement: Statement, parameters: readonly Cell[]): Result['columns'] {
    if (statement.kind === 'select') return this.select(statement, parameters).columns
    if (statement.kind === 'show') return this.show(statement.what).columns
    return statement.kind === 'show-variables' ? this.showVariables(undefined).columns : []
  }

  private async transact(kind: 'begin' | 'commit' | 'rollback' | 'nothing'): Promise<Answer> {
    if (kind === 'commit') await this.commit()
    if (kind === 'rollback') this.rollback()
    if (kind === 'begin') this.isInTransaction = true
    return DONE
  }

  private async commit(): Promise<void> {
    const { transaction } = this
    this.isInTransaction = false
    this.transaction = undefined
    if (transaction === undefined) return
    transaction.commit()
    await this.world.database.saved()
  }

  private rollback(): void {
    this.transaction?.end()
    this.transaction = undefined
    this.isInTransaction = false
  }

  private open(): Transaction {
    this.transaction ??= new Transaction(this.world.database, this.world.locks)
    return this.transaction
  }

  private get isAlone(): boolean {
    return this.variables.isAutocommit && !this.isInTransaction
  }

  /** A change with autocommit is a transaction of its own. */
  private async change(
    statement: Of<'insert' | 'update' | 'delete'>,
    parameters: readonly Cell[],
  ): Promise<Answer> {
    const isAlone = this.isAlone
    const scope = this.scope(parameters)
    const transaction = this.open()
    try {
      const changed = this.changed(statement, transaction, scope)
      if (!isAlone) this.isInTransaction = true
      else await this.commit()
      return { kind: 'ok', ...changed }
    } catch (error) {
      if (isAlone) this.rollback()
      throw error
    }
  }

  private changed(
    statement: Of<'insert' | 'update' | 'delete'>,
    transaction: Transaction,
    scope: Scope,
  ): Changed {
    if (statement.kind === 'insert')
      return insert(statement, this.table(statement.into), transaction, scope)
    if (statement.kind === 'update')
      return update(statement, this.table(statement.table), transaction, scope)
    return remove(this.table(statement.from), statement.where, transaction, scope)
  }

  private select(statement: Select, parameters: readonly Cell[]): Result {
    const scope = this.scope(parameters)
    const { from } = statement
    if (from === undefined) return select(statement, NOTHING, scope)
    const sequence = sequenceSource(from.table)
    if (sequence !== undefined) return select(statement, sequence, scope)
    const table = this.table(from)
    const transaction = this.transaction ?? new Transaction(this.world.database, this.world.locks)
    const rows = chosen(table, statement.where, transaction, scope)
    if (statement.isForUpdate && !this.isAlone) this.lock(table, rows)
    const source = { columns: table.columns, rows: rows.map(({ row }) => row) }
    return select({ ...statement, where: undefined }, source, scope)
  }

  private lock(table: StoredTable, rows: ReturnType<typeof chosen>): void {
    this.open().change(table, new Map(rows.map(({ key, row }) => [key, row])))
    this.isInTransaction = true
  }

  /** SLEEP waits before anything is evaluated, once a statement. */
  private async sleep(statement: Select, parameters: readonly Cell[]): Promise<void> {
    const sleeps = statement.items.flatMap(item => {
      const called = item.kind === 'expression' ? item.expression : undefined
      return called?.kind === 'call' && called.name === 'sleep' ? called.args : []
    })
    for (const argument of sleeps) {
      const seconds = numberOf(evaluate(argument, this.scope(parameters)) ?? 0)
      this.stayAlive()
      await this.wait(Math.min(LONGEST_SLEEP_SEC, Math.max(0, seconds)) * 1000)
      this.stayAlive()
    }
  }

  private wait(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.wake?.(), delayMs)
      this.wake = () => {
        clearTimeout(timer)
        this.wake = undefined
        resolve()
      }
    })
  }

  private async set(
    assignments: readonly Assignment[],
    parameters: readonly Cell[],
  ): Promise<Answer> {
    for (const { kind, name, value } of assignments) {
      const cell = evaluate(value, this.scope(parameters))
      if (kind === 'user') this.variables.setUser(name, cell)
      else this.variables.set(name, cell)
    }
    // Autocommit that comes on ends what was open.
    if (assignments.some(({ name }) => name === 'autocommit') && this.variables.isAutocommit)
      await this.commit()
    return DONE
  }

  private async define(
    statement: Of<'create-database' | 'create-table' | 'drop-database' | 'drop-table' | 'truncate'>,
  ): Promise<Answer> {
    const { database } = this.world
    switch (statement.kind) {
      case 'create-database':
        database.create(statement.name, statement.isLenient)
        break
      case 'drop-database':
        this.dropDatabase(statement)
        break
      case 'create-table':
        this.createTable(statement)
        break
      case 'drop-table': {
        const name = this.qualified(statement.table)
        const table = database.find(name.database, name.table)
        if (table !== undefined) database.dropTable(table)
        else if (!statement.isLenient)
          throw new SqlError(1051, '42S02', `Unknown table '${name.database}.${name.table}'`)
        break
      }
      case 'truncate': {
        const table = this.table(statement.table)
        database.apply(table, new Map([...table.rows.keys()].map(key => [key, undefined])))
        break
      }
    }
    await database.saved()
    return DONE
  }

  private dropDatabase({ name, isLenient }: Of<'drop-database'>): void {
    this.world.database.drop(name, isLenient)
    if (this.database !== name.toLowerCase()) return
    this.database = undefined
    this.isDatabaseChanged = true
  }

  private createTable(statement: Of<'create-table'>): void {
    const name = this.qualified(statement.table)
    const found = this.world.database.find(name.database, name.table)
    if (found === undefined) {
      this.world.database.createTable(name, statement.columns, statement.key)
      return
    }
    if (!statement.isLenient)
      throw new SqlError(1050, '42S01', `Table '${name.table}' already exists`)
  }

  private qualified({ database, table }: TableName): TableName & { readonly database: string } {
    const named = database ?? this.database
    if (named === undefined) throw new SqlError(1046, '3D000', 'No database selected')
    return { database: named, table }
  }

  /** @throws SqlError 1046, 1049, 1142, 1146 */
  private table(name: TableName): StoredTable {
    const { database, table } = this.qualified(name)
    this.world.needAccess(this.user, database)
    return this.world.database.table(database, table)
  }

  private scope(parameters: readonly Cell[]): Scope {
    const unknown = (name: string) =>
      new SqlError(1054, '42S22', `Unknown column '${name}' in 'field list'`)
    return {
      parameters,
      column: name => {
        throw unknown(name)
      },
      columnType: name => {
        throw unknown(name)
      },
      variable: name => this.variables.value(name),
      userVariable: name => this.variables.userValue(name),
      session: {
        connection_id: () => this.id,
        database: () => this.database ?? null,
        schema: () => this.database ?? null,
        version: () => VERSION,
        user: () => `${this.user}@%`,
        current_user: () => `${this.user}@%`,
        now: () => new Date().toISOString().slice(0, 19).replace('T', ' '),
      },
    }
  }

  private show(what: Of<'show'>['what']): Result {
    if (what === 'databases')
      return table(
        ['Database'],
        this.world.database.names.map(name => [name]),
      )
    if (what === 'warnings') return table(['Level', 'Code', 'Message'], [])
    if (what === 'tables') {
      const { database } = this.qualified({ database: undefined, table: '' })
      const names = this.world.database.tables(database)
      return table(
        [`Tables_in_${database}`],
        names.map(name => [name]),
      )
    }
    const columns = ['Id', 'User', 'db', 'Command', 'Info']
    const rows = this.world
      .list()
      .map(session => [
        session.id,
        session.user,
        session.database ?? null,
        session.text === undefined ? 'Sleep' : 'Query',
        session.text ?? null,
      ])
    return table(columns, rows)
  }

  private showVariables(pattern: string | undefined): Result {
    const names = this.variables.names.filter(name => isLike(name, pattern ?? '%'))
    const rows = names.map(name => [name, this.variables.shown(name)])
    return table(['Variable_name', 'Value'], rows)
  }
}

function table(names: readonly string[], rows: readonly (readonly Cell[])[]): Result {
  const columns = names.map(name => ({
    name,
    type: PROTOCOL_TYPE[name === 'Id' ? 'integer' : 'text'],
  }))
  return { columns, rows }
}
