/**
 * Servers that a statement or the configuration names, group by group, equals in an order that chance
 * makes. Those that something speaks against come in a second round. Source: proxy-routing.md §7.2 rows 5, 6.
 */
import { type ServerAddress, serverKey } from '../topology/model.ts'
import { AGAINST, against, againstInWords } from './against.ts'
import { shuffle } from './roster.ts'
import type { RouteView, ServerGroups } from './view.ts'

type Target = { readonly address: ServerAddress; readonly key: string; wasOffered: boolean }

export class TargetList {
  private readonly targets: readonly Target[]
  /** Mock mode asks the blacklist for these, too (§9.6). */
  private readonly isForced: boolean
  private at = 0
  private round = 1

  constructor(groups: ServerGroups, isForced: boolean, random: () => number) {
    this.isForced = isForced
    this.targets = groups.flatMap(group => {
      const targets = group.map(address => ({
        address,
        key: serverKey(address),
        wasOffered: false,
      }))
      shuffle(targets, random)
      return targets
    })
  }

  get count(): number {
    return this.targets.length
  }

  /** The next one to go to; undefined when there is none left. Each is offered once. */
  next(view: RouteView): Target | undefined {
    for (; this.round <= 2; this.round++, this.at = 0) {
      for (; this.at < this.targets.length; this.at++) {
        const target = this.targets[this.at]
        if (target === undefined || target.wasOffered) continue
        if (this.round === 1 && !this.admits(view, target)) continue
        target.wasOffered = true
        return target
      }
    }
    return undefined
  }

  private admits(view: RouteView, { key, address }: Target): boolean {
    // Nobody promises that a named server is one of the cluster's.
    const bits = against(view, key, address, this.isForced) & ~AGAINST.missing
    view.trace?.considered(key, '', againstInWords(bits))
    return bits === 0
  }
}

/** A server that has only logs runs no statement. */
export function isLogOnly({ servers }: RouteView, key: string): boolean {
  return servers.replicas.some(replica => replica.key === key && replica.type === 'LOGONLY')
}
