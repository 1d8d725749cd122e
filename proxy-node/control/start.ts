/** Verb start: the proxy runs, serves, and has its parameters and its password. */
import type { OrderEntry } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { stage1Of } from '../auth/scramble.ts'
import { knownPasswords, settlePassword } from './access.ts'
import { launch, prepare, requireInstalled, synchronise, waitUntilReady } from './bring-up.ts'
import type { Host } from './host.ts'
import { givePasswords, type LinkSecrets, refreshLinks } from './links.ts'
import { listenerPid } from './listener.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import { requireLogins } from './proxyro.ts'
import type { Facts } from './result.ts'

/** @throws proxyro.unreachable, proxyro.refused, and what a start throws */
export async function start(
  memory: NodeMemory,
  desired: DesiredNode,
  { proxyro = [] }: Pick<OrderEntry, 'proxyro'>,
  host: Host,
): Promise<Facts> {
  const told = await requireLogins(proxyro, desired, host)
  return { ...(await serve(await readyToStart(memory, desired, host), host)), ...told }
}

export type Ready = {
  readonly memory: NodeMemory
  readonly desired: DesiredNode
  readonly isStartOther: boolean
  readonly secrets: LinkSecrets
  /** Of root@proxysys. */
  readonly password: string
}

/**
 * All that a start needs from elsewhere is here; the proxy is as it was.
 * @throws node.not-installed, secret.unreadable, node.not-written
 */
export async function readyToStart(
  memory: NodeMemory,
  desired: DesiredNode,
  host: Host,
): Promise<Ready> {
  requireInstalled(desired, host)
  // Names that are about to be set are known before: a killed verb's go back to their defaults too.
  const names = new Set([...memory.parameterNames, ...Object.keys(desired.parameters)])
  const kept = { ...memory, desired, parameterNames: [...names] }
  writeMemory(host.settings.paths, kept)
  const { isStartOther, secrets } = await prepare(desired, host)
  const password = await host.secrets.read(desired.sysPasswordSecret)
  return { memory: kept, desired, isStartOther, password, secrets }
}

export async function serve(ready: Ready, host: Host): Promise<Facts> {
  const { memory, desired, isStartOther, password, secrets } = ready
  const isStarted = await launch(desired, isStartOther, host)
  const candidates = [stage1Of(password), ...knownPasswords(host.settings.paths)]
  // Before it is ready: what it has kept of proxyro's passwords may be outdated, and then no OBServer answers it.
  await waitUntilReady(desired, candidates, host, admin => givePasswords(admin, secrets))
  await settlePassword(desired, password, host)
  const { changed, version } = await synchronise(desired, memory, host)
  if (!isStarted) await refreshLinks(desired, secrets, host)
  const pid = await listenerPid(desired, host)
  return {
    status: 'RUNNING',
    pid,
    version,
    started: isStarted,
    parametersChanged: changed,
    parameterVersion: desired.parameterVersion,
  }
}
