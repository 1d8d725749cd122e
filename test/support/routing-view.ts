/**
 * A view to decide on, made from as little as a test wants to say: three zones of two servers, z1 and
 * z2 in one region, z3 in another; nothing special about the statement, the session or the settings.
 */
import { ldcOf } from '../../proxy-node/routing/ldc.ts'
import { StaleReplicas } from '../../proxy-node/routing/stale-replicas.ts'
import type {
  RouteView,
  RoutingSettings,
  SessionView,
  StatementView,
} from '../../proxy-node/routing/view.ts'
import { DEFAULT_SETTINGS } from '../../proxy-node/session/peers.ts'
import {
  type ClusterPicture,
  CONGESTED,
  type PartitionLocation,
  type Replica,
  type Server,
  type ServerState,
  type Tenant,
  type TenantServers,
  type Verdicts,
  type Zone,
} from '../../proxy-node/topology/model.ts'

export const STATEMENT: StatementView = {
  command: 'query',
  isSelect: true,
  isForUpdate: false,
  isCut: false,
  isDml: true,
  isCall: false,
  hasTable: true,
  isSessional: false,
  textForm: 'plain',
  hint: 'none',
  isMultiple: false,
  leansOnLast: false,
  usesLastInsertId: false,
  usesTableLock: false,
  hasDblink: false,
  isLarge: false,
}

export const UPDATE: Partial<StatementView> = { isSelect: false }

export const SESSION: SessionView = {
  isInternal: false,
  readConsistency: 'strong',
  hasSetReadConsistency: false,
  canReadWeakly: true,
  isAutocommit: true,
  transaction: 'none',
  isTransactionSpecified: false,
  isRoutedInternally: false,
  isSwitchingAuth: false,
  routePolicy: 1,
  proxyRoutePolicy: undefined,
  hasRunDml: true,
  boundTo: undefined,
  heldBy: undefined,
  lastServer: undefined,
  lastInsertIdServer: undefined,
  coordinator: undefined,
  lockServer: undefined,
}

/** The defaults of the parameters. */
export const SETTINGS: RoutingSettings = DEFAULT_SETTINGS.routing

export function zone(name: string, more: Partial<Zone> = {}): Zone {
  return {
    name,
    region: 'east',
    idc: `${name}-idc`,
    type: 'ReadWrite',
    state: 'ACTIVE',
    ...more,
  }
}

/** Named like its key without the port. */
export function server(host: string, itsZone: Zone, state: ServerState = 'ACTIVE'): Server {
  return { address: { host, port: 2881 }, key: `${host}:2881`, zone: itsZone, state }
}

export function replica(host: string, more: Partial<Replica> = {}): Replica {
  return {
    server: { host, port: 2881 },
    key: `${host}:2881`,
    isLeader: false,
    type: 'FULL',
    isDuplicate: false,
    ...more,
  }
}

export function location(...replicas: Replica[]): PartitionLocation {
  return {
    replicas,
    leader: replicas.find(({ isLeader }) => isLeader),
    hasDuplicates: replicas.some(({ isDuplicate }) => isDuplicate),
    leaderFitsIn: undefined,
  }
}

export function tenantServers(hosts: readonly string[], groupSize = 3): TenantServers {
  return { replicas: hosts.map(host => replica(host)), groupSize }
}

export const ZONES = {
  z1: zone('z1'),
  z2: zone('z2'),
  z3: zone('z3', { region: 'west' }),
} as const

export const SERVERS: readonly Server[] = [
  server('a1', ZONES.z1),
  server('b1', ZONES.z2),
  server('c1', ZONES.z3),
  server('a2', ZONES.z1),
  server('b2', ZONES.z2),
  server('c2', ZONES.z3),
]

export function picture(servers: readonly Server[], more: Partial<ClusterPicture> = {}) {
  const made: ClusterPicture = {
    cluster: 'shop',
    clusterId: 1,
    version: 1,
    majorVersion: 4,
    isLoaded: true,
    servers: new Map(servers.map(one => [one.key, one])),
    tenants: new Map(),
    idcRegions: new Map(),
    ...more,
  }
  return made
}

export function tenant(more: Partial<Tenant> = {}): Tenant {
  return { name: 'app', locality: '', primaryZones: [], singleLeader: undefined, ...more }
}

/** On a1; b1 and c1 follow. */
export const LOCATION_A1 = location(replica('a1', { isLeader: true }), replica('b1'), replica('c1'))

/** Servers and what speaks against them; each trial that is given is remembered. */
export function verdicts(against: Readonly<Record<string, keyof typeof CONGESTED>> = {}) {
  const trials: string[] = []
  const made: Verdicts & { readonly trials: string[]; isDue: boolean } = {
    trials,
    isDue: false,
    congestionOf: key => {
      const flag = against[key.replace(':2881', '')]
      return flag === undefined ? 0 : CONGESTED[flag]
    },
    isEmpty: Object.keys(against).length === 0,
    letsOneThrough: key => {
      if (made.isDue) trials.push(key)
      return made.isDue
    },
  }
  return made
}

/** Numbers that look random and are the same each time. */
export function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}

export type ViewParts = Partial<Omit<RouteView, 'statement' | 'session' | 'settings' | 'ldc'>> & {
  readonly statement?: Partial<StatementView>
  readonly session?: Partial<SessionView>
  readonly settings?: Partial<RoutingSettings>
  readonly idc?: string
}

export function viewOf(parts: ViewParts = {}): RouteView {
  const { statement, session, settings, idc = '', ...others } = parts
  const itsPicture = parts.picture ?? picture(SERVERS)
  return {
    tenant: undefined,
    servers: tenantServers(['a1', 'b1', 'c1', 'a2', 'b2', 'c2']),
    location: undefined,
    locationKey: 't/p',
    targets: [],
    verdicts: verdicts(),
    stale: new StaleReplicas(),
    snapshots: undefined,
    random: chance(1),
    trace: undefined,
    nowMs: 1_000_000,
    ...others,
    picture: itsPicture,
    ldc: ldcOf(itsPicture, idc),
    statement: { ...STATEMENT, ...statement },
    session: { ...SESSION, ...session },
    settings: { ...SETTINGS, ...settings },
  }
}
