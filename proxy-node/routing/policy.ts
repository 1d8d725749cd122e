/**
 * Which order servers are taken in: the first rule of the table that holds.
 * Source: proxy-routing.md §7.4, with the zone that a cached server has to be in (§7.6).
 */
import type { Consistency } from './consistency.ts'
import { LETTER, type Policy, zonePolicy } from './orders.ts'
import type { RouteView } from './view.ts'

/** Bits of `LETTER` that stand for the type of a zone. */
export const ZONE_LETTERS = { ReadOnly: LETTER.R, ReadWrite: LETTER.W, any: 0 } as const

/** What a rule looks at beside the view. */
export type PolicyQuestion = {
  readonly consistency: Consistency
  /** Of the zones that the tenant has servers in. */
  readonly hasReadOnlyZone: boolean
}

export type PolicyRule = {
  /** Of the specification's table. */
  readonly row: number
  readonly policy: (view: RouteView) => Policy
  readonly because: string
  /** Where a cached server may be (§7.6). */
  readonly zone: keyof typeof ZONE_LETTERS
  readonly holds: (view: RouteView, question: PolicyQuestion) => boolean
}

const ofSession = ({ session }: RouteView) => zonePolicy(session.routePolicy)

/** First match wins; the last always holds. */
export const POLICY_RULES: readonly PolicyRule[] = [
  {
    row: 1,
    policy: () => 'TARGET_DB_SERVER_ONLY',
    because: 'the statement names its servers',
    zone: 'any',
    holds: ({ targets }) => targets.length > 0,
  },
  {
    row: 2,
    policy: () => 'DUP_REPLICA_FIRST',
    because: 'a strong SELECT of a table with duplicate replicas',
    zone: 'any',
    holds: (view, { consistency }) => usesDuplicates(view, consistency),
  },
  {
    row: 3,
    policy: ofSession,
    because: 'a weak read where there are read-only zones: ob_route_policy',
    zone: 'ReadOnly',
    holds: (_view, { hasReadOnlyZone, consistency }) => hasReadOnlyZone && consistency === 'weak',
  },
  {
    row: 4,
    policy: ofSession,
    because: 'the session has set ob_read_consistency to weak: ob_route_policy',
    zone: 'ReadOnly',
    holds: (view, { hasReadOnlyZone }) =>
      hasReadOnlyZone &&
      mayGoToReadOnlyZone(view) &&
      view.session.hasSetReadConsistency &&
      view.session.readConsistency === 'weak',
  },
  {
    row: 5,
    policy: () => 'ONLY_READWRITE_ZONE',
    because: 'the session has set ob_read_consistency to strong',
    zone: 'ReadWrite',
    holds: (view, { hasReadOnlyZone }) =>
      hasReadOnlyZone && mayGoToReadOnlyZone(view) && view.session.hasSetReadConsistency,
  },
  {
    row: 6,
    policy: () => 'MERGE_IDC_ORDER',
    because: 'a zone of any type may run it, and the session has not said what it wants',
    zone: 'any',
    holds: (view, { hasReadOnlyZone }) => hasReadOnlyZone && mayGoToReadOnlyZone(view),
  },
  {
    row: 7,
    policy: () => 'ONLY_READWRITE_ZONE',
    because: 'no read-only zone may run it',
    zone: 'ReadWrite',
    holds: (_view, { hasReadOnlyZone }) => hasReadOnlyZone,
  },
  {
    row: 8,
    policy: ({ session }) => session.proxyRoutePolicy ?? 'MERGE_IDC_ORDER',
    because: 'the user variable proxy_route_policy',
    zone: 'any',
    holds: ({ session }, { consistency }) =>
      consistency === 'weak' && session.proxyRoutePolicy !== undefined,
  },
  {
    row: 8,
    policy: ({ settings }) => settings.proxyRoutePolicy ?? 'MERGE_IDC_ORDER',
    because: 'the parameter proxy_route_policy',
    zone: 'any',
    holds: ({ settings }, { consistency }) =>
      consistency === 'weak' && settings.proxyRoutePolicy !== undefined,
  },
  {
    row: 9,
    policy: () => 'PROXY_PRIMARY_ZONE_NAME_ONLY',
    because: 'the parameter proxy_primary_zone_name',
    zone: 'any',
    holds: ({ settings }) => settings.proxyPrimaryZones.length > 0,
  },
  {
    row: 10,
    policy: () => 'PRIMARY_ZONE_FIRST',
    because: 'a strong read, and enable_primary_zone',
    zone: 'any',
    holds: ({ settings }, { consistency }) =>
      consistency === 'strong' && settings.enablePrimaryZone && settings.mode !== 'random',
  },
]

const NOTHING_SAID: PolicyRule = {
  row: 11,
  policy: () => 'MERGE_IDC_ORDER',
  because: 'nothing says otherwise',
  zone: 'any',
  holds: () => true,
}

/** One of the rules above, or that there is none. */
export function policyRule(view: RouteView, question: PolicyQuestion): PolicyRule {
  for (let index = 0; index < POLICY_RULES.length; index++) {
    const rule = POLICY_RULES[index]
    if (rule?.holds(view, question) === true) return rule
  }
  return NOTHING_SAID
}

/** Any duplicate replica is as good as the leader for it (§7.4 row 2). */
export function usesDuplicates(
  { statement, location }: RouteView,
  consistency: Consistency,
): boolean {
  return (
    location?.hasDuplicates === true &&
    consistency === 'strong' &&
    statement.isSelect &&
    !statement.isForUpdate &&
    !statement.isCut
  )
}

/** Whether a server of a read-only zone could run it although it is no weak read. */
function mayGoToReadOnlyZone({ statement }: RouteView): boolean {
  if (statement.command !== 'query') return true
  return statement.isSessional || (statement.isSelect && !statement.hasTable)
}

export function hasReadOnlyZone({ ldc, picture, servers }: RouteView): boolean {
  if (!ldc.hasReadOnlyZone) return false
  for (const { key } of servers.replicas)
    if (picture.servers.get(key)?.zone.type === 'ReadOnly') return true
  return false
}
