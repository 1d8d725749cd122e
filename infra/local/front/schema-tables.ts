/**
 * What servers tell a proxy of tables and their partitions: placement from the picture, everything
 * else from the engine's entry. Binary columns hold a byte a character.
 * Source: proxy-routing.md §4.2–4.5, proxy-routing-tried.md "Metadata", "Cells".
 */
import type { Cell, Table } from './codec.ts'
import { type Bound, type Level, type Levels, leavesOf } from './partitioning.ts'
import type { Flavour, Picture, RoutineEntry, Server, TableEntry, Tablet } from './picture.ts'
import { unitGroups } from './system-tables.ts'

export const DUMMY = '__all_dummy'
/** OceanBase's numbers of kinds of tables. */
const VIRTUAL_TABLE = 2
const LEADER = 1
const FOLLOWER = 2
const SPARE = ['spare1', 'spare2', 'spare3', 'spare4', 'spare5', 'spare6']

const SCHEMA_COLUMNS: Readonly<Record<Flavour, readonly string[]>> = {
  v3: ['tenant_name', 'database_name', 'table_name', 'partition_id', 'svr_ip', 'sql_port'],
  v4: ['tenant_name', 'database_name', 'table_name', 'tablet_id', 'svr_ip', 'sql_port'],
}
const MORE_COLUMNS = ['table_id', 'role', 'part_num', 'replica_num', 'schema_version', 'table_type']
const KIND_COLUMNS = ['replica_type', 'dup_replica_type']

export type Names = { readonly tenant: string; readonly database: string; readonly table: string }

type Place = {
  readonly server: Pick<Server, 'host' | 'port'>
  readonly isLeader: boolean
  readonly type: number
  readonly isDuplicate: boolean
}

const NOWHERE: Place = {
  server: { host: '0.0.0.0', port: 0 },
  isLeader: true,
  type: 0,
  isDuplicate: false,
}

/** `ids` are those that the statement names; none: the first tablet, under id 0. */
export function schemaTable(
  picture: Picture,
  names: Names,
  found: { readonly entry: TableEntry | undefined; readonly ids: readonly Cell[] },
): Table {
  const { flavour } = picture
  const kinds = flavour === 'v3' ? SPARE : [...KIND_COLUMNS, ...SPARE]
  const columns = [...SCHEMA_COLUMNS[flavour], ...MORE_COLUMNS, ...kinds]
  const rows =
    names.table === DUMMY
      ? dummyRows(picture, names)
      : rowsOfTable(picture, names, { entry: found.entry, ids: found.ids })
  return { columns, rows }
}

/** All units of the tenant in groups under ids that are none; the first of a group is its leader. */
function dummyRows(picture: Picture, names: Names): readonly Cell[][] {
  const entry = { tableId: 0, tableType: VIRTUAL_TABLE, schemaVersion: 0, tablets: [] }
  const described = { names, entry, flavour: picture.flavour }
  return unitGroups(picture, names.tenant).flatMap((group, id) =>
    group.map((server, at) =>
      rowOf(described, { ...NOWHERE, server, isLeader: at === 0 }, { id, replicas: group.length }),
    ),
  )
}

function rowsOfTable(
  picture: Picture,
  names: Names,
  { entry, ids }: { readonly entry: TableEntry | undefined; readonly ids: readonly Cell[] },
): readonly Cell[][] {
  if (entry === undefined) return []
  const described = { names, entry, flavour: picture.flavour }
  if (entry.tablets.length === 0) return [rowOf(described, NOWHERE, { id: 0, replicas: 1 })]
  return (ids.length === 0 ? [0] : ids).flatMap(id => {
    const tablet = tabletOf(entry, picture.flavour, id)
    const replicas = tablet === undefined ? [] : picture.replicas(names.tenant, tablet.tabletId)
    return replicas.map(replica =>
      rowOf(
        described,
        { ...replica, server: picture.server(replica.server) },
        { id, replicas: replicas.length },
      ),
    )
  })
}

/**
 * In 4.x an id that is not known answers for the first tablet and is echoed (tried). In 3.x id 0 does:
 * that is how a table is asked about, also one of two levels, which has no partition of that id.
 */
function tabletOf({ tablets }: TableEntry, flavour: Flavour, id: Cell): Tablet | undefined {
  const [first] = tablets
  const wanted = String(id)
  if (flavour === 'v3') {
    const known = tablets.find(({ partitionId }) => partitionId === wanted)
    return known ?? (wanted === '0' ? first : undefined)
  }
  return tablets.find(({ tabletId }) => String(tabletId) === wanted) ?? first
}

