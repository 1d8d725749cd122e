/** Verb restart, forced: stop, then start; clients are cut. A stopped proxy is started. */
import type { DesiredNode } from '#contract/node-state'
import { requireInstalled } from './bring-up.ts'
import type { Host } from './host.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import type { Facts } from './result.ts'
import { start } from './start.ts'
import { stopProxy } from './stop.ts'

export async function restart(
  memory: NodeMemory,
  desired: DesiredNode,
  host: Host,
): Promise<Facts> {
  requireInstalled(desired, host)
  writeMemory(host.settings.paths, { ...memory, desired })
  const stopped = await stopProxy(desired, host)
  return { ...(await start(memory, desired, host)), stopped }
}
