/** Verb restart, forced: stop, then start; clients are cut. A stopped proxy is started. */
import type { DesiredNode } from '#contract/node-state'
import type { Host } from './host.ts'
import type { NodeMemory } from './node-file.ts'
import type { Facts } from './result.ts'
import { readyToStart, serve } from './start.ts'
import { stopProxy } from './stop.ts'

export async function restart(
  memory: NodeMemory,
  desired: DesiredNode,
  host: Host,
): Promise<Facts> {
  // A secret that cannot be read must not cost the proxy that runs.
  const ready = await readyToStart(memory, desired, host)
  const stopped = await stopProxy(desired, host)
  return { ...(await serve(ready, host)), stopped }
}