type Described = { readonly names: Names; readonly entry: TableEntry; readonly flavour: Flavour }

function rowOf(
  { names, entry, flavour }: Described,
  { server, isLeader, type, isDuplicate }: Place,
  { id, replicas }: { readonly id: Cell; readonly replicas: number },
): Cell[] {
  const duplicate = isDuplicate ? 1 : 0
  return [
    names.tenant,
    names.database,
    names.table,
    id,
    server.host,
    server.port,
    entry.tableId,
    isLeader ? LEADER : FOLLOWER,
    Math.max(1, entry.tablets.length),
    replicas,
    entry.schemaVersion,
    entry.tableType,
    ...(flavour === 'v3'
      ? [type, duplicate, 0, '', '', '']
      : [type, duplicate, server.port + 1, 0, 0, '', '', '']),
  ]
}

/** 3.x tells of routines in the table of tables. */
export function routineSchemaTable(names: Names, routine: RoutineEntry | undefined): Table {
  const columns = [...SCHEMA_COLUMNS.v3, ...MORE_COLUMNS, ...SPARE]
  if (routine === undefined) return { columns, rows: [] }
  const { routineId, routineType, schemaVersion, sql } = routine
  const { tenant, database, table } = names
  const what = [routineId, LEADER, 1, 1, schemaVersion, routineType]
  return { columns, rows: [[tenant, database, table, 0, '', 0, ...what, 0, 0, 0, sql, '', '']] }
}

export function routineTable(names: Names, routine: RoutineEntry | undefined): Table {
  const columns = [
    'tenant_name',
    'database_name',
    'package_name',
    'routine_name',
    'routine_id',
    'routine_type',
    'schema_version',
    'routine_sql',
  ]
  if (routine === undefined) return { columns, rows: [] }
  const { routineId, routineType, schemaVersion, sql } = routine
  const { tenant, database, table } = names
  return {
    columns,
    rows: [[tenant, database, '', table, routineId, routineType, schemaVersion, sql]],
  }
}

/** How the engine's own partitions are described; the kernel tells of its own itself. */
export type Description = {
  readonly tableId: number
  readonly schemaVersion: number
  readonly levels: Levels
  readonly tablets: readonly Tablet[]
  /** In the order of the table. */
  readonly columns: readonly { readonly name: string; readonly isWhole: boolean }[]
}

const FUNCTION_CODES = { hash: 0, range: 3, 'range-columns': 4 } as const
const TYPE_CODES = { whole: 5, text: 22 } as const
/** `utf8mb4_general_ci`, `binary`. */
const COLLATIONS = { text: 45, whole: 63 } as const

const INFO_COLUMNS = [
  'table_id',
  'template_num',
  'part_level',
  'part_num',
  'all_part_num',
  'part_type',
  'part_space',
  'part_expr',
  'sub_part_type',
  'sub_part_num',
  'sub_part_space',
  'sub_part_expr',
  'part_key_num',
  'part_key_level',
  'part_key_idx',
  'part_key_name',
  'part_key_type',
  'part_key_extra',
  'part_key_default_value',
]
const KEY_COLUMNS = [
  'part_key_expr',
  'part_key_collation_type',
  'part_key_rowkey_idx',
  'part_key_length',
  'part_key_precision',
  'part_key_scale',
]

/** A row for each key column. */
export function partitionInfoTable(
  flavour: Flavour,
  description: Description,
  tenant: string,
): Table {
  const { levels } = description
  const rows = levels.map((level, at) => [
    ...levelsCells(flavour, description),
    at + 1,
    ...keyCells(flavour, description, level),
    ...(flavour === 'v3' ? [] : [tenant]),
  ])
  const more = flavour === 'v3' ? SPARE : [...KEY_COLUMNS, 'tenant_name']
  return { columns: [...INFO_COLUMNS, ...more], rows }
}

/** What is of the table, and so the same in each of its rows. */
function levelsCells(flavour: Flavour, { tableId, levels }: Description): readonly Cell[] {
  const [first, second] = levels
  const isTemplate = flavour === 'v3' && second !== undefined
  return [
    tableId,
    isTemplate ? 1 : 0,
    levels.length,
    first?.parts.length ?? 1,
    leavesOf(levels),
    codeOf(first),
    0,
    first?.column ?? '',
    codeOf(second),
    isTemplate ? second.parts.length : 0,
    0,
    second?.column ?? '',
    levels.length,
  ]
}

