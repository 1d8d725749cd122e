/**
 * What one worker's sessions count, by tenant. Hot path: counting is an addition to a fixed slot and
 * allocates nothing; the exporter asks for a snapshot and does the rest.
 */
import { LIMITS, type Limit, OUTCOME } from '#contract/names'
import { costSlot, requestSlot, SLOT, SLOT_COUNT, type TenantSnapshot } from '#contract/telemetry'

/** Tenants counted by name; clients of further ones are counted together. */
const MAX_TENANTS = 256
const OTHERS = 'others'
const DEFAULT_SLOW_MS = 500

/** Of one request, in milliseconds of `performance.now()`. */
export type RequestTimes = {
  readonly begunMs: number
  /** `endedMs` where no server got it. */
  readonly sentMs: number
  readonly endedMs: number
}

/** Counters of one tenant. Types are positions in `SQL_TYPES`; times are of `performance.now()`. */
export class TenantTraffic {
  readonly cluster: string
  readonly tenant: string
  readonly slots = new Float64Array(SLOT_COUNT)
  /** Requests that take longer count as slow. */
  slowMs: number

  constructor(cluster: string, tenant: string, slowMs: number) {
    this.cluster = cluster
    this.tenant = tenant
    this.slowMs = slowMs
  }

  /** A request has its whole answer; `outcome` is bits of `OUTCOME`, slowness is added here. */
  answered(type: number, outcome: number, { begunMs, sentMs, endedMs }: RequestTimes): void {
    const { slots } = this
    const isSlow = endedMs - begunMs > this.slowMs
    const at = requestSlot(type, isSlow ? outcome | OUTCOME.slow : outcome)
    slots[at] = (slots[at] as number) + 1
    const cost = costSlot(type)
    slots[cost] = (slots[cost] as number) + (sentMs - begunMs) * 1000
    slots[cost + 1] = (slots[cost + 1] as number) + (endedMs - sentMs) * 1000
    slots[cost + 2] = (slots[cost + 2] as number) + (endedMs - begunMs) * 1000
  }

  /** `direction` is one of `BYTES`. */
  moved(direction: number, bytes: number): void {
    this.slots[SLOT.bytes + direction] = (this.slots[SLOT.bytes + direction] as number) + bytes
  }

  transacted(): void {
    this.slots[SLOT.transactions] = (this.slots[SLOT.transactions] as number) + 1
  }

  /** A table's location was looked up: in the cache or not, with a leader or without. */
  located(isHit: boolean, isFound: boolean): void {
    const at = SLOT.entries + (isHit ? 2 : 0) + (isFound ? 1 : 0)
    this.slots[at] = (this.slots[at] as number) + 1
  }

  /** A statement came to its server: `route` is a position in `ROUTES`. */
  routed(route: number, hasMissed: boolean): void {
    const at = SLOT.routes + route * 2 + (hasMissed ? 1 : 0)
    this.slots[at] = (this.slots[at] as number) + 1
  }

  /** Its partition was a guess, which the server confirmed or corrected. */
  guessed(hasMissed: boolean): void {
    const at = SLOT.guesses + (hasMissed ? 1 : 0)
    this.slots[at] = (this.slots[at] as number) + 1
  }

  loggedIn(isAccepted: boolean): void {
    const at = SLOT.logins + (isAccepted ? 1 : 0)
    this.slots[at] = (this.slots[at] as number) + 1
  }

  /** A client was refused or ended by a limit. */
  limited(limit: Limit): void {
    const at = SLOT.limits + LIMITS.indexOf(limit)
    this.slots[at] = (this.slots[at] as number) + 1
  }

  /** Sessions open at this moment. */
  setSessions(clients: number, servers: number): void {
    this.slots[SLOT.sessions] = clients
    this.slots[SLOT.sessions + 1] = servers
  }
}

export class WorkerTraffic {
  private readonly tenants = new Map<string, TenantTraffic>()
  private slowOf: (cluster: string, tenant: string) => number = () => DEFAULT_SLOW_MS

  /** From now on what takes longer than that, in milliseconds, counts as slow. */
  slowFrom(slowOf: (cluster: string, tenant: string) => number): void {
    this.slowOf = slowOf
    for (const traffic of this.tenants.values())
      traffic.slowMs = slowOf(traffic.cluster, traffic.tenant)
  }

  /** Where a client counts after its login; a login that failed counts under no name, which strangers choose. */
  of(cluster: string, tenant: string): TenantTraffic {
    const key = `${cluster}\0${tenant}`
    const found = this.tenants.get(key)
    if (found !== undefined) return found
    if (this.tenants.size >= MAX_TENANTS && tenant !== OTHERS) return this.of('', OTHERS)
    const made = new TenantTraffic(cluster, tenant, this.slowOf(cluster, tenant))
    this.tenants.set(key, made)
    return made
  }

  /** The counters now, with the levels that `sessions` makes. */
  snapshot(
    sessions: Iterable<{ readonly traffic: TenantTraffic; readonly serverSessionCount: number }>,
  ): readonly TenantSnapshot[] {
    const open = new Map<TenantTraffic, { clients: number; servers: number }>()
    for (const { traffic, serverSessionCount } of sessions) {
      const level = open.get(traffic) ?? { clients: 0, servers: 0 }
      open.set(traffic, level)
      level.clients += 1
      level.servers += serverSessionCount
    }
    return [...this.tenants.values()].map(traffic => {
      const level = open.get(traffic)
      traffic.setSessions(level?.clients ?? 0, level?.servers ?? 0)
      const { cluster, tenant, slots } = traffic
      return { cluster, tenant, filled: filled(slots) }
    })
  }
}

function filled(slots: Float64Array): readonly number[] {
  return [...slots].flatMap((value, slot) => (value === 0 ? [] : [slot, value]))
}
