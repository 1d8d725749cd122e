/**
 * What the node's unit does at boot: bring the node back to what it should be, from its own disk; the
 * plane, its secrets and the OB clusters may all be away. Source: management.md §6.
 */
import { Fault } from '#contract/fault'
import { knownPasswords } from './access.ts'
import { forgetBootFailure, keepBootFailure } from './boot-failure.ts'
import { launch, requireInstalled, synchronise, waitUntilReady } from './bring-up.ts'
import { reasonOf } from './durable-file.ts'
import { settle } from './exchange.ts'
import { settleFound } from './give-back.ts'
import type { Host } from './host.ts'
import { listenerPid } from './listener.ts'
import { readMemory } from './node-file.ts'
import { PROXY_UNIT } from './paths.ts'
import type { Facts } from './result.ts'
import { unitExists } from './unit-files.ts'

const SETTLE_MS = 120_000

/** Under the node's lock. What fails is kept for the reports; the unit tries again until it is well. */
export async function boot(host: Host): Promise<Facts> {
  try {
    const facts = await bringBack(host)
    forgetBootFailure(host.settings)
    return facts
  } catch (error) {
    keepBootFailure(host.settings, error instanceof Fault ? error.message : reasonOf(error))
    throw error
  }
}

async function bringBack(host: Host): Promise<Facts> {
  const { paths } = host.settings
  const deadline = host.clock.now() + SETTLE_MS
  const whole = await settleFound(readMemory(paths), host, 'boot')
  const memory = await settle(whole, { deadline, mayCut: true }, host)
  const { desired } = memory
  if (desired === null || desired.state !== 'RUNNING')
    return { started: false, desiredState: desired?.state ?? null }
  if (!unitExists(paths, PROXY_UNIT)) return { started: false, desiredState: 'RUNNING' }
  requireInstalled(desired, host)
  const started = await launch(desired, false, host)
  await waitUntilReady(desired, knownPasswords(paths), host)
  const { changed, version } = await synchronise(desired, memory, host)
  const pid = await listenerPid(desired, host)
  return { started, desiredState: 'RUNNING', pid, version, parametersChanged: changed }
}
