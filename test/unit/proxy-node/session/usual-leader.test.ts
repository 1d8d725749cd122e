/** What goes straight to its leader because the one before did, goes where the rules would have sent it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LdcCache } from '../../../../proxy-node/routing/ldc.ts'
import { StaleReplicas } from '../../../../proxy-node/routing/stale-replicas.ts'
import type { Command } from '../../../../proxy-node/routing/view.ts'
import { SessionMemory } from '../../../../proxy-node/session/memory.ts'
import { DEFAULT_SETTINGS } from '../../../../proxy-node/session/peers.ts'
import type { ClusterView, SessionSettings } from '../../../../proxy-node/session/ports.ts'
import { Route } from '../../../../proxy-node/session/route.ts'
import { type Asker, SessionRouteView } from '../../../../proxy-node/session/route-view.ts'
import { classify } from '../../../../proxy-node/sql/classify.ts'
import type { Place } from '../../../../proxy-node/topology/location-view.ts'
import { STATUS } from '../../../../proxy-node/wire/protocol.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import {
  LOCATION_A1,
  location,
  picture,
  replica,
  SERVERS,
  server,
  tenant,
  tenantServers,
  verdicts,
  ZONES,
} from '../../../support/routing-view.ts'
import { staticOutlook } from '../../../support/static-outlook.ts'

const A1 = { host: 'a1', port: 2881 }

const statements = [
  'SELECT c FROM t WHERE id = 1',
  'UPDATE t SET c = 1 WHERE id = 1',
  'SELECT c FROM t WHERE id = 1 FOR UPDATE',
  'SELECT /*+ READ_CONSISTENCY(WEAK) */ c FROM t',
  'SELECT /*+ READ_CONSISTENCY(STRONG) */ c FROM t',
  '/* ODP: target_db_server=c1:2881 */ SELECT c FROM t',
  'SELECT 1; SELECT c FROM t',
].map(sql => classify(Buffer.from(sql), 0, sql.length, 0))

const commands: readonly Command[] = ['query', 'execute', 'prepare', 'fetch', 'piece']

const settings: readonly SessionSettings[] = [
  {},
  { enableReadWriteSplit: true },
  { proxyPrimaryZones: [['z3']] },
  { mode: 'random' } as const,
  { enableCongestion: false },
  { maxRetries: 9 },
  { enableSingleLeaderNodeRouting: false },
]
  .map<SessionSettings>(more => ({
    ...DEFAULT_SETTINGS,
    routing: { ...DEFAULT_SETTINGS.routing, ...more },
  }))
  .concat({ ...DEFAULT_SETTINGS, targets: [[{ host: 'b1', port: 2881 }]] })

const pictures = [
  picture(SERVERS),
  picture(SERVERS),
  picture([server('a1', ZONES.z1, 'INACTIVE'), ...SERVERS.slice(1)]),
  picture([server('a1', ZONES.z1, 'DELETING'), ...SERVERS.slice(1)]),
  picture(SERVERS.slice(1)),
  picture([server('a1', { ...ZONES.z1, state: 'UPGRADE' }), ...SERVERS.slice(1)]),
  picture(SERVERS, {
    tenants: new Map([['app', tenant({ singleLeader: { server: A1, key: 'a1:2881' } })]]),
  }),
]

const opinions = [
  verdicts(),
  verdicts({ a1: 'alive' }),
  verdicts({ a1: 'dead' }),
  verdicts({ b1: 'dead' }),
]

const placeOf = (of: Place['location']): Place => ({
  kind: 'partition',
  key: 'k',
  location: of,
  toldAt: 0,
})

/** Of tables on other leaders, with duplicates, without a leader; new ones for each run. */
const places = (): readonly (Place | undefined)[] => [
  placeOf({ ...LOCATION_A1 }),
  placeOf(location(replica('b1', { isLeader: true }), replica('a1'))),
  placeOf(location(replica('a1', { isLeader: true, isDuplicate: true }), replica('b1'))),
  placeOf(location(replica('a1'), replica('b1'))),
  placeOf(location(replica('x9', { isLeader: true }))),
  undefined,
]

