/**
 * Servers of tenants: a bounded cache. Whoever asks for an unknown tenant shares one question with
 * all who ask meanwhile; a known one is answered at once and refreshed behind; "no such tenant" is
 * believed for a moment, so that logins in vain do not become questions. Source: proxy-routing.md §4.2.
 */
import type { Clock } from '../base/clock.ts'
import type { TenantServers } from './model.ts'

/** Empty: there is no such tenant. @throws Error when nobody can say. */
export type TenantFetch = (tenant: string) => Promise<TenantServers>

export type TenantLimits = {
  readonly maxTenants: number
  /** Known ones this old are refreshed when next used. */
  readonly maxAgeMs: number
  /** Known ones this old are not answered before somebody was asked. */
  readonly validMs: number
  /** How long "no such tenant" is believed, and of how many names. */
  readonly missingAgeMs: number
  readonly maxMissing: number
}

export const TENANT_LIMITS: TenantLimits = {
  maxTenants: 10_000,
  maxAgeMs: 20_000,
  validMs: Number.POSITIVE_INFINITY,
  missingAgeMs: 1_000,
  maxMissing: 1_000,
}

/** `validMs` of 0: for ever. The same object until it changes: each statement asks. */
export function tenantLimits(
  validMs: () => number,
  maxAgeMs = TENANT_LIMITS.maxAgeMs,
): () => TenantLimits {
  let asked = Number.NaN
  let limits = TENANT_LIMITS
  return () => {
    const valid = validMs()
    if (valid !== asked) {
      asked = valid
      limits = { ...TENANT_LIMITS, maxAgeMs, validMs: valid || Number.POSITIVE_INFINITY }
    }
    return limits
  }
}

type Known = { readonly servers: TenantServers; fetchedAt: number }

export const NO_SERVERS: TenantServers = { replicas: [], groupSize: 1 }

export class Tenants {
  private readonly fetch: TenantFetch
  private readonly clock: Clock
  private readonly limits: () => TenantLimits
  private readonly known = new Map<string, Known>()
  /** Name → when it was not there. Apart, so that made-up names push no real one out. */
  private readonly missing = new Map<string, number>()
  private readonly asked = new Map<string, Promise<TenantServers>>()
  /** The one that was asked for last, which the next statement mostly asks for again. */
  private latest: Known | undefined
  private latestTenant = ''

  constructor(fetch: TenantFetch, clock: Clock, limits: () => TenantLimits) {
    this.fetch = fetch
    this.clock = clock
    this.limits = limits
  }

  get size(): number {
    return this.known.size
  }

  /** Its servers as last heard, at once when it is known; a known one stays so while nobody answers. */
  find(tenant: string): TenantServers | Promise<TenantServers> {
    const known = this.knownOf(tenant)
    if (known === undefined) return this.isMissing(tenant) ? NO_SERVERS : this.ask(tenant)
    const { maxAgeMs, validMs } = this.limits()
    const ageMs = this.clock.now() - known.fetchedAt
    if (ageMs <= Math.min(maxAgeMs, validMs)) return known.servers
    const renewed = this.renew(tenant, known)
    return ageMs > validMs ? renewed : known.servers
  }

  private knownOf(tenant: string): Known | undefined {
    if (this.latest !== undefined && this.latestTenant === tenant) return this.latest
    this.latest = this.known.get(tenant)
    this.latestTenant = tenant
    return this.latest
  }

  /** As it was known when nobody can say; nobody is asked again before that is as old. Never rejects. */
  private renew(tenant: string, known: Known): Promise<TenantServers> {
    return this.ask(tenant).catch(() => {
      known.fetchedAt = this.clock.now()
      return known.servers
    })
  }

  /** Forgets everything: the next question about any tenant is asked. */
  clear(): void {
    this.latest = undefined
    this.known.clear()
    this.missing.clear()
  }

  forget(tenant: string): void {
    this.latest = undefined
    this.known.delete(tenant)
    this.missing.delete(tenant)
  }

  private isMissing(tenant: string): boolean {
    const at = this.missing.get(tenant)
    if (at === undefined) return false
    if (this.clock.now() - at < this.limits().missingAgeMs) return true
    this.missing.delete(tenant)
    return false
  }

  private ask(tenant: string): Promise<TenantServers> {
    const underWay = this.asked.get(tenant)
    if (underWay !== undefined) return underWay
    const answer = this.fetch(tenant)
      .then(servers => this.heard(tenant, servers))
      .finally(() => this.asked.delete(tenant))
    this.asked.set(tenant, answer)
    return answer
  }

  private heard(tenant: string, servers: TenantServers): TenantServers {
    const now = this.clock.now()
    this.latest = undefined
    this.known.delete(tenant)
    this.missing.delete(tenant)
    if (servers.replicas.length > 0)
      keep(this.known, tenant, { servers, fetchedAt: now }, this.limits().maxTenants)
    else keep(this.missing, tenant, now, this.limits().maxMissing)
    return servers
  }
}

/** As the youngest; the oldest goes when there are more than `most`. */
function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.set(key, value)
  if (map.size <= most) return
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
