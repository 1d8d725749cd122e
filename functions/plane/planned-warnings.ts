/** What whoever reads a plan should not overlook, and what nobody but the operator can do. Pure. */
import { cut, MOST_NAMED, type PlannedNode, type PlanWarning } from '../domain/change-plan.ts'
import { OPERATOR_STEPS } from '../domain/load-balancer.ts'
import type { OperationType } from '../domain/model.ts'
import type { NodeTask } from '../domain/operation-record.ts'
import { STEP_RULES, type StepName } from '../domain/plan.ts'
import { isHealthy, isStale } from '../domain/status.ts'
import type { Foreseen } from './dry-run.ts'
import { isCut } from './planned-nodes.ts'
import { leavesTooFew } from './sparing.ts'

const TEXTS: Readonly<Record<PlanWarning['code'], string>> = {
  'no-node-left': 'with them gone no node is left that takes clients',
  'all-at-once': 'all of them lose their clients at the same time',
  'report-stale': 'not heard of for three minutes: what is said of them may be old',
  'host-offline': 'Systems Manager does not reach the host: a step waits for it until its deadline',
  'stays-out-of-balancer': 'taken offline before: nothing but `online` takes them in again',
  'clients-cut': 'they are deleted while they have clients, who are cut off',
  'too-few-healthy':
    'less than half of the nodes that should run stay healthy without it, and those have its clients, too',
  'no-link-left':
    'with the last link gone no login reaches any OB cluster through them; they run on for nobody',
  'serves-unmanaged':
    'their clients, links, parameters and passwords stay; no report, change, watch or boot of ours comes to them any more, only a watchdog and an auto-start that they had before',
  'password-stays':
    'they go on with the password of root@proxysys that they have; it stays where the specification names it, and is changed by nobody here',
  'config-answers-end':
    'the config service answers them no more once the grace of a move out is over, at once where the cluster is deleted: they serve on with the OB clusters that they know, and do not learn of other servers by it, also at a start',
  'server-list-stays':
    'their list of servers stays as it is: when all of those are replaced, the next start finds none',
  'stays-in-balancer':
    'they stay members of their target group; nobody takes out one that is stopped or replaced',
  'left-behind':
    'not told, for they are out of reach: what of ours is on their hosts stays there, and the document takes none of them over',
}

/** Names of nodes that it is said of, none where it is of a cluster without any; null: it is not said. */
type Found = Readonly<Record<PlanWarning['code'], readonly string[] | null>>

export function warningsOf(
  foreseen: Foreseen,
  nodes: readonly PlannedNode[],
  atOnce: number,
): readonly PlanWarning[] {
  const { online } = foreseen
  const told = toldOf(foreseen)
  const cutOff = nodes.filter(({ process }) => isCut(process))
  const isAll = cutOff.length > 1 && atOnce >= cutOff.length
  const found: Found = {
    'no-node-left': namesOf(areLast(foreseen, nodes)),
    'all-at-once': namesOf(isAll ? cutOff : []),
    'report-stale': namesOf(nodes.filter(node => isSilent(foreseen, node))),
    'host-offline': namesOf(nodes.filter(({ name, host }) => told.has(name) && !online.has(host))),
    'stays-out-of-balancer': namesOf(nodes.filter(node => isKeptOut(foreseen, node))),
    'clients-cut': namesOf(nodes.filter(isDeletedWithClients)),
    'too-few-healthy': namesOf(nodes.filter(node => isMissed(foreseen, node))),
    'no-link-left': unlinkedOf(foreseen),
    ...movedOutOf(foreseen, nodes),
  }
  return Object.entries(TEXTS).flatMap(([name, detail]) => {
    const code = name as PlanWarning['code']
    const names = found[code]
    return names === null ? [] : [{ code, detail, nodes: cut(names, MOST_NAMED) }]
  })
}

function namesOf(nodes: readonly { readonly name: string }[]): readonly string[] | null {
  return nodes.length === 0 ? null : nodes.map(({ name }) => name)
}

function isDeletedWithClients({ process, clients }: PlannedNode): boolean {
  return process === 'removed' && (clients ?? 0) > 0
}

/** Of one node that is deleted though it is needed. */
function isMissed({ picture, operation, now }: Foreseen, { id }: PlannedNode): boolean {
  const [task] = operation?.tasks ?? []
  if (picture === null || operation?.type !== 'delete-node' || task?.nodeId !== id) return false
  return leavesTooFew(picture, task, now)
}

/** Nodes of a cluster that has links now and would have none. */
function unlinkedOf({ picture, cluster }: Foreseen): readonly string[] | null {
  if (picture === null || cluster === null) return null
  const { links } = picture.cluster.spec
  const isUnlinked = links.length > 0 && cluster.spec.links.length === 0
  return isUnlinked ? picture.nodes.map(({ name }) => name).sort() : null
}

type Parting =
  | 'serves-unmanaged'
  | 'password-stays'
  | 'config-answers-end'
  | 'server-list-stays'
  | 'stays-in-balancer'
  | 'left-behind'

/** What goes on working with proxies that are let go of, and what does not (management.md §3.4, §3.13). */
function movedOutOf(
  { picture, cluster, operation, waves }: Foreseen,
  nodes: readonly PlannedNode[],
): Pick<Found, Parting> {
  const tasks = waves.flat().flatMap(child => child.operation.tasks)
  const released = tasks.filter(task => task.isReleased === true)
  const of = (some: readonly NodeTask[]) => {
    const ids = new Set(some.map(({ nodeId }) => nodeId))
    return namesOf(nodes.filter(({ id }) => ids.has(id ?? '')))
  }
  const serving = of(released.filter(task => !task.skipHostWork))
  const { workMode, loadBalancer } = picture?.cluster.spec ?? {}
  const isMovedOut = operation?.type === 'move-out'
  const isForgotten = cluster === null
  return {
    'serves-unmanaged': serving,
    'password-stays': serving,
    'config-answers-end': isForgotten && workMode === 'CONFIG_URL' ? serving : null,
    'server-list-stays': workMode === 'RS_LIST' ? serving : null,
    'stays-in-balancer': isMovedOut && loadBalancer?.kind === 'target-group' ? serving : null,
    'left-behind': isMovedOut ? of(released.filter(task => task.skipHostWork)) : null,
  }
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
