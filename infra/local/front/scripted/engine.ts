/**
 * An engine that speaks the server side of the protocol itself and knows a little SQL: it serves the
 * unit and fault tests, and the stack where no kernel can be had. Its sessions are in this process.
 */
import type { Engine } from '../engine.ts'
import type { RoutineEntry, TableEntry } from '../picture.ts'
import type { Description } from '../schema-tables.ts'
import { connectTo } from './connection.ts'
import { Database, type LowerCaseTableNames } from './database.ts'
import type { CreateProcedure } from './statement.ts'
import { type ScriptedAccounts, World } from './world.ts'

export type ScriptedSettings = {
  readonly cluster: string
  readonly accounts: ScriptedAccounts
  readonly databases: readonly string[]
  /** As the tenant was created with: 0 tells names apart that differ in case, 1 does not (default). */
  readonly lowerCaseTableNames?: LowerCaseTableNames | undefined
  /** Where committed rows are kept over restarts; in memory only when undefined. */
  readonly file?: string | undefined
}

/** OceanBase's number of a user table. */
const USER_TABLE = 3
const VIRTUAL_TABLE = 2
const PROCEDURE = 1
const FIRST_ROUTINE_ID = 700_001
/** Whatever is asked for in them is a system table, and nowhere. */
const SYSTEM_DATABASES = ['oceanbase', 'information_schema']

/** @throws Error when the file is there and cannot be read */
export function scriptedEngine(settings: ScriptedSettings): Engine {
  const database = new Database(settings.file, settings.databases, settings.lowerCaseTableNames)
  const world = new World(settings.cluster, settings.accounts, database)
  return {
    kind: 'scripted',
    connect: seat => connectTo(world, seat),
    tableEntry: (name, table) => Promise.resolve(entryOf(database, name, table)),
    foresight: undefined,
    insides: {
      description: id => descriptionOf(database, id),
      routine: (_database, name) => routineOf(world, name),
    },
  }
}

function entryOf(database: Database, name: string, table: string): TableEntry | undefined {
  const found = database.find(name, table)
  if (found !== undefined) {
    const { id, tablets } = found
    return { tableId: id, tableType: USER_TABLE, schemaVersion: id, tablets }
  }
  if (!SYSTEM_DATABASES.includes(name.toLowerCase())) return undefined
  return { tableId: 1, tableType: VIRTUAL_TABLE, schemaVersion: 0, tablets: [] }
}

function descriptionOf(database: Database, tableId: number): Description | undefined {
  const found = database.tableOf(tableId)
  if (found === undefined || found.levels.length === 0) return undefined
  const { id, levels, tablets } = found
  const columns = found.columns.map(({ name, type }) => ({
    name: name.toLowerCase(),
    isWhole: type === 'integer',
  }))
  return { tableId: id, schemaVersion: id, levels, tablets, columns }
}

/** Its first statement, with `:n` for its parameters (proxy-routing.md §4.5). */
function routineOf({ procedures }: World, name: string): RoutineEntry | undefined {
  const at = [...procedures.keys()].indexOf(name.toLowerCase())
  const procedure = procedures.get(name.toLowerCase())
  if (procedure === undefined) return undefined
  return {
    routineId: FIRST_ROUTINE_ID + at,
    routineType: PROCEDURE,
    schemaVersion: 1,
    sql: withPlaceholders(procedure),
  }
}

function withPlaceholders({ parameters, body }: CreateProcedure): string {
  return parameters.reduce(
    (sql, parameter, at) => sql.replace(new RegExp(`\\b${parameter}\\b`, 'gi'), `:${at}`),
    body[0] ?? '',
  )
}
