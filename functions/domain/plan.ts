/** Which steps an operation has, and which operation its children are. Tables, nothing else. */
import type { Verb } from '#contract/command'
import type { NodeStatus, OperationType } from './model.ts'
import type { NodeTask } from './record.ts'

export type StepName =
  | 'prepare'
  | 'children'
  | 'run'
  | 'reserve'
  | 'install'
  | 'start'
  | 'stop'
  | 'restart'
  | 'refresh'
  | 'uninstall'
  | 'verify'
  | 'forget'
  | 'finish'

/**
 * `local`: one transaction of ours. `remote`: a verb on the node. `watch`: waits for the node to
 * say what is wanted. `children`: ends when all children have.
 */
export type StepRule =
  | { readonly kind: 'local'; readonly isLast: boolean }
  | { readonly kind: 'remote'; readonly verb: Verb; readonly deadlineMs: number }
  | { readonly kind: 'watch'; readonly verb: 'status'; readonly deadlineMs: number }
  | { readonly kind: 'children' }

const MINUTE_MS = 60_000

/** Deadlines leave room for a sweeper that comes by once a minute only. */
export const STEP_RULES: Readonly<Record<StepName, StepRule>> = {
  prepare: { kind: 'local', isLast: false },
  children: { kind: 'local', isLast: false },
  run: { kind: 'children' },
  reserve: { kind: 'local', isLast: false },
  install: { kind: 'remote', verb: 'install', deadlineMs: 15 * MINUTE_MS },
  start: { kind: 'remote', verb: 'start', deadlineMs: 6 * MINUTE_MS },
  stop: { kind: 'remote', verb: 'stop', deadlineMs: 6 * MINUTE_MS },
  restart: { kind: 'remote', verb: 'restart', deadlineMs: 8 * MINUTE_MS },
  // A start of what runs brings it up to date and lets it go on running.
  refresh: { kind: 'remote', verb: 'start', deadlineMs: 6 * MINUTE_MS },
  uninstall: { kind: 'remote', verb: 'uninstall', deadlineMs: 6 * MINUTE_MS },
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
  'change-links': 'refresh-node',
} as const satisfies Partial<Record<OperationType, OperationType>>

export type ClusterOperationType = keyof typeof CHILD_TYPES
export type NodeOperationType = (typeof CHILD_TYPES)[ClusterOperationType]

const PLANS: Readonly<Record<OperationType, readonly StepName[]>> = {
  'create-cluster': ['prepare', 'children', 'run', 'finish'],
  'delete-cluster': ['children', 'run', 'forget'],
  'add-nodes': ['children', 'run', 'finish'],
  'delete-nodes': ['children', 'run', 'finish'],
  start: ['children', 'run', 'finish'],
  stop: ['children', 'run', 'finish'],
  restart: ['children', 'run', 'finish'],
  'change-links': ['children', 'run', 'finish'],
  'create-node': ['reserve', 'install', 'start', 'verify', 'finish'],
  'delete-node': ['stop', 'uninstall', 'forget'],
  'start-node': ['start', 'verify', 'finish'],
  'stop-node': ['stop', 'verify', 'finish'],
  'restart-node': ['restart', 'verify', 'finish'],
  'refresh-node': ['refresh', 'finish'],
}

/** Steps of an operation; of a node's operation they depend on its task. */
export function planOf(type: OperationType, task?: NodeTask): readonly StepName[] {
  if (type === 'delete-node' && task?.skipHostWork) return ['forget']
  if (type === 'create-node' && task?.desiredState === 'STOPPED')
    return ['reserve', 'install', 'finish']
  return PLANS[type]
}

export function isClusterOperation(type: OperationType): type is ClusterOperationType {
  return Object.hasOwn(CHILD_TYPES, type)
}

/** What the node must say before the operation counts as done. */
export function wantedStatus(type: OperationType): 'RUNNING' | 'STOPPED' {
  return type === 'stop-node' || type === 'delete-node' ? 'STOPPED' : 'RUNNING'
}

/** Status that an operation gives a node while it holds it. */
export const HELD_STATUS: Readonly<Record<NodeOperationType, NodeStatus>> = {
  'create-node': 'CREATING',
  'delete-node': 'DELETING',
  'start-node': 'STARTING',
  'stop-node': 'STOPPING',
  'restart-node': 'RESTARTING',
  'refresh-node': 'REFRESHING',
}
