/**
 * The plan that EXPLAIN ROUTE answers, as text: what was found on the way to a decision → a summary of
 * one line, prompts, and points with keys. Pure; who gathers it is `session/explain-route.ts`.
 * Source: proxy-routing.md §12.1.
 */
import type { PruneAccount } from '../topology/partition/account.ts'
import type { Decision } from './decision.ts'

/** A server that was looked at. */
export type Considered = {
  readonly server: string
  /** Its class in letters of §7.3. */
  readonly letters: string
  /** What speaks against it; empty for nothing. */
  readonly against: string
  readonly zone: string
  readonly idc: string
  readonly region: string
  /** As reported; empty when no list names it. */
  readonly state: string
}

export type TableAccount = {
  readonly name: string
  /** Undefined: no server knows of it, or none answers. */
  readonly known:
    | { readonly id: string; readonly type: number; readonly partitions: number }
    | undefined
  /** This worker knew; otherwise the supervisor was asked. */
  readonly isCached: boolean
}

export type PlaceAccount = {
  readonly leader: string | undefined
  /** `host:port LEADER FULL` and so on. */
  readonly replicas: readonly string[]
  /** Id of the tablet, or of the partition in 3.x; empty for a table without partitions. */
  readonly id: string
  readonly isGuess: boolean
}

/** What was decided, or where the statement has to stay. */
export type Outcome =
  | ({ readonly kind: 'decided' } & DecisionAccount)
  | { readonly kind: 'bound'; readonly server: string; readonly because: string }
  /** It reaches no server. */
  | { readonly kind: 'own'; readonly because: string }
  /** The client gets an error instead. */
  | { readonly kind: 'refused'; readonly because: string }

export type DecisionAccount = {
  readonly decision: Pick<
    Decision,
    | 'kind'
    | 'because'
    | 'refusal'
    | 'state'
    | 'consistency'
    | 'consistencyBecause'
    | 'policy'
    | 'policyBecause'
    | 'maxTries'
  >
  readonly server: string | undefined
  /** In this order, when one after the other cannot be reached. */
  readonly fallbacks: readonly string[]
  readonly considered: readonly Considered[]
}

export type RouteAccount = {
  /** Of the transaction, when a BEGIN waits for its first statement; as far as it is shown. */
  readonly held: string | undefined
  readonly statement: string
  readonly command: string
  readonly verb: string
  /** Database and table, empty when there is none to route by. */
  readonly table: string
  /** `server_routing_mode`. */
  readonly mode: string
  readonly idc: string
  readonly isCut: boolean
  /** `enable_partition_table_route`. */
  readonly prunes: boolean
  readonly lookedUp: TableAccount | undefined
  readonly pruning: PruneAccount | undefined
  readonly place: PlaceAccount | undefined
  readonly outcome: Outcome
}

type Value = string | number | boolean | readonly string[]
type Point = {
  readonly level: number
  readonly name: string
  readonly facts: readonly (readonly [key: string, value: Value])[]
}
type Prompt = { readonly point: string; readonly isWarning: boolean; readonly says: string }

const RULE = '-'.repeat(64)
/** As many points as the reference has room for. */
const MOST_POINTS = 128

/** The whole text, without a line end behind it. */
export function renderPlan(account: RouteAccount): string {
  const { held, statement } = account
  return [
    `Summary: ${summaryOf(account)}`,
    ...(held === undefined ? [] : [`First statement of the transaction: ${held}`]),
    `Statement: ${statement}`,
    ...section('Route Prompts', promptLines(promptsOf(account))),
    ...section('Route Plan', pointsOf(account).slice(0, MOST_POINTS).map(pointLine)),
  ].join('\n')
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return [RULE, title, RULE, ...lines]
}

function pointLine({ level, name, facts }: Point): string {
  const inside = facts.map(([key, value]) => `${key}:${valueText(value)}`).join(', ')
  return `${'  '.repeat(level)}> ${name}:{${inside}}`
}

function valueText(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'object') return String(value)
  return `[${value.map(one => JSON.stringify(one)).join(', ')}]`
}

// --- in one line

/** Where the statement goes and why, in one line. */
export function summaryOf(account: RouteAccount): string {
  const { outcome } = account
  switch (outcome.kind) {
    case 'own':
      return `answered by the proxy: ${outcome.because}`
    case 'refused':
      return `goes nowhere: ${outcome.because}`
    case 'bound':
      return `stays on ${outcome.server}: ${outcome.because}`
    case 'decided':
      return decidedIn(account, outcome)
  }
}

function decidedIn(account: RouteAccount, { decision, server }: DecisionAccount): string {
  if (server === undefined) return `goes nowhere: ${REFUSALS[decision.refusal]}`
  const { because } = decision
  if (decision.kind === 'leader')
    return `goes to ${server}, the leader of ${whole(account)}: ${because}`
  if (decision.kind === 'replica')
    return `goes to ${server}, a replica of ${whole(account)}: ${because}`
  const unknown = account.place === undefined ? whyUnplaced(account) : undefined
  const isByTenant = decision.kind === 'blind' || decision.kind === 'cached-server'
  return isByTenant && unknown !== undefined
    ? `goes to ${server} by its tenant alone, since ${unknown}: ${because}`
    : `goes to ${server} (${decision.kind}): ${because}`
}

