/**
 * The open changes of one session: seen by itself at once, by others when it commits. A row belongs
 * to the transaction that changed it until its end; nobody waits for it, 1205 comes at once.
 */
import type { Database, Key, Row, StoredTable } from './database.ts'
import { SqlError } from './sql-error.ts'

/** Who holds which row; one for all sessions of an engine. */
export type RowLocks = Map<StoredTable, Map<Key, Transaction>>

export class Transaction {
  private readonly database: Database
  private readonly locks: RowLocks
  private readonly changes = new Map<StoredTable, Map<Key, Row | undefined>>()

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
    const own = this.changes.get(table) ?? new Map<Key, Row | undefined>()
    this.changes.set(table, own)
    for (const [key, row] of changes) {
      held.set(key, this)
      own.set(key, row)
    }
  }

  commit(): void {
    for (const [table, changes] of this.changes) this.database.apply(table, changes)
    this.end()
  }

  /** Ends it without its changes. */
  end(): void {
    for (const [table, changes] of this.changes) {
      const held = this.locks.get(table)
      for (const key of changes.keys()) held?.delete(key)
      if (held?.size === 0) this.locks.delete(table)
    }
    this.changes.clear()
  }
}
