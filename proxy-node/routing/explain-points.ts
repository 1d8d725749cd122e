/** The points of a route plan: what each step found, by keys. Source: proxy-routing.md §12.1. */
import type { PruneAccount } from '../topology/partition/account.ts'
import type { Considered, PlaceAccount, RouteAccount, TableAccount } from './route-account.ts'

type Value = string | number | boolean | readonly string[]
type Point = {
  readonly level: number
  readonly name: string
  readonly facts: readonly (readonly [key: string, value: Value])[]
}
/** As many points as the reference has room for. */
const MOST_POINTS = 128

/** One line a point, two blanks before it a level. */
export function pointLines(account: RouteAccount): readonly string[] {
  return pointsOf(account).slice(0, MOST_POINTS).map(pointLine)
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
    ...levelPoints(account),
  ]
}

/** Ours: where the settings that decided were set, when it was not for the whole node. */
function levelPoints({ setBelow }: RouteAccount): readonly Point[] {
  return setBelow.length === 0 ? [] : [{ level: 0, name: 'CONFIG_LEVEL', facts: setBelow }]
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
