/** Which steps an operation has, and which operation its children are. Tables, nothing else. */
import type { Verb } from '#contract/command'
import type { NodeStatus, OperationType } from './model.ts'
import type { NodeTask } from './operation-record.ts'

export type StepName =
  | 'prepare'
  | 'export'
  | 'children'
  | 'run'
  | 'reserve'
  | 'install'
  | 'start'
  | 'stop'
  | 'restart'
  | 'baseline'
  | 'upgrade'
  | 'revert'
  | 'try'
  | 'publish'
  | 'refresh'
  | 'offer'
  | 'alter'
  | 'settle'
  | 'restore'
  | 'deregister'
  | 'drain-balancer'
  | 'register'
  | 'bake'
  | 'gate'
  | 'uninstall'
  | 'release'
  | 'take-over'
  | 'give-back'
  | 'probe'
  | 'judge'
  | 'diagnose'
  | 'collect'
  | 'verify'
  | 'forget'
  | 'finish'

/**
 * `local`: one transaction of ours. `remote`: a verb on the node. `watch`: waits for the node to
 * say what is wanted. `children`: ends when all children have. `timer`: the node is watched for as long
 * as its task says. `balancer`: asks the balancer until the node is on the side that is wanted.
 */
export type StepRule =
  | { readonly kind: 'local'; readonly isLast: boolean }
  | { readonly kind: 'remote'; readonly verb: Verb; readonly deadlineMs: number }
  | { readonly kind: 'watch'; readonly verb: 'status'; readonly deadlineMs: number }
  | { readonly kind: 'children' }
  | { readonly kind: 'timer' }
  | { readonly kind: 'balancer'; readonly deadlineMs: number }

const MINUTE_MS = 60_000

/** Deadlines leave room for a sweeper that comes by once a minute only. */
export const STEP_RULES: Readonly<Record<StepName, StepRule>> = {
  prepare: { kind: 'local', isLast: false },
  export: { kind: 'local', isLast: false },
  children: { kind: 'local', isLast: false },
  run: { kind: 'children' },
  reserve: { kind: 'local', isLast: false },
  install: { kind: 'remote', verb: 'install', deadlineMs: 15 * MINUTE_MS },
  start: { kind: 'remote', verb: 'start', deadlineMs: 6 * MINUTE_MS },
  stop: { kind: 'remote', verb: 'stop', deadlineMs: 6 * MINUTE_MS },
  restart: { kind: 'remote', verb: 'restart', deadlineMs: 8 * MINUTE_MS },
  baseline: { kind: 'remote', verb: 'check', deadlineMs: 4 * MINUTE_MS },
  upgrade: { kind: 'remote', verb: 'upgrade', deadlineMs: 20 * MINUTE_MS },
  revert: { kind: 'remote', verb: 'revert', deadlineMs: 10 * MINUTE_MS },
  refresh: { kind: 'remote', verb: 'refresh', deadlineMs: 6 * MINUTE_MS },
  // The node logs in by a new link before anybody is answered with it.
  try: { kind: 'remote', verb: 'refresh', deadlineMs: 6 * MINUTE_MS },
  publish: { kind: 'local', isLast: false },
  offer: { kind: 'remote', verb: 'refresh', deadlineMs: 6 * MINUTE_MS },
  alter: { kind: 'remote', verb: 'alter-proxyro', deadlineMs: 6 * MINUTE_MS },
  settle: { kind: 'remote', verb: 'refresh', deadlineMs: 6 * MINUTE_MS },
  restore: { kind: 'remote', verb: 'alter-proxyro', deadlineMs: 6 * MINUTE_MS },
  deregister: { kind: 'balancer', deadlineMs: 4 * MINUTE_MS },
  'drain-balancer': { kind: 'balancer', deadlineMs: 10 * MINUTE_MS },
  // Health checks of a balancer take their time.
  register: { kind: 'balancer', deadlineMs: 6 * MINUTE_MS },
  bake: { kind: 'timer' },
  gate: { kind: 'remote', verb: 'check', deadlineMs: 4 * MINUTE_MS },
  uninstall: { kind: 'remote', verb: 'uninstall', deadlineMs: 6 * MINUTE_MS },
  release: { kind: 'remote', verb: 'release', deadlineMs: 6 * MINUTE_MS },
  'take-over': { kind: 'remote', verb: 'take-over', deadlineMs: 15 * MINUTE_MS },
  'give-back': { kind: 'remote', verb: 'give-back', deadlineMs: 8 * MINUTE_MS },
  probe: { kind: 'remote', verb: 'probe', deadlineMs: 4 * MINUTE_MS },
  judge: { kind: 'local', isLast: false },
  diagnose: { kind: 'remote', verb: 'diagnose', deadlineMs: 6 * MINUTE_MS },
  collect: { kind: 'remote', verb: 'collect-logs', deadlineMs: 10 * MINUTE_MS },
  verify: { kind: 'watch', verb: 'status', deadlineMs: 4 * MINUTE_MS },
  forget: { kind: 'local', isLast: true },
  finish: { kind: 'local', isLast: true },
}