const REFUSALS: Readonly<Record<Decision['refusal'], string>> = {
  '': 'no server was found',
  'bound-server-lost': 'the server that the session is bound to is gone',
  'holder-lost': 'the server that has its cursor or its pieces is gone',
  'target-not-allowed': 'no target server may take it',
  'no-server': 'no server of the tenant can take it',
  'tries-exhausted': 'as many servers were tried as may be',
}

/** The partition, or the table, that a server is the leader of. */
function whole({ table, pruning }: RouteAccount): string {
  const [partition] = pruning?.partitions ?? []
  return partition === undefined ? table : `partition ${partition} of ${table}`
}

/** Why it is not known which replicas have what the statement is about. */
function whyUnplaced({ table, lookedUp, prunes, pruning }: RouteAccount): string {
  if (table === '') return 'it names no table to route by'
  if (lookedUp === undefined) return 'no database is in use'
  const { known } = lookedUp
  if (known === undefined) return `no server tells where ${table} is`
  if (!prunes) return 'enable_partition_table_route is off'
  if (pruning === undefined) return `nobody tells how ${table} is partitioned`
  if (pruning.reason !== undefined) return `no partition of ${table} can be computed`
  if (pruning.outcome === 'unknown') return 'it does not say which partition it is about'
  return 'nobody tells where its partition is'
}

// --- prompts

/** What is worth knowing, in the order of the way; what follows from a warning is not told. */
function promptsOf(account: RouteAccount): readonly Prompt[] {
  const prompts = [
    ...tablePrompts(account),
    ...placePrompts(account),
    ...decisionPrompts(account.outcome),
  ]
  const end = prompts.findIndex(({ isWarning }) => isWarning)
  return end < 0 ? prompts : prompts.slice(0, end + 1)
}

function promptLines(prompts: readonly Prompt[]): readonly string[] {
  return prompts.flatMap(({ point, isWarning, says }, at) => {
    const line = `  [${isWarning ? 'WARN' : 'INFO'}] ${says}`
    return prompts[at - 1]?.point === point ? [line] : [`> ${point}`, line]
  })
}

function tablePrompts({ isCut, table, lookedUp }: RouteAccount): readonly Prompt[] {
  const point = 'SQL_PARSE'
  const prompts: Prompt[] = []
  if (isCut)
    prompts.push({
      point,
      isWarning: false,
      says: 'only the beginning of the statement was read, up to request_buffer_length',
    })
  if (table === '')
    prompts.push({ point, isWarning: false, says: 'the statement names no table to route by' })
  if (lookedUp !== undefined && lookedUp.known === undefined)
    prompts.push({
      point: 'TABLE_ENTRY_LOOKUP_DONE',
      isWarning: true,
      says: `no server tells where ${lookedUp.name} is: it may not exist`,
    })
  return prompts
}

function placePrompts(account: RouteAccount): readonly Prompt[] {
  const { pruning, place, lookedUp } = account
  const isPartitioned = (lookedUp?.known?.partitions ?? 0) > 1
  const point = 'PARTITION_ID_CALC_DONE'
  if (place === undefined && isPartitioned)
    return [{ point, isWarning: true, says: `${whyUnplaced(account)}${reasonOf(pruning)}` }]
  const prompts: Prompt[] = []
  if (pruning?.outcome === 'several')
    prompts.push({
      point,
      isWarning: false,
      says: `it is about ${pruning.reached} partitions: the server of the first one reads the others from afar`,
    })
  if (pruning?.outcome === 'none')
    prompts.push({ point, isWarning: false, says: 'no partition can have such a row' })
  if (place !== undefined && place.leader === undefined)
    prompts.push({
      point: 'PARTITION_ENTRY_LOOKUP_DONE',
      isWarning: true,
      says: 'the location names no leader',
    })
  return prompts
}

function reasonOf(pruning: PruneAccount | undefined): string {
  return pruning?.reason === undefined ? '' : `: ${pruning.reason}`
}

function decisionPrompts(outcome: Outcome): readonly Prompt[] {
  if (outcome.kind === 'refused')
    return [{ point: 'ROUTE_INFO', isWarning: true, says: outcome.because }]
  if (outcome.kind !== 'decided') return []
  const point = 'CONGESTION_CONTROL'
  const spoken = outcome.considered
    .filter(({ against }) => against !== '')
    .map(({ server, against }) => ({ point, isWarning: false, says: `${server}: ${against}` }))
  if (outcome.server !== undefined) return spoken
  return [...spoken, { point, isWarning: true, says: REFUSALS[outcome.decision.refusal] }]
}

// --- points

