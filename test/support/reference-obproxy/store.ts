/**
 * `etc/proxyconfig_v1.db`: what survives a restart, in the tables of proxy-admin.md §3.5. While a proxy
 * has it open nobody else can: that is what keeps a second one out of the directory.
 */
import { Database, type SQLQueryBindings } from 'bun:sqlite'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const TRIES = 10
const PAUSE_MS = 100

/** One value below the global level, or a global one. */
export type LevelRow = {
  readonly vid: number
  readonly vip: string
  readonly vport: number
  readonly tenant_name: string
  readonly cluster_name: string
  readonly name: string
  readonly value: string
  readonly config_level: string
}

const DATED =
  'gmt_created TEXT DEFAULT CURRENT_TIMESTAMP, gmt_modified TEXT DEFAULT CURRENT_TIMESTAMP'
const OWNER = "cluster_name TEXT NOT NULL DEFAULT '', tenant_name TEXT NOT NULL DEFAULT ''"
const NAMED = "name TEXT NOT NULL DEFAULT '', value TEXT NOT NULL DEFAULT ''"

const TABLES = [
  `CREATE TABLE IF NOT EXISTS proxy_config (vid INT NOT NULL DEFAULT -1, vip TEXT NOT NULL DEFAULT '',
    vport INT NOT NULL DEFAULT 0, ${OWNER}, ${NAMED}, info TEXT, range TEXT, need_reboot TEXT,
    visible_level TEXT, config_level TEXT,
    PRIMARY KEY (vid, vip, vport, tenant_name, cluster_name, name))`,
  `CREATE TABLE IF NOT EXISTS white_list (${DATED}, ${OWNER}, ${NAMED},
    PRIMARY KEY (cluster_name, tenant_name))`,
  `CREATE TABLE IF NOT EXISTS resource_unit (${DATED}, ${OWNER}, ${NAMED},
    PRIMARY KEY (cluster_name, tenant_name, name))`,
  `CREATE TABLE IF NOT EXISTS ssl_config (${DATED}, ${OWNER}, ${NAMED},
    PRIMARY KEY (cluster_name, tenant_name, name))`,
  `CREATE TABLE IF NOT EXISTS all_table_version (${DATED}, table_name TEXT PRIMARY KEY, version INT)`,
]

export class Store {
  private readonly folder: string
  private database: Database | undefined

  constructor(folder: string) {
    this.folder = folder
  }

  /** @throws Error when another process keeps it, after ten tries */
  async open(): Promise<void> {
    for (let left = TRIES; ; left -= 1) {
      const database = new Database(join(this.folder, 'proxyconfig_v1.db'))
      try {
        database.run('PRAGMA locking_mode = EXCLUSIVE')
        database.run('BEGIN EXCLUSIVE')
        for (const table of TABLES) database.run(table)
        database.run('COMMIT')
        this.database = database
        return
      } catch (error) {
        database.close()
        if (left === 1) throw new Error('etc/proxyconfig_v1.db is locked', { cause: error })
      }
      await new Promise(done => setTimeout(done, PAUSE_MS))
    }
  }

  close(): void {
    this.database?.close()
    this.database = undefined
  }

  rows(): LevelRow[] {
    return this.get()
      .query<LevelRow, []>(
        'SELECT vid, vip, vport, tenant_name, cluster_name, name, value, config_level FROM proxy_config',
      )
      .all()
  }

  /** All of them, or none. */
  put(rows: readonly LevelRow[]): void {
    const database = this.get()
    const statement = database.query(
      `REPLACE INTO proxy_config (vid, vip, vport, tenant_name, cluster_name, name, value, config_level)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    database.transaction(() => {
      for (const row of rows)
        statement.run(
          row.vid,
          row.vip,
          row.vport,
          row.tenant_name,
          row.cluster_name,
          row.name,
          row.value,
          row.config_level,
        )
    })()
  }

  /** Runs a statement on one of the tables as it is. @throws Error with what SQLite says */
  run(text: string): number {
    return this.get().run(text, [] as SQLQueryBindings[]).changes
  }

  select(text: string): {
    readonly columns: readonly string[]
    readonly rows: (string | null)[][]
  } {
    const query = this.get().query<Record<string, unknown>, []>(text)
    const found = query.all()
    const columns = query.columnNames
    const cell = (value: unknown) => (value === null || value === undefined ? null : String(value))
    return { columns, rows: found.map(row => columns.map(name => cell(row[name]))) }
  }

  /** The older text dump, by which deployers see that there was a first start. */
  dump(values: ReadonlyMap<string, string>): void {
    const lines = [...values].map(([name, value]) => `${name}=${value}`)
    writeFileSync(join(this.folder, 'obproxy_config.bin'), `${lines.join('\n')}\n`, { mode: 0o600 })
  }

  private get(): Database {
    if (this.database === undefined) throw new Error('the configuration store is closed')
    return this.database
  }
}
