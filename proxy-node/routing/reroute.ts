/**
 * Whether the server that an answer names is gone to (error 5727), and what the answer says of the
 * location. Source: proxy-routing.md §7.8, §8.4.
 */
import type { Consistency } from './consistency.ts'
import type { LookupState } from './transaction.ts'

export type RerouteQuestion = {
  readonly consistency: Consistency
  /** `enable_reroute`, for strong statements. */
  readonly enableReroute: boolean
  /** `enable_weak_reroute`, for weak reads. */
  readonly enableWeakReroute: boolean
  readonly wasRerouted: boolean
  readonly state: LookupState
  /** Of a transaction, or internally routed. */
  readonly isFirstStatement: boolean
  readonly isBuffered: boolean
  readonly isLarge: boolean
  readonly hasProxyPrimaryZones: boolean
  readonly hasTargets: boolean
  /** A piece of long data is under way. */
  readonly hasPiece: boolean
}

export type RerouteRule = {
  readonly because: string
  readonly forbids: (question: RerouteQuestion) => boolean
}

/** Any of them forbids it; the error is then forwarded. */
export const REROUTE_RULES: readonly RerouteRule[] = [
  {
    because: 'enable_reroute is off',
    forbids: ({ consistency, enableReroute }) => consistency === 'strong' && !enableReroute,
  },
  {
    because: 'enable_weak_reroute is off',
    forbids: ({ consistency, enableWeakReroute }) => consistency === 'weak' && !enableWeakReroute,
  },
  { because: 'it was sent on once already', forbids: ({ wasRerouted }) => wasRerouted },
  { because: 'the session is bound', forbids: ({ state }) => state !== 'NEED_LOOKUP' },
  {
    because: 'it is not the first statement of its transaction',
    forbids: ({ isFirstStatement }) => !isFirstStatement,
  },
  {
    because: 'the request is not all here, or too large',
    forbids: ({ isBuffered, isLarge }) => !isBuffered || isLarge,
  },
  {
    because: 'proxy_primary_zone_name says where to go',
    forbids: ({ hasProxyPrimaryZones }) => hasProxyPrimaryZones,
  },
  { because: 'the statement names its servers', forbids: ({ hasTargets }) => hasTargets },
  { because: 'a piece of long data is under way', forbids: ({ hasPiece }) => hasPiece },
]

/** Undefined: the statement goes to the named server, once; otherwise why not. */
export function rerouteForbidden(question: RerouteQuestion): string | undefined {
  return REROUTE_RULES.find(rule => rule.forbids(question))?.because
}

export type RerouteNews = {
  readonly consistency: Consistency
  readonly isNamedLeader: boolean
  /** 0: not told. */
  readonly namedSchemaVersion: number
  readonly knownSchemaVersion: number
}

export type RerouteLesson = {
  readonly isTableDirty: boolean
  readonly isLocationDirty: boolean
  /** The replica that was asked is too old for weak reads (§7.8). */
  readonly isStale: boolean
}

export function rerouteLesson(news: RerouteNews): RerouteLesson {
  const { namedSchemaVersion: named, knownSchemaVersion: known } = news
  return {
    isTableDirty: named > 0 && known > 0 && named !== known,
    isLocationDirty: news.consistency === 'strong' && news.isNamedLeader,
    isStale: news.consistency === 'weak',
  }
}
