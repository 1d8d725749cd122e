/**
 * The exchange of the installed version for another one, forth and back, in steps that each leave a
 * state from which the next order or boot goes on: a copy of what is there; a mark that files are
 * moving; the files; another process, which has to prove itself; the new version on record. Until that
 * last one the node is of the version before, and goes back to it. Source: management.md §3.7, §6 (A5).
 */
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { askProxy, knownPasswords } from './access.ts'
import { launch, synchronise, waitUntilReady } from './bring-up.ts'
import { dropCopy, moveWhole, putBack, readCopy, takeCopy } from './copies.ts'
import { reasonOf } from './durable-file.ts'
import {
  COPIES,
  type Home,
  homeOf,
  type Installed,
  isIntact,
  type Moving,
  readMarker,
  writeMarker,
} from './home.ts'
import type { Host } from './host.ts'
import { type HandOver, hotRestart } from './hot-restart.ts'
import { listenerPid } from './listener.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import type { Replacement } from './restart.ts'
import type { Facts } from './result.ts'
import { stopProxy } from './stop.ts'

const [BACKUP] = COPIES
/** What is kept of the document's ten minutes for a hot restart to the end and its answer. */
const HOT_RESTART_MS = 150_000
const LEAST_IDLE_WAIT_MS = 10_000

export type Exchange = {
  readonly home: Home
  readonly nodeId: string
  readonly from: Installed
  readonly moving: Moving
  /** What the node should be, but for the version. */
  readonly desired: DesiredNode
  readonly memory: NodeMemory
  /** Epoch milliseconds when the verb has to have ended. */
  readonly deadline: number
}

/**
 * What lies in `home.unpacking` becomes the installed version, or everything is as it was.
 * @throws node.upgrade-undone, node.upgrade-stuck; before anything is moved also node.disk-full
 */
export async function exchange(of: Exchange, host: Host): Promise<Facts> {
  const { home, nodeId, from, moving } = of
  takeCopy(home, moving.undo, from, host.clock.now())
  writeMarker(home, { schema: 1, nodeId, installed: from, moving })
  try {
    moveWhole(home)
    host.log(`files of ${moving.to.version} are in place`)
    const handOver = await replace(of.desired, moving, undefined, host)
    const facts = await prove(of, moving.to, host)
    complete(of, host)
    return { ...facts, ...handOver, versionBefore: from.version }
  } catch (error) {
    host.log(`the change to ${moving.to.version} failed: ${reasonOf(error)}`)
    return await undone(of, error, host)
  }
}

async function undone(of: Exchange, error: unknown, host: Host): Promise<never> {
  const facts = { to: of.moving.to.version, from: of.from.version, reason: reasonOf(error) }
  try {
    await goBack(of, host)
  } catch (second) {
    host.log(`the way back failed: ${reasonOf(second)}`)
    const why = reasonOf(second)
    throw new Fault('node.upgrade-stuck', { ...facts, why }, { cause: second })
  }
  throw new Fault('node.upgrade-undone', facts, { cause: error })
}

/** Another process by the files that lie there now. @throws node.hot-refused, node.hot-restart-failed, node.not-stopped */
export async function replace(
  desired: DesiredNode,
  { mode, drainSec }: Replacement,
  idleWaitMs: number | undefined,
  host: Host,
): Promise<HandOver | Record<string, never>> {
  if (mode === 'hot')
    return await hotRestart(
      desired,
      { drainSec, ...(idleWaitMs === undefined ? {} : { idleWaitMs }) },
      host,
    )
  await stopProxy(desired, host)
  await launch(desired, false, host)
  return {}
}

/** The process that serves is the version it should be. @throws node.wrong-version, node.not-ready */
async function prove(of: Exchange, wanted: Installed, host: Host): Promise<Facts> {
  const { desired, memory } = of
  await waitUntilReady(desired, knownPasswords(host.settings.paths), host)
  const version = await runningVersion(desired, host)
  if (version !== wanted.version)
    throw new Fault('node.wrong-version', { found: version ?? 'unknown', wanted: wanted.version })
  // The version is on record last; until then the boot goes back to the one before.
  const { changed } = await synchronise({ ...desired, version: of.from.version }, memory, host)
  const pid = await listenerPid(desired, host)
  return { status: 'RUNNING', pid, version, parametersChanged: changed }
}