function keyCells(flavour: Flavour, { columns }: Description, level: Level): readonly Cell[] {
  const index = columns.findIndex(({ name }) => name === level.column)
  const kind = columns[index]?.isWhole === false ? 'text' : 'whole'
  const accuracy = ACCURACY[kind]
  const collation = COLLATIONS[kind]
  const head = [index, level.column, TYPE_CODES[kind], '', null]
  return flavour === 'v3'
    ? [...head, collation, -1, 0, '', accuracy.join(','), '']
    : [...head, '', collation, -1, ...accuracy]
}

/** Length, precision, scale. */
const ACCURACY = { whole: [-1, 20, 0], text: [50, -1, -1] } as const

function codeOf(level: Level | undefined): number {
  return level === undefined ? 0 : FUNCTION_CODES[level.kind]
}

/** A row for each part of the first level. */
export function partitionTable(flavour: Flavour, description: Description, tenant: string): Table {
  const { tableId, levels, tablets } = description
  const [first, second] = levels
  const rows = (first?.parts ?? []).map(({ name, below }, at) => [
    tableId,
    partId(flavour, description, at),
    name,
    first?.kind === 'hash' ? at : 0,
    second?.parts.length ?? 0,
    boundText(below),
    boundCell(below),
    second === undefined ? (tablets[at]?.tabletId ?? 0) : 0,
    tenant,
  ])
  return {
    columns: [
      'table_id',
      'part_id',
      'part_name',
      'part_position',
      'sub_part_num',
      'high_bound_val',
      'high_bound_val_bin',
      'tablet_id',
      'tenant_name',
    ],
    rows,
  }
}

/** A row for each leaf of two levels; in 3.x the template's alone, under part_id -1. */
export function subPartitionTable(
  flavour: Flavour,
  description: Description,
  tenant: string,
): Table {
  const { tableId, levels, tablets } = description
  const [first, second] = levels
  const firsts = flavour === 'v3' ? ['p0'] : (first?.parts ?? []).map(({ name }) => name)
  const rows = firsts.flatMap((firstName, at) =>
    (second?.parts ?? []).map(({ name, below }, subAt, all) => [
      tableId,
      flavour === 'v3' ? -1 : partId(flavour, description, at),
      flavour === 'v3' ? subAt : (tablets[at * all.length + subAt]?.tabletId ?? 0) + LEAF_ID_OFFSET,
      `${flavour === 'v3' ? '' : firstName}${name}`,
      second?.kind === 'hash' ? subAt : null,
      boundText(below),
      boundCell(below),
      tablets[at * all.length + subAt]?.tabletId ?? 0,
      tenant,
    ]),
  )
  return {
    columns: [
      'table_id',
      'part_id',
      'sub_part_id',
      'part_name',
      'sub_part_position',
      'high_bound_val',
      'high_bound_val_bin',
      'tablet_id',
      'tenant_name',
    ],
    rows,
  }
}

/** Ids of partitions and leaves are other numbers than those of tablets. */
const PART_ID_OFFSET = 300_000
const LEAF_ID_OFFSET = 600_000

function partId(flavour: Flavour, { levels, tablets }: Description, at: number): number {
  if (flavour === 'v3') return at
  const each = levels[1]?.parts.length ?? 1
  return (tablets[at * each]?.tabletId ?? 0) + PART_ID_OFFSET
}

function boundText(below: Bound | undefined): Cell {
  return below === undefined ? null : String(below)
}

/** A row of one serialized cell, as the kernel has it, a byte a character; null for HASH. */
function boundCell(below: Bound | undefined): Cell {
  if (below === undefined) return null
  if (below === 'MAXVALUE') return latin1([ONE_CELL, 0x19, 7, 0, 0, 0xfe, ...MAX_TAIL])
  return latin1([ONE_CELL, 5, 5, 0x3f, 0, ...varint(below)])
}

/** How many cells follow. */
const ONE_CELL = 1
const MAX_TAIL = [...Array(8).fill(0xff), 0x01]

function latin1(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('latin1')
}

/** Seven bits a byte, lowest first, of the number's 64 bits. */
function varint(value: number): readonly number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return [...bytes, Number(rest)]
}
