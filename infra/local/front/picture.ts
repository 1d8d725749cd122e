/**
 * The cluster that the fronts pretend to be, one mutable picture for all of them: zones, servers and
 * tenants are invented and can be changed by order, tables are the engine's (kernel.md §4, L4).
 * Source: proxy-routing.md §3.4, §4.2, §9.2.
 */
import { place, type Replica, type ZoneType, type ZoneUnits } from './placement.ts'

/** Statement shapes and columns of OceanBase 3.x or 4.x (proxy-routing.md §13). */
export type Flavour = 'v3' | 'v4'

export type FrontServer = { readonly host: string; readonly port: number; readonly zone: string }

export type Zone = {
  readonly name: string
  region: string
  idc: string
  type: ZoneType
  status: 'ACTIVE' | 'INACTIVE'
  /** 3.x tells of it in the zone, 4.x in CDB_OB_ZONE_MAJOR_COMPACTION alone. */
  isMerging: boolean
}

export type Server = FrontServer & {
  /** `host:port`. */
  readonly key: string
  status: 'ACTIVE' | 'INACTIVE' | 'DELETING'
  isStarted: boolean
  isStopped: boolean
  /** Out of the list: deleted, or not added yet. */
  isListed: boolean
  /** Executes no statement whose partitions another server leads: 4038. */
  refusesRemote: boolean
}

export type Tenant = {
  readonly name: string
  readonly id: number
  locality: string
  previousLocality: string | undefined
  /** `RANDOM` or zones: `z1,z2;z3`. */
  primaryZone: string
  status: string
  /** `host:port` of the servers with units; undefined is every listed server. */
  servers: readonly string[] | undefined
}

/** A leaf partition, or the whole of a table that has none. */
export type Tablet = {
  readonly tabletId: number
  /** Of 3.x, as text: it may exceed 2^53. */
  readonly partitionId: string
  /** Empty for a table without partitions. */
  readonly name: string
}

/** The engine's own entry of a table. */
export type TableEntry = {
  readonly tableId: number
  readonly tableType: number
  readonly schemaVersion: number
  /** In the order of the partitions. */
  readonly tablets: readonly Tablet[]
}

export type RoutineEntry = {
  readonly routineId: number
  /** 1 is a procedure. */
  readonly routineType: number
  readonly schemaVersion: number
  readonly sql: string
}

export type PictureSettings = {
  readonly cluster: string
  readonly version: string
  readonly flavour?: Flavour
  readonly tenants: readonly string[]
  readonly servers: readonly FrontServer[]
  /** By name; zones that are not in it get region `region1` and an IDC of their own name. */
  readonly zones?: Readonly<Record<string, Partial<Omit<Zone, 'name'>>>>
}

export const SYS_TENANT_ID = 1
const FIRST_TENANT_ID = 1002
/** Placements that are remembered for a tenant. */
const MAX_PLACED = 100_000

export class Picture {
  readonly cluster: string
  readonly version: string
  readonly flavour: Flavour
  readonly zones = new Map<string, Zone>()
  readonly servers: Server[] = []
  readonly tenants = new Map<string, Tenant>()
  /** Tablets whose leader was moved: id → `host:port`. */
  private readonly leaders = new Map<number, string>()
  private readonly duplicates = new Set<number>()
  private readonly retired = new Set<string>()
  /** Tablets whose replicas were named one by one. */
  private readonly named = new Map<number, readonly Replica[]>()
  /** Answers of `replicas`, by tenant; forgotten with each change. */
  private readonly placed = new Map<string, Map<number, readonly Replica[]>>()

  constructor({ cluster, version, flavour, tenants, servers, zones }: PictureSettings) {
    this.cluster = cluster
    this.version = version
    this.flavour = flavour ?? 'v4'
    for (const server of servers) this.add(server, zones?.[server.zone])
    for (const [index, name] of tenants.entries())
      this.tenants.set(name, this.newTenant(name, index))
  }

  private newTenant(name: string, index: number): Tenant {
    return {
      name,
      id: name === 'sys' ? SYS_TENANT_ID : FIRST_TENANT_ID + 2 * index,
      locality: [...this.zones.values()].map(localityOf).join(', '),
      previousLocality: undefined,
      primaryZone: 'RANDOM',
      status: 'NORMAL',
      servers: undefined,
    }
  }