/** Operation of a cluster → operation of each of its nodes. */
export const CHILD_TYPES = {
  'create-cluster': 'create-node',
  'delete-cluster': 'delete-node',
  'add-nodes': 'create-node',
  'delete-nodes': 'delete-node',
  start: 'start-node',
  stop: 'stop-node',
  restart: 'restart-node',
  upgrade: 'upgrade-node',
  refresh: 'refresh-node',
  'change-links': 'refresh-node',
  'change-parameters': 'refresh-node',
  'attach-balancer': 'online-node',
  'detach-balancer': 'offline-node',
  offline: 'offline-node',
  online: 'online-node',
  'rotate-sys-password': 'refresh-node',
  'rotate-proxyro-password': 'rotate-proxyro-node',
  'precheck-take-over': 'probe-host',
  'take-over': 'take-over-node',
  'move-out': 'delete-node',
  diagnose: 'diagnose-node',
  'collect-logs': 'collect-logs-node',
} as const satisfies Partial<Record<OperationType, OperationType>>

export type ClusterOperationType = keyof typeof CHILD_TYPES
export type NodeOperationType =
  | (typeof CHILD_TYPES)[ClusterOperationType]
  | 'revert-node'
  | 'give-back-node'
  | 'restore-proxyro-node'

/** Operation of a cluster → what puts back what it did on one node; absent: nothing can. */
export const UNDO_TYPES: Readonly<Partial<Record<ClusterOperationType, NodeOperationType>>> = {
  'create-cluster': 'delete-node',
  'add-nodes': 'delete-node',
  start: 'stop-node',
  stop: 'start-node',
  upgrade: 'revert-node',
  'change-links': 'refresh-node',
  'change-parameters': 'refresh-node',
  offline: 'online-node',
  online: 'offline-node',
  'rotate-sys-password': 'refresh-node',
  'take-over': 'give-back-node',
  'rotate-proxyro-password': 'restore-proxyro-node',
}

const PLANS: Readonly<Record<OperationType, readonly StepName[]>> = {
  'create-cluster': ['prepare', 'children', 'run', 'finish'],
  'delete-cluster': ['children', 'run', 'forget'],
  'add-nodes': ['children', 'run', 'finish'],
  'delete-nodes': ['children', 'run', 'finish'],
  start: ['children', 'run', 'finish'],
  stop: ['children', 'run', 'finish'],
  restart: ['children', 'run', 'finish'],
  upgrade: ['children', 'run', 'finish'],
  refresh: ['children', 'run', 'finish'],
  'change-links': ['children', 'run', 'finish'],
  'change-parameters': ['children', 'run', 'finish'],
  'attach-balancer': ['children', 'run', 'finish'],
  'detach-balancer': ['children', 'run', 'finish'],
  offline: ['children', 'run', 'finish'],
  online: ['children', 'run', 'finish'],
  'rotate-sys-password': ['prepare', 'children', 'run', 'finish'],
  'rotate-proxyro-password': ['prepare', 'children', 'run', 'finish'],
  'precheck-take-over': ['children', 'run', 'finish'],
  'take-over': ['children', 'run', 'finish'],
  'move-out': ['export', 'children', 'run', 'forget'],
  diagnose: ['children', 'run', 'finish'],
  'collect-logs': ['children', 'run', 'finish'],
  'create-node': ['reserve', 'install', 'start', 'verify', 'finish'],
  'delete-node': ['stop', 'uninstall', 'forget'],
  'start-node': ['start', 'verify', 'finish'],
  'stop-node': ['stop', 'verify', 'finish'],
  'restart-node': ['restart', 'verify', 'finish'],
  'upgrade-node': ['baseline', 'upgrade', 'verify', 'bake', 'gate', 'finish'],
  'revert-node': ['revert', 'verify', 'finish'],
  'refresh-node': ['refresh', 'finish'],
  'offline-node': ['deregister', 'finish'],
  'online-node': ['register', 'finish'],
  'probe-host': ['probe', 'judge', 'finish'],
  'take-over-node': ['probe', 'judge', 'reserve', 'take-over', 'verify', 'finish'],
  'give-back-node': ['give-back', 'forget'],
  'diagnose-node': ['diagnose', 'finish'],
  'collect-logs-node': ['collect', 'finish'],
  'rotate-proxyro-node': ['offer', 'settle', 'finish'],
  'restore-proxyro-node': ['refresh', 'finish'],
}

/**
 * Steps that begin on no node before all nodes are past others: whoever logs in meanwhile has a password
 * that is right, whichever that is (management.md §2.7, §3.22).
 */
const BARRIERS: Readonly<
  Partial<Record<OperationType, Readonly<Partial<Record<StepName, readonly StepName[]>>>>>
