/**
 * The traffic of all workers of the node, merged: a lost worker's counts stay, its sessions go, and
 * no counter ever falls. Snapshots come from `session/traffic`.
 */
import { BYTES, LIMITS, type Limit, OUTCOME, ROUTES, type RouteName } from '#contract/names'
import { costSlot, requestSlot, SLOT, SLOT_COUNT, type TenantSnapshot } from '#contract/telemetry'

/** Every combination of bits of `OUTCOME`. */
export const ALL_OUTCOMES: readonly number[] = Array.from(
  { length: 2 ** Object.keys(OUTCOME).length },
  (_none, bits) => bits,
)

export class NodeTraffic {
  private readonly living = new Map<number, readonly TenantSnapshot[]>()
  private readonly lost = new Map<string, TenantTotals>()

  /** The newest snapshot of a living worker; it replaces the one before. */
  take(worker: number, snapshot: readonly TenantSnapshot[]): void {
    this.living.set(worker, snapshot)
  }

  /** Called once, before a successor with the same number reports. */
  workerLost(worker: number): void {
    for (const tenant of this.living.get(worker) ?? [])
      totalsOf(this.lost, tenant).add(tenant, true)
    this.living.delete(worker)
  }

  /** Sums by tenant, in order of cluster and tenant. */
  totals(): readonly TenantTotals[] {
    const sums = new Map([...this.lost].map(([key, totals]) => [key, totals.copy()]))
    for (const snapshot of this.living.values())
      for (const tenant of snapshot) totalsOf(sums, tenant).add(tenant, false)
    return [...sums].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, totals]) => totals)
  }
}

/** Counters of one tenant, read by name. Types are positions in `SQL_TYPES`. */
export class TenantTotals {
  readonly cluster: string
  readonly tenant: string
  private readonly slots = new Float64Array(SLOT_COUNT)

  constructor(cluster: string, tenant: string) {
    this.cluster = cluster
    this.tenant = tenant
  }

  /** Adds a snapshot; of a worker that is gone counts only, not the levels of its sessions. */
  add({ filled }: TenantSnapshot, isGone: boolean): void {
    for (let at = 0; at + 1 < filled.length; at += 2) {
      const slot = filled[at] ?? 0
      if (!isGone || slot < SLOT.sessions) this.slots[slot] = this.at(slot) + (filled[at + 1] ?? 0)
    }
  }

  copy(): TenantTotals {
    const copy = new TenantTotals(this.cluster, this.tenant)
    copy.slots.set(this.slots)
    return copy
  }

  requests(type: number, outcome: number): number {
    return this.at(requestSlot(type, outcome))
  }

  /** Microseconds. */
  cost(type: number): {
    readonly prepare: number
    readonly server: number
    readonly total: number
  } {
    const slot = costSlot(type)
    return { prepare: this.at(slot), server: this.at(slot + 1), total: this.at(slot + 2) }
  }

  bytes(direction: keyof typeof BYTES): number {
    return this.at(SLOT.bytes + BYTES[direction])
  }

  entries(isHit: boolean, isFound: boolean): number {
    return this.at(SLOT.entries + (isHit ? 2 : 0) + (isFound ? 1 : 0))
  }

  routed(route: RouteName, isHit: boolean): number {
    return this.at(SLOT.routes + ROUTES.indexOf(route) * 2 + (isHit ? 0 : 1))
  }

  guesses(isConfirmed: boolean): number {
    return this.at(SLOT.guesses + (isConfirmed ? 0 : 1))
  }

  logins(isAccepted: boolean): number {
    return this.at(SLOT.logins + (isAccepted ? 1 : 0))
  }

  limited(limit: Limit): number {
    return this.at(SLOT.limits + LIMITS.indexOf(limit))
  }

  get transactions(): number {
    return this.at(SLOT.transactions)
  }

  get clientSessions(): number {
    return this.at(SLOT.sessions)
  }

  get serverSessions(): number {
    return this.at(SLOT.sessions + 1)
  }

  private at(slot: number): number {
    return this.slots[slot] ?? 0
  }
}

/** The sum for the snapshot's tenant; neither name can hold a NUL. */
function totalsOf(sums: Map<string, TenantTotals>, { cluster, tenant }: TenantSnapshot) {
  const key = `${cluster}\0${tenant}`
  const found = sums.get(key) ?? new TenantTotals(cluster, tenant)
  sums.set(key, found)
  return found
}
