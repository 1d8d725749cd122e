import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Candidates } from '../../../../proxy-node/routing/candidates.ts'
import type { Consistency } from '../../../../proxy-node/routing/consistency.ts'
import {
  CLASS_ORDERS,
  CLASS_POLICIES,
  type ClassPolicy,
  classOf,
  orderOf,
  type Policy,
} from '../../../../proxy-node/routing/orders.ts'
import { rosterOf } from '../../../../proxy-node/routing/roster.ts'
import { StaleReplicas } from '../../../../proxy-node/routing/stale-replicas.ts'
import type { RouteView } from '../../../../proxy-node/routing/view.ts'
import type {
  CONGESTED,
  PartitionLocation,
  Replica,
  Server,
  ServerState,
  ZoneState,
  ZoneType,
} from '../../../../proxy-node/topology/model.ts'
import {
  chance,
  location,
  picture,
  replica,
  SERVERS,
  server,
  tenant,
  tenantServers,
  verdicts,
  viewOf,
  zone,
} from '../../../support/routing-view.ts'

type Plan = {
  readonly policy?: Policy
  readonly consistency?: Consistency
  readonly isLeaderFirst?: boolean
  readonly hasOfferedLeader?: boolean
}

function candidatesOf(view: RouteView, plan: Plan = {}): Candidates {
  const { policy = 'MERGE_IDC_ORDER', consistency = 'weak', ...others } = plan
  return new Candidates(view, {
    policy,
    consistency,
    isLeaderFirst: false,
    hasOfferedLeader: false,
    ...others,
  })
}

/** Hosts, those of the first round before the bar. */
function offered(view: RouteView, plan: Plan = {}, round = 1): readonly string[] {
  const candidates = candidatesOf(view, plan)
  const hosts: string[] = []
  for (let count = 0; count < 1_000; count++) {
    const candidate = candidates.next(view)
    if (candidate === undefined) return hosts
    if (candidates.round === round) hosts.push(candidate.address.host)
  }
  throw new Error('the list does not end')
}

/** One of each class; leaders and followers are as many. */
const CLASSES = [
  ['A', 'B', 'C'],
  ['N', 'M'],
  ['R', 'W'],
  ['PL', 'PF', 'PFD', 'T'],
].reduce((words, letters) => words.flatMap(word => letters.map(letter => `${word}${letter}`)), [''])

/** Named by its letters. */
function serverOf(letters: string): Server {
  const region = letters.startsWith('C') ? 'far' : 'near'
  const idc = letters.startsWith('A') ? 'home' : 'other'
  const state = letters.includes('M') ? 'MERGE' : 'ACTIVE'
  const type = letters.includes('R') ? 'ReadOnly' : 'ReadWrite'
  return server(letters, zone(letters, { idc, region, state, type }))
}

function universe() {
  const replicas = CLASSES.filter(letters => letters.includes('P')).map(letters =>
    replica(letters, { isLeader: letters.includes('L'), isDuplicate: letters.includes('D') }),
  )
  return viewOf({
    picture: picture(CLASSES.map(serverOf)),
    idc: 'home',
    location: location(...replicas),
    servers: tenantServers(CLASSES),
    random: chance(7),
  })
}

/** Position in the order; leaders count as duplicates. */
function positionIn(order: readonly number[], host: string): number {
  const letters = classOf(host.includes('L') ? `${host}D` : host)
  return order.findIndex(one => (letters & one) === one)
}

