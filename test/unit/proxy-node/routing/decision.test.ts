import { describe, expect, test } from 'vitest'
import { Decision, LOCATION } from '../../../../proxy-node/routing/decision.ts'
import type { RouteView } from '../../../../proxy-node/routing/view.ts'
import type { Replica, ServerState } from '../../../../proxy-node/topology/model.ts'
import {
  chance,
  LOCATION_A1,
  location,
  picture,
  replica,
  SERVERS,
  server,
  tenant,
  tenantServers,
  UPDATE,
  type ViewParts,
  verdicts,
  viewOf,
  ZONES,
  zone,
} from '../../../support/routing-view.ts'

function address(host: string) {
  return { host, port: 2881 }
}

function keyed(host: string) {
  return { server: address(host), key: `${host}:2881` }
}

function decided(view: RouteView): Decision {
  const decision = new Decision()
  decision.decide(view)
  return decision
}

function decide(parts: ViewParts = {}): Decision {
  return decided(viewOf(parts))
}

/** Hosts until there is none left. */
function all(view: RouteView, decision = decided(view)): readonly string[] {
  const hosts: string[] = []
  for (let more = decision.server !== undefined; more; more = decision.next(view))
    hosts.push(decision.server?.host ?? '?')
  return hosts
}

function changed(host: string, more: Partial<(typeof SERVERS)[number]>) {
  return picture(SERVERS.map(one => (one.address.host === host ? { ...one, ...more } : one)))
}

const WEAK = { readConsistency: 'weak' } as const
const SINGLE = tenant({ singleLeader: keyed('b2') })

describe('the usual statement', () => {
  test.each([
    ['a write', UPDATE],
    ['a strong SELECT', {}],
    ['a strong SELECT FOR UPDATE', { isForUpdate: true }],
  ])('%s goes to the leader, and no list is made', (_name, statement) => {
    let asked = 0
    const random = () => {
      asked += 1
      return 0
    }
    const decision = decide({ statement, location: LOCATION_A1, random })

    expect(decision).toMatchObject({
      kind: 'leader',
      server: address('a1'),
      because: 'a strong statement goes to the leader of its partition',
      refusal: '',
      location: 0,
      policy: undefined,
    })
    expect(asked).toBe(0)
  })

  test('a decision is used again, and nothing is left of the statement before', () => {
    const decision = new Decision()
    decision.decide(viewOf({ session: { transaction: 'open' }, targets: [[address('b1')]] }))
    decision.decide(viewOf({ location: location(replica('gone')) }))
    decision.decide(viewOf({ location: LOCATION_A1 }))

    const fresh = decide({ location: LOCATION_A1 })
    expect(decision).toEqual(fresh)
  })

  test('an error that it fails with leads on: replicas, then servers, then all of them again', () => {
    const view = viewOf({ location: LOCATION_A1, settings: { maxRetries: 99 } })
    const hosts = all(view)

    expect(hosts[0]).toBe('a1')
    expect([...hosts.slice(1, 3)].sort()).toEqual(['b1', 'c1'])
    expect([...hosts.slice(3, 6)].sort()).toEqual(['a2', 'b2', 'c2'])
    expect(hosts[6]).toBe('a1')
    expect(hosts).toHaveLength(12)
  })

  test.each([
    ['max_retries', 5, [replica('a1', { isLeader: true })], 5],
    ['twice the replicas and one', 3, LOCATION_A1.replicas, 7],
    ['twice a group of tenant servers and one', 3, [], 7],
  ] as const)('is tried as often as %s says, and no more', (_name, maxRetries, replicas, tries) => {
    const view = viewOf({
      location: location(...(replicas as readonly Replica[])),
      settings: { maxRetries },
    })
    const decision = decided(view)

    expect(all(view, decision)).toHaveLength(tries)
    expect(decision).toMatchObject({ kind: 'none', refusal: 'tries-exhausted', server: undefined })
    expect(decision.next(view)).toBe(false)
  })
})