> = {
  'rotate-proxyro-node': { alter: ['offer'], settle: ['offer', 'alter'] },
  'restore-proxyro-node': { restore: ['offer'], refresh: ['offer', 'restore'] },
}

/** What all nodes must have behind them before this step begins. */
export function awaitedSteps(type: OperationType, step: StepName): readonly StepName[] {
  return BARRIERS[type]?.[step] ?? []
}

/** Steps of an operation; of a node's operation they depend on its task. */
export function planOf(type: OperationType, task?: NodeTask): readonly StepName[] {
  const plan = barePlanOf(type, task)
  return task?.isBalanced === true ? balanced(plan, type, task) : plan
}

function barePlanOf(type: OperationType, task: NodeTask | undefined): readonly StepName[] {
  if (type === 'delete-node' && task?.skipHostWork) return ['forget']
  if (type === 'delete-node' && task?.isReleased) return ['release', 'forget']
  if (type === 'create-node' && task?.desiredState === 'STOPPED')
    return ['reserve', 'install', 'finish']
  if (type === 'restart-node' && task?.bakeMs !== undefined)
    return ['baseline', 'restart', 'verify', 'bake', 'gate', 'finish']
  if (type === 'refresh-node') return refreshPlan(task)
  if (type === 'rotate-proxyro-node' && task?.alters !== undefined)
    return ['offer', 'alter', 'settle', 'finish']
  if (type === 'restore-proxyro-node' && task?.isAltered === true)
    return ['offer', ...(task.alters === undefined ? [] : ['restore' as const]), ...PLANS[type]]
  return PLANS[type]
}

/** Steps that end connections of clients, unless they are hot. */
const CUTTING: readonly StepName[] = ['stop', 'restart', 'upgrade', 'revert', 'give-back']

/**
 * Out of the balancer before clients are cut, and in again when the node serves. What is hot leaves it
 * where it is: its port never closes.
 */
function balanced(
  plan: readonly StepName[],
  type: OperationType,
  task: NodeTask,
): readonly StepName[] {
  // Nobody can be asked how many clients are left.
  if (task.skipHostWork) return ['deregister', ...plan]
  const isHot = task.way?.mode === 'hot'
  const cuts = (name: StepName) => CUTTING.includes(name) && (name === 'stop' || !isHot)
  // Nobody is cut by it: its clients stay, and no new ones are sent by us.
  if (plan[0] === 'release') return ['release', 'deregister', 'forget']
  const comesIn = !isHot && wantedStatus(type) === 'RUNNING'
  return plan.flatMap((name): readonly StepName[] => {
    if (cuts(name)) return ['deregister', 'drain-balancer', name]
    return name === 'verify' && comesIn ? [name, 'register'] : [name]
  })
}

function refreshPlan(task: NodeTask | undefined): readonly StepName[] {
  const isWatched = task?.bakeMs !== undefined
  return [
    ...(isWatched ? (['baseline'] as const) : []),
    ...(task?.tries === undefined ? [] : (['try', 'publish'] as const)),
    'refresh',
    // A change that needs a restart: stored first, in force with the new process.
    ...(task?.way === undefined ? [] : (['restart', 'verify'] as const)),
    ...(isWatched ? (['bake', 'gate'] as const) : []),
    'finish',
  ]
}

const LOOKS = [
  'precheck-take-over',
  'probe-host',
  'diagnose',
  'diagnose-node',
  'collect-logs',
  'collect-logs-node',
] as const satisfies readonly OperationType[]

export type LookType = (typeof LOOKS)[number]

/** It changes nothing and holds nothing: no lock, no fence, also when it is tried again. */
export function isLook(type: OperationType): type is LookType {
  return LOOKS.some(look => look === type)
}

export function isClusterOperation(type: OperationType): type is ClusterOperationType {
  return Object.hasOwn(CHILD_TYPES, type)
}

/** What the node must say before the operation counts as done. */
export function wantedStatus(type: OperationType): 'RUNNING' | 'STOPPED' {
  return type === 'stop-node' || type === 'delete-node' ? 'STOPPED' : 'RUNNING'
}

/** Status that an operation gives a node while it holds it; null: none of its own. */
export const HELD_STATUS: Readonly<Record<NodeOperationType, NodeStatus | null>> = {
  'create-node': 'CREATING',
  'delete-node': 'DELETING',
  'start-node': 'STARTING',
  'stop-node': 'STOPPING',
  'restart-node': 'RESTARTING',
  'upgrade-node': 'UPGRADING',
  'revert-node': 'UPGRADING',
  'refresh-node': 'REFRESHING',
  'rotate-proxyro-node': 'REFRESHING',
  'restore-proxyro-node': 'REFRESHING',
  'probe-host': null,
  'take-over-node': 'TAKINGOVER',
  'give-back-node': 'DELETING',
  'offline-node': null,
  'online-node': null,
  'diagnose-node': null,
  'collect-logs-node': null,
}
