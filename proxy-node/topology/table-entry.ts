/**
 * What servers say of one table, partition, routine or tenant, as values that supervisor and workers
 * hand to each other. Source: proxy-routing.md §4.1–4.5.
 */
import {
  type PartitionLocation,
  type Replica,
  type ReplicaType,
  type ServerAddress,
  serverKey,
  type TenantServers,
} from './model.ts'

/** Rows as text, columns by name in lower case. */
export type Row = Readonly<Record<string, string | null>>
export type Answer = readonly Row[]

/** Rows of the three tables that describe partitions (§4.3). */
export type PartitionDescription = {
  readonly keys: Answer
  readonly partitions: Answer
  readonly subPartitions: Answer
}

export type TableEntry = {
  /** Ids exceed 2^53: they are texts. */
  readonly tableId: string
  readonly tableType: number
  /** Leaves; above 1: partitioned. */
  readonly partNum: number
  readonly schemaVersion: string
  /** Of a table that is not partitioned; empty: it has no place of its own (§4.2). */
  readonly replicas: readonly Replica[]
  /** Undefined: it is not partitioned, or not asked for. */
  readonly description: PartitionDescription | undefined
}

export type PartitionEntry = {
  readonly tableId: string
  readonly tabletId: string
  readonly replicas: readonly Replica[]
}

export type RoutineEntry = {
  readonly routineId: string
  readonly routineType: number
  readonly schemaVersion: string
  /** Its first statement; empty: it has none that says where it belongs. */
  readonly sql: string
}

/** Codes of `replica_type`. */
const REPLICA_TYPES: Readonly<Record<string, ReplicaType>> = {
  '0': 'FULL',
  '5': 'LOGONLY',
  '16': 'READONLY',
  '261': 'LOGONLY',
}
const LEADER_ROLE = '1'

/** Equal places are one: a million tables lie on a few servers. */
export class Locations {
  private readonly known = new Map<string, PartitionLocation>()
  private readonly numbers = new Map<readonly Replica[], number>()
  private readonly numbered: (readonly Replica[])[] = []
  private readonly most: number

  constructor(most = 20_000) {
    this.most = most
  }

  /** The location that stands for all with these replicas. */
  of(replicas: readonly Replica[]): PartitionLocation {
    const key = replicas.map(keyOfReplica).join(' ')
    const found = this.known.get(key)
    if (found !== undefined) return found
    if (this.known.size >= this.most) this.known.clear()
    const made = locationOf(replicas)
    this.known.set(key, made)
    return made
  }

  /** A short text that stands for replicas that `of` gave; the replicas themselves when there are too many. */
  packed(replicas: readonly Replica[]): string {
    const known = this.numbers.get(replicas)
    if (known !== undefined) return String(known)
    if (this.numbered.length >= this.most) return JSON.stringify(replicas)
    this.numbers.set(replicas, this.numbered.length)
    this.numbered.push(replicas)
    return String(this.numbered.length - 1)
  }

  unpacked(text: string): readonly Replica[] {
    const known = this.numbered[Number(text)]
    return known ?? this.of(JSON.parse(text)).replicas
  }
}

/** Equal for replicas that are. */
function keyOfReplica({ key, isLeader, type, isDuplicate }: Replica): string {
  return `${key}${isLeader ? 'L' : 'F'}${type[0]}${isDuplicate ? 'D' : ''}`
}

/** Undefined: there is no such table. */
export function tableEntryOf(rows: Answer, locations: Locations): TableEntry | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  return {
    tableId: first['table_id'] ?? '0',
    tableType: Number(first['table_type'] ?? 0),
    partNum: Number(first['part_num'] ?? 1),
    schemaVersion: first['schema_version'] ?? '0',
    replicas: locations.of(replicasOf(rows)).replicas,
    description: undefined,
  }
}

/** Of the first id that the rows are of; an unknown id is echoed and has no place (§4.4, tried). */
export function replicasOf(rows: Answer): readonly Replica[] {
  const replicas: Replica[] = []
  for (const row of rows) {
    const server = addressOf(row['svr_ip'], row['sql_port'])
    if (server === undefined) continue
    replicas.push({
      server,
      key: serverKey(server),
      isLeader: row['role'] === LEADER_ROLE,
      type: REPLICA_TYPES[row['replica_type'] ?? '0'] ?? 'OTHER',
      isDuplicate: Number(row['dup_replica_type'] ?? 0) > 0,
    })
  }
  return replicas
}

/**
 * Servers of a tenant: rows of one pseudo id are a group, dealt over the zones; none of them is a
 * leader of anything (§4.2). A server is named once.
 */
export function tenantServersOf(rows: Answer): TenantServers {
  const replicas = new Map<string, Replica>()
  const [first] = rows
  let groupSize = 0
  for (const row of rows) {
    if (row['tablet_id'] === first?.['tablet_id']) groupSize += 1
    for (const replica of replicasOf([row]))
      if (!replicas.has(replica.key)) replicas.set(replica.key, { ...replica, isLeader: false })
  }
  return { replicas: [...replicas.values()], groupSize: Math.max(1, groupSize) }
}

/** Servers that are all there is to go by: the root service list (§3.3). */
export function rootServersOf(servers: readonly ServerAddress[]): TenantServers {
  const replicas = servers.map(server => ({
    server,
    key: serverKey(server),
    isLeader: false,
    type: 'FULL' as const,
    isDuplicate: false,
  }))
  return { replicas, groupSize: Math.max(1, replicas.length) }
}

export function routineEntryOf(rows: Answer): RoutineEntry | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  return {
    routineId: first['routine_id'] ?? '0',
    routineType: Number(first['routine_type'] ?? 0),
    schemaVersion: first['schema_version'] ?? '0',
    sql: first['routine_sql'] ?? '',
  }
}

export function locationOf(replicas: readonly Replica[]): PartitionLocation {
  return {
    replicas,
    leader: replicas.find(({ isLeader }) => isLeader),
    hasDuplicates: replicas.some(({ isDuplicate }) => isDuplicate),
    leaderFitsIn: undefined,
  }
}

/** Undefined for placeholders (`0.0.0.0`, port 0) and for what is no address. */
export function addressOf(
  host: string | null | undefined,
  port: string | null | undefined,
): ServerAddress | undefined {
  const number = Number(port)
  const isValid =
    typeof host === 'string' && host !== '' && host !== '0.0.0.0' && number > 0 && number < 65_536
  return isValid ? { host, port: number } : undefined
}