describe('a leader that something speaks against (§9.6, §4.8)', () => {
  const { target, all: everything } = LOCATION

  test.each([
    ['dead', target],
    ['alive', 0],
    ['detected', target],
  ] as const)('%s: a follower, and the location bits are %i', (flag, bits) => {
    const decision = decide({ location: LOCATION_A1, verdicts: verdicts({ a1: flag }) })

    expect(decision.kind).toBe('replica')
    expect(decision.server?.host).toMatch(/^[bc]1$/)
    expect(decision.location).toBe(bits)
  })

  test.each<ServerState>(['INACTIVE', 'UPGRADE', 'DELETING'])(
    'reported %s: a follower, and the location is old',
    state => {
      const decision = decide({ location: LOCATION_A1, picture: changed('a1', { state }) })

      expect(decision).toMatchObject({ kind: 'replica', location: target })
    },
  )

  test('in a zone that is stopped: a follower, and the location is old', () => {
    const stopped = changed('a1', { zone: { ...ZONES.z1, state: 'UPGRADE' } })
    const decision = decide({ location: LOCATION_A1, picture: stopped })

    expect(decision).toMatchObject({ kind: 'replica', location: target })
  })

  test('in a compacting zone it is the leader nevertheless', () => {
    const merging = changed('a1', { zone: { ...ZONES.z1, state: 'MERGE' } })

    expect(decide({ location: LOCATION_A1, picture: merging }).kind).toBe('leader')
  })

  test('in no list: a follower, and everything is old', () => {
    const decision = decide({
      location: location(replica('gone', { isLeader: true }), replica('b1')),
    })

    expect(decision).toMatchObject({ kind: 'replica', server: address('b1') })
    expect(decision.location & everything).toBe(everything)
  })

  test('only traffic speaks against it, and the interval is over: one statement sees whether it is well', () => {
    const judge = verdicts({ a1: 'alive' })
    judge.isDue = true

    expect(decide({ location: LOCATION_A1, verdicts: judge }).kind).toBe('leader')
    expect(judge.trials).toEqual(['a1:2881'])
  })

  test('an explanation does not use that up', () => {
    const judge = verdicts({ a1: 'alive' })
    judge.isDue = true
    const trace = { chose: () => {}, considered: () => {} }

    expect(decide({ location: LOCATION_A1, verdicts: judge, trace }).kind).toBe('replica')
    expect(judge.trials).toEqual([])
  })

  test('everything is avoided: the leader first of all', () => {
    const everywhere = verdicts(
      Object.fromEntries(SERVERS.map(one => [one.address.host, 'alive' as const])),
    )
    const decision = decide({ location: LOCATION_A1, verdicts: everywhere })

    expect(decision).toMatchObject({
      kind: 'leader',
      server: address('a1'),
      because: 'nothing else is left: what is avoided is tried after all',
    })
  })
})

describe('when the blacklist is not asked (§9.6)', () => {
  const bad = verdicts({ a1: 'dead', b1: 'dead' })

  test.each<readonly [string, ViewParts]>([
    ['enable_congestion is off', { settings: { enableCongestion: false } }],
    ['the server list is not loaded', { picture: picture([], { isLoaded: false }) }],
  ])('%s', (_name, parts) => {
    const decision = decide({ location: LOCATION_A1, verdicts: bad, ...parts })

    expect(decision).toMatchObject({ kind: 'leader', server: address('a1') })
  })

  test.each(['mysql', 'mock'] as const)('server_routing_mode is %s', mode => {
    const settings = { mode, testServers: [address('a1'), address('c1')] }
    const firsts = [1, 2, 3, 4, 5, 6, 7, 8].map(
      seed => decide({ settings, verdicts: bad, random: chance(seed * 7_919) }).server?.host,
    )

    expect([...new Set(firsts)].sort()).toEqual(['a1', 'c1'])
  })

  test('but for targets in a mock', () => {
    const settings = { mode: 'mock' } as const
    const targets = [[address('a1')], [address('c1')]]

    expect(decide({ settings, targets, verdicts: bad }).server).toEqual(address('c1'))
  })

  test('a loopback address that is in no list', () => {
    const local = location(replica('127.0.0.1', { isLeader: true }))

    expect(decide({ location: local })).toMatchObject({ kind: 'leader', location: 0 })
  })

  test('but one that is in the list is judged like any other', () => {
    const host = '127.10.2.1'
    const decision = decide({
      picture: picture([server(host, ZONES.z1), server('b1', ZONES.z2)]),
      location: location(replica(host, { isLeader: true }), replica('b1')),
      verdicts: verdicts({ [host]: 'dead' }),
    })

    expect(decision.server).toEqual(address('b1'))
  })

  test.each<readonly [string, ViewParts]>([
    ['last-server', { session: { transaction: 'open', lastServer: keyed('a1') } }],
    [
      'coordinator',
      {
        session: { transaction: 'open', isRoutedInternally: true, coordinator: address('a1') },
        statement: { hasTable: false },
      },
    ],
  ])('%s: where the session is bound', (kind, parts) => {
    expect(decide({ ...parts, verdicts: bad })).toMatchObject({ kind, server: address('a1') })
  })
})

