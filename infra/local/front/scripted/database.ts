/**
 * What the scripted engine keeps: databases of tables of rows, in memory, bounded, and, when it has
 * a file, written there as one whole after each commit, so that it is there after a restart.
 */
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import type { Cell } from '../codec.ts'
import { type Levels, leafNames } from '../partitioning.ts'
import type { Tablet } from '../picture.ts'
import { SqlError } from './sql-error.ts'
import type { ColumnDefinition, TableName } from './statement.ts'

export type Key = string | number
/** Never changed in place: a change is another row. */
export type Row = readonly Cell[]

/** Rows of all tables together, and what they may hold. */
const MAX_ROWS = 200_000
const MAX_BYTES = 256 << 20
const FIRST_TABLE_ID = 500_001
const FIRST_TABLET_ID = 200_001
/** Of 3.x, in ids of partitions of two levels (proxy-routing.md §6.8). */
const TWO_LEVELS = (1n << 60n) | (1n << 28n)

export type StoredTable = {
  readonly id: number
  readonly database: string
  readonly name: string
  readonly columns: readonly ColumnDefinition[]
  /** Index of the key column; rows of a table without one are numbered. */
  readonly keyIndex: number | undefined
  readonly levels: Levels
  /** Leaf partitions in their order. */
  readonly tablets: readonly Tablet[]
  readonly rows: Map<Key, Row>
  /** Next of an AUTO_INCREMENT column or of a row number. */
  counter: number
}

type Written = {
  readonly format: 1
  readonly nextTableId: number
  /** Absent in files that know of no partitions. */
  readonly nextTabletId?: number
  readonly databases: readonly string[]
  readonly tables: readonly (Omit<StoredTable, 'rows'> & { readonly rows: readonly [Key, Row][] })[]
}

/** What a tenant can be created with here: names that differ in case are different ones, or are kept in lower case. */
export type LowerCaseTableNames = 0 | 1

export class Database {
  readonly lowerCaseTableNames: LowerCaseTableNames
  private readonly file: string | undefined
  private readonly databases = new Map<string, Map<string, StoredTable>>()
  private nextTableId = FIRST_TABLE_ID
  private nextTabletId = FIRST_TABLET_ID
  private readonly byId = new Map<number, StoredTable>()
  private rows = 0
  private bytes = 0
  private writing: Promise<void> | undefined
  private isDirty = false

  /** Reads the file when it is there. @throws Error when it is no such file */
  constructor(
    file: string | undefined,
    databases: readonly string[],
    lowerCaseTableNames: LowerCaseTableNames = 1,
  ) {
    this.file = file
    this.lowerCaseTableNames = lowerCaseTableNames
    for (const name of ['oceanbase', 'information_schema', ...databases])
      this.databases.set(name, new Map())
    if (file === undefined || !existsSync(file)) return
    chmodSync(file, 0o600)
    this.read(JSON.parse(readFileSync(file, 'utf8')) as Written)
  }

  private read(written: Written): void {
    if (written.format !== 1) throw new Error('the data file is of another format')
    this.nextTableId = written.nextTableId
    this.nextTabletId = written.nextTabletId ?? FIRST_TABLET_ID
    for (const name of written.databases) this.databases.set(name, new Map())
    for (const { rows, ...table } of written.tables) {
      const levels = table.levels ?? []
      const tablets = table.tablets ?? this.newTablets(levels)
      const stored: StoredTable = { ...table, levels, tablets, rows: new Map(rows) }
      this.databases.get(table.database)?.set(table.name, stored)
      this.byId.set(stored.id, stored)
      for (const row of stored.rows.values()) this.account(1, row)
    }
  }

  /** As names of databases and tables are kept and compared. */
  nameOf(name: string): string {
    return this.lowerCaseTableNames === 0 ? name : name.toLowerCase()
  }

  get names(): readonly string[] {
    return [...this.databases.keys()].sort()
  }

  has(name: string): boolean {
    return this.databases.has(this.nameOf(name))
  }

  /** @throws SqlError 1049 */
  tables(database: string): readonly string[] {
    return [...this.of(database).keys()].sort()
  }

  create(name: string, isLenient: boolean): void {
    if (this.has(name)) {
      if (isLenient) return
      throw new SqlError(1007, 'HY000', `Can't create database '${name}'; database exists`)
    }
    this.databases.set(this.nameOf(name), new Map())
    this.isDirty = true
  }

  drop(name: string, isLenient: boolean): void {
    const tables = this.databases.get(this.nameOf(name))
    if (tables === undefined) {
      if (isLenient) return
      throw new SqlError(1008, 'HY000', `Can't drop database '${name}'; database doesn't exist`)
    }
    for (const table of tables.values()) this.forget(table)
    this.databases.delete(this.nameOf(name))
    this.isDirty = true
  }

  find(database: string, table: string): StoredTable | undefined {
    return this.databases.get(this.nameOf(database))?.get(this.nameOf(table))
  }

  /** A table that is in a database. */
  tableOf(id: number): StoredTable | undefined {
    return this.byId.get(id)
  }