/** From here on the node is of the new version. */
function complete({ home, nodeId, moving, desired, memory }: Exchange, host: Host): void {
  const { parameterVersion } = desired
  const parameterNames = Object.keys(desired.parameters)
  const now = { ...desired, version: moving.to.version }
  writeMemory(host.settings.paths, { ...memory, desired: now, parameterNames, parameterVersion })
  writeMarker(home, { schema: 1, nodeId, installed: moving.to })
  // Of a way back nothing is kept: another one would go forth again.
  if (moving.undo !== BACKUP) for (const name of COPIES) dropCopy(home, name)
}

/** The files, the process and the record of the version before. */
async function goBack(of: Exchange, host: Host): Promise<void> {
  const { home, from, moving, desired, deadline } = of
  putBack(home, moving.undo)
  const pid = await listenerPid(desired, host)
  if (pid !== moving.pid || pid === null) {
    const left = deadline - host.clock.now() - HOT_RESTART_MS
    const mode = pid === null ? 'force' : moving.mode
    await replace(desired, { ...moving, mode }, Math.max(left, LEAST_IDLE_WAIT_MS), host)
  }
  await prove(of, from, host)
  recordBack(of, host)
  host.log(`back at ${from.version}`)
}

export async function runningVersion(desired: DesiredNode, host: Host): Promise<string | null> {
  return askProxy(desired, host, admin => admin.version())
}

export type SettleOptions = Pick<Exchange, 'deadline'> & {
  /** Who comes next cuts clients anyway: no hot restart is waited for. */
  readonly mayCut: boolean
}

/**
 * What a verb that was killed in an exchange left: forth where the new version serves already, else
 * back. The memory as it is then. For orders and the boot, before anything else.
 * @throws node.upgrade-stuck when the node cannot be brought to a whole version
 */
export async function settle(
  memory: NodeMemory,
  { deadline, mayCut }: SettleOptions,
  host: Host,
): Promise<NodeMemory> {
  const { desired } = memory
  if (desired === null) return memory
  const home = homeOf(host.settings.paths, desired)
  const marker = readMarker(home)
  if (marker?.moving === undefined || marker.installed === undefined) return memory
  const { nodeId, installed: from } = marker
  const moving: Moving = { ...marker.moving, ...(mayCut ? { mode: 'force' as const } : {}) }
  const of: Exchange = { home, nodeId, from, moving, desired, memory, deadline }
  host.log(`an exchange of ${of.from.version} for ${of.moving.to.version} was cut off`)
  const pid = await listenerPid(desired, host)
  // Without the way back, what is whole is better than nothing.
  const isLost = readCopy(home, moving.undo) === undefined && (await isIntact(home, moving.to))
  if (isLost || (pid !== null && pid !== moving.pid && (await hasCome(of, host)))) {
    complete(of, host)
    host.log(`settled at ${of.moving.to.version}`)
    return { ...memory, desired: { ...desired, version: of.moving.to.version } }
  }
  await settleBack(of, pid, host)
  return { ...memory, desired: { ...desired, version: of.from.version } }
}

/** The other process is whole and proves itself. */
async function hasCome(of: Exchange, host: Host): Promise<boolean> {
  try {
    if (!(await isIntact(of.home, of.moving.to))) return false
    await prove(of, of.moving.to, host)
    return true
  } catch (error) {
    host.log(`${of.moving.to.version} does not prove itself: ${reasonOf(error)}`)
    return false
  }
}

async function settleBack(of: Exchange, pid: number | null, host: Host): Promise<void> {
  try {
    // Nothing runs, or what ran before does: whether that is well is for who comes next.
    if (pid === null || pid === of.moving.pid) {
      putBack(of.home, of.moving.undo)
      recordBack(of, host)
    } else await goBack(of, host)
  } catch (error) {
    const facts = { to: of.moving.to.version, reason: 'it was cut off', why: reasonOf(error) }
    throw new Fault('node.upgrade-stuck', facts, { cause: error })
  }
}

function recordBack({ home, nodeId, from, moving, desired, memory }: Exchange, host: Host): void {
  writeMemory(host.settings.paths, { ...memory, desired: { ...desired, version: from.version } })
  writeMarker(home, { schema: 1, nodeId, installed: from })
  dropCopy(home, moving.undo)
}
