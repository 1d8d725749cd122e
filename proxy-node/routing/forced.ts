/**
 * Addresses that leave nothing to choose: a bound session, named target servers, test servers, the one
 * server with all leaders of a tenant. In this order, before any location is asked for.
 * Source: proxy-routing.md §7.2.
 */
import type { ServerAddress } from '../topology/model.ts'
import type { Consistency } from './consistency.ts'
import type { RouteView, ServerGroups } from './view.ts'

export type ForcedRule = {
  /** Of the specification's table; the others are the transaction's and the cached server's. */
  readonly row: number
  readonly kind: 'bound' | 'holder' | 'target-servers' | 'test-servers' | 'single-leader'
  readonly because: string
  readonly holds: (view: RouteView, consistency: Consistency) => boolean
}

/** First match wins. */
export const FORCED_RULES: readonly ForcedRule[] = [
  {
    row: 2,
    kind: 'bound',
    because: 'the user variable obproxy_route_addr',
    holds: ({ session }) => session.boundTo !== undefined,
  },
  {
    row: 3,
    kind: 'holder',
    because: 'the server that has the cursor',
    holds: ({ statement }) => statement.command === 'fetch',
  },
  {
    row: 4,
    kind: 'holder',
    because: 'the server that has the first piece',
    holds: ({ session }) => session.heldBy !== undefined,
  },
  {
    row: 5,
    kind: 'target-servers',
    because: 'target_db_server',
    holds: ({ targets }) => targets.length > 0,
  },
  {
    row: 6,
    kind: 'test-servers',
    because: 'server_routing_mode takes test_server_addr',
    holds: ({ settings, session }) =>
      settings.mode === 'mysql' || (settings.mode === 'mock' && !session.isInternal),
  },
  {
    row: 7,
    kind: 'single-leader',
    because: 'all leaders of the tenant are on one server',
    holds: ({ settings, statement, tenant, picture }, consistency) =>
      tenant?.singleLeader !== undefined &&
      settings.enableSingleLeaderNodeRouting &&
      settings.mode !== 'random' &&
      consistency === 'strong' &&
      statement.command !== 'login' &&
      settings.proxyPrimaryZones.length === 0 &&
      picture.isLoaded,
  },
]

export function forcedRule(view: RouteView, consistency: Consistency): ForcedRule | undefined {
  for (let index = 0; index < FORCED_RULES.length; index++) {
    const rule = FORCED_RULES[index]
    if (rule?.holds(view, consistency) === true) return rule
  }
  return undefined
}

/** As many as a comment can hold. */
const MAX_TARGETS = 64

/**
 * Parses `ip:port,ip:port;ip:port`: `,` between equal servers, `;` before those to take when all are
 * exhausted. Undefined when it cannot be read as that.
 */
export function parseTargets(text: string): ServerGroups | undefined {
  const groups: ServerAddress[][] = []
  let count = 0
  for (const part of text.split(';')) {
    const group: ServerAddress[] = []
    for (const item of part.split(',')) {
      if (item.trim() === '') continue
      const address = parseAddress(item.trim())
      count += 1
      if (address === undefined || count > MAX_TARGETS) return undefined
      group.push(address)
    }
    if (group.length > 0) groups.push(group)
  }
  return groups
}

/** IPv6 in brackets. */
function parseAddress(text: string): ServerAddress | undefined {
  const found = /^(?:\[([\da-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/i.exec(text)
  const host = found?.[1] ?? found?.[2]
  const port = Number(found?.[3])
  return host !== undefined && port > 0 && port < 65_536 ? { host, port } : undefined
}
