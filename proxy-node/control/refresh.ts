/**
 * Verb refresh: what a running proxy has set is put in line with what it should have, links included,
 * and nothing is restarted; what waits for a restart is told. Source: management.md §3.10.
 */
import type { OrderEntry } from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { askProxy, settlePassword } from './access.ts'
import { align } from './alignment.ts'
import { requireInstalled } from './bring-up.ts'
import type { Host } from './host.ts'
import { pendingRestart } from './in-force.ts'
import { giveBack } from './lent.ts'
import { lookForClusters } from './links.ts'
import { listenerPid } from './listener.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import { requireLogins } from './proxyro.ts'
import { type Facts, namesFact } from './result.ts'
import { readyToStart } from './start.ts'

/** @throws node.not-installed, node.not-running, node.parameter-refused, secret.unreadable, proxyro.unreachable, proxyro.refused */
export async function refresh(
  memory: NodeMemory,
  given: DesiredNode,
  { proxyro = [] }: Pick<OrderEntry, 'proxyro'>,
  host: Host,
): Promise<Facts> {
  requireInstalled(given, host)
  const { paths } = host.settings
  const pid = await listenerPid(given, host)
  if (pid === null) throw new Fault('node.not-running', { verb: 'refresh' })
  const told = await requireLogins(proxyro, given, host)
  // Whether it should run is not for this verb to say.
  const desired: DesiredNode = { ...given, state: memory.desired?.state ?? given.state }
  const ready = await readyToStart(memory, desired, host)
  await settlePassword(desired, ready.password, host)
  return askProxy(desired, host, async admin => {
    // Before anything is set: the first look at a process takes what is set for what is in force.
    await pendingRestart(pid, admin, paths)
    await giveBack(admin, paths)
    const changes = await align(admin, ready)
    await lookForClusters(admin, desired)
    const parameterNames = Object.keys(desired.parameters)
    const { parameterVersion } = desired
    writeMemory(paths, { ...ready.memory, parameterNames, parameterVersion })
    return {
      status: 'RUNNING',
      pid,
      parametersChanged: changes.length,
      changed: namesFact(changes.map(({ name }) => name)),
      pendingRestart: namesFact(await pendingRestart(pid, admin, paths)),
      parameterVersion,
      ...told,
    }
  })
}
