/** CREATE, DROP and TRUNCATE: of databases, tables, temporary tables and procedures. */
import { type Answer, DONE } from './answer.ts'
import { type Session, TEMPORARY_USED } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { Statement, TableName } from './statement.ts'

type Of<Kind extends Statement['kind']> = Extract<Statement, { kind: Kind }>

export type Definition = Of<
  | 'create-database'
  | 'create-table'
  | 'create-procedure'
  | 'drop-database'
  | 'drop-table'
  | 'drop-procedure'
  | 'truncate'
>

const MAX_TEMPORARY = 1_000

/** A temporary table is no definition that others see: it commits nothing. */
export function commitsBefore(statement: Definition): boolean {
  return !('isTemporary' in statement && statement.isTemporary)
}

/** @throws SqlError */
export async function define(session: Session, statement: Definition): Promise<Answer> {
  const { world } = session
  switch (statement.kind) {
    case 'create-database':
      world.database.create(statement.name, statement.isLenient)
      break
    case 'drop-database':
      dropDatabase(session, statement)
      break
    case 'create-table':
      createTable(session, statement)
      break
    case 'drop-table':
      for (const name of statement.tables) dropTable(session, name, statement)
      break
    case 'create-procedure':
      world.createProcedure(statement)
      break
    case 'drop-procedure':
      world.dropProcedure(statement.name, statement.isLenient)
      break
    case 'truncate': {
      const table = session.table(statement.table)
      world.database.apply(table, new Map([...table.rows.keys()].map(key => [key, undefined])))
      break
    }
  }
  await world.database.saved()
  return DONE
}

function dropDatabase(session: Session, { name, isLenient }: Of<'drop-database'>): void {
  const { database } = session.world
  database.drop(name, isLenient)
  if (session.database !== database.nameOf(name)) return
  session.database = undefined
  session.isDatabaseChanged = true
}

function createTable(session: Session, statement: Of<'create-table'>): void {
  const { database: stored } = session.world
  const { isTemporary, columns, key: keyColumn, levels } = statement
  const name = session.qualified(statement.table)
  const key = `${name.database}.${name.table}`
  const isThere = isTemporary
    ? session.temporary.has(key)
    : stored.find(name.database, name.table) !== undefined
  if (isThere) {
    if (statement.isLenient) return
    throw new SqlError(1050, '42S01', `Table '${name.table}' already exists`)
  }
  if (!isTemporary) {
    stored.createTable(name, columns, { key: keyColumn, levels })
    return
  }
  if (session.temporary.size >= MAX_TEMPORARY)
    throw new SqlError(1210, 'HY000', `more than ${MAX_TEMPORARY} temporary tables`)
  session.temporary.set(key, stored.newTable(name, columns, { key: keyColumn, levels: [] }))
  session.variables.setService(TEMPORARY_USED, 'ON')
}

function dropTable(session: Session, named: TableName, how: Of<'drop-table'>): void {
  const { database: stored } = session.world
  const name = session.qualified(named)
  const key = `${name.database}.${name.table}`
  const temporary = session.temporary.get(key)
  if (temporary !== undefined) {
    stored.forget(temporary)
    session.temporary.delete(key)
    if (session.temporary.size === 0) session.variables.setService(TEMPORARY_USED, 'OFF')
    return
  }
  const table = how.isTemporary ? undefined : stored.find(name.database, name.table)
  if (table !== undefined) stored.dropTable(table)
  else if (!how.isLenient)
    throw new SqlError(1051, '42S02', `Unknown table '${name.database}.${name.table}'`)
}
