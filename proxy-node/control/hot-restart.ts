/**
 * A hot restart, by admin SQL alone, so that OBProxy's are done the same way: the proxy starts the
 * file at its path as its successor, which takes the listening socket over; clients stay with the
 * process before until they are drained. The answer to the command proves nothing, so another process
 * must be seen to be the proxy. Source: management.md §2.4, proxy-admin.md §4.2; decision N5.
 */
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { askProxy } from './access.ts'
import { reasonOf } from './durable-file.ts'
import type { Host } from './host.ts'
import { giveBack, lend } from './lent.ts'
import { listenerPid, publishedPid } from './listener.ts'
import { askExporter } from './observation.ts'
import { parseUpgradeState, type UpgradeState } from './upgrade-state.ts'
import { knowsHotRestart } from './versions.ts'
import { lookUntil } from './waiting.ts'

const COMMAND = 'proxy_local_cmd'
const HOT_RESTART = '2'
/** How long a successor may take; one that hangs is killed then, and the proxy serves on. */
const ROLLBACK_SEC = 60
/** OBProxy looks for the command every 5 s by default, and for the rollback as often. */
const TAKEN_MS = 15_000
const HANDOVER_MS = ROLLBACK_SEC * 1000 + TAKEN_MS
/** How long the process of an earlier hot restart is waited for, whose clients still leave. */
const IDLE_WAIT_MS = 90_000
/** And one that only says that it is no parent: whether it ever says otherwise is not known. */
const SUCCESSOR_WAIT_MS = 30_000
const GIVE_BACK_MS = 20_000
const LOOK_MS = 10_000
const POLL_MS = 100
/** SHOW PROXYINFO UPGRADE wants a login each time, the pid does not. */
const ASK_MS = 500

export type HandOver = {
  readonly pidBefore: number
  readonly pid: number
  readonly clientsBefore: number
  readonly seconds: number
}

export type HotOptions = {
  /** Undefined: as the proxy is set. */
  readonly drainSec: number | undefined
  /** Undefined: IDLE_WAIT_MS. */
  readonly idleWaitMs?: number
}

export type Running = { readonly pid: number; readonly version: string }

/** The proxy that can be restarted hot. @throws node.hot-refused, node.admin-refused */
export async function requireHot(desired: DesiredNode, host: Host): Promise<Running> {
  const pid = await listenerPid(desired, host)
  if (pid === null) throw new Fault('node.hot-refused', { reason: 'it does not run' })
  const version = await askProxy(desired, host, admin => admin.version()).catch(error => {
    if (error instanceof Fault) throw error
    throw new Fault('node.hot-refused', { reason: `it does not answer: ${reasonOf(error)}` })
  })
  if (version === null || !knowsHotRestart(version))
    throw new Fault('node.hot-refused', { reason: `${version ?? 'its version'} has none` })
  return { pid, version }
}

/**
 * Another process is the proxy when this returns; it may still have to become ready.
 * @throws node.hot-refused, node.hot-restart-failed, node.admin-refused
 */
export async function hotRestart(
  desired: DesiredNode,
  { drainSec, idleWaitMs = IDLE_WAIT_MS }: HotOptions,
  host: Host,
): Promise<HandOver> {
  const { pid: pidBefore } = await requireHot(desired, host)
  await untilIdle(desired, idleWaitMs, host)
  const since = host.clock.now()
  const clientsBefore = await askProxy(desired, host, async admin => {
    await lend(admin, timesOf(drainSec), host.settings.paths)
    return admin.clientConnections()
  })
  try {
    await askProxy(desired, host, admin => admin.alter(COMMAND, HOT_RESTART))
    const pid = await untilOther(desired, pidBefore, host)
    const seconds = (host.clock.now() - since) / 1000
    host.log(`process ${pid} is the proxy, before it was ${pidBefore}`)
    return { pidBefore, pid, clientsBefore, seconds }
  } catch (error) {
    throw failed(error, since, await servesOn(desired, pidBefore, host), host)
  } finally {
    await giveBackWhole(desired, host)
  }
}

/** One attempt: a second one behind the back of a verb that has failed would undo what it undid. */
function timesOf(drainSec: number | undefined): ReadonlyMap<string, string> {
  return new Map([
    ['hot_upgrade_rollback_timeout', `${ROLLBACK_SEC}s`],
    ['hot_upgrade_failure_retries', '1'],
    ...(drainSec === undefined
      ? []
      : ([['hot_upgrade_exit_timeout', String(drainSec * 1_000_000)]] as const)),
  ])
}

