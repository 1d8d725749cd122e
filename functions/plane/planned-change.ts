/** The plan of a change out of what is foreseen of it. Pure. Source: management-beyond.md §5, §6. */
import { PARAMETERS } from '#contract/parameters'
import {
  type ChangePlan,
  cut,
  GATE_CHECKS,
  MOST_NAMED,
  type PlannedNode,
} from '../domain/change-plan.ts'
import type { ClusterSpec } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { isClusterOperation, isLook } from '../domain/plan.ts'
import { pointerOf } from '../domain/problem.ts'
import { isUndoable, UNDO_WINDOW_MS } from '../operations/rollouts.ts'
import type { Foreseen } from './dry-run.ts'
import { isCut, stepsLeft, workOf } from './planned-nodes.ts'
import { operatorSteps, warningsOf } from './planned-warnings.ts'

const DRAIN_PARAMETER = 'hot_upgrade_exit_timeout'
const US_PER_SEC = 1_000_000
const MS_PER_SEC = 1_000

export function planOfChange(foreseen: Foreseen): ChangePlan {
  const { decision, operation } = foreseen
  const { nodes, procedures, waves, atOnce, duration } = workOf(foreseen)
  const changes = [
    ...specChanges(foreseen),
    ...(operation === null ? [] : proxyroChanges(operation)),
  ]
  const rollout = operation?.rollout?.rollout
  const isBack = operation?.phase === 'ROLLING_BACK'
  return {
    action:
      decision.kind === 'done' ? decision.action : (decision.action ?? decision.operation.type),
    type: operation?.type ?? null,
    target: targetOf(foreseen),
    outcome: outcomeOf(foreseen),
    changes: cut(changes),
    steps: operation !== null && isClusterOperation(operation.type) ? stepsLeft(operation) : [],
    procedures: cut(procedures, MOST_NAMED),
    waves: cut(waves),
    pace: {
      atOnce,
      minHealthyPercent: isBack ? null : (rollout?.minHealthyPercent ?? null),
      onFailure: isBack ? 'stop' : (rollout?.onFailure ?? 'stop'),
    },
    nodes: cut(nodes),
    inPlace: cut(inPlace(foreseen, nodes), MOST_NAMED),
    clients: clientsOf(foreseen, nodes),
    gates: gatesOf(foreseen),
    rollback: rollbackOf(operation),
    duration,
    warnings: warningsOf(foreseen, nodes, atOnce),
    operatorSteps: operatorSteps(foreseen, nodes),
  }
}

function targetOf({ decision, operation, picture }: Foreseen): ChangePlan['target'] {
  const { target } = operation ?? decision.operation ?? {}
  const isNew = picture === null && target?.kind === 'cluster'
  if (target !== undefined) return isNew ? { ...target, id: null } : target
  const cluster = picture?.cluster
  const node = decision.named?.find(({ id }) => decision.kind === 'done' && id === decision.ref)
  if (node !== undefined) return { kind: 'node', id: node.id, name: node.name }
  return { kind: 'cluster', id: cluster?.id ?? null, name: cluster?.name ?? '' }
}

function outcomeOf({ decision, operation }: Foreseen): ChangePlan['outcome'] {
  if (operation !== null) return 'operation'
  return decision.changes.length === 0 ? 'nothing' : 'at-once'
}

type Changes = ChangePlan['changes']['items']

/** Its name is made up with the operation. */
const MADE_THEN = 'one that the plane makes'

/** Names of passwords of proxyro, of each OB cluster that shares it. */
function proxyroChanges({ proxyro, phase }: OperationRecord): Changes {
  if (proxyro === undefined) return []
  const isBack = phase === 'ROLLING_BACK'
  const after = proxyro.after.isOurs && !isBack ? MADE_THEN : proxyro.after.name
  return proxyro.obClusters.map(({ name, before }) => {
    const path = pointerOf(['obClusters', name, 'proxyroSecret'])
    return isBack
      ? { path, before: after, after: before.name }
      : { path, before: before.name, after }
  })
}

