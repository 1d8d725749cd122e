/**
 * What a take-over saves before it touches anything: processes, their commands, what starts them again,
 * and copies of the proxy's own files. What cannot be given back later is refused here.
 * Source: management.md §3.3.
 */
import { existsSync } from 'node:fs'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { keepPassword, logIn, type Stage1 } from './access.ts'
import { autoStartsOf } from './auto-start.ts'
import { reasonOf } from './durable-file.ts'
import { type ForeignProxy, foreignProxies } from './foreign-processes.ts'
import { dropFound, type Found, keepFound } from './found.ts'
import { copyAsFound } from './found-files.ts'
import { commandOf, watchdogCommands } from './found-processes.ts'
import { homeOf, readMarker } from './home.ts'
import type { Host } from './host.ts'
import { pidFileOf } from './listener.ts'
import { type ProxyAdmin, withAdmin } from './proxy-admin.ts'

/** @param passwords of root@proxysys that it may have @throws node.not-takeable, node.start-by-hand, node.disk-full, node.not-written */
export async function saveAsFound(
  desired: DesiredNode,
  passwords: readonly Stage1[],
  host: Host,
): Promise<Found> {
  const { paths } = host.settings
  const proxy = theProxy(desired, host)
  const start = commandOf(proxy.pid)
  if (start === undefined) throw refused('its process ended while it was looked at')
  const autoStart = await autoStartsOf(desired.home, host)
  if (autoStart.byHand.length > 0)
    throw new Fault('node.start-by-hand', { places: autoStart.byHand.join(', ') })
  const { admin, stage1 } = await logIn(desired, passwords, host).catch(error => {
    throw refused(`root@proxysys cannot log in: ${reasonOf(error)}`, error)
  })
  const said = await withAdmin(admin, () => askedOf(admin))
  const { home, nodeId, ports } = desired
  const found: Found = {
    schema: 1,
    nodeId,
    phase: 'saved',
    isChanged: false,
    ...said,
    user: proxy.user,
    pid: proxy.pid,
    home,
    sqlPort: ports.sql,
    isRunning: true,
    hasPidFile: existsSync(pidFileOf(paths, home)),
    start,
    watchdogs: [...watchdogCommands(paths, home)],
    autoStart: [...autoStart.all],
    changed: [],
  }
  // One that was cut off here has changed nothing, and its copies go.
  dropFound(paths)
  copyAsFound(paths, home, stage1)
  keepPassword(paths, stage1)
  host.log(`saved the proxy of ${home} as it was found, process ${proxy.pid}`)
  return keepFound(paths, found)
}

/** The one that runs, from the home where it is to stay (N5). @throws node.not-takeable */
function theProxy(desired: DesiredNode, host: Host): ForeignProxy {
  const { paths } = host.settings
  const [proxy, ...others] = foreignProxies(paths.root)
  const home = homeOf(paths, desired)
  if (proxy === undefined) throw refused('no obproxy runs')
  if (others.length > 0) throw refused(`${others.length + 1} processes run`)
  if (proxy.isReplaced) throw refused(`${proxy.executable} is not what runs any more`)
  if (proxy.path !== home.executable || proxy.workDir !== desired.home)
    throw refused(`it runs ${proxy.executable} in ${proxy.workDir ?? '?'}, not in ${desired.home}`)
  if (readMarker(home) !== undefined) throw refused(`${desired.home} is the home of a node`)
  return proxy
}

type Said = Pick<Found, 'version' | 'kind'>

async function askedOf(admin: ProxyAdmin): Promise<Said> {
  const version = await admin.version()
  if (version === null) throw refused('it does not tell its version')
  // Ours alone knows which value it works with, and tells its pid.
  const kind = (await admin.waitingForRestart()) === undefined ? 'other' : 'ours'
  return { version, kind }
}

function refused(reason: string, cause?: unknown): Fault {
  return new Fault('node.not-takeable', { reason }, { cause })
}