/** Mostly as before. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>, weight: number) =>
  fc.oneof({ weight, arbitrary }, { weight: 10, arbitrary: fc.constant(undefined) })

/** Another index of one of the dimensions of what is decided about. */
const change = fc.record({
  who: fc.nat(1),
  statement: seldom(fc.nat(statements.length - 1), 6),
  command: seldom(fc.nat(commands.length - 1), 1),
  settings: seldom(fc.nat(settings.length - 1), 3),
  picture: seldom(fc.nat(pictures.length - 1), 1),
  verdicts: seldom(fc.nat(opinions.length - 1), 2),
  place: seldom(fc.nat(places().length - 1), 6),
  consistency: seldom(fc.constantFrom('WEAK', 'STRONG'), 1),
  isCut: seldom(fc.boolean(), 1),
})

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

class World {
  private readonly memory = new SessionMemory()
  private readonly places = places()
  private outlook: ClusterView
  /** Of two sessions, each with settings of its own, at the same tables. */
  private readonly settings = [settings[0], settings[0]] as SessionSettings[]
  private who = 0
  private statement = 0
  private command = 0
  private place = 0
  private isCut = false
  private readonly kept = [this.route(0), this.route(1)]
  wasUsual = false

  constructor() {
    this.memory.status = STATUS.autocommit
    const clock = new HandClock()
    const nothing = { name: 'c', tenant: 'app', servers: [], leaders: {} }
    this.outlook = {
      ...staticOutlook(nothing, clock),
      stale: new StaleReplicas(),
      ldcs: new LdcCache(),
      picture: picture(SERVERS),
      verdicts: verdicts(),
    }
  }

  private route(who: number): Route {
    const world = this
    const asker: Asker = {
      memory: this.memory,
      tenant: 'app',
      servers: { current: undefined },
      get settings() {
        return world.settings[who] ?? DEFAULT_SETTINGS
      },
      get outlook() {
        return world.outlook
      },
    }
    const deps = {
      clock: new HandClock(),
      random: () => 0.4,
      settings: () => DEFAULT_SETTINGS,
    }
    return new Route(new SessionRouteView(deps), asker)
  }

  apply(of: Change): void {
    this.statement = of.statement ?? this.statement
    this.command = of.command ?? this.command
    this.place = of.place ?? this.place
    this.isCut = of.isCut ?? this.isCut
    this.who = of.who
    this.settings[of.who] =
      settings[of.settings ?? -1] ?? (this.settings[of.who] as SessionSettings)
    const { outlook } = this
    const shown = pictures[of.picture ?? -1] ?? outlook.picture
    this.outlook = {
      ...outlook,
      picture: shown,
      stamp: shown,
      verdicts: opinions[of.verdicts ?? -1] ?? outlook.verdicts,
    }
    if (of.consistency !== undefined)
      this.memory.prescribe(new Map([['ob_read_consistency', of.consistency]]), [])
  }

  /** What is decided, and where it goes when one server after the other fails. */
  decided(route: Route) {
    route.about(commands[this.command] ?? 'query', statements[this.statement], this.isCut)
    const first = route.decide(tenantServers(['a1', 'b1', 'c1']), this.places[this.place])
    // Only rules say why.
    this.wasUsual = route.decision.kind === 'leader' && route.decision.consistencyBecause === ''
    const { kind, because, refusal, consistency, policy, location: bits, maxTries } = route.decision
    const tried = [first]
    for (let turn = 0; turn < 4; turn++) tried.push(route.next())
    route.release()
    return { kind, because, refusal, consistency, policy, bits, maxTries, tried }
  }

  get keptOne(): Route {
    return this.kept[this.who] as Route
  }

  fresh(): Route {
    return this.route(this.who)
  }
}

describe('the usual leader', () => {
  test('is where the rules send a statement, whatever has changed since the one before', () => {
    let usual = 0
    fc.assert(
      fc.property(fc.array(change, { minLength: 2, maxLength: 20 }), changes => {
        const world = new World()
        for (const each of changes) {
          world.apply(each)
          const decided = world.decided(world.keptOne)
          usual += world.wasUsual ? 1 : 0
          // One that has decided nothing yet asks the rules.
          expect(decided).toEqual(world.decided(world.fresh()))
        }
      }),
      { numRuns: 15_000 },
    )
    expect(usual).toBeGreaterThan(1_500)
  })
})