function pointsOf(account: RouteAccount): readonly Point[] {
  const { command, verb, table, isCut } = account
  return [
    {
      level: 0,
      name: 'SQL_PARSE',
      facts: [
        ['cmd', command],
        ['sql_cmd', verb],
        ['table', table],
        ['is_cut', isCut],
      ],
    },
    routePoint(account),
    ...lookupPoints(account),
    ...decisionPoints(account),
  ]
}

function routePoint({ outcome, mode }: RouteAccount): Point {
  const facts: (readonly [string, Value])[] =
    outcome.kind === 'decided'
      ? [
          ['route_info_type', outcome.decision.kind],
          ['svr_addr', outcome.server ?? ''],
          ['because', outcome.decision.because],
        ]
      : [
          ['route_info_type', outcome.kind],
          ['svr_addr', outcome.kind === 'bound' ? outcome.server : ''],
          ['because', outcome.because],
        ]
  return { level: 0, name: 'ROUTE_INFO', facts: [...facts, ['mode', mode]] }
}

function lookupPoints(account: RouteAccount): readonly Point[] {
  const { lookedUp, pruning, place } = account
  const needs: Point = {
    level: 0,
    name: 'LOCATION_CACHE_LOOKUP',
    facts: [['need_partition_location_lookup', lookedUp !== undefined]],
  }
  if (lookedUp === undefined) return [needs]
  return [
    needs,
    tablePoint(lookedUp),
    ...(pruning === undefined ? [] : partitionPoints(pruning, place)),
    ...(place === undefined ? [] : [placePoint(place)]),
  ]
}

function tablePoint({ name, known, isCached }: TableAccount): Point {
  const facts: (readonly [string, Value])[] =
    known === undefined
      ? [['lookup_success', false]]
      : [
          ['table_id', known.id],
          ['table_type', known.type],
          ['partition_num', known.partitions],
        ]
  return {
    level: 1,
    name: 'TABLE_ENTRY_LOOKUP_DONE',
    facts: [['table', name], ...facts, ['entry_from_remote', !isCached]],
  }
}

function partitionPoints(pruning: PruneAccount, place: PlaceAccount | undefined): readonly Point[] {
  const { levels, reason, outcome, partitions, reached, leaves, isNamed } = pruning
  const expressions = levels.map(({ expression }) => expression)
  const parts: (readonly [string, Value])[] = [
    ['part_expr', expressions[0] ?? ''],
    ...(expressions.length > 1 ? [['sub_part_expr', expressions[1] ?? ''] as const] : []),
    ...(reason === undefined ? [] : [['reason', reason] as const]),
  ]
  return [
    { level: 1, name: 'PARTITION_ID_CALC_DONE', facts: parts },
    ...levels.map(
      ({ method, count, ranges }, at): Point => ({
        level: 2,
        name: at === 0 ? 'CALC_PARTITION' : 'CALC_SUB_PARTITION',
        facts: [
          ['part_description', `${method.toUpperCase()} of ${count}`],
          [at === 0 ? 'part_range' : 'sub_part_range', isNamed ? ['named'] : ranges],
        ],
      }),
    ),
    {
      level: 2,
      name: 'CALC_PARTITION_ID',
      facts: [
        ['result', outcome],
        ['partition_id', place?.id ?? ''],
        ['level', levels.length],
        ['partitions', outcome === 'unknown' ? [] : partitions],
        ['reached', reached],
        ['of', leaves],
      ],
    },
  ]
}

function placePoint({ leader, replicas, id, isGuess }: PlaceAccount): Point {
  return {
    level: 1,
    name: 'PARTITION_ENTRY_LOOKUP_DONE',
    facts: [
      ['partition_id', id],
      ['leader', leader ?? ''],
      ['replicas', replicas],
      ['is_guess', isGuess],
    ],
  }
}

function decisionPoints({ outcome, idc }: RouteAccount): readonly Point[] {
  if (outcome.kind !== 'decided') return []
  const { decision, server, fallbacks, considered } = outcome
  const chosen = considered.find(one => one.server === server)
  return [
    {
      level: 0,
      name: 'ROUTE_POLICY',
      facts: [
        ['lookup', decision.state],
        ['consistency', decision.consistency],
        ['consistency_because', decision.consistencyBecause],
        ['route_policy', decision.policy ?? 'none'],
        ['policy_because', decision.policyBecause],
        ['proxy_idc_name', idc],
        ['replica', server ?? ''],
        ['chosen_route_type', chosen?.letters ?? ''],
      ],
    },
    { level: 0, name: 'CONGESTION_CONTROL', facts: [['considered', considered.length]] },
    ...considered.map(consideredPoint),
    {
      level: 0,
      name: 'RETRY',
      facts: [
        ['attempts', decision.maxTries],
        ['retry_addr', fallbacks],
      ],
    },
  ]
}

function consideredPoint({
  server,
  letters,
  against,
  zone,
  idc,
  region,
  state,
}: Considered): Point {
  return {
    level: 1,
    name: 'SERVER',
    facts: [
      ['svr_addr', server],
      ['type', letters],
      ['zone', zone],
      ['idc', idc],
      ['region', region],
      ['state', state],
      ['against', against],
    ],
  }
}
