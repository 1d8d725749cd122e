/** What whoever reads a plan should not overlook, and what nobody but the operator can do. Pure. */
import { cut, MOST_NAMED, type PlannedNode, type PlanWarning } from '../domain/change-plan.ts'
import { OPERATOR_STEPS } from '../domain/load-balancer.ts'
import type { OperationType } from '../domain/model.ts'
import { STEP_RULES, type StepName } from '../domain/plan.ts'
import { isHealthy, isStale } from '../domain/status.ts'
import type { Foreseen } from './dry-run.ts'
import { isCut } from './planned-nodes.ts'

const TEXTS: Readonly<Record<PlanWarning['code'], string>> = {
  'no-node-left': 'with them gone no node is left that takes clients',
  'all-at-once': 'all of them lose their clients at the same time',
  'report-stale': 'not heard of for three minutes: what is said of them may be old',
  'host-offline': 'Systems Manager does not reach the host: a step waits for it until its deadline',
  'stays-out-of-balancer': 'taken offline before: nothing but `online` takes them in again',
}

export function warningsOf(
  foreseen: Foreseen,
  nodes: readonly PlannedNode[],
  atOnce: number,
): readonly PlanWarning[] {
  const { online } = foreseen
  const told = toldOf(foreseen)
  const cutOff = nodes.filter(({ process }) => isCut(process))
  const isAll = cutOff.length > 1 && atOnce >= cutOff.length
  const found: Readonly<Record<PlanWarning['code'], readonly PlannedNode[]>> = {
    'no-node-left': areLast(foreseen, nodes),
    'all-at-once': isAll ? cutOff : [],
    'report-stale': nodes.filter(node => isSilent(foreseen, node)),
    'host-offline': nodes.filter(({ name, host }) => told.has(name) && !online.has(host)),
    'stays-out-of-balancer': nodes.filter(node => isKeptOut(foreseen, node)),
  }
  return Object.entries(TEXTS).flatMap(([name, detail]) => {
    const code = name as PlanWarning['code']
    const names = found[code].map(node => node.name)
    return names.length === 0 ? [] : [{ code, detail, nodes: cut(names, MOST_NAMED) }]
  })
}

/** Names of nodes that are told something. */
function toldOf({ waves }: Foreseen): ReadonlySet<string> {
  const isTold = (name: StepName) => ['remote', 'watch'].includes(STEP_RULES[name].kind)
  const told = waves
    .flat()
    .filter(({ operation: { plan, stepsDone } }) => plan.slice(stepsDone).some(isTold))
  return new Set(told.map(({ operation }) => operation.target.name))
}

const GOING: readonly OperationType[] = ['stop-node', 'delete-node', 'offline-node']

/** Nodes that leave, when they are the last that take clients. */
function areLast({ picture, operation, waves, now }: Foreseen, nodes: readonly PlannedNode[]) {
  if (picture === null || operation?.type === 'detach-balancer') return []
  const leaving = new Set(
    waves.flat().flatMap(child => {
      const { type, target, tasks } = child.operation
      // One that is released goes on serving.
      const isGoing = GOING.includes(type) && tasks[0]?.isReleased !== true
      return isGoing ? [target.name] : []
    }),
  )
  const isBalanced = picture.cluster.spec.loadBalancer?.kind === 'target-group'
  const isLeft = picture.nodes.some(
    ({ id, name, offline }) =>
      !leaving.has(name) &&
      isHealthy(picture.reports.get(id) ?? null, now) &&
      !(isBalanced && offline !== undefined),
  )
  return isLeft ? [] : nodes.filter(({ name }) => leaving.has(name))
}

/** Nothing is known of who is not there yet; of who is left as it is, nothing is said. */
function isSilent({ picture, now }: Foreseen, { id, process }: PlannedNode): boolean {
  if (id === null || process === 'untouched') return false
  const report = picture?.reports.get(id) ?? null
  return report === null || isStale(report, now)
}

function isKeptOut({ picture }: Foreseen, { id, process }: PlannedNode): boolean {
  const node = picture?.nodes.find(each => each.id === id)
  return process === 'started' && node?.offline !== undefined
}

export function operatorSteps(
  { picture, cluster }: Foreseen,
  nodes: readonly PlannedNode[],
): readonly string[] {
  const balancer = (picture?.cluster ?? cluster)?.spec.loadBalancer
  if (balancer?.kind !== 'external') return []
  const isAny = (of: (node: PlannedNode) => boolean) => nodes.some(of)
  return [
    ...(isAny(({ process }) => isCut(process)) ? [OPERATOR_STEPS.out] : []),
    ...(isAny(({ process }) => process === 'started' || process === 'restarted')
      ? [OPERATOR_STEPS.in]
      : []),
  ]
}
