/**
 * Which process is the proxy: during a hand-over there are two, and a port that answers does not say
 * which. Our proxy writes its pid when it serves; of one that does not, the service manager knows.
 */
import { join } from 'node:path'
import type { DesiredNode } from '#contract/node-state'
import { readIfThere } from './durable-file.ts'
import { homeOf } from './home.ts'
import type { Host } from './host.ts'
import { PROXY_UNIT } from './paths.ts'
import { proxyProcesses } from './processes.ts'
import { unitExists } from './unit-files.ts'

/** Null when none runs. @throws node.init-failed */
export async function listenerPid(desired: DesiredNode, host: Host): Promise<number | null> {
  const { paths } = host.settings
  if (!unitExists(paths, PROXY_UNIT)) return null
  const { active, pid } = await host.init.status(PROXY_UNIT)
  if (!active) return null
  // Why not the main process alone: systemd looks for another one only when the first has ended.
  return publishedPid(desired, host) ?? pid
}

/** What the proxy's own pid file says, unless it is of an earlier life; undefined for OBProxy, which has none. */
export function publishedPid(
  desired: DesiredNode,
  { settings: { paths } }: Host,
): number | undefined {
  const pid = Number(readIfThere(join(homeOf(paths, desired).folder, 'run/obproxy.pid')))
  return proxyProcesses(paths.root).some(found => found.pid === pid) ? pid : undefined
}
