/**
 * What one scripted server session is besides its bytes: who logged in, the current database, the
 * variables, the open transaction, and everything that never leaves it, so that a proxy which forgets
 * to restore something, or to stay, gets a wrong result. Statements are carried out by `run.ts`.
 */
import type { Cell } from '../codec.ts'
import type { Seat } from '../engine.ts'
import { Context } from './context.ts'
import type { StoredTable } from './database.ts'
import type { Scope } from './evaluate.ts'
import { SqlError } from './sql-error.ts'
import type { TableName } from './statement.ts'
import { Transacting } from './transacting.ts'
import { Variables, VERSION } from './variables.ts'
import type { World } from './world.ts'

export type Locals = ReadonlyMap<string, Cell>

export const TEMPORARY_USED = '_ob_proxy_session_temporary_table_used'
const NO_LOCALS: Locals = new Map()

export class Session {
  /** What KILL and CONNECTION_ID() call it. */
  id: number
  user = ''
  database: string | undefined
  isDatabaseChanged = false
  variables: Variables
  /** The statement under way, for SHOW PROCESSLIST. */
  text: string | undefined
  rowCount = 0
  foundRows = 0
  /** What SHOW WARNINGS tells of the statement before. */
  warnings: readonly (readonly Cell[])[] = []
  locksHeld = 0
  /** GET_LOCK needs a proxy that can be told of it (A6). */
  mayLock = true
  /** The client offered to send files, and its proxy passes them. */
  maySendFiles = false
  readonly context = new Context()
  /** Of text PREPARE, by name. */
  readonly prepared = new Map<string, string>()
  /** By `database.table`. */
  readonly temporary = new Map<string, StoredTable>()
  /** Values of calls that were waited for, in the order of their evaluation. */
  readonly waited: Cell[] = []
  readonly transacting: Transacting
  readonly world: World
  /** The front that its clients came to. */
  readonly seat: Seat | undefined
  /** Its proxy wants to know of the replicas of weak reads. */
  hearsWeakFeedback = false
  /** Its proxy has sent the command under way as a weak read (OB 2.0). */
  isToldWeak = false
  /** Made once: every statement has a scope. */
  private readonly functions: Scope['session']
  private killed: 'no' | 'statement' | 'session' = 'no'
  private wake: (() => void) | undefined
  private readonly ended: () => void

  /** `ended` is called when another session kills this one. */
  constructor(id: number, { world, seat }: { world: World; seat?: Seat }, ended: () => void) {
    this.id = id
    this.world = world
    this.seat = seat
    this.variables = new Variables(world.database.lowerCaseTableNames)
    this.ended = ended
    this.transacting = new Transacting(world, () => this.variables)
    this.functions = this.makeFunctions()
  }

  get status(): number {
    const autocommit = this.variables.isAutocommit ? 0x0002 : 0
    return 0x0020 | autocommit | (this.transacting.isInTransaction ? 0x0001 : 0)
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

  /** The session kills itself: it gets no packet. */
  leave(): void {
    this.ended()
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
    this.waited.length = 0
  }

  /** Waits for a time, or until somebody wakes or kills. @throws SqlError 1317, 5066 */
  async wait(delayMs: number, onWake: (wake: () => void) => () => void): Promise<void> {
    this.stayAlive()
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => this.wake?.(), delayMs)
      this.wake = () => {
        clearTimeout(timer)
        this.wake = undefined
        forget()
        resolve()
      }
      const forget = onWake(() => this.wake?.())
    })
    this.stayAlive()
  }

  /** The client is gone: nothing of it stays. */
  end(): void {
    this.clear()
    this.wake?.()
  }

  /** COM_RESET_CONNECTION and COM_CHANGE_USER: the database stays, everything else is as at first. */
  reset(): void {
    this.clear()
    const features = this.variables.value('ob_capability_flag')
    this.variables = new Variables(this.world.database.lowerCaseTableNames)
    this.variables.agree(Number(features))
  }

  private clear(): void {
    this.transacting.end()
    this.world.userLocks.releaseAll(this)
    for (const table of this.temporary.values()) this.world.database.forget(table)
    this.temporary.clear()
    this.prepared.clear()
    this.context.clear()
    this.warnings = []
    this.rowCount = 0
    this.foundRows = 0
  }

  /** @throws SqlError 1049 */
  use(database: string): void {
    if (!this.world.database.has(database))
      throw new SqlError(1049, '42000', `Unknown database '${database}'`)
    this.database = this.world.database.nameOf(database)
    this.isDatabaseChanged = true
  }

  /** @throws SqlError 1046 */
  qualified({ database, table }: TableName): TableName & { readonly database: string } {
    const named = database ?? this.database
    if (named === undefined) throw new SqlError(1046, '3D000', 'No database selected')
    const { database: stored } = this.world
    return { database: stored.nameOf(named), table: stored.nameOf(table) }
  }

  /** A temporary table hides the other of its name. @throws SqlError 1046, 1049, 1142, 1146 */
  table(name: TableName): StoredTable {
    const { database, table } = this.qualified(name)
    this.world.needAccess(this.user, database)
    return this.temporary.get(`${database}.${table}`) ?? this.world.database.table(database, table)
  }

  scope(parameters: readonly Cell[], locals: Locals = NO_LOCALS): Scope {
    const local = (name: string): Cell => {
      const value = locals.get(name.toLowerCase())
      if (value !== undefined) return value
      throw new SqlError(1054, '42S22', `Unknown column '${name}' in 'field list'`)
    }
    return {
      parameters,
      column: local,
      columnType: name => (typeof local(name) === 'number' ? 'integer' : 'text'),
      variable: name => this.variables.value(name),
      userVariable: name => this.variables.userValue(name),
      assign: (name, value) => this.variables.setUser(name, value),
      session: this.functions,
    }
  }

  private makeFunctions(): Scope['session'] {
    const locks = this.world.userLocks
    return {
      connection_id: () => this.id,
      database: () => this.database ?? null,
      schema: () => this.database ?? null,
      version: () => VERSION,
      user: () => `${this.user}@%`,
      current_user: () => `${this.user}@%`,
      now: () => new Date().toISOString().slice(0, 19).replace('T', ' '),
      last_insert_id: () => this.variables.value('last_insert_id'),
      row_count: () => this.rowCount,
      found_rows: () => this.foundRows,
      sys_context: ([namespace, attribute]) =>
        this.context.value(namespace ?? null, attribute ?? null),
      sleep: () => this.waited.shift() ?? 0,
      get_lock: () => this.waited.shift() ?? null,
      release_lock: ([name]) => locks.release(String(name), this),
      release_all_locks: () => locks.releaseAll(this),
      is_free_lock: ([name]) => (locks.ownerOf(String(name)) === undefined ? 1 : 0),
      is_used_lock: ([name]) => locks.ownerOf(String(name))?.id ?? null,
    }
  }
}
