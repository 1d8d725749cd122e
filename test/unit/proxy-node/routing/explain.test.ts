import { describe, expect, test } from 'vitest'
import { renderPlan, summaryOf } from '../../../../proxy-node/routing/explain.ts'
import type {
  DecisionAccount,
  Outcome,
  RouteAccount,
} from '../../../../proxy-node/routing/route-account.ts'

const DECISION: DecisionAccount['decision'] = {
  kind: 'leader',
  because: 'a strong statement goes to the leader of its partition',
  refusal: '',
  state: 'NEED_LOOKUP',
  consistency: 'strong',
  consistencyBecause: 'nothing asks for less',
  policy: undefined,
  policyBecause: '',
  maxTries: 7,
}

const decided = (changes: Partial<DecisionAccount> = {}): Outcome => ({
  kind: 'decided',
  decision: DECISION,
  server: '10.0.0.1:2881',
  fallbacks: ['10.0.0.2:2881', '10.0.0.3:2881'],
  considered: [
    {
      server: '10.0.0.1:2881',
      letters: 'ANWPL',
      against: '',
      zone: 'z1',
      idc: 'i1',
      region: 'r1',
      state: 'ACTIVE',
    },
  ],
  ...changes,
})

const account = (changes: Partial<RouteAccount> = {}): RouteAccount => ({
  held: undefined,
  statement: 'SELECT "a" FROM t WHERE id = 5',
  command: 'COM_QUERY',
  verb: 'select',
  table: 'd.t',
  mode: 'oceanbase',
  idc: '',
  isCut: false,
  prunes: true,
  setBelow: [],
  lookedUp: { name: 'd.t', known: { id: '500021', type: 3, partitions: 4 }, isCached: true },
  pruning: {
    outcome: 'one',
    levels: [
      { method: 'hash', expression: 'id', count: 4, ranges: ['id = 5'] },
      { method: 'list', expression: 'c', count: 2, ranges: ["c = 'x'"] },
    ],
    reason: undefined,
    partitions: ['p1sp0'],
    reached: 1,
    leaves: 8,
    isNamed: false,
  },
  place: {
    leader: '10.0.0.1:2881',
    replicas: ['10.0.0.1:2881 LEADER FULL', '10.0.0.2:2881 FOLLOWER FULL'],
    id: '200004',
    isGuess: false,
  },
  outcome: decided(),
  ...changes,
})