  /** @throws SqlError 1049, 1146 */
  table(database: string, table: string): StoredTable {
    const found = this.of(database).get(this.nameOf(table))
    if (found === undefined)
      throw new SqlError(1146, '42S02', `Table '${database}.${table}' doesn't exist`)
    return found
  }

  createTable(
    { database, table }: TableName & { readonly database: string },
    columns: readonly ColumnDefinition[],
    made: { readonly key: string | undefined; readonly levels: Levels },
  ): void {
    const tables = this.of(database)
    const created = this.newTable({ database, table }, columns, made)
    tables.set(created.name, created)
    this.byId.set(created.id, created)
    this.isDirty = true
  }

  /** A table that is in no database: whoever made it keeps it, and gives its room back. */
  newTable(
    { database, table }: TableName & { readonly database: string },
    columns: readonly ColumnDefinition[],
    { key, levels }: { readonly key: string | undefined; readonly levels: Levels },
  ): StoredTable {
    const keyIndex = columns.findIndex(({ name }) => name.toLowerCase() === key?.toLowerCase())
    if (key !== undefined && keyIndex < 0)
      throw new SqlError(1072, '42000', `Key column '${key}' doesn't exist in table`)
    for (const { column } of levels)
      if (!columns.some(({ name, type }) => name.toLowerCase() === column && type === 'integer'))
        throw new SqlError(1488, 'HY000', `no whole-number column '${column}' to partition by`)
    return {
      id: this.nextTableId++,
      database: this.nameOf(database),
      name: this.nameOf(table),
      columns,
      keyIndex: keyIndex < 0 ? undefined : keyIndex,
      levels,
      tablets: this.newTablets(levels),
      rows: new Map(),
      counter: 1,
    }
  }

  private newTablets(levels: Levels): readonly Tablet[] {
    const subCount = levels[1]?.parts.length ?? 1
    return leafNames(levels).map((name, leaf) => {
      const [first, sub] = [BigInt(Math.floor(leaf / subCount)), BigInt(leaf % subCount)]
      const partitionId = levels.length < 2 ? BigInt(leaf) : (first << 32n) | sub | TWO_LEVELS
      return { tabletId: this.nextTabletId++, partitionId: String(partitionId), name }
    })
  }

  dropTable(table: StoredTable): void {
    this.forget(table)
    this.of(table.database).delete(table.name)
    this.isDirty = true
  }

  /** Puts rows in place; undefined deletes. @throws SqlError 1114 before anything is changed */
  apply(table: StoredTable, changes: ReadonlyMap<Key, Row | undefined>): void {
    this.isDirty = true
    for (const [key, row] of changes) {
      const before = table.rows.get(key)
      if (before !== undefined) this.account(-1, before)
      if (row === undefined) table.rows.delete(key)
      else {
        table.rows.set(key, row)
        this.account(1, row)
      }
    }
  }

  /** @throws SqlError 1114 when that many more rows do not fit */
  needRoom(rows: readonly Row[], table: StoredTable): void {
    const bytes = rows.reduce((sum, row) => sum + sizeOf(row), 0)
    if (this.rows + rows.length > MAX_ROWS || this.bytes + bytes > MAX_BYTES)
      throw new SqlError(1114, 'HY000', `The table '${table.name}' is full`)
  }

  /** Resolves when everything committed so far is in the file; writers share a write. */
  async saved(): Promise<void> {
    if (this.file === undefined) return
    while (this.isDirty || this.writing !== undefined) {
      this.writing ??= this.write(this.file).finally(() => {
        this.writing = undefined
      })
      await this.writing
    }
  }

  private async write(file: string): Promise<void> {
    this.isDirty = false
    const tables = [...this.databases.values()].flatMap(named => [...named.values()])
    const written: Written = {
      format: 1,
      nextTableId: this.nextTableId,
      nextTabletId: this.nextTabletId,
      databases: [...this.databases.keys()],
      tables: tables.map(table => ({ ...table, rows: [...table.rows] })),
    }
    try {
      await writeFile(`${file}.new`, JSON.stringify(written), { mode: 0o600, flush: true })
      await rename(`${file}.new`, file)
    } catch (error) {
      this.isDirty = true
      throw new SqlError(1030, 'HY000', `the data file cannot be written: ${String(error)}`)
    }
  }

  private of(database: string): Map<string, StoredTable> {
    const tables = this.databases.get(this.nameOf(database))
    if (tables === undefined) throw new SqlError(1049, '42000', `Unknown database '${database}'`)
    return tables
  }

  /** Gives the room of a table's rows back. */
  forget(table: StoredTable): void {
    for (const row of table.rows.values()) this.account(-1, row)
    table.rows.clear()
    this.byId.delete(table.id)
  }

  private account(rows: 1 | -1, row: Row): void {
    this.rows += rows
    this.bytes += rows * sizeOf(row)
  }
}

function sizeOf(row: Row): number {
  return row.reduce<number>(
    (sum, cell) => sum + 16 + (typeof cell === 'string' ? cell.length : 0),
    0,
  )
}