describe('orders (§7.5), one server of each class', () => {
  test.each(CLASS_POLICIES)('%s offers its classes in order, and no others', policy => {
    const view = universe()
    const order = orderOf(policy, false)

    const hosts = offered(view, { policy })

    const all = [...view.picture.servers.values()].map(({ address }) => address.host)
    const positions = hosts.map(host => positionIn(order, host))
    expect(positions).toEqual([...positions].sort((a, b) => a - b))
    expect([...hosts].sort()).toEqual(all.filter(host => positionIn(order, host) >= 0).sort())
  })

  test.each(CLASS_POLICIES)('%s is optimized when no near replica is usable', policy => {
    const made = universe()
    const stopped = [...made.picture.servers.values()].map(one =>
      one.address.host.includes('P') && !one.address.host.startsWith('C')
        ? { ...one, state: 'UPGRADE' as const }
        : one,
    )
    const view = { ...made, picture: picture(stopped) }
    const order = orderOf(policy, true)

    const positions = offered(view, { policy }).map(host => positionIn(order, host))

    expect(positions.length).toBeGreaterThan(0)
    expect(positions).toEqual([...positions].sort((a, b) => a - b))
  })

  test('within a class each server is first as often as the others', () => {
    const first = new Map<string, number>()
    const random = chance(3)
    for (let time = 0; time < 3_000; time++) {
      const view = viewOf({
        location: location(replica('a1'), replica('b1'), replica('c1')),
        random,
      })
      const host = offered(view)[0] ?? ''
      first.set(host, (first.get(host) ?? 0) + 1)
    }

    for (const host of ['a1', 'b1', 'c1']) expect(first.get(host)).toBeGreaterThan(900)
  })
})

describe('optimized orders', () => {
  const FAR = location(replica('c1'))
  const NEAR_STOPPED = picture(
    SERVERS.map(one => (one.key === 'a1:2881' ? { ...one, state: 'UPGRADE' as const } : one)),
  )
  const idc = 'z1-idc'

  test('a weak read without a near replica: the far one before near servers', () => {
    expect(offered(viewOf({ location: FAR, idc }))[0]).toBe('c1')
  })

  test('a near replica that is well keeps the order', () => {
    const hosts = offered(viewOf({ location: location(replica('a1'), replica('c1')), idc }))

    expect(hosts[0]).toBe('a1')
    expect(hosts.indexOf('c1')).toBeGreaterThan(hosts.indexOf('a2'))
  })

  test('a near replica that is stopped does not', () => {
    const view = viewOf({
      location: location(replica('a1'), replica('c1')),
      idc,
      picture: NEAR_STOPPED,
    })

    expect(offered(view)[0]).toBe('c1')
  })

  test('a strong read whose leader is well keeps the order', () => {
    const view = viewOf({
      location: location(replica('a1', { isLeader: true }), replica('c1')),
      idc,
    })
    const hosts = offered(view, { consistency: 'strong', isLeaderFirst: true })

    expect(hosts[0]).toBe('a1')
    expect(hosts.indexOf('c1')).toBeGreaterThan(hosts.indexOf('b2'))
  })

  test('a strong read whose leader is stopped does not', () => {
    const view = viewOf({
      location: location(replica('a1', { isLeader: true }), replica('c1')),
      idc,
      picture: NEAR_STOPPED,
    })

    expect(offered(view, { consistency: 'strong', isLeaderFirst: true })[0]).toBe('c1')
  })

  test('a strong read without a leader does not', () => {
    expect(
      offered(viewOf({ location: FAR, idc }), { consistency: 'strong', isLeaderFirst: true })[0],
    ).toBe('c1')
  })
})

