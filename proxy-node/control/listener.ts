/**
 * Which process is the proxy: during a hand-over there are two, and a port that answers does not say
 * which. Our proxy writes its pid when it serves; of one that does not, the service manager knows.
 */
import { join } from 'node:path'
import type { DesiredNode } from '#contract/node-state'
import { readIfThere } from './durable-file.ts'
import { readFound } from './found.ts'
import { newestIn } from './found-processes.ts'
import { homeOf } from './home.ts'
import type { Host } from './host.ts'
import { type Paths, PROXY_UNIT } from './paths.ts'
import { proxyProcesses } from './processes.ts'
import { unitExists } from './unit-files.ts'

/** Null when none runs. @throws node.init-failed */
export async function listenerPid(
  desired: Pick<DesiredNode, 'home'>,
  host: Host,
): Promise<number | null> {
  const { paths } = host.settings
  if (!unitExists(paths, PROXY_UNIT)) return null
  const { active, pid } = await host.init.status(PROXY_UNIT)
  if (!active) return null
  // Why not the main process alone: systemd looks for another one only when the first has ended.
  const published = publishedPid(desired, host)
  // Where the verbs watch over it, the main process is theirs, and may not have looked yet.
  const isWatched = readFound(paths)?.kind === 'other'
  return published ?? (isWatched ? (newestIn(paths, desired.home) ?? null) : pid)
}

export function pidFileOf(paths: Paths, home: string): string {
  return join(homeOf(paths, { home }).folder, 'run/obproxy.pid')
}

/** What the proxy's own pid file says, unless it is of an earlier life; undefined for OBProxy, which has none. */
export function publishedPid(
  desired: Pick<DesiredNode, 'home'>,
  { settings: { paths } }: Host,
): number | undefined {
  const pid = Number(readIfThere(pidFileOf(paths, desired.home)))
  return proxyProcesses(paths.root).some(found => found.pid === pid) ? pid : undefined
}