describe('nothing is usable', () => {
  test('no server at all: the location has to be asked for anew', () => {
    const decision = decide({ location: location(replica('gone')), servers: tenantServers([]) })

    expect(decision).toMatchObject({ kind: 'none', refusal: 'no-server' })
    expect(decision.location & LOCATION.renew).toBe(LOCATION.renew)
  })

  test('some replica is in no list: the location is old', () => {
    const decision = decide({ location: location(replica('gone'), replica('b1')), session: WEAK })

    expect(decision).toMatchObject({ server: address('b1'), location: LOCATION.target })
  })
})

describe('bound sessions (§8.1)', () => {
  test.each<readonly [string, ViewParts]>([
    ['the last server', { session: { transaction: 'open' } }],
    [
      'the coordinator',
      {
        session: { transaction: 'open', isRoutedInternally: true },
        statement: { hasTable: false },
      },
    ],
  ])('%s is gone: nowhere else will do', (_name, parts) => {
    const view = viewOf(parts)
    const decision = decided(view)

    expect(decision.next(view)).toBe(false)
    expect(decision).toMatchObject({ kind: 'none', refusal: 'bound-server-lost' })
  })

  test('the lock server', () => {
    const decision = decide({
      statement: { usesTableLock: true },
      session: { lockServer: address('c2') },
    })

    expect(decision).toMatchObject({ kind: 'lock-server', server: address('c2') })
  })

  test('a bound statement is never sent elsewhere', () => {
    const view = viewOf({ session: { transaction: 'open', lastServer: keyed('a1') } })

    expect(all(view)).toEqual(['a1'])
  })

  test.each([
    ['b1', 'target-not-allowed'],
    ['a1', ''],
  ])('in a transaction on a1, target server %s: %j', (host, refusal) => {
    const decision = decide({
      session: { transaction: 'open', lastServer: keyed('a1') },
      targets: [[address(host)]],
    })

    expect(decision.refusal).toBe(refusal)
  })

  test('a participant that cannot be reached: another replica, finally the coordinator', () => {
    const view = viewOf({
      location: location(replica('b1', { isLeader: true })),
      servers: tenantServers([]),
      session: { transaction: 'open', isRoutedInternally: true, coordinator: address('a1') },
      settings: { maxRetries: 9 },
    })

    expect(all(view)).toEqual(['b1', 'b1', 'a1'])
  })
})