describe('construction of the list (§7.3)', () => {
  const LEADER = location(replica('a1', { isLeader: true }), replica('b1'), replica('c1'))
  const STRONG = { consistency: 'strong', isLeaderFirst: true } as const

  test('strong: the leader, the other replicas, the tenant servers', () => {
    const hosts = offered(viewOf({ location: LEADER }), STRONG)

    expect(hosts[0]).toBe('a1')
    expect([...hosts.slice(1, 3)].sort()).toEqual(['b1', 'c1'])
    expect([...hosts.slice(3)].sort()).toEqual(['a2', 'b2', 'c2'])
  })

  test('strong: the leader that was offered before comes again in the second round only', () => {
    const plan = { ...STRONG, hasOfferedLeader: true }

    expect(offered(viewOf({ location: LEADER }), plan)).not.toContain('a1')
    expect(offered(viewOf({ location: LEADER }), plan, 2)[0]).toBe('a1')
  })

  test.each(['LOGONLY', 'OTHER'] as const)('no %s replica, strong or weak', type => {
    const view = viewOf({ location: location(replica('a1'), replica('b1', { type })) })

    expect(offered(view)).not.toContain('b1')
    expect(offered(view, STRONG)).not.toContain('b1')
  })

  test('READONLY replicas are read', () => {
    expect(offered(viewOf({ location: location(replica('b1', { type: 'READONLY' })) }))[0]).toBe(
      'b1',
    )
  })

  test('a replica on a server that is in no list is skipped, and the location is old', () => {
    const view = viewOf({ location: location(replica('a1'), replica('gone')) })

    expect(offered(view)).not.toContain('gone')
    expect(candidatesOf(view).missing).toBe(1)
  })

  test.each([
    ['where nearness is used', 'z1-idc', 0],
    ['where it is not', '', 1],
  ])(
    'a read-only replica of an unknown server makes the location old, %s: %i',
    (_name, idc, missing) => {
      const unknown = location(replica('a1'), replica('gone', { type: 'READONLY' }))

      expect(candidatesOf(viewOf({ location: unknown, idc })).missing).toBe(missing)
    },
  )

  test('without nearness the tenant servers begin at a group that chance picks', () => {
    const firsts = new Set<string>()
    for (let seed = 1; seed < 50; seed++) {
      const hosts = offered(viewOf({ random: chance(seed * 7_919) }))
      const group = hosts.slice(0, 3).map(host => host.charAt(0))
      expect([...group].sort()).toEqual(['a', 'b', 'c'])
      firsts.add(hosts[0] ?? '')
    }

    expect(firsts.size).toBe(6)
  })

  test('the tenant servers of a known partition come after it, and each once', () => {
    const hosts = offered(viewOf({ location: LEADER }))

    expect(new Set(hosts).size).toBe(6)
  })

  test('by the age of snapshots, where it is known, inside A, B and C', () => {
    const ages: Record<string, number> = { 'a1:2881': 3, 'b1:2881': 1, 'c1:2881': 0, 'a2:2881': 2 }
    const view = viewOf({
      location: location(replica('a1'), replica('a2'), replica('b1'), replica('c1')),
      idc: 'z1-idc',
      snapshots: { priorityOf: key => ages[key] ?? 9 },
    })

    expect(offered(view).slice(0, 3)).toEqual(['a2', 'a1', 'b1'])
  })

  test('a leader that no list names is kept for the second round', () => {
    const view = viewOf({ location: location(replica('gone', { isLeader: true }), replica('b1')) })

    expect(offered(view, STRONG)).not.toContain('gone')
    expect(offered(view, STRONG, 2)[0]).toBe('gone')
  })
})

describe('primary zones', () => {
  const STRONG = { consistency: 'strong', isLeaderFirst: true } as const
  const PRIMARY = tenant({ primaryZones: [['z2'], ['z1', 'z3']] })

  test('come first, by priority, where the partition is not known', () => {
    const hosts = offered(viewOf({ tenant: PRIMARY }), STRONG)

    expect([...hosts.slice(0, 2)].sort()).toEqual(['b1', 'b2'])
    expect([...hosts.slice(2)].sort()).toEqual(['a1', 'a2', 'c1', 'c2'])
    expect(candidatesOf(viewOf({ tenant: PRIMARY }), STRONG).next(viewOf())).toMatchObject({
      isOfPrimaryZone: true,
    })
  })

  test.each([
    ['without enable_primary_zone', { enablePrimaryZone: false }],
    ['in random mode', { mode: 'random' }],
  ] as const)('are nothing special %s', (_name, settings) => {
    const view = viewOf({ tenant: PRIMARY, settings })

    expect(candidatesOf(view, STRONG).next(view)?.isOfPrimaryZone).toBe(false)
  })

  test('are nothing special to a weak read', () => {
    const view = viewOf({ tenant: PRIMARY })

    expect(candidatesOf(view).next(view)?.isOfPrimaryZone).toBe(false)
  })

  test('are nothing special where the partition is known', () => {
    const view = viewOf({ tenant: PRIMARY, location: location(replica('c1')) })

    expect(offered(view, STRONG)[0]).toBe('c1')
  })
})

