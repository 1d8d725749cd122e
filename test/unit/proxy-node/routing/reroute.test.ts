import { describe, expect, test } from 'vitest'
import {
  REROUTE_RULES,
  type RerouteQuestion,
  rerouteForbidden,
  rerouteLesson,
} from '../../../../proxy-node/routing/reroute.ts'

const WEAK: RerouteQuestion = {
  consistency: 'weak',
  enableReroute: false,
  enableWeakReroute: true,
  wasRerouted: false,
  state: 'NEED_LOOKUP',
  isFirstStatement: true,
  isBuffered: true,
  isLarge: false,
  hasProxyPrimaryZones: false,
  hasTargets: false,
  hasPiece: false,
}

describe('a statement that is sent on (§8.4)', () => {
  test.each<readonly [string, Partial<RerouteQuestion>]>([
    ['a weak read, by default', {}],
    ['a strong one where enable_reroute is on', { consistency: 'strong', enableReroute: true }],
    [
      'a strong one, whatever weak ones may',
      { consistency: 'strong', enableReroute: true, enableWeakReroute: false },
    ],
  ])('%s', (_name, change) => {
    expect(rerouteForbidden({ ...WEAK, ...change })).toBeUndefined()
  })

  const FORBIDDEN: readonly (readonly [string, Partial<RerouteQuestion>])[] = [
    ['enable_reroute is off', { consistency: 'strong' }],
    ['enable_weak_reroute is off', { enableWeakReroute: false, enableReroute: true }],
    ['it was sent on once already', { wasRerouted: true }],
    ['the session is bound', { state: 'LAST_SERVER' }],
    ['it is not the first statement of its transaction', { isFirstStatement: false }],
    ['the request is not all here, or too large', { isLarge: true }],
    ['proxy_primary_zone_name says where to go', { hasProxyPrimaryZones: true }],
    ['the statement names its servers', { hasTargets: true }],
    ['a piece of long data is under way', { hasPiece: true }],
  ]

  test.each(FORBIDDEN)('not when %s', (because, change) => {
    expect(rerouteForbidden({ ...WEAK, ...change })).toBe(because)
  })

  test('nor when it is not buffered', () => {
    expect(rerouteForbidden({ ...WEAK, isBuffered: false })).toBeDefined()
  })

  test('the conditions are all here', () => {
    expect(FORBIDDEN.map(([because]) => because)).toEqual(
      REROUTE_RULES.map(({ because }) => because),
    )
  })
})

const NEWS = {
  consistency: 'strong',
  isNamedLeader: true,
  namedSchemaVersion: 7,
  knownSchemaVersion: 7,
} as const
const NOTHING = { isTableDirty: false, isLocationDirty: false, isStale: false }

describe('what it says of the location', () => {
  test.each([
    ['strong, to the leader', NEWS, { isLocationDirty: true }],
    ['strong, to another', { ...NEWS, isNamedLeader: false }, {}],
    ['weak', { ...NEWS, consistency: 'weak' }, { isStale: true }],
    [
      'another schema version',
      { ...NEWS, isNamedLeader: false, namedSchemaVersion: 8 },
      { isTableDirty: true },
    ],
    [
      'a schema version that was not told',
      { ...NEWS, isNamedLeader: false, namedSchemaVersion: 0 },
      {},
    ],
  ] as const)('%s', (_name, news, lesson) => {
    expect(rerouteLesson(news)).toEqual({ ...NOTHING, ...lesson })
  })
})