describe('forced addresses (§7.2)', () => {
  test('@obproxy_route_addr, and no retry', () => {
    const view = viewOf({ session: { boundTo: address('c2') }, location: LOCATION_A1 })

    expect(decided(view).kind).toBe('bound')
    expect(all(view)).toEqual(['c2'])
  })

  test('the holder of a cursor, and no retry', () => {
    const view = viewOf({ statement: { command: 'fetch' }, session: { heldBy: address('c2') } })

    expect(decided(view).kind).toBe('holder')
    expect(all(view)).toEqual(['c2'])
  })

  test('a cursor that nobody holds', () => {
    expect(decide({ statement: { command: 'fetch' } }).refusal).toBe('holder-lost')
  })

  test('a piece whose holder is no target', () => {
    const decision = decide({ session: { heldBy: address('a1') }, targets: [[address('b1')]] })

    expect(decision.refusal).toBe('target-not-allowed')
  })

  test('target servers: groups in order, equals in any, each once, then an error', () => {
    const view = viewOf({
      targets: [[address('a1'), address('b1'), address('c1')], [address('c2')]],
      location: LOCATION_A1,
      random: chance(5),
    })
    const decision = decided(view)

    expect(decision).toMatchObject({ kind: 'target-servers', policy: 'TARGET_DB_SERVER_ONLY' })
    const hosts = all(view, decision)
    expect([...hosts.slice(0, 3)].sort()).toEqual(['a1', 'b1', 'c1'])
    expect(hosts.slice(3)).toEqual(['c2'])
    expect(decision.refusal).toBe('target-not-allowed')
  })

  test('all target servers may be tried, however many they are', () => {
    const targets = [Array.from({ length: 20 }, (_none, at) => address(`t${at}`))]

    expect(all(viewOf({ targets }))).toHaveLength(20)
  })

  test('a target that is avoided comes after the others', () => {
    const view = viewOf({
      targets: [[address('a1')], [address('b1')]],
      verdicts: verdicts({ a1: 'alive' }),
    })

    expect(all(view)).toEqual(['b1', 'a1'])
  })

  test('a target that has only logs', () => {
    const servers = { replicas: [replica('a1', { type: 'LOGONLY' })], groupSize: 1 }

    expect(decide({ targets: [[address('a1')]], servers }).refusal).toBe('target-not-allowed')
  })

  test('test servers in mysql mode, and no retry', () => {
    const settings = { mode: 'mysql', testServers: [address('x'), address('y')] } as const

    expect(all(viewOf({ settings }))).toHaveLength(1)
  })

  test('a single leader needs no location; when it fails, the others', () => {
    const view = viewOf({ tenant: SINGLE })
    const decision = decided(view)

    expect(decision).toMatchObject({ kind: 'single-leader', server: address('b2') })
    expect(decision.next(view)).toBe(true)
    expect(decision.kind).toBe('blind')
  })

  test('a single leader that is avoided is none', () => {
    const decision = decide({ tenant: SINGLE, verdicts: verdicts({ b2: 'alive' }) })

    expect(decision.kind).toBe('blind')
  })
})

describe('without a partition to go by', () => {
  test('any server of the tenant', () => {
    expect(decide().kind).toBe('blind')
  })

  test('a server of the primary zone', () => {
    const decision = decide({ tenant: tenant({ primaryZones: [['z3']] }) })

    expect(decision.kind).toBe('primary-zone')
    expect(decision.server?.host).toMatch(/^c/)
  })

  test('random mode knows of no partition', () => {
    const decision = decide({ location: LOCATION_A1, settings: { mode: 'random' } })

    expect(decision.kind).toBe('blind')
  })

  test('LAST_INSERT_ID() goes where it was made', () => {
    const decision = decide({
      statement: { usesLastInsertId: true, hasTable: false },
      session: { lastInsertIdServer: address('c2'), lastServer: keyed('a1') },
    })

    expect(decision).toMatchObject({ kind: 'last-insert-id', server: address('c2') })
  })
})

describe('the cached server (§7.6)', () => {
  const session = { lastServer: keyed('b1') }
  const READ_ONLY = zone('z9', { type: 'ReadOnly', idc: 'z9-idc' })
  const mixed = picture([...SERVERS, server('r', READ_ONLY)])
  const servers = tenantServers(['a1', 'b1', 'r'])

  test.each<readonly [string, boolean, ViewParts]>([
    ['near', true, { session, idc: 'z1-idc' }],
    ['of the same IDC', true, { session, idc: 'z2-idc' }],
    ['where nearness is not used', true, { session }],
    ['in another region', false, { session, idc: 'z3-idc' }],
    [
      'compacting',
      false,
      { session, picture: changed('b1', { zone: { ...ZONES.z2, state: 'MERGE' } }) },
    ],
    ['stopped', false, { session, picture: changed('b1', { state: 'UPGRADE' }) }],
    ['DELETING', false, { session, picture: changed('b1', { state: 'DELETING' }) }],
    ['on the blacklist', false, { session, verdicts: verdicts({ b1: 'alive' }) }],
    ['switched off', false, { session, settings: { enableCachedServer: false } }],
    ['in random mode', false, { session, settings: { mode: 'random' } }],
    ['for a login', false, { session, statement: { command: 'login' } }],
    ["for the node's own session", false, { session: { ...session, isInternal: true } }],
    ['where the partition is known', false, { session, location: LOCATION_A1 }],
    [
      'of a read-write zone, for a weak read where there are read-only zones',
      false,
      { session: { ...session, ...WEAK }, picture: mixed, servers },
    ],
    [
      'of a read-only zone, for that',
      true,
      { session: { ...WEAK, lastServer: keyed('r') }, picture: mixed, servers },
    ],
    [
      'of a read-only zone, for a write',
      false,
      { session: { lastServer: keyed('r') }, statement: UPDATE, picture: mixed, servers },
    ],
    [
      'of a read-only zone, for SHOW of a session that has said nothing',
      true,
      {
        session: { lastServer: keyed('r') },
        statement: { isSelect: false, isDml: false, isSessional: true, hasTable: false },
        picture: mixed,
        servers,
      },
    ],
  ])('%s: %s', (_name, isTaken, parts) => {
    expect(decide(parts).kind === 'cached-server').toBe(isTaken)
  })
})