describe('proxy_primary_zone_name', () => {
  const settings = { proxyPrimaryZones: [['z3'], ['z1']] }
  const policy = 'PROXY_PRIMARY_ZONE_NAME_ONLY'

  test('leaves only servers of those zones, groups in order', () => {
    const hosts = offered(viewOf({ settings }), { policy })

    expect([...hosts.slice(0, 2)].sort()).toEqual(['c1', 'c2'])
    expect([...hosts.slice(2)].sort()).toEqual(['a1', 'a2'])
  })

  test('puts the replicas of a group before its other servers, the leader among them', () => {
    const view = viewOf({ settings, location: location(replica('a2', { isLeader: true })) })
    const hosts = offered(view, { policy, consistency: 'strong' })

    expect(hosts.slice(2)).toEqual(['a2', 'a1'])
  })

  test('says nothing before there is a server list', () => {
    const view = viewOf({ settings, picture: picture([], { isLoaded: false }) })

    expect(offered(view, { policy })).toHaveLength(6)
  })
})

describe('compaction', () => {
  const MERGING = picture(
    SERVERS.map(one =>
      one.zone.name === 'z1' ? { ...one, zone: { ...one.zone, state: 'MERGE' as const } } : one,
    ),
  )
  const BOTH = location(replica('a1'), replica('b1'))

  test('a weak read avoids a compacting zone of its own IDC', () => {
    expect(offered(viewOf({ picture: MERGING, location: BOTH, idc: 'z1-idc' }))[0]).toBe('b1')
  })

  test.each([
    ['before the first DML, where there are read-only zones, it is ignored', false, false, 'a1'],
    ['the first DML itself minds it', false, true, 'b1'],
    ['after it, too', true, false, 'b1'],
  ])('%s', (_name, hasRunDml, isDml, first) => {
    const withReadOnly = picture([
      ...MERGING.servers.values(),
      server('r', zone('z9', { type: 'ReadOnly', region: 'mars' })),
    ])
    const view = viewOf({
      picture: withReadOnly,
      location: BOTH,
      idc: 'z1-idc',
      session: { hasRunDml },
      statement: { isDml },
    })

    expect(offered(view)[0]).toBe(first)
  })
})

describe('stale replicas (§7.8)', () => {
  const LED = location(replica('a1', { isLeader: true }), replica('b1'), replica('c1'))
  const settings = { avoidsStaleReplicas: true }

  function stale(...hosts: readonly string[]): StaleReplicas {
    const made = new StaleReplicas()
    for (const host of hosts) made.told('t/p', `${host}:2881`, 999_000)
    return made
  }

  test('are skipped', () => {
    const view = viewOf({
      location: LED,
      settings,
      stale: stale('b1', 'c1'),
      servers: tenantServers([]),
    })

    expect(offered(view, { policy: 'FOLLOWER_FIRST' })).toEqual(['a1'])
  })

  test('are skipped for 5 s only', () => {
    const view = viewOf({
      location: LED,
      settings,
      stale: stale('b1', 'c1'),
      servers: tenantServers([]),
      nowMs: 1_004_000,
    })

    expect(offered(view, { policy: 'FOLLOWER_FIRST' })).toHaveLength(3)
  })

  test('are not asked about when the feature is off, or for a strong read', () => {
    const parts = { location: LED, stale: stale('b1', 'c1'), servers: tenantServers([]) }

    expect(offered(viewOf(parts))).toHaveLength(3)
    expect(
      offered(viewOf({ ...parts, settings }), { consistency: 'strong', isLeaderFirst: true }),
    ).toHaveLength(3)
  })

  test('when all are stale or stopped, the leader', () => {
    const view = viewOf({
      location: LED,
      settings,
      stale: stale('b1'),
      servers: tenantServers([]),
      picture: picture(
        SERVERS.map(one => (one.key === 'c1:2881' ? { ...one, state: 'UPGRADE' as const } : one)),
      ),
    })

    expect(offered(view, { policy: 'FOLLOWER_ONLY' })).toEqual(['a1'])
  })
})

