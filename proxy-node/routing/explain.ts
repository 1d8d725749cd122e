/**
 * The plan that EXPLAIN ROUTE answers, as text: what was found on the way to a decision → a summary of
 * one line, prompts, and points with keys. Pure; who gathers it is `session/explain-route.ts`.
 * Source: proxy-routing.md §12.1.
 */
import type { PruneAccount } from '../topology/partition/account.ts'
import type { Decision } from './decision.ts'
import { pointLines } from './explain-points.ts'
import type { DecisionAccount, Outcome, RouteAccount } from './route-account.ts'

type Prompt = { readonly point: string; readonly isWarning: boolean; readonly says: string }

const RULE = '-'.repeat(64)

/** The whole text, without a line end behind it. */
export function renderPlan(account: RouteAccount): string {
  const { held, statement } = account
  return [
    `Summary: ${summaryOf(account)}`,
    ...(held === undefined ? [] : [`First statement of the transaction: ${held}`]),
    `Statement: ${statement}`,
    ...section('Route Prompts', promptLines(promptsOf(account))),
    ...section('Route Plan', pointLines(account)),
  ].join('\n')
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return [RULE, title, RULE, ...lines]
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
