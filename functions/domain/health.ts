/**
 * How many nodes of a cluster may be taken at a time so that enough of it stays healthy. One that is not
 * healthy costs nothing more, and goes first: it may be what makes the others possible. Pure.
 * Source: management-beyond.md §6.
 */
import { isHealthy } from './status.ts'
import type { ClusterPicture } from './store.ts'

export type Health = {
  /** Nodes that should run. */
  readonly total: number
  /** Of them those that do, and that nobody works on. */
  readonly healthy: ReadonlySet<string>
}

/** @param busy nodes that are worked on now, whatever they say */
export function healthOf(
  { nodes, reports }: Pick<ClusterPicture, 'nodes' | 'reports'>,
  busy: ReadonlySet<string>,
  now: number,
): Health {
  const wanted = nodes.filter(({ desiredState }) => desiredState === 'RUNNING')
  const healthy = wanted.filter(
    ({ id }) => !busy.has(id) && isHealthy(reports.get(id) ?? null, now),
  )
  return { total: wanted.length, healthy: new Set(healthy.map(({ id }) => id)) }
}

export function leastHealthy({ total }: Health, percent: number): number {
  return Math.ceil((total * percent) / 100)
}

/** Healthy nodes that may be taken now: one always while all are, or else a cluster of one were never touched. */
export function spare(health: Health, percent: number): number {
  const { total, healthy } = health
  const more = healthy.size - leastHealthy(health, percent)
  return Math.max(more, healthy.size === total ? 1 : 0, 0)
}

/** Of nodes that wait those that may begin, and how many at a time. */
export function mayBegin(
  health: Health,
  percent: number,
  waiting: readonly string[],
): { readonly ids: readonly string[]; readonly room: number } {
  const broken = waiting.filter(id => !health.healthy.has(id))
  if (broken.length > 0) return { ids: broken, room: broken.length }
  const room = spare(health, percent)
  return { ids: room > 0 ? waiting : [], room }
}

export function whyTooFew(health: Health, percent: number): string {
  const least = leastHealthy(health, percent)
  const left = Math.max(0, health.healthy.size - 1)
  return `${left} of ${health.total} nodes would stay healthy, at least ${least} have to`
}
