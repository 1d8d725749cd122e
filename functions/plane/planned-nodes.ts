/** What nodes would go through: steps with their deadlines, waves, and what becomes of processes and clients. */
import {
  cut,
  MOST_NAMED,
  type PlannedNode,
  type PlannedStep,
  type PlannedWave,
  type Procedure,
  type ProcessFate,
  type Span,
} from '../domain/change-plan.ts'
import { healthOf, spare } from '../domain/health.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { STEP_RULES, type StepName } from '../domain/plan.ts'
import { deadlineMsOf } from '../operations/balancer-steps.ts'
import type { Child, Foreseen } from './dry-run.ts'

const MS_PER_SEC = 1_000

/** A step decides on the fate of the process by itself; the last one that does is what counts. */
const FATES: Readonly<Partial<Record<StepName, ProcessFate>>> = {
  install: 'installed',
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  upgrade: 'restarted',
  revert: 'restarted',
  uninstall: 'removed',
  'take-over': 'restarted',
  'give-back': 'restarted',
}

/** What ends the connections of clients. */
const CUTTING: readonly ProcessFate[] = ['restarted', 'stopped', 'removed']

export function isCut(process: ProcessFate): boolean {
  return CUTTING.includes(process)
}

/** Steps that are still to be done. */
export function stepsLeft(operation: OperationRecord): readonly PlannedStep[] {
  return operation.plan.slice(operation.stepsDone).map(name => stepOf(operation, name))
}

function stepOf(operation: OperationRecord, name: StepName): PlannedStep {
  const rule = STEP_RULES[name]
  const deadlineMs = deadlineMsOf(operation, name)
  const bakeSec = (operation.tasks[0]?.bakeMs ?? 0) / MS_PER_SEC
  const deadlineSec = deadlineMs === null ? null : deadlineMs / MS_PER_SEC
  return {
    name,
    kind: rule.kind,
    verb: rule.kind === 'remote' || rule.kind === 'watch' ? rule.verb : null,
    deadlineSec,
    leastSec: rule.kind === 'timer' ? bakeSec : 0,
    mostSec: rule.kind === 'timer' ? bakeSec : (deadlineSec ?? 0),
  }
}

function fateOf({ plan, stepsDone, tasks: [task] }: OperationRecord): ProcessFate {
  const fates = plan.slice(stepsDone).flatMap(name => FATES[name] ?? [])
  const last = fates.at(-1) ?? 'untouched'
  return last === 'restarted' && task?.way?.mode === 'hot' ? 'moved' : last
}

type Worked = {
  readonly procedures: readonly Procedure[]
  readonly nodes: readonly PlannedNode[]
  readonly waves: readonly PlannedWave[]
  readonly atOnce: number
  readonly duration: Span
}

export function workOf(foreseen: Foreseen): Worked {
  const found = new Map<string, Procedure>()
  const place = (operation: OperationRecord): number => {
    const { type } = operation
    const steps = stepsLeft(operation)
    const key = JSON.stringify([type, steps])
    const { nodes = 0 } = found.get(key) ?? {}
    found.set(key, { type, nodes: nodes + 1, steps, ...inTurn(steps) })
    return [...found.keys()].indexOf(key)
  }
  const nodes = foreseen.waves.flatMap((wave, at) =>
    wave.map(child => nodeOf(foreseen, child, { wave: at, procedure: place(child.operation) })),
  )
  const procedures = [...found.values()]
  const atOnce = atOnceIn(foreseen)
  const pace = paceNow(foreseen, atOnce)
  const waves = foreseen.waves.map((_wave, at) => {
    const own = nodes.filter(({ wave }) => wave === at)
    return waveOf(foreseen, own, { at, procedures, pace })
  })
  return { procedures, nodes, waves, atOnce, duration: inTurn(waves) }
}

/** One after the other. */
function inTurn(spans: readonly Span[]): Span {
  const sum = (of: (span: Span) => number) => spans.reduce((all, span) => all + of(span), 0)
  return { leastSec: sum(({ leastSec }) => leastSec), mostSec: sum(({ mostSec }) => mostSec) }
}

function nodeOf(
  { picture, cluster }: Foreseen,
  { operation, before, after }: Child,
  at: Pick<PlannedNode, 'wave' | 'procedure'>,
): PlannedNode {
  const [task] = operation.tasks
  const report = before === null ? undefined : picture?.reports.get(before.id)?.report
  const wanted = before?.desiredVersion ?? (before === null ? null : picture?.cluster.spec.version)
  return {
    id: before?.id ?? null,
    name: operation.target.name,
    host: task?.hostId ?? operation.target.id,
    zone: task?.idc ?? null,
    ...at,
    process: fateOf(operation),
    clients: report?.status === 'STOPPED' ? 0 : (report?.clientConnections ?? null),
    desiredState: {
      before: before?.desiredState ?? null,
      after: after?.desiredState ?? null,
    },
    version: {
      before: report?.version ?? wanted ?? null,
      after: after === null ? null : (after.desiredVersion ?? cluster?.spec.version ?? null),
    },
  }
}

function waveOf(
  { operation }: Foreseen,
  nodes: readonly PlannedNode[],
  {
    at,
    procedures,
    pace,
  }: { readonly at: number; readonly procedures: readonly Procedure[]; readonly pace: number },
): PlannedWave {
  const zones = new Map<string | null, number>()
  for (const { zone } of nodes) zones.set(zone, (zones.get(zone) ?? 0) + 1)
  const { rollout, waves = [], undo } = operation?.rollout ?? {}
  const isBack = (undo ?? null) !== null
  return {
    nodes: nodes.length,
    isCanary: at === 0 && !isBack && waves.length > 1 && (rollout?.canary ?? 0) > 0,
    zones: cut(
      [...zones].map(([zone, count]) => ({ zone, nodes: count })),
      MOST_NAMED,
    ),
    ...sideBySide(
      nodes.flatMap(({ procedure }) => procedures[procedure] ?? []),
      pace,
    ),
  }
}

/** So many at a time, each next one as soon as one is done. */
function sideBySide(spans: readonly Span[], atOnce: number): Span {
  const longest = (some: readonly Span[], of: (span: Span) => number) =>
    Math.max(0, ...some.map(of))
  let mostSec = 0
  for (let at = 0; at < spans.length; at += atOnce)
    mostSec += longest(spans.slice(at, at + atOnce), span => span.mostSec)
  const least = inTurn(spans).leastSec / atOnce
  return {
    leastSec: Math.max(
      Math.ceil(least),
      longest(spans, span => span.leastSec),
    ),
    mostSec,
  }
}

function atOnceIn({ operation, waves }: Foreseen): number {
  const widest = Math.max(1, ...waves.map(wave => wave.length))
  return Math.min(operation?.rollout?.rollout.maxUnavailable ?? widest, widest)
}

/** As many as may begin at once while so many are healthy as are now. */
function paceNow({ operation, picture, now }: Foreseen, atOnce: number): number {
  const { minHealthyPercent = 0 } = operation?.rollout?.rollout ?? {}
  if (minHealthyPercent === 0 || picture === null) return atOnce
  const room = spare(healthOf(picture, new Set(), now), minHealthyPercent)
  return Math.max(1, Math.min(atOnce, room))
}
