/**
 * Verb release: the node leaves our hands and its proxy serves on, in the same process, with what it has
 * stored. Its own watchdog and auto-start come back where it had any; one that was installed by us has
 * none. Nothing is removed but what is ours. Source: management.md §3.4, §3.13.
 */

import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { askProxy } from './access.ts'
import { switchOn } from './auto-start.ts'
import { reasonOf } from './durable-file.ts'
import { type Found, keepFound, readFound } from './found.ts'
import { commandOf, processesIn, startAsFound } from './found-processes.ts'
import { homeOf, readMarker } from './home.ts'
import type { Host } from './host.ts'
import { giveBack as giveBackLent } from './lent.ts'
import { listenerPid } from './listener.ts'
import { forgetNode, watchAsFound } from './parting.ts'
import type { Facts } from './result.ts'
import { letGo, removeUnits } from './unit-files.ts'
import { lookUntil } from './waiting.ts'

const STARTS_MS = 10_000
const POLL_MS = 50

/** @throws node.other-node, node.init-failed, node.not-written, node.not-running */
export async function release(desired: DesiredNode, host: Host): Promise<Facts> {
  const { paths } = host.settings
  const earlier = readFound(paths)
  const marker = readMarker(homeOf(paths, desired))
  if (earlier === undefined && marker === undefined) return { released: false }
  if (marker !== undefined && marker.nodeId !== desired.nodeId)
    throw new Fault('node.other-node', { found: marker.nodeId, wanted: desired.nodeId })
  const pid = await listenerPid(desired, host)
  if (earlier?.phase === 'releasing') return finishRelease(earlier, host)
  if (pid !== null) await returnTimes(desired, host)
  const of = earlier ?? ownFound(desired, pid)
  return finishRelease(keepFound(paths, of, { phase: 'releasing', isRunning: pid !== null }), host)
}

/** Goes on wherever it was cut off; after a boot there is no process to let go of, and one is started. */
export async function finishRelease(found: Found, host: Host): Promise<Facts> {
  const { paths } = host.settings
  const before = processesIn(paths, found.home)
  await letGo(host)
  await removeUnits(host)
  await switchOn(found.autoStart, host)
  if (found.isRunning) {
    const look = async () => processesIn(paths, found.home).length > 0 || undefined
    if ((await look()) === undefined) await startAsFound('proxy', host)
    const wait = { deadline: host.clock.now() + STARTS_MS, everyMs: POLL_MS }
    if ((await lookUntil(look, wait, host.clock)) === undefined)
      throw new Fault('node.not-running', { verb: 'release' })
    if (found.watchdogs.length > 0) await watchAsFound(found, host)
  }
  const after = processesIn(paths, found.home)
  forgetNode(found, host)
  const isSame = after.some(pid => before.includes(pid))
  host.log(`released${isSame ? '' : ', in another process'}`)
  return {
    released: true,
    status: found.isRunning ? 'RUNNING' : 'STOPPED',
    isSameProcess: isSame,
    watchdogs: found.isRunning ? found.watchdogs.length : 0,
  }
}

/** What was lent for a hot restart is not its own. */
async function returnTimes(desired: DesiredNode, host: Host): Promise<void> {
  try {
    await askProxy(desired, host, admin => giveBackLent(admin, host.settings.paths))
  } catch (error) {
    host.log(`not asked before its release: ${reasonOf(error)}`)
  }
}

/** Of a node that we installed: it has stored all that it needs to be started again. */
function ownFound(desired: DesiredNode, pid: number | null): Found {
  const { nodeId, home, ports, version } = desired
  const running = pid === null ? undefined : commandOf(pid)
  return {
    schema: 1,
    nodeId,
    phase: 'releasing',
    isChanged: true,
    kind: 'ours',
    user: '',
    pid: null,
    home,
    sqlPort: ports.sql,
    version,
    isRunning: pid !== null,
    hasPidFile: true,
    start: {
      argv: ['./bin/obproxy'],
      env: running?.env ?? {},
      cwd: running?.cwd ?? home,
      uid: running?.uid ?? 0,
      gid: running?.gid ?? 0,
    },
    watchdogs: [],
    autoStart: [],
    changed: [],
  }
}