describe('rounds (§9.6)', () => {
  test('everything that is avoided comes in the second round', () => {
    const view = viewOf({
      location: location(replica('a1'), replica('b1')),
      servers: tenantServers([]),
      verdicts: verdicts({ a1: 'alive', b1: 'detected' }),
    })

    expect(offered(view)).toEqual([])
    expect([...offered(view, {}, 2)].sort()).toEqual(['a1', 'b1'])
  })

  test('with one statement let through, the server is no second choice', () => {
    const trial = { ...verdicts({ a1: 'alive' }), letsOneThrough: () => true }
    const view = viewOf({ location: location(replica('a1')), verdicts: trial })

    expect(offered(view)[0]).toBe('a1')
  })

  test('an explanation lets nothing through, and hears of every server', () => {
    const heard: string[] = []
    const judge = verdicts({ a1: 'alive' })
    judge.isDue = true
    const view = viewOf({
      location: location(replica('a1'), replica('b1')),
      servers: tenantServers([]),
      verdicts: judge,
      trace: {
        chose: () => {},
        considered: (...words) => heard.push(words.join(' ')),
      },
    })

    expect(offered(view)).toEqual(['b1'])
    expect(judge.trials).toEqual([])
    expect([...heard.slice(0, 2)].sort()).toEqual([
      'a1:2881 ANWPF too many failures',
      'b1:2881 ANWPF ',
    ])
  })
})

const anyServer = fc.record({
  region: fc.constantFrom('near', 'far'),
  idc: fc.constantFrom('home', 'other'),
  type: fc.constantFrom<ZoneType>('ReadWrite', 'ReadOnly', 'Encryption'),
  zoneState: fc.constantFrom<ZoneState>('ACTIVE', 'MERGE', 'UPGRADE'),
  state: fc.constantFrom<ServerState>('ACTIVE', 'INACTIVE', 'REPLAY', 'DELETING', 'UPGRADE'),
  isListed: fc.boolean(),
  isOfTenant: fc.boolean(),
  hasReplica: fc.boolean(),
  replicaType: fc.constantFrom<Replica['type']>('FULL', 'READONLY', 'LOGONLY', 'OTHER'),
  isDuplicate: fc.boolean(),
  congestion: fc.constantFrom<keyof typeof CONGESTED | undefined>(
    undefined,
    'dead',
    'alive',
    'detected',
  ),
  isStale: fc.boolean(),
})

const anyCase = fc.record({
  servers: fc.array(anyServer, { maxLength: 9 }),
  leader: fc.nat(8),
  policy: fc.constantFrom<Policy>(
    ...CLASS_POLICIES,
    'PRIMARY_ZONE_FIRST',
    'PROXY_PRIMARY_ZONE_NAME_ONLY',
  ),
  consistency: fc.constantFrom<Consistency>('strong', 'weak'),
  isLeaderFirst: fc.boolean(),
  hasOfferedLeader: fc.boolean(),
  idc: fc.constantFrom('', 'home'),
  avoidsStaleReplicas: fc.boolean(),
  seed: fc.nat(),
})
type AnyCase = typeof anyCase extends fc.Arbitrary<infer Case> ? Case : never