describe('other policies', () => {
  test('a weak read prefers what its policy says', () => {
    const settings = { proxyRoutePolicy: 'FOLLOWER_ONLY' } as const
    const decision = decide({ location: LOCATION_A1, session: WEAK, settings })

    expect(decision).toMatchObject({
      kind: 'replica',
      policy: 'FOLLOWER_ONLY',
      because: 'the parameter proxy_route_policy',
      consistency: 'weak',
      consistencyBecause: 'ob_read_consistency is WEAK',
    })
  })

  test('FOLLOWER_ONLY without a follower goes to another server of the tenant, never the leader', () => {
    const settings = { proxyRoutePolicy: 'FOLLOWER_ONLY', maxRetries: 99 } as const
    const view = viewOf({
      location: location(replica('a1', { isLeader: true })),
      session: WEAK,
      settings,
    })

    expect(decided(view).kind).toBe('blind')
    expect(all(view)).not.toContain('a1')
  })

  test('duplicate replicas are as good as the leader, also when they are near and it is not', () => {
    const decision = decide({
      idc: 'z3-idc',
      location: location(replica('a1', { isLeader: true }), replica('c1', { isDuplicate: true })),
    })

    expect(decision).toMatchObject({ server: address('c1'), policy: 'DUP_REPLICA_FIRST' })
  })

  test('proxy_primary_zone_name is stronger than the leader', () => {
    const settings = { proxyPrimaryZones: [['z2']] }
    const decision = decide({ location: LOCATION_A1, settings, statement: UPDATE })

    expect(decision).toMatchObject({ server: address('b1'), kind: 'replica' })
  })
})

describe('a leader that is avoided shows when followers are read, too', () => {
  test.each([
    ['alive', true],
    [undefined, false],
  ] as const)('%s: %s', (flag, expected) => {
    const judge = flag === undefined ? verdicts() : verdicts({ a1: flag })
    const view = viewOf({ location: LOCATION_A1, session: WEAK, verdicts: judge })

    expect(decided(view).isLeaderAvoided(view)).toBe(expected)
  })

  test('without a location there is none', () => {
    expect(decide().isLeaderAvoided(viewOf())).toBe(false)
  })
})

describe('an explanation', () => {
  test('of the usual statement names its leader', () => {
    const lines: string[] = []
    const considered = (...words: readonly string[]) => lines.push(words.join(' '))
    decide({ location: LOCATION_A1, trace: { chose: () => {}, considered } })

    expect(lines).toEqual(['a1:2881 ANWPL '])
  })

  test('names the rules that were chosen, and every server with what speaks against it', () => {
    const lines: string[] = []
    const view = viewOf({
      location: LOCATION_A1,
      servers: tenantServers([]),
      verdicts: verdicts({ a1: 'detected' }),
      trace: {
        chose: (rule, because) => lines.push(`${rule}: ${because}`),
        considered: (host, letters, against) => lines.push(`${host} ${letters} ${against}`),
      },
    })
    decided(view)

    expect(lines.slice(0, 3)).toEqual([
      'strong: nothing asks for less',
      'a1:2881 ANWPL probes fail',
      'PRIMARY_ZONE_FIRST: a strong read, and enable_primary_zone',
    ])
    expect(lines[3]).toMatch(/^[bc]1:2881 ANWPF $/)
  })
})