  /** Adds a server, and its zone when it is new. */
  add(at: FrontServer, zone: Partial<Omit<Zone, 'name'>> = {}): Server {
    const key = keyOf(at)
    if (!this.zones.has(at.zone))
      this.zones.set(at.zone, {
        region: 'region1',
        idc: at.zone,
        type: 'ReadWrite',
        status: 'ACTIVE',
        isMerging: false,
        ...zone,
        name: at.zone,
      })
    const server: Server = {
      ...at,
      key,
      status: 'ACTIVE',
      isStarted: true,
      isStopped: false,
      isListed: true,
      refusesRemote: false,
    }
    this.servers.push(server)
    this.placed.clear()
    return server
  }

  /** @throws RangeError */
  server(key: string): Server {
    return found(
      this.servers.find(server => server.key === key),
      `server ${key}`,
    )
  }

  /** @throws RangeError */
  zone(name: string): Zone {
    return found(this.zones.get(name), `zone ${name}`)
  }

  /** @throws RangeError */
  tenant(name: string): Tenant {
    return found(this.tenants.get(name), `tenant ${name}`)
  }

  setServer(key: string, state: Partial<Omit<Server, keyof FrontServer | 'key'>>): void {
    Object.assign(this.server(key), state)
    this.placed.clear()
  }

  setZone(name: string, state: Partial<Omit<Zone, 'name'>>): void {
    Object.assign(this.zone(name), state)
    this.placed.clear()
  }

  setTenant(name: string, state: Partial<Omit<Tenant, 'name' | 'id'>>): void {
    Object.assign(this.tenant(name), state)
    this.placed.clear()
  }

  /** From now on `server` leads the tablet, whether it had a replica or not. */
  moveLeader(tabletId: number, server: string): void {
    this.leaders.set(tabletId, this.server(server).key)
    this.placed.clear()
  }

  /** Makes the replicas of a tablet those of a duplicate table. */
  duplicate(tabletId: number): void {
    this.duplicates.add(tabletId)
    this.placed.clear()
  }

  /** The tablet has these replicas and no others, for every tenant; undefined: by the rule again. */
  setReplicas(tabletId: number, replicas: readonly Replica[] | undefined): void {
    if (replicas === undefined) this.named.delete(tabletId)
    else this.named.set(tabletId, replicas)
    this.placed.clear()
  }

  /** Every leader on the server moves to another zone at once, as before an upgrade or after a crash. */
  retire(key: string): void {
    this.retired.add(this.server(key).key)
    for (const [tablet, leader] of this.leaders) if (leader === key) this.leaders.delete(tablet)
    this.placed.clear()
  }

  /** The server leads again what it led by the stable rule. */
  recall(key: string): void {
    this.retired.delete(key)
    this.placed.clear()
  }

  /** Of one tablet; the answer is the same object until something changes. */
  replicas(tenant: string, tabletId: number): readonly Replica[] {
    const named = this.named.get(tabletId)
    if (named !== undefined) return named
    let known = this.placed.get(tenant)
    if (known === undefined) {
      known = new Map()
      this.placed.set(tenant, known)
    }
    if (known.size >= MAX_PLACED) known.clear()
    let replicas = known.get(tabletId)
    if (replicas === undefined) {
      replicas = place(tabletId, this.units(tenant), {
        leader: this.leaders.get(tabletId),
        retired: this.retired,
        isDuplicate: this.duplicates.has(tabletId),
      })
      known.set(tabletId, replicas)
    }
    return replicas
  }

  /** `host:port` of the leader. */
  leader(tenant: string, tabletId: number): string | undefined {
    return this.replicas(tenant, tabletId).find(({ isLeader }) => isLeader)?.server
  }

  /** Zone by zone the servers on which a tenant has units. */
  units(name: string): readonly ZoneUnits[] {
    const tenant = this.tenants.get(name)
    if (tenant === undefined) return []
    const groups = primaryGroups(tenant.primaryZone)
    return [...this.zones.values()].flatMap(zone => {
      const servers = this.servers
        .filter(each => each.zone === zone.name && hasUnit(tenant, each))
        .map(({ key }) => key)
      const at = groups.findIndex(group => group.includes(zone.name))
      const priority = at < 0 ? groups.length : at
      return servers.length === 0 ? [] : [{ zone: zone.name, type: zone.type, priority, servers }]
    })
  }
}

function hasUnit(tenant: Tenant, server: Server): boolean {
  return tenant.servers === undefined ? server.isListed : tenant.servers.includes(server.key)
}

function primaryGroups(primaryZone: string): readonly (readonly string[])[] {
  if (primaryZone.toUpperCase() === 'RANDOM') return []
  return primaryZone.split(';').map(group => group.split(',').map(zone => zone.trim()))
}

function localityOf({ name, type }: Zone): string {
  return `${type === 'ReadOnly' ? 'READONLY' : 'FULL'}{1}@${name}`
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RangeError(`there is no ${what}`)
  return value
}

export function keyOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`
}
