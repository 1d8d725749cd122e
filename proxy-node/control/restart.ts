/**
 * Verb restart. Forced: stop, then start; clients are cut, and a stopped proxy is started. Hot:
 * another process takes over; what only a restart brings into force is stored before, because a
 * successor goes by what is stored and not by the command line of the first start.
 */
import type { OrderEntry } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { askProxy, knownPasswords, settlePassword } from './access.ts'
import { align } from './alignment.ts'
import { requireInstalled, synchronise, waitUntilReady } from './bring-up.ts'
import type { Host } from './host.ts'
import { hotRestart, requireHot } from './hot-restart.ts'
import type { NodeMemory } from './node-file.ts'
import { checkMemory } from './prechecks.ts'
import type { Facts } from './result.ts'
import { readyToStart, serve } from './start.ts'
import { stopProxy } from './stop.ts'

/** How a process is replaced by another one. */
export type Replacement = Pick<OrderEntry, 'mode' | 'drainSec'>

export async function restart(
  memory: NodeMemory,
  desired: DesiredNode,
  { mode, drainSec }: Replacement,
  host: Host,
): Promise<Facts> {
  if (mode === 'hot') return restartHot(memory, desired, drainSec, host)
  // A secret that cannot be read must not cost the proxy that runs.
  const ready = await readyToStart(memory, desired, host)
  const stopped = await stopProxy(desired, host)
  return { ...(await serve(ready, host)), stopped }
}

async function restartHot(
  memory: NodeMemory,
  desired: DesiredNode,
  drainSec: number | undefined,
  host: Host,
): Promise<Facts> {
  requireInstalled(desired, host)
  checkMemory((await requireHot(desired, host)).pid, host)
  const ready = await readyToStart(memory, desired, host)
  const { paths } = host.settings
  await settlePassword(desired, ready.password, host)
  const changes = await askProxy(desired, host, admin => align(admin, ready))
  const { pid, pidBefore, seconds, clientsBefore } = await hotRestart(desired, { drainSec }, host)
  await waitUntilReady(desired, knownPasswords(paths), host)
  const { changed, version } = await synchronise(desired, ready.memory, host)
  return {
    status: 'RUNNING',
    pid,
    pidBefore,
    version,
    seconds,
    clientsBefore,
    parametersChanged: changes.length + changed,
    parameterVersion: desired.parameterVersion,
  }
}
