/**
 * Steps that take a node out of its balancer, wait until it is left alone, and take it in again. Each look
 * is at what the balancer says now; a call is written down before it is made, and what it led to is
 * looked at before the step counts as done. Source: management.md §3.9, management-beyond.md §6.
 */
import {
  type BalancerMember,
  isIn,
  isInService,
  memberAt,
  type Target,
  type TargetGroup,
  targetOf,
} from '../domain/load-balancer.ts'
import type { ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { STEP_RULES, type StepName } from '../domain/plan.ts'
import { PROBLEMS, Problem } from '../domain/problem.ts'
import type { NodeRecord } from '../domain/record.ts'
import type { StepRecord } from '../domain/work-record.ts'
import type { Member } from './member.ts'
import type { EngineDeps } from './ports.ts'

/** What a step that has begun comes to now. */
export type Look =
  | { readonly kind: 'done'; readonly output: string }
  /** The call is written down with the step; it is made at the next look. */
  | { readonly kind: 'intend' }
  /** `error`: what kept it from its end so far. */
  | { readonly kind: 'wait'; readonly error: ProblemView | null; readonly isSent: boolean }
  | { readonly kind: 'failed'; readonly error: ProblemView }

/** How often a balancer is asked about one node: soon at first, then as nobody is in a hurry. */
const LOOKS_MS = { hastyForMs: 30_000, hastyMs: 3_000, calmMs: 10_000 }
/** What balancers need until all of them know who is out: a count of clients before that is of no use. */
const SPREAD_MS = 10_000
const MS_PER_SEC = 1_000

type Looked = {
  readonly group: TargetGroup
  readonly target: Target
  readonly member: BalancerMember | null
  readonly step: StepRecord
  readonly node: NodeRecord
  readonly now: number
}

type Deps = Pick<EngineDeps, 'store' | 'loadBalancer'>

const LOOKS: Readonly<Record<string, (deps: Deps, looked: Looked) => Look | Promise<Look>>> = {
  deregister: leave,
  'drain-balancer': drained,
  register: enter,
}

export function lookAfterMs({ startedAt }: StepRecord, now: number): number {
  const { hastyForMs, hastyMs, calmMs } = LOOKS_MS
  return now - (startedAt ?? now) < hastyForMs ? hastyMs : calmMs
}

/** How long a step may take, milliseconds; null: as long as it takes. A rollout says how long clients may stay. */
export function deadlineMsOf(operation: OperationRecord, name: StepName): number | null {
  const rule = STEP_RULES[name]
  if (!('deadlineMs' in rule)) return null
  const drainSec = drainSecOf(operation)
  if (name === 'drain-balancer' && drainSec !== null) return drainSec * MS_PER_SEC
  return rule.deadlineMs
}

/** Looks, and acts where a call is written down already. */
export async function lookAtBalancer(deps: Deps, member: Member, now: number): Promise<Look> {
  const { operation, step, node } = member
  const look = LOOKS[step?.name ?? '']
  if (look === undefined || step === null) throw new RangeError(`${operation.id} asks no balancer`)
  try {
    const group = await groupOf(deps, operation)
    if (group === null || node === null) return { kind: 'done', output: 'there is no balancer' }
    const target = targetOf(group, node)
    const found = memberAt(await deps.loadBalancer.members(group), target)
    const said = await look(deps, { group, target, member: found, step, node, now })
    return said.kind === 'wait' ? inTime(member, step, said, now) : said
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const view = { code: error.code, detail: error.message }
    if (!PROBLEMS[error.code][2]) return { kind: 'failed', error: view }
    return inTime(member, step, { kind: 'wait', error: view, isSent: false }, now)
  }
}

/** How long clients may stay, where somebody said so. */
function drainSecOf({ tasks: [task] }: OperationRecord): number | null {
  return task?.way?.drainSec ?? null
}

/** Clients are cut at the end of a time that somebody gave them, and not at the end of our patience. */
function inTime(
  { operation }: Member,
  step: StepRecord,
  look: Look & { readonly kind: 'wait' },
  now: number,
): Look {
  if (step.deadlineAt === null || now < step.deadlineAt) return look
  if (step.name === 'drain-balancer' && drainSecOf(operation) !== null && !look.isSent)
    return { kind: 'done', output: `clients may stay no longer: ${look.error?.detail ?? ''}` }
  const detail = `${step.name} did not end in time: ${look.error?.detail ?? 'no reason given'}`
  return { kind: 'failed', error: { code: 'balancer-timeout', detail: detail.slice(0, 600) } }
}

async function leave(
  { loadBalancer }: Deps,
  { group, target, member, step }: Looked,
): Promise<Look> {
  if (!isIn(member))
    return { kind: 'done', output: step.sends > 0 ? 'taken out' : 'it was out already' }
  if (step.sends === 0) return { kind: 'intend' }
  await loadBalancer.deregister(group, target)
  return { kind: 'wait', isSent: true, error: stillSays(member) }
}

/** Nobody is left: its time in the balancer is over, or its newest report says so. */
async function drained(
  deps: Deps,
  { group, target, member, step, node, now }: Looked,
): Promise<Look> {
  if (member === null) return { kind: 'done', output: 'its time to drain is over' }
  if (isIn(member)) {
    // Somebody took it in again while it drained.
    await deps.loadBalancer.deregister(group, target)
    return { kind: 'wait', isSent: true, error: stillSays(member) }
  }
  const said = await deps.store.get('report', { clusterId: node.clusterId, nodeId: node.id })
  const clients = said?.report.clientConnections ?? null
  const since = (step.startedAt ?? now) + SPREAD_MS
  if (said !== null && clients === 0 && said.receivedAt >= since)
    return { kind: 'done', output: 'no client is left' }
  const count = clients === null ? 'an unknown number of' : String(clients)
  const detail = `${node.name} drains with ${count} clients`
  return { kind: 'wait', isSent: false, error: { code: 'balancer-timeout', detail } }
}

async function enter(
  { loadBalancer }: Deps,
  { group, target, member, step, node }: Looked,
): Promise<Look> {
  if (node.offline !== undefined)
    return {
      kind: 'done',
      output: `it stays out: taken offline by ${node.offline.operationId}`,
    }
  if (node.desiredState === 'STOPPED')
    return { kind: 'done', output: 'it comes in when it is started' }
  if (isInService(member)) return { kind: 'done', output: `it is ${member?.state}` }
  if (isIn(member)) return { kind: 'wait', isSent: false, error: stillSays(member) }
  if (step.sends === 0) return { kind: 'intend' }
  await loadBalancer.register(group, target)
  return { kind: 'wait', isSent: true, error: null }
}

function stillSays({ id, state, reason }: BalancerMember): ProblemView {
  const why = reason === null ? '' : ` (${reason})`
  return { code: 'balancer-timeout', detail: `the balancer says ${id} is ${state}${why}` }
}

async function groupOf(
  { store }: Deps,
  { clusterId }: OperationRecord,
): Promise<TargetGroup | null> {
  const spec = (await store.get('cluster', { id: clusterId }))?.spec.loadBalancer
  return spec?.kind === 'target-group' ? spec : null
}

/** The node with what its operation says of it being out on purpose; begun with the step that does it. */
export function withIntent({ operation, node }: Member, now: number): NodeRecord | null {
  const name = operation.plan[operation.stepsDone]
  if (node === null) return null
  const { offline: _before, ...rest } = node
  if (operation.type === 'online-node' && name === 'register') return rest
  if (operation.type !== 'offline-node' || name !== 'deregister') return null
  const asked = operation.tasks[0]?.offline
  if (asked === undefined) return rest
  return { ...rest, offline: { operationId: operation.id, reason: asked.reason, since: now } }
}

/**
 * A node that was taken out for something that then was not begun is taken in again; why that failed, or
 * null. Tried once: whoever ends an operation does not wait for a balancer.
 */
export async function putBackIn(
  deps: Deps,
  member: Member,
  phase: OperationRecord['phase'],
): Promise<string | null> {
  const { operation, node } = member
  if (node === null || node.offline !== undefined || !isOutForNothing(member, phase)) return null
  const n = operation.plan.indexOf('deregister')
  const left = await deps.store.get('step', { operationId: operation.id, n })
  if (left === null || left.sends === 0) return null
  // Outside of what is tried once: a table that does not answer is no balancer that refuses.
  const group = await groupOf(deps, operation)
  try {
    if (group !== null) await deps.loadBalancer.register(group, targetOf(group, node))
    return null
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return `${node.name} is still out of its balancer: ${error.message}`
  }
}

/**
 * Taken out, and the step that it was taken out for has certainly not reached the node; or was called off on its
 * way there: should the node have begun it all the same, the balancer sees that for itself.
 */
function isOutForNothing({ operation, step }: Member, phase: OperationRecord['phase']): boolean {
  const { plan, stepsDone, desiredBefore } = operation
  const [out, act] = [plan.indexOf('deregister'), actOf(plan)]
  if (act < 0 || stepsDone < out || stepsDone > act) return false
  if (stepsDone < act || step === null) return true
  if (phase === 'CANCELLED' && desiredBefore === 'RUNNING') return true
  return step.sends === 0 && step.attempt <= 1
}

/** Where the step is that a plan drains for; -1: none. */
function actOf(plan: OperationRecord['plan']): number {
  const at = plan.indexOf('drain-balancer')
  return at < 0 ? -1 : at + 1
}

/** Before a node is drained for it, these leave it as it was. */
const HARMLESS: OperationRecord['plan'] = ['baseline', 'deregister', 'drain-balancer']

/** Its node may have been changed, and not only its place in a balancer. */
export function hasActed({
  plan,
  stepsDone,
  phase,
}: Pick<OperationRecord, 'plan' | 'stepsDone' | 'phase'>): boolean {
  const act = actOf(plan)
  const hasFailed = phase === 'FAILED' || phase === 'SKIPPED'
  // Until then it has only looked.
  if (plan.includes('judge')) return stepsDone > plan.indexOf('judge')
  if (act < 0) return stepsDone > 0 || hasFailed
  const tried = plan.slice(0, hasFailed ? stepsDone + 1 : stepsDone)
  return stepsDone >= act || tried.some(name => !HARMLESS.includes(name))
}

/** The node was changed and is not back in its balancer yet: the operation may not leave it so. */
export function mustComeBack({ operation: { plan, stepsDone } }: Member): boolean {
  const verify = plan.indexOf('verify')
  const register = plan.indexOf('register')
  return verify >= 0 && register >= 0 && stepsDone >= verify && stepsDone <= register
}
