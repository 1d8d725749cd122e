/**
 * The open changes of one session: seen by itself at once, by others when it commits. A row belongs
 * to the transaction that changed it until its end; nobody waits for it, 1205 comes at once.
 */
import type { Database, Key, Row, StoredTable } from './database.ts'
import { SqlError } from './sql-error.ts'

/** Who holds which row; one for all sessions of an engine. */
export type RowLocks = Map<StoredTable, Map<Key, Transaction>>

type Changes = Map<StoredTable, Map<Key, Row | undefined>>
type Savepoint = { readonly name: string; readonly changes: Changes }

const MAX_SAVEPOINTS = 1_000

export class Transaction {
  private readonly database: Database
  private readonly locks: RowLocks
  private changes: Changes = new Map()
  /** Rolling back to a savepoint forgets changes, but no locks. */
  private readonly locked = new Map<StoredTable, Set<Key>>()
  private savepoints: Savepoint[] = []

  constructor(database: Database, locks: RowLocks) {
    this.database = database
    this.locks = locks
  }

  row(table: StoredTable, key: Key): Row | undefined {
    const own = this.changes.get(table)
    return own?.has(key) === true ? own.get(key) : table.rows.get(key)
  }

  /** Every row as this transaction sees it, a copy. */
  rows(table: StoredTable): [Key, Row][] {
    const own = this.changes.get(table)
    if (own === undefined) return [...table.rows]
    return [...new Map<Key, Row | undefined>([...table.rows, ...own])].flatMap(([key, row]) =>
      row === undefined ? [] : [[key, row] as [Key, Row]],
    )
  }

  /** Takes all changes or none. @throws SqlError 1205, 1114 */
  change(table: StoredTable, changes: ReadonlyMap<Key, Row | undefined>): void {
    const held = this.locks.get(table) ?? new Map<Key, Transaction>()
    for (const key of changes.keys()) {
      const owner = held.get(key)
      if (owner !== undefined && owner !== this)
        throw new SqlError(1205, 'HY000', 'Lock wait timeout exceeded; try restarting transaction')
    }
    this.database.needRoom(
      [...changes.values()].filter(row => row !== undefined),
      table,
    )
    this.locks.set(table, held)
    const locked = this.locked.get(table) ?? new Set<Key>()
    this.locked.set(table, locked)
    const own = this.changes.get(table) ?? new Map<Key, Row | undefined>()
    this.changes.set(table, own)
    for (const [key, row] of changes) {
      held.set(key, this)
      locked.add(key)
      own.set(key, row)
    }
  }

  /** The same name again moves it. @throws SqlError beyond the bound */
  savepoint(name: string): void {
    this.release(name)
    if (this.savepoints.length >= MAX_SAVEPOINTS)
      throw new SqlError(1210, 'HY000', `more than ${MAX_SAVEPOINTS} savepoints`)
    this.savepoints.push({ name, changes: copyOf(this.changes) })
  }

  /** False when there is no such savepoint. */
  rollbackTo(name: string): boolean {
    const at = this.savepoints.findIndex(savepoint => savepoint.name === name)
    const found = this.savepoints[at]
    if (found === undefined) return false
    this.changes = copyOf(found.changes)
    this.savepoints = this.savepoints.slice(0, at + 1)
    return true
  }

  release(name: string): boolean {
    const before = this.savepoints.length
    this.savepoints = this.savepoints.filter(savepoint => savepoint.name !== name)
    return this.savepoints.length < before
  }

  commit(): void {
    for (const [table, changes] of this.changes) this.database.apply(table, changes)
    this.end()
  }

  /** Ends it without its changes. */
  end(): void {
    for (const [table, keys] of this.locked) {
      const held = this.locks.get(table)
      for (const key of keys) held?.delete(key)
      if (held?.size === 0) this.locks.delete(table)
    }
    this.locked.clear()
    this.changes.clear()
    this.savepoints = []
  }
}

function copyOf(changes: Changes): Changes {
  return new Map([...changes].map(([table, rows]) => [table, new Map(rows)]))
}