/** With the pid of who answers: OBProxy shows it with its sessions only. */
function stateOf(desired: DesiredNode, host: Host) {
  return askProxy(desired, host, async admin => {
    const state = parseUpgradeState(await admin.upgradeLines())
    const isTaken = (await admin.parameters()).get(COMMAND) === '0'
    return { ...state, isTaken, pid: state.pid ?? (await admin.sessionPid()) }
  })
}

/** Why wait: a command given meanwhile is only noted, and would be carried out when nobody expects it. */
async function untilIdle(desired: DesiredNode, waitMs: number, host: Host): Promise<void> {
  let shown = ''
  const since = host.clock.now()
  const look = async () => {
    const state = await stateOf(desired, host)
    shown = state.shown
    const mayRefuse = state.isSuccessor && host.clock.now() < since + SUCCESSOR_WAIT_MS
    return (state.isIdle && !mayRefuse) || undefined
  }
  const wait = { deadline: host.clock.now() + waitMs, everyMs: ASK_MS }
  if ((await lookUntil(look, wait, host.clock)) === undefined)
    throw new Fault('node.hot-refused', { reason: `an earlier one goes on: ${shown}` })
}

type Watch = { askAt: number; idleLooks: number }

/** @throws Error that says why there is no other process. */
async function untilOther(desired: DesiredNode, before: number, host: Host): Promise<number> {
  const watch = { askAt: 0, idleLooks: 0 }
  const look = () => otherPid(desired, before, watch, host)
  const wait = { deadline: host.clock.now() + HANDOVER_MS, everyMs: POLL_MS }
  const pid = await lookUntil(look, wait, host.clock)
  if (pid === undefined) throw new Error('no other process became the proxy')
  return pid
}

async function otherPid(
  desired: DesiredNode,
  before: number,
  watch: Watch,
  host: Host,
): Promise<number | undefined> {
  const published = publishedPid(desired, host)
  const isMoving = published !== undefined && published !== before
  if (!isMoving && host.clock.now() < watch.askAt) return undefined
  const state = await stateOf(desired, host).catch(() => undefined)
  watch.askAt = host.clock.now() + ASK_MS
  if (state?.pid === undefined || state.pid === before) {
    if (state !== undefined) checkGoesOn(state, watch)
    return undefined
  }
  // A successor answers before it has told that it serves; where pids are published, that tells.
  return published === before ? undefined : state.pid
}

/** The command was taken, and yet the proxy is as ever: seen twice, it is no moment between the two. */
function checkGoesOn(state: UpgradeState & { readonly isTaken: boolean }, watch: Watch): void {
  watch.idleLooks = state.isTaken && state.isIdle ? watch.idleLooks + 1 : 0
  if (watch.idleLooks >= 2)
    throw new Error(`its successor ${state.lastFailure || 'did not come to serve'}`)
}

/** What is to be told of the process before; a failed hot restart must not be believed to be harmless. */
async function servesOn(desired: DesiredNode, before: number, host: Host): Promise<string> {
  let reason: string | undefined
  const look = async () => {
    reason = await whyNotServing(desired, before, host)
    return reason === undefined || undefined
  }
  const wait = { deadline: host.clock.now() + LOOK_MS, everyMs: POLL_MS }
  return (await lookUntil(look, wait, host.clock)) === undefined
    ? `process ${before} does not serve: ${reason}`
    : `process ${before} serves on`
}

async function whyNotServing(
  desired: DesiredNode,
  before: number,
  host: Host,
): Promise<string | undefined> {
  try {
    const { pid } = await stateOf(desired, host)
    if (pid !== before) return `process ${pid ?? 'none'} is in its place`
    const exporter = await askExporter(desired, host)
    return exporter.kind === 'silent' ? exporter.reason : undefined
  } catch (error) {
    return reasonOf(error)
  }
}

function failed(error: unknown, since: number, now: string, host: Host): Fault {
  if (error instanceof Fault && error.code !== 'node.admin-refused') return error
  const seconds = Math.round((host.clock.now() - since) / 1000)
  const facts = { seconds, reason: reasonOf(error), now }
  return new Fault('node.hot-restart-failed', facts, { cause: error })
}

/**
 * On the process that is the proxy now. The one before refuses for a moment, and what cannot be put
 * back is kept on disk for the next verb: no reason to fail this one.
 */
async function giveBackWhole(desired: DesiredNode, host: Host): Promise<void> {
  let reason = ''
  const look = () =>
    askProxy(desired, host, admin => giveBack(admin, host.settings.paths)).then(
      () => true,
      error => {
        reason = reasonOf(error)
        return undefined
      },
    )
  const wait = { deadline: host.clock.now() + GIVE_BACK_MS, everyMs: ASK_MS }
  if ((await lookUntil(look, wait, host.clock)) === undefined)
    host.log(`times of hot restarts are not put back: ${reason}`)
}
