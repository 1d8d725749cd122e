/**
 * Which tenants are spread otherwise than before. While a locality is being changed the servers do not
 * list the tenant, so that what was listed last is remembered beyond. Source: proxy-routing.md §4.10.
 */
import type { ListedTenant } from './discovery.ts'

const MAX_TENANTS = 10_000

export class Localities {
  /** By name; as listed last. */
  private readonly known = new Map<string, string>()

  /** Names of the tenants whose locality is another than when they were last listed. */
  heard(tenants: readonly ListedTenant[]): readonly string[] {
    const changed: string[] = []
    for (const { name, locality } of tenants) {
      const before = this.known.get(name)
      if (before !== undefined && before !== locality) changed.push(name)
      this.known.delete(name)
      this.known.set(name, locality)
    }
    for (const name of this.known.keys()) {
      if (this.known.size <= MAX_TENANTS) break
      this.known.delete(name)
    }
    return changed
  }
}
