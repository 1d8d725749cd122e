/**
 * An engine that speaks the server side of the protocol itself and knows a little SQL: it serves the
 * unit and fault tests, and the stack where no kernel can be had. Its sessions are in this process.
 */
import type { Engine } from '../engine.ts'
import type { TableEntry } from '../picture.ts'
import { connectTo } from './connection.ts'
import { Database } from './database.ts'
import { type ScriptedAccounts, World } from './world.ts'

export type ScriptedSettings = {
  readonly cluster: string
  readonly accounts: ScriptedAccounts
  readonly databases: readonly string[]
  /** Where committed rows are kept over restarts; in memory only when undefined. */
  readonly file?: string | undefined
}

/** OceanBase's number of a user table. */
const USER_TABLE = 3

/** @throws Error when the file is there and cannot be read */
export function scriptedEngine(settings: ScriptedSettings): Engine {
  const database = new Database(settings.file, settings.databases)
  const world = new World(settings.cluster, settings.accounts, database)
  return {
    kind: 'scripted',
    connect: () => connectTo(world),
    tableEntry: (name, table) => Promise.resolve(entryOf(database, name, table)),
  }
}

function entryOf(database: Database, name: string, table: string): TableEntry | undefined {
  const found = database.find(name, table)
  if (found === undefined) return undefined
  return { tableId: found.id, tableType: USER_TABLE, partNum: 1, schemaVersion: found.id }
}