function made(one: AnyCase) {
  const stale = new StaleReplicas()
  const against: Record<string, keyof typeof CONGESTED> = {}
  const replicas: Replica[] = []
  const hosts: string[] = []
  const listed: Server[] = []
  one.servers.forEach((given, index) => {
    const host = `s${index}`
    const { region, idc, type, zoneState: state } = given
    if (given.isListed)
      listed.push(server(host, zone(`z${index}`, { region, idc, type, state }), given.state))
    if (given.isOfTenant) hosts.push(host)
    if (given.congestion !== undefined) against[host] = given.congestion
    if (given.isStale) stale.told('t/p', `${host}:2881`, 999_999)
    if (!given.hasReplica) return
    const { replicaType, isDuplicate } = given
    const isLeader = index === one.leader && replicaType === 'FULL'
    replicas.push(replica(host, { type: replicaType, isDuplicate, isLeader }))
  })
  const known: PartitionLocation = location(...replicas)
  const view = viewOf({
    picture: picture(listed),
    idc: one.idc,
    location: known,
    servers: tenantServers(hosts),
    verdicts: verdicts(against),
    stale,
    settings: { avoidsStaleReplicas: one.avoidsStaleReplicas },
    random: chance(one.seed),
  })
  return { view, known, against }
}

function planOf({ policy, consistency, ...one }: AnyCase): Plan {
  const isLeaderFirst = one.isLeaderFirst && consistency === 'strong'
  return {
    policy,
    consistency,
    isLeaderFirst,
    hasOfferedLeader: isLeaderFirst && one.hasOfferedLeader,
  }
}

describe('whatever is known', () => {
  test('the list ends, and offers each server at most once a round', () => {
    fc.assert(
      fc.property(anyCase, one => {
        const { view } = made(one)

        for (const round of [1, 2]) {
          const hosts = offered(view, planOf(one), round)
          expect(new Set(hosts).size).toBe(hosts.length)
          expect(hosts.length).toBeLessThanOrEqual(one.servers.length)
        }
      }),
    )
  })

  test('nobody is sent to a replica that holds only logs', () => {
    fc.assert(
      fc.property(anyCase, one => {
        const { view, known } = made(one)
        const hosts = [1, 2].flatMap(round => offered(view, planOf(one), round))

        const unreadable = known.replicas.filter(
          ({ type }) => type !== 'FULL' && type !== 'READONLY',
        )

        expect(unreadable.filter(({ server: { host } }) => hosts.includes(host))).toEqual([])
      }),
    )
  })

  test('the first round offers nobody that something speaks against, but for the leader when all are stale', () => {
    fc.assert(
      fc.property(anyCase, one => {
        const { view, known, against } = made(one)
        const hosts = offered(view, planOf(one)).filter(host => host !== known.leader?.server.host)

        for (const host of hosts) {
          expect(against[host]).toBeUndefined()
          const given = view.picture.servers.get(`${host}:2881`)
          expect(given?.zone.state).not.toBe('UPGRADE')
          expect(['ACTIVE', 'REPLAY']).toContain(given?.state)
        }
      }),
    )
  })

  test('the second round leaves out nobody that the first one has offered', () => {
    fc.assert(
      fc.property(anyCase, one => {
        const { view, known } = made(one)
        const second = offered(view, planOf(one), 2)

        const lost = offered(view, planOf(one)).filter(host => !second.includes(host))

        expect(lost.filter(host => host !== known.leader?.server.host)).toEqual([])
      }),
    )
  })

  test('FOLLOWER_ONLY does not offer the leader where staleness is of no interest', () => {
    fc.assert(
      fc.property(anyCase, one => {
        const { view, known } = made({ ...one, avoidsStaleReplicas: false })
        const hosts = [1, 2].flatMap(round => offered(view, { policy: 'FOLLOWER_ONLY' }, round))

        expect(hosts).not.toContain(known.leader?.server.host ?? 'nobody')
      }),
    )
  })

  test('every readable server that is known and fits the policy is offered in the second round', () => {
    fc.assert(
      fc.property(anyCase, one => {
        const { view } = made(one)
        const policy: ClassPolicy = 'MERGE_IDC_ORDER'
        expect(CLASS_ORDERS[policy]).toBeDefined()
        const roster = rosterOf(view, { consistency: 'weak', isLeaderFirst: false })

        const hosts = offered(view, { policy }, 2)

        expect([...hosts].sort()).toEqual(roster.others.map(({ address }) => address.host).sort())
      }),
    )
  })
})
