/** Tables of the picture by their names, for `metadata.ts`: those of the cluster and of its tables. */
import type { Cell, Table } from './codec.ts'
import type { Engine } from './engine.ts'
import type { Constants, TableSource } from './metadata.ts'
import type { Picture } from './picture.ts'
import {
  type Description,
  DUMMY,
  type Names,
  partitionInfoTable,
  partitionTable,
  routineSchemaTable,
  routineTable,
  schemaTable,
  subPartitionTable,
} from './schema-tables.ts'
import { SqlError } from './scripted/sql-error.ts'
import { systemTable } from './system-tables.ts'

export function pictureTable(picture: Picture, engine: Engine): TableSource {
  return async (name, constants) => {
    const system = systemTable(picture, name)
    if (system !== undefined) return system
    if (name === '__all_virtual_proxy_schema') return schemaOf(picture, engine, constants)
    if (name === '__all_virtual_proxy_routine') {
      const names = namesIn(constants, 'routine_name')
      return routineTable(names, routineOf(picture, engine, names))
    }
    const describe = DESCRIBED[name]
    if (describe === undefined)
      throw new SqlError(1146, '42S02', `Table 'oceanbase.${name}' doesn't exist`)
    return describe(picture.flavour, describedBy(engine, constants), tenantIn(constants))
  }
}

type Describe = typeof partitionTable

const DESCRIBED: Readonly<Record<string, Describe>> = {
  __all_virtual_proxy_partition_info: partitionInfoTable,
  __all_virtual_proxy_partition: partitionTable,
  __all_virtual_proxy_sub_partition: subPartitionTable,
}

const NOTHING: Description = { tableId: 0, schemaVersion: 0, levels: [], tablets: [], columns: [] }

function describedBy({ insides }: Engine, constants: Constants): Description {
  return insides?.description(Number(one(constants, 'table_id') ?? 0)) ?? NOTHING
}

async function schemaOf(picture: Picture, engine: Engine, constants: Constants): Promise<Table> {
  const names = namesIn(constants, 'table_name')
  const isRoutine = one(constants, 'svr_ip') === '' && picture.flavour === 'v3'
  if (isRoutine) return routineSchemaTable(names, routineOf(picture, engine, names))
  const isThere = picture.tenants.has(names.tenant) && names.table !== DUMMY
  const entry = isThere ? await engine.tableEntry(names.database, names.table) : undefined
  const idColumn = picture.flavour === 'v3' ? 'partition_id' : 'tablet_id'
  return schemaTable(picture, names, { entry, ids: constants.get(idColumn) ?? [] })
}

function routineOf({ tenants }: Picture, { insides }: Engine, { tenant, database, table }: Names) {
  return tenants.has(tenant) ? insides?.routine(database, table) : undefined
}

/** @throws SqlError 1210 for a question that names no table: a server would look at all there are */
function namesIn(constants: Constants, tableColumn: string): Names {
  const [tenant, database, table] = ['tenant_name', 'database_name', tableColumn].map(column =>
    one(constants, column),
  )
  if (tenant === undefined || database === undefined || table === undefined)
    throw new SqlError(1210, 'HY000', 'Incorrect arguments to tenant, database and table')
  return { tenant: String(tenant), database: String(database), table: String(table) }
}

function tenantIn(constants: Constants): string {
  return String(one(constants, 'tenant_name') ?? 'sys')
}

function one(constants: Constants, column: string): Cell | undefined {
  return constants.get(column)?.[0]
}
