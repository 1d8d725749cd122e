/**
 * Verbs upgrade and revert: another version in the place of the one that is installed. Parameters,
 * links and units stay: putting those in line is what refresh is for. Source: management.md §3.7.
 */
import type { OrderEntry, PackageRef } from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { knownPasswords } from './access.ts'
import { requireInstalled, waitUntilReady } from './bring-up.ts'
import { copyToIncoming, readCopy } from './copies.ts'
import { exchange, replace, runningVersion } from './exchange.ts'
import {
  COPIES,
  type Home,
  homeOf,
  type Installed,
  isIntact,
  type Moving,
  readMarker,
} from './home.ts'
import type { Host } from './host.ts'
import { type Running, requireHot } from './hot-restart.ts'
import { bringIn, checkVersion, clearIncoming } from './incoming.ts'
import { listenerPid } from './listener.ts'
import { desiredOf, type NodeMemory, writeMemory } from './node-file.ts'
import { checkMemory } from './prechecks.ts'
import type { Facts } from './result.ts'
import { compareVersions, majorOf } from './versions.ts'

/** Of the document's ten minutes; the rest is for two hot restarts, forth and back. */
const DOWNLOAD_TIMEOUT_MS = 150_000
/** How long the version before may be gone back to: then its configuration may be too old. */
const BACKUP_HOURS = 24
const HOUR_MS = 3_600_000

const [BACKUP, UNDO] = COPIES

export type Step = {
  readonly memory: NodeMemory
  readonly entry: OrderEntry
  /** Epoch milliseconds when the verb has to have ended. */
  readonly deadline: number
}

type Place = {
  readonly home: Home
  readonly desired: DesiredNode
  readonly installed: Installed
}

/** @throws order.incomplete, node.not-an-upgrade, node.hot-refused, node.memory-short, package.*, node.upgrade-undone, node.upgrade-stuck */
export async function upgrade(step: Step, host: Host): Promise<Facts> {
  const { entry } = step
  const wanted = entry.package
  if (wanted === undefined)
    throw new Fault('order.incomplete', { verb: 'upgrade', part: 'package' })
  const place = placeOf(step, host)
  const { home, installed } = place
  if (compareVersions(wanted.version, installed.version) < 0)
    throw new Fault('node.not-an-upgrade', { from: installed.version, to: wanted.version })
  if (wanted.version === installed.version && (await isIntact(home, installed)))
    return alreadyThere(step, place, host)
  const running = await checkHot(place, wanted.version, entry, host)
  // Not before a way back: that must be possible as long as any is.
  if (running !== undefined) checkMemory(running.pid, host)
  try {
    const to = await bringWhole(home, wanted, host)
    return await exchange(await planned(step, place, { to, undo: BACKUP }, host), host)
  } finally {
    clearIncoming(home)
  }
}

/**
 * To the version before, which `desired.version` names if it is given.
 * @throws node.no-backup, node.hot-refused, node.upgrade-undone, node.upgrade-stuck
 */
export async function revert(step: Step, host: Host): Promise<Facts> {
  const { entry } = step
  const place = placeOf(step, host)
  const { home, installed } = place
  const target = entry.desired?.version
  if (target === installed.version && (await isIntact(home, installed)))
    return alreadyThere(step, place, host)
  const to = await usableBackup(home, target, host)
  await checkHot(place, to.version, entry, host)
  try {
    copyToIncoming(home, BACKUP)
    return await exchange(await planned(step, place, { to, undo: UNDO }, host), host)
  } finally {
    clearIncoming(home)
  }
}

/** @throws node.not-installed, node.other-node */
function placeOf({ memory }: Step, host: Host): Place {
  const desired: DesiredNode = { ...desiredOf(memory, 'upgrade'), state: 'RUNNING' }
  requireInstalled(desired, host)
  const home = homeOf(host.settings.paths, desired)
  const installed = readMarker(home)?.installed
  if (installed === undefined) throw new Fault('node.not-installed', { home: desired.home })
  return { home, desired, installed }
}

async function bringWhole(home: Home, wanted: PackageRef, host: Host): Promise<Installed> {
  const to = await bringIn(home, wanted, { timeoutMs: DOWNLOAD_TIMEOUT_MS }, host)
  await checkVersion(home, wanted)
  return to
}

async function planned(
  { memory, entry, deadline }: Step,
  { home, desired, installed }: Place,
  goal: Pick<Moving, 'to' | 'undo'>,
  host: Host,
) {
  const { mode = 'force', drainSec } = entry
  const pid = await listenerPid(desired, host)
  const moving = { ...goal, pid, mode, ...(drainSec === undefined ? {} : { drainSec }) }
  return { home, nodeId: desired.nodeId, from: installed, moving, desired, memory, deadline }
}

/** The process that is to be replaced hot; undefined where none is. @throws node.hot-refused */
async function checkHot(
  { desired }: Place,
  to: string,
  { mode }: OrderEntry,
  host: Host,
): Promise<Running | undefined> {
  if (mode !== 'hot') return undefined
  const running = await requireHot(desired, host)
  const { version } = running
  if (majorOf(version) !== majorOf(to))
    throw new Fault('node.hot-refused', {
      reason: `${version} and ${to} differ in the first number`,
    })
  return running
}

/** The files are right; a process of another version is replaced. */
async function alreadyThere(
  { memory, entry: { mode = 'force', drainSec } }: Step,
  { desired, installed }: Place,
  host: Host,
): Promise<Facts> {
  const { version } = installed
  // An order that was planned with another version may have come between.
  writeMemory(host.settings.paths, { ...memory, desired: { ...desired, version } })
  const pid = await listenerPid(desired, host)
  if (pid !== null && (await runningVersion(desired, host)) !== version) {
    await replace(desired, { mode, drainSec }, undefined, host)
    await waitUntilReady(desired, knownPasswords(host.settings.paths), host)
  }
  return { pid: await listenerPid(desired, host), version, upgraded: false }
}

/** @throws node.no-backup */
async function usableBackup(
  home: Home,
  target: string | undefined,
  host: Host,
): Promise<Installed> {
  const refuse = (reason: string) => new Fault('node.no-backup', { reason })
  const copy = readCopy(home, BACKUP)
  if (copy === undefined) throw refuse('none is kept')
  const { takenAt, installed } = copy
  if (target !== undefined && installed.version !== target)
    throw refuse(`version ${installed.version} is kept, not ${target}`)
  const ageHours = (host.clock.now() - takenAt) / HOUR_MS
  if (ageHours > BACKUP_HOURS)
    throw refuse(`version ${installed.version} is from ${Math.floor(ageHours)} h ago`)
  const executable = `${home.folder}/${BACKUP}/bin/obproxy`
  if (!(await isIntact({ executable }, installed)))
    throw refuse(`the files of version ${installed.version} are damaged`)
  return installed
}