describe('the plan', () => {
  test('is a summary, the statement, prompts and points', () => {
    expect(renderPlan(account()).split('\n')).toEqual([
      'Summary: goes to 10.0.0.1:2881, the leader of partition p1sp0 of d.t: a strong statement goes to the leader of its partition',
      'Statement: SELECT "a" FROM t WHERE id = 5',
      '-'.repeat(64),
      'Route Prompts',
      '-'.repeat(64),
      '-'.repeat(64),
      'Route Plan',
      '-'.repeat(64),
      '> SQL_PARSE:{cmd:"COM_QUERY", sql_cmd:"select", table:"d.t", is_cut:false}',
      '> ROUTE_INFO:{route_info_type:"leader", svr_addr:"10.0.0.1:2881", because:"a strong statement goes to the leader of its partition", mode:"oceanbase"}',
      '> LOCATION_CACHE_LOOKUP:{need_partition_location_lookup:true}',
      '  > TABLE_ENTRY_LOOKUP_DONE:{table:"d.t", table_id:"500021", table_type:3, partition_num:4, entry_from_remote:false}',
      '  > PARTITION_ID_CALC_DONE:{part_expr:"id", sub_part_expr:"c"}',
      '    > CALC_PARTITION:{part_description:"HASH of 4", part_range:["id = 5"]}',
      `    > CALC_SUB_PARTITION:{part_description:"LIST of 2", sub_part_range:["c = 'x'"]}`,
      '    > CALC_PARTITION_ID:{result:"one", partition_id:"200004", level:2, partitions:["p1sp0"], reached:1, of:8}',
      '  > PARTITION_ENTRY_LOOKUP_DONE:{partition_id:"200004", leader:"10.0.0.1:2881", replicas:["10.0.0.1:2881 LEADER FULL", "10.0.0.2:2881 FOLLOWER FULL"], is_guess:false}',
      '> ROUTE_POLICY:{lookup:"NEED_LOOKUP", consistency:"strong", consistency_because:"nothing asks for less", route_policy:"none", policy_because:"", proxy_idc_name:"", replica:"10.0.0.1:2881", chosen_route_type:"ANWPL"}',
      '> CONGESTION_CONTROL:{considered:1}',
      '  > SERVER:{svr_addr:"10.0.0.1:2881", type:"ANWPL", zone:"z1", idc:"i1", region:"r1", state:"ACTIVE", against:""}',
      '> RETRY:{attempts:7, retry_addr:["10.0.0.2:2881", "10.0.0.3:2881"]}',
    ])
  })

  test('stops prompting behind the first warning', () => {
    const text = renderPlan(
      account({
        isCut: true,
        lookedUp: { name: 'd.t', known: undefined, isCached: false },
        pruning: undefined,
        place: undefined,
        outcome: decided({ server: undefined, decision: { ...DECISION, refusal: 'no-server' } }),
      }),
    )

    expect(text.match(/\[(WARN|INFO)\].*/g)).toEqual([
      '[INFO] only the beginning of the statement was read, up to request_buffer_length',
      '[WARN] no server tells where d.t is: it may not exist',
    ])
  })

  test('has a bounded number of points', () => {
    const considered = Array.from({ length: 500 }, (_none, at) => ({
      server: `10.0.0.${at}:2881`,
      letters: '',
      against: '',
      zone: '',
      idc: '',
      region: '',
      state: '',
    }))
    const text = renderPlan(account({ outcome: decided({ considered }) }))

    expect(text.match(/^ *> /gm)?.length).toBe(128)
  })
})

describe('the summary', () => {
  const blind: DecisionAccount['decision'] = { ...DECISION, kind: 'blind', because: 'B' }
  test.each<[string, Partial<RouteAccount>, string]>([
    [
      'of a bound session',
      { outcome: { kind: 'bound', server: 's', because: 'W' } },
      'stays on s: W',
    ],
    ['of an error', { outcome: { kind: 'refused', because: 'W' } }, 'goes nowhere: W'],
    ['of an own statement', { outcome: { kind: 'own', because: 'W' } }, 'answered by the proxy: W'],
    [
      'of a replica',
      { outcome: decided({ decision: { ...DECISION, kind: 'replica', because: 'R' } }) },
      'goes to 10.0.0.1:2881, a replica of partition p1sp0 of d.t: R',
    ],
    [
      'of named servers',
      { outcome: decided({ decision: { ...DECISION, kind: 'target-servers', because: 'T' } }) },
      'goes to 10.0.0.1:2881 (target-servers): T',
    ],
    [
      'without a table',
      { table: '', lookedUp: undefined, place: undefined, outcome: decided({ decision: blind }) },
      'goes to 10.0.0.1:2881 by its tenant alone, since it names no table to route by: B',
    ],
    [
      'without a database',
      { lookedUp: undefined, place: undefined, outcome: decided({ decision: blind }) },
      'goes to 10.0.0.1:2881 by its tenant alone, since no database is in use: B',
    ],
    [
      'with partitions switched off',
      { prunes: false, place: undefined, outcome: decided({ decision: blind }) },
      'goes to 10.0.0.1:2881 by its tenant alone, since enable_partition_table_route is off: B',
    ],
    [
      'of a partition that nobody tells of',
      { place: undefined, outcome: decided({ decision: blind }) },
      'goes to 10.0.0.1:2881 by its tenant alone, since nobody tells where its partition is: B',
    ],
  ])('%s', (_what, changes, says) => {
    expect(summaryOf(account(changes))).toBe(says)
  })
})
