/** Verb stop: no process of the proxy is left, and none comes back by itself. */
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { homeOf } from './home.ts'
import type { Host } from './host.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import { PROXY_UNIT } from './paths.ts'
import { proxyProcesses } from './processes.ts'
import type { Facts } from './result.ts'
import { unitExists } from './unit-files.ts'

/** Longer than the unit's TimeoutStopSec, after which the service manager kills. */
const STOP_TIMEOUT_MS = 30_000
const POLL_MS = 50

export async function stop(memory: NodeMemory, desired: DesiredNode, host: Host): Promise<Facts> {
  writeMemory(host.settings.paths, { ...memory, desired })
  const stopped = await stopProxy(desired, host)
  return { status: 'STOPPED', pid: null, stopped }
}

/** False when nothing ran. @throws node.not-stopped, node.init-failed */
export async function stopProxy(desired: Pick<DesiredNode, 'home'>, host: Host): Promise<boolean> {
  const { paths } = host.settings
  if (!unitExists(paths, PROXY_UNIT)) return false
  const { active } = await host.init.status(PROXY_UNIT)
  // Also when inactive: a unit that waits for its next start must not come back.
  await host.init.act('stop', PROXY_UNIT)
  const { executable } = homeOf(paths, desired)
  const deadline = host.clock.now() + STOP_TIMEOUT_MS
  for (;;) {
    // Workers outlive their supervisor for as long as they drain.
    const [left] = proxyProcesses(paths.root).filter(({ path }) => path === executable)
    if (left === undefined) return active
    if (host.clock.now() >= deadline)
      throw new Fault('node.not-stopped', { seconds: STOP_TIMEOUT_MS / 1000, pid: left.pid })
    await host.clock.sleep(POLL_MS)
  }
}
