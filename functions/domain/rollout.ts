/**
 * In which order the nodes of a fleet are worked on, and what a wave that fails leads to. Pure.
 * Source: management-beyond.md §6.
 */

/** Default is `rollback`: what the wave has changed is put back, and the operation fails. */
export const ON_FAILURE = ['rollback', 'pause', 'stop'] as const

export type OnFailure = (typeof ON_FAILURE)[number]

export type Rollout = {
  /** Nodes of the first wave, of the smallest zone; 0: there is none of its own. */
  readonly canary: number
  /** How long nodes are watched after the first wave, and after each other one. */
  readonly canaryBakeMs: number
  readonly bakeMs: number
  /** 1..100, of the nodes that are not in the first wave; never across zones unless it is 100. */
  readonly batchPercent: number
  /** Nodes that are worked on at once, whatever a wave's size. */
  readonly maxUnavailable: number
  /** 0..100, of the nodes that should run: so many stay healthy, or nothing begins. Absent: none has to. */
  readonly minHealthyPercent?: number
  readonly onFailure: OnFailure
  /** How long clients may stay with a process that is replaced, seconds; null: as the proxy is set. */
  readonly drainSec: number | null
}

export const SAFE_ROLLOUT: Rollout = {
  canary: 1,
  canaryBakeMs: 300_000,
  bakeMs: 60_000,
  batchPercent: 25,
  maxUnavailable: 1,
  minHealthyPercent: 50,
  onFailure: 'rollback',
  drainSec: null,
}

/** As OCP does it: all nodes of one call at the same time, nothing watched, nothing put back. */
export const ALL_AT_ONCE: Rollout = {
  canary: 0,
  canaryBakeMs: 0,
  bakeMs: 0,
  batchPercent: 100,
  maxUnavailable: Number.MAX_SAFE_INTEGER,
  onFailure: 'stop',
  drainSec: null,
}

/** One after the other, nothing watched: what cuts clients, and is asked for because it is quick. */
export const ONE_BY_ONE: Rollout = {
  ...ALL_AT_ONCE,
  maxUnavailable: 1,
  minHealthyPercent: 50,
}

/** Of what takes effect without a restart: one node shows whether it does, then all others at once. */
export const LIVE_CHANGE: Rollout = {
  ...ALL_AT_ONCE,
  canary: 1,
  onFailure: 'rollback',
}

export type RolloutState = {
  readonly rollout: Rollout
  /** Positions of tasks, wave by wave. */
  readonly waves: readonly (readonly number[])[]
  /** Tasks whose nodes are put back as they were; null: none is to be. */
  readonly undo: readonly number[] | null
}

type Placed = {
  readonly idc: string | null
  /** Clients of the node; null: not known. */
  readonly clients: number | null
}

/** Positions of `nodes`, wave by wave: the least loaded of the smallest zone first, then zone by zone. */
export function wavesOf(
  nodes: readonly Placed[],
  { canary, batchPercent }: Pick<Rollout, 'canary' | 'batchPercent'>,
): readonly (readonly number[])[] {
  const zones = zonesOf(nodes)
  // Alone it would be watched for nothing: there is no other that could be spared.
  const first = nodes.length > 1 ? (zones[0] ?? []).slice(0, canary) : []
  const rest = zones.map(zone => zone.filter(at => !first.includes(at)))
  const left = nodes.length - first.length
  const size = Math.max(1, Math.ceil((left * batchPercent) / 100))
  const batches =
    batchPercent >= 100 ? chunks(rest.flat(), size) : rest.flatMap(zone => chunks(zone, size))
  return [first, ...batches].filter(wave => wave.length > 0)
}

/** Smallest first; in each the least loaded first. */
function zonesOf(nodes: readonly Placed[]): readonly (readonly number[])[] {
  const zones = new Map<string, number[]>()
  for (const [at, { idc }] of nodes.entries()) {
    const zone = idc ?? ''
    zones.set(zone, [...(zones.get(zone) ?? []), at])
  }
  const load = (at: number) => nodes[at]?.clients ?? 0
  return [...zones]
    .sort(([left, ones], [right, others]) => ones.length - others.length || (left < right ? -1 : 1))
    .map(([_zone, all]) => all.sort((left, right) => load(left) - load(right) || left - right))
}

function chunks<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  const found: T[][] = []
  for (let at = 0; at < all.length; at += size) found.push(all.slice(at, at + size))
  return found
}

/** The wave that a task is in. */
export function waveOf({ waves }: RolloutState, task: number): number {
  return waves.findIndex(wave => wave.includes(task))
}

/** How long a task's node is watched before it counts as done. The last wave is watched, too. */
export function bakeOf(state: RolloutState, task: number): number {
  const { rollout, waves } = state
  const isCanary = rollout.canary > 0 && waves.length > 1 && waveOf(state, task) === 0
  return isCanary ? rollout.canaryBakeMs : rollout.bakeMs
}

/**
 * Which tasks may begin: those of the first wave that is not done. `isDone` and `hasFailed` are of
 * tasks; a wave with a failure lets nothing begin any more.
 */
export function mayBegin(
  state: RolloutState,
  of: { readonly isDone: (task: number) => boolean; readonly hasFailed: (task: number) => boolean },
): readonly number[] {
  if (state.undo !== null) return []
  for (const wave of state.waves) {
    if (wave.some(of.hasFailed)) return []
    if (!wave.every(of.isDone)) return wave
  }
  return []
}

/** What is put back when a task fails: all of its wave. */
export function undoneWith(state: RolloutState, failed: readonly number[]): readonly number[] {
  const waves = new Set(failed.map(task => waveOf(state, task)))
  return state.waves.flatMap((wave, at) => (waves.has(at) ? [...wave] : []))
}
