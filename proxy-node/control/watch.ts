/**
 * `obproxy node watch COMMAND`, the main process of the unit of a proxy that was taken over: starts it
 * when none runs, and publishes which process is the proxy by now. Through a hot restart there is
 * always one, so nothing is started then. Told to end it ends the proxy, unless that is being released.
 * Source: management.md §2.3, §2.4, §6 (A3, A9).
 */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { readIfThere, reasonOf, writeDurably } from './durable-file.ts'
import { type Found, readFound } from './found.ts'
import { endProcesses, newestIn } from './found-processes.ts'
import { homeOf } from './home.ts'
import type { Host } from './host.ts'
import { pidFileOf } from './listener.ts'
import { rooted } from './paths.ts'
import { executableOf } from './processes.ts'
import type { Environment } from './settings.ts'

const LOOK_MS = 100
/** A hot restart is seen so late at most; an end is seen at once. */
const SCAN_MS = 1_000
/** As the unit's RestartSec: a proxy that ends at once is no reason to hurry. */
const START_AGAIN_MS = 1_000

export type Watch = {
  /** As the unit says it. */
  readonly command: readonly string[]
  readonly env: Environment
  /** True once this process was told to end. */
  readonly isTold: () => boolean
}

export async function watch({ command, env, isTold }: Watch, host: Host): Promise<void> {
  const { paths } = host.settings
  const found = readFound(paths)
  if (found === undefined) throw new Error('no proxy of this host was taken over')
  const pidFile = pidFileOf(paths, found.home)
  const { executable } = homeOf(paths, found)
  const look = lookout(
    () => newestIn(paths, found.home),
    pid => executableOf(pid) === executable,
  )
  let startedLastAt = 0
  while (!isTold()) {
    const pid = look(host.clock.now())
    if (pid !== undefined) publish(pidFile, pid, host)
    else if (host.clock.now() >= startedLastAt + START_AGAIN_MS) {
      startedLastAt = host.clock.now()
      start(command, env, found, host)
    }
    await host.clock.sleep(LOOK_MS)
  }
  // Read anew: what is to become of it was decided after this began.
  if (readFound(paths)?.phase === 'releasing') host.log('let go')
  else await endProcesses(found.home, host)
}

/**
 * Which process is the proxy, asked often: all processes of the host are looked through only when the known
 * one has ended, and once a second. @returns for a time in milliseconds
 */
export function lookout(
  scan: () => number | undefined,
  isRunning: (pid: number) => boolean,
): (now: number) => number | undefined {
  let known: number | undefined
  let scannedAt = Number.NEGATIVE_INFINITY
  return now => {
    const isKnown = known !== undefined && isRunning(known)
    if (isKnown && now < scannedAt + SCAN_MS) return known
    scannedAt = now
    known = scan()
    return known
  }
}

function publish(file: string, pid: number, { log }: Host): void {
  try {
    if (readIfThere(file) === `${pid}\n`) return
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeDurably(file, `${pid}\n`, 0o644)
    log(`process ${pid} is the proxy`)
  } catch (error) {
    log(`process ${pid} is not published: ${reasonOf(error)}`)
  }
}

function start(command: readonly string[], env: Environment, found: Found, host: Host): void {
  const [file = '', ...args] = command
  const { uid, gid, env: own } = found.start
  const library = own['LD_LIBRARY_PATH']
  const path = rooted(host.settings.paths, file)
  host.log(`starts ${file}`)
  const child = spawn(path, args, {
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    cwd: homeOf(host.settings.paths, found).folder,
    env: { ...env, ...(library === undefined ? {} : { LD_LIBRARY_PATH: library }) },
    argv0: path,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  child.on('error', error => host.log(`not started: ${error.message}`))
  child.on('exit', (code, signal) => host.log(`process ${child.pid} ended: ${code ?? signal}`))
}
