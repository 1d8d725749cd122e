/**
 * Where the replicas of a tablet are: one in each zone of its tenant, by a stable rule of its id,
 * until an order moves its leader. Pure.
 */

export type ZoneType = 'ReadWrite' | 'ReadOnly' | 'Encryption'

/** Codes of `replica_type` (proxy-routing.md §4.2). */
export const REPLICA_TYPE = { full: 0, logOnly: 5, readOnly: 16 } as const

export type Replica = {
  /** `host:port`. */
  readonly server: string
  readonly isLeader: boolean
  readonly type: number
  readonly isDuplicate: boolean
}

/** Units of a tenant in one zone. */
export type ZoneUnits = {
  readonly zone: string
  readonly type: ZoneType
  /** By falling priority, from 0. */
  readonly priority: number
  /** `host:port` of its servers. */
  readonly servers: readonly string[]
}

export type Moved = {
  /** `host:port` that leads by order. */
  readonly leader: string | undefined
  /** Servers that lead nothing unless they were told to. */
  readonly retired: ReadonlySet<string>
  readonly isDuplicate: boolean
}

/** Empty when the tenant has no units. */
export function place(
  tabletId: number,
  units: readonly ZoneUnits[],
  moved: Moved,
): readonly Replica[] {
  if (units.length === 0) return []
  const most = Math.max(1, ...units.map(({ servers }) => servers.length))
  const group = tabletId % most
  const turn = Math.floor(tabletId / most)
  const chosen = units.flatMap(unit => {
    const server = unit.servers[group % Math.max(1, unit.servers.length)]
    return server === undefined ? [] : [{ ...unit, server }]
  })
  const leader = moved.leader ?? leaderAmong(chosen, turn, moved.retired)
  const isIn = chosen.some(({ server }) => server === leader)
  const replicas = chosen.map(({ server, type }) => ({
    server,
    isLeader: server === leader,
    type: type === 'ReadOnly' ? REPLICA_TYPE.readOnly : REPLICA_TYPE.full,
    isDuplicate: moved.isDuplicate,
  }))
  if (isIn || leader === undefined) return replicas
  // The leader by order stands elsewhere: it takes the place of its zone's replica, or a new one.
  const home = units.find(({ servers }) => servers.includes(leader))
  const kept = replicas.filter((_replica, at) => chosen[at]?.zone !== home?.zone)
  const type = REPLICA_TYPE.full
  return [...kept, { server: leader, isLeader: true, type, isDuplicate: moved.isDuplicate }]
}

type Chosen = ZoneUnits & { readonly server: string }

function leaderAmong(
  chosen: readonly Chosen[],
  turn: number,
  retired: ReadonlySet<string>,
): string | undefined {
  const able = chosen.filter(({ type }) => type !== 'ReadOnly')
  const willing = able.filter(({ server }) => !retired.has(server))
  const candidates = willing.length > 0 ? willing : able
  const best = Math.min(...candidates.map(({ priority }) => priority))
  const first = candidates.filter(({ priority }) => priority === best)
  return first[turn % Math.max(1, first.length)]?.server
}
