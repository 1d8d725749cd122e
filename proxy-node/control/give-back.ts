/**
 * The way back of a take-over: its own files, its own command, its own watchdog and auto-start, and
 * nothing of ours. Everything needed lies on this host, so that a boot can do it too; each part looks
 * first, and the record goes last. Never uninstalls anything. Source: management.md §1.4, §3.3, §6 (A5).
 */
import { Fault } from '#contract/fault'
import { sqlAddress } from './access.ts'
import { activeUnits, autoStartsOf, switchOn } from './auto-start.ts'
import { reasonOf } from './durable-file.ts'
import { type Found, isBetween, keepFound, readFound } from './found.ts'
import { passwordAsFound, putFilesBack } from './found-files.ts'
import { endProcesses, processesIn, startAsFound } from './found-processes.ts'
import { homeOf, readMarker } from './home.ts'
import type { Host } from './host.ts'
import { type NodeMemory, readMemory } from './node-file.ts'
import { forgetNode, watchAsFound } from './parting.ts'
import { NODE_UNIT, PROXY_UNIT } from './paths.ts'
import { ProxyAdmin } from './proxy-admin.ts'
import { finishRelease } from './release.ts'
import type { Facts } from './result.ts'
import { stopProxy } from './stop.ts'
import { removeUnits, unitExists } from './unit-files.ts'
import { lookUntil } from './waiting.ts'

const SERVES_MS = 60_000
/** Its own auto-start has begun it by then, or does not at this boot. */
const BEGINS_MS = 30_000
const POLL_MS = 100

/** Verb give-back: a node that was taken over is as it was found, and ours no more. @throws node.not-as-found, node.take-over-stuck */
export async function giveBack(host: Host): Promise<Facts> {
  const { paths } = host.settings
  const found = readFound(paths)
  // It never was, or is no more: what is wanted is so.
  if (found === undefined) return { givenBack: false }
  const installed = readMarker(homeOf(paths, found))?.installed
  if (found.phase === 'taken' && installed !== undefined && installed.version !== found.version) {
    const reason = `it was upgraded from ${found.version} to ${installed.version}`
    throw new Fault('node.not-as-found', { reason })
  }
  return goBack(found, host)
}

/**
 * What a verb that was killed left between the two states: the memory as it is then. For orders that are
 * none of a take-over, and for the boot. @throws node.take-over-stuck
 */
export async function settleFound(
  memory: NodeMemory,
  host: Host,
  when: When = 'now',
): Promise<NodeMemory> {
  const found = readFound(host.settings.paths)
  if (found === undefined || !isBetween(found)) return memory
  host.log(`a take-over was cut off while it was ${found.phase}`)
  if (found.phase === 'releasing') await finishRelease(found, host)
  else await goBack(found, host, when)
  return readMemory(host.settings.paths)
}

/** Whether its own auto-start is beginning, or has long begun. */
type When = 'boot' | 'now'

/** @throws node.take-over-stuck: any later order goes on with it */
export async function goBack(before: Found, host: Host, when: When = 'now'): Promise<Facts> {
  const { paths } = host.settings
  try {
    const found = keepFound(paths, before, { phase: 'undoing' })
    const mayBeItsOwn = when === 'boot' && (await startsByItself(before, host))
    const isItsOwn = mayBeItsOwn && (await comesUp(found, host))
    if (!isItsOwn) await bringBack(found, host)
    await switchOn(found.autoStart, host)
    await removeUnits(host)
    const isToWatch = found.isRunning && found.watchdogs.length > 0 && !isItsOwn
    if (isToWatch) await watchAsFound(found, host)
    forgetNode(found, host)
    host.log('the proxy is as it was found')
    return { givenBack: true, pid: processesIn(paths, found.home)[0] ?? null }
  } catch (error) {
    host.log(`the way back failed: ${reasonOf(error)}`)
    throw new Fault('node.take-over-stuck', { why: reasonOf(error) }, { cause: error })
  }
}

/**
 * What starts it at a boot is on, and so nothing of ours is in the way: nothing was changed yet, or all is put
 * back. It is left to that, with its watchdog: were we to start it as well, it would be started twice, and
 * whoever came second would have no port, or share it. Any order that comes later starts it.
 */
async function startsByItself({ home, phase, ...found }: Found, host: Host): Promise<boolean> {
  if (!found.isRunning || (found.isChanged && phase !== 'undoing')) return false
  const { all } = await autoStartsOf(home, host)
  return all.some(each => each.kind !== 'unit' || each.isEnabled)
}

/** False: nothing has begun it, as a line that is for other moments, or that may not run. @throws Error when it does not serve */
async function comesUp(found: Found, host: Host): Promise<boolean> {
  const { settings, clock } = host
  const look = async () => processesIn(settings.paths, found.home)[0]
  const wait = { deadline: clock.now() + BEGINS_MS, everyMs: POLL_MS }
  if ((await lookUntil(look, wait, clock)) === undefined) {
    host.log('its own auto-start has not begun it at this boot')
    return false
  }
  await untilServes(found, host, 'its own auto-start has not brought it up')
  return true
}

async function bringBack(found: Found, host: Host): Promise<void> {
  await dropOurs(found, host)
  if (found.isRunning) await serveAsFound(found, host)
}

/**
 * Our process ends, and its files are those that were found. Nothing of ours starts it any more, but a boot
 * goes on with the way back until it is started by its own again.
 */
async function dropOurs(found: Found, host: Host): Promise<void> {
  const { paths } = host.settings
  const isOurs = unitExists(paths, PROXY_UNIT) && (await host.init.status(PROXY_UNIT)).active
  if (isOurs) await stopProxy(found, host)
  if (found.isChanged) {
    await endProcesses(found.home, host)
    putFilesBack(paths, found)
  }
  await removeUnits(host, [NODE_UNIT])
}

async function serveAsFound(found: Found, host: Host): Promise<void> {
  const { settings, init } = host
  if (processesIn(settings.paths, found.home).length === 0) {
    const units = activeUnits(found.autoStart)
    if (units.length === 0) await startAsFound('proxy', host)
    for (const unit of units) await init.act('restart', unit)
  }
  await untilServes(found, host, 'it does not serve')
}

/** By the password that it had: a proxy that lets us in with it has its own files. @throws Error */
async function untilServes({ sqlPort }: Found, host: Host, what: string): Promise<void> {
  const { settings, clock } = host
  const password = passwordAsFound(settings.paths)
  let reason = ''
  const look = async () => {
    try {
      const at = sqlAddress({ ports: { sql: sqlPort, exporter: 0 } }, host)
      ;(await ProxyAdmin.open(at, password, host)).close()
      return true
    } catch (error) {
      reason = reasonOf(error)
      return undefined
    }
  }
  const wait = { deadline: clock.now() + SERVES_MS, everyMs: POLL_MS }
  if ((await lookUntil(look, wait, clock)) === undefined) throw new Error(`${what}: ${reason}`)
}