function specChanges({ picture, cluster, operation }: Foreseen): Changes {
  const before = leavesOf(picture?.cluster.spec)
  const after = leavesOf(cluster?.spec)
  const made = operation?.sysSecrets?.after
  if (made?.isOurs === true && cluster?.spec.sysPasswordSecret === made.name)
    after.set(pointerOf(['spec', 'sysPasswordSecret']), MADE_THEN)
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort()
  return paths
    .map(path => ({ path, before: before.get(path) ?? null, after: after.get(path) ?? null }))
    .filter(change => change.before !== change.after)
}

/** By RFC 6901 pointer; links by their OB cluster. */
function leavesOf(spec: ClusterSpec | undefined): Map<string, string> {
  if (spec === undefined) return new Map()
  const { links, parameters, ...rest } = spec
  const fields = [
    ...Object.entries(rest).map(([name, value]) => [[name], value] as const),
    ...Object.entries(parameters).map(([name, value]) => [['parameters', name], value] as const),
    ...links.map(({ obCluster, ...link }) => [['links', obCluster], link] as const),
  ]
  return new Map(
    fields.flatMap(([path, value]) =>
      value === undefined
        ? []
        : [
            [
              pointerOf(['spec', ...path]),
              typeof value === 'string' ? value : JSON.stringify(value, inOrder),
            ] as const,
          ],
    ),
  )
}

function inPlace({ decision }: Foreseen, nodes: readonly PlannedNode[]): readonly string[] {
  const worked = new Set(nodes.map(({ id }) => id))
  return (decision.named ?? []).filter(({ id }) => !worked.has(id)).map(({ name }) => name)
}

function clientsOf(foreseen: Foreseen, nodes: readonly PlannedNode[]): ChangePlan['clients'] {
  const cutOff = nodes.filter(({ process }) => isCut(process))
  const moved = nodes.filter(({ process }) => process === 'moved')
  const count = (some: readonly PlannedNode[]) =>
    some.reduce((all, { clients }) => all + (clients ?? 0), 0)
  return {
    cut: count(cutOff),
    moved: count(moved),
    unknown: [...cutOff, ...moved].filter(({ clients }) => clients === null).length,
    drainSec: moved.length === 0 ? null : drainSecOf(foreseen),
  }
}

function drainSecOf({ waves, cluster }: Foreseen): number | null {
  const [first] = waves.flat()
  const asked = first?.operation.tasks[0]?.way?.drainSec ?? null
  if (asked !== null) return asked
  const text = cluster?.spec.parameters[DRAIN_PARAMETER] ?? PARAMETERS.get(DRAIN_PARAMETER)?.default
  const drainUs = Number.parseInt(text ?? '', 10)
  return drainUs >= 0 ? drainUs / US_PER_SEC : null
}

function gatesOf({ waves, cluster }: Foreseen): ChangePlan['gates'] {
  const gated = waves.flat().filter(({ operation }) => operation.plan.includes('gate'))
  if (gated.length === 0) return { nodes: 0, checks: [], logins: cut([]) }
  const logins = (cluster?.spec.links ?? [])
    .filter(({ probeAccount }) => probeAccount !== undefined)
    .map(({ obCluster }) => obCluster)
  return { nodes: gated.length, checks: GATE_CHECKS, logins: cut(logins, MOST_NAMED) }
}

function rollbackOf(operation: OperationRecord | null): ChangePlan['rollback'] {
  const why = whyNoReturn(operation)
  if (why !== null) return { isPossible: false, withinSec: null, why }
  // Once all nodes have the new one, the one that the plane had made is dropped.
  const { sysSecrets, proxyro } = operation ?? {}
  const before = [sysSecrets?.before, ...(proxyro?.obClusters ?? []).map(each => each.before)]
  if (before.some(secret => secret?.isOurs === true))
    return { isPossible: true, withinSec: 0, why: 'the password before is dropped at the end' }
  return { isPossible: true, withinSec: UNDO_WINDOW_MS / MS_PER_SEC, why: null }
}

function whyNoReturn(operation: OperationRecord | null): string | null {
  if (operation === null) return 'there is no operation'
  if (isLook(operation.type)) return 'it changes nothing'
  if (!isClusterOperation(operation.type)) return 'an operation of one node is not rolled back'
  if (operation.phase === 'ROLLING_BACK') return 'it is the way back'
  return isUndoable(operation) ? null : `what ${operation.type} does cannot be put back`
}

/** What a table gives back has its keys in an order of its own: that is no change. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}
