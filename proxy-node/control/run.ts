/**
 * `obproxy node …`: composes the host and runs one command. Standard output is for the one line of an
 * answer; everything else goes to standard error and the node's log (N7).
 */
import { writeFileSync, writeSync } from 'node:fs'
import type { VerbResult } from '#contract/command'
import { Fault } from '#contract/fault'
import { systemClock } from '../base/clock.ts'
import { bunTransport } from '../net/bun.ts'
import { lockFile } from '../net/listening-socket.ts'
import { boot } from './boot.ts'
import { readFound } from './found.ts'
import { FOUND_PARTS, launchFound } from './found-processes.ts'
import type { Host } from './host.ts'
import { initOf } from './init.ts'
import { whileLocked } from './lock.ts'
import { readMemory } from './node-file.ts'
import { firstLines, openNodeLog } from './node-log.ts'
import { nodeLock, runOrder } from './order.ts'
import { report, reportQuietly } from './report.ts'
import { failureOf, lineOf, messageOf } from './result.ts'
import { parameterStore } from './secrets.ts'
import { type Environment, settingsFrom } from './settings.ts'
import { status } from './status.ts'
import { watch } from './watch.ts'

const BOOT_LOCK_WAIT_MS = 120_000
/** At most 15 characters. */
const PROCESS_NAME = 'obfleet-verb'
/**
 * With a result of 2,000 bytes and the agent's words between them below 2,500: Run Command shows so many of
 * both, and cuts the result when the rest is long (ssm-run-command.md §7). The log has all of it.
 */
const MAX_ECHO_BYTES = 400

const HELP = `usage: obproxy node COMMAND
  run ORDER   carry out this instance's part of an order, as Run Command gives it
  status      print what can be seen of the proxy, as JSON
  report      tell the plane, print whether it took it, as JSON
  boot        bring the node to the state it should have; for its unit at boot
  watch …     start this proxy and keep it running; for the unit of one that was taken over
  start-found start the proxy, or its watchdogs, as another installer did; for a unit
  help        print this
The host is described by the environment or /etc/obfleet/node.env. Exit code 0 when done, 1 otherwise.
`

/** Runs one command to its end; resolves to the exit code. */
export async function runNode(argv: readonly string[], env: Environment): Promise<number> {
  const [command = 'help', order = ''] = argv
  if (command === 'help') {
    print(HELP)
    return 0
  }
  nameProcess()
  try {
    const host = openHost(command, env)
    if (command === 'run') return await carryOut(order, host)
    if (command === 'watch') return await keepWatch(argv.slice(1), env, host)
    if (command === 'start-found') return startFound(order, host)
    return await byHand(command, host)
  } catch (error) {
    const fault = error instanceof Fault ? error : undefined
    const line = fault === undefined ? String(error) : messageOf(fault)
    writeSync(2, `obproxy node: ${line}\n`)
    // Whoever sent an order gets its answer in the agreed form, also when there is no host to run it on.
    if (command === 'run') print(lineOf(failureOf('status', error)))
    return 1
  }
}

/**
 * Scripts of other installers go by the name of the process: one finds that a proxy runs, and another one kills
 * all that are called so (proxy-admin.md §1.4).
 */
function nameProcess(): void {
  try {
    writeFileSync('/proc/self/comm', PROCESS_NAME)
  } catch {
    // Then it is called like the executable.
  }
}

function openHost(command: string, env: Environment): Host {
  const settings = settingsFrom(env)
  return {
    settings,
    clock: systemClock,
    log: openNodeLog(
      settings.paths,
      command,
      command === 'run' ? firstLines(MAX_ECHO_BYTES, echo) : echo,
    ),
    init: initOf(settings.paths),
    transport: bunTransport,
    secrets: parameterStore(settings, systemClock),
    tryLock: lockFile,
  }
}

function echo(line: string): void {
  writeSync(2, line)
}

async function carryOut(order: string, host: Host): Promise<number> {
  const result: VerbResult = await runOrder(order, host)
  print(lineOf(result))
  if (result.verb !== 'report' && result.replayed !== true) await reportQuietly(host)
  return result.ok ? 0 : 1
}

/** Until this process is told to end. */
async function keepWatch(
  command: readonly string[],
  env: Environment,
  host: Host,
): Promise<number> {
  let isTold = false
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.on(name, () => {
      isTold = true
    })
  await watch({ command, env, isTold: () => isTold }, host)
  return 0
}

/** @throws node.usage */
function startFound(name: string, host: Host): number {
  const part = FOUND_PARTS.find(each => each === name)
  const found = readFound(host.settings.paths)
  if (part === undefined || found === undefined)
    throw new Fault('node.usage', { command: `start-found ${name}` })
  launchFound(found, part)
  return 0
}

/** Commands for a shell and for the node's own units. */
async function byHand(command: string, host: Host): Promise<number> {
  if (command === 'status') {
    print(`${JSON.stringify(await status(readMemory(host.settings.paths), host))}\n`)
    return 0
  }
  if (command === 'report') {
    print(`${JSON.stringify(await report(host))}\n`)
    return 0
  }
  if (command !== 'boot') throw new Fault('node.usage', { command })
  // What was told before the boot is no longer so. Not waited for: the plane may be away.
  const told = reportQuietly(host)
  try {
    const facts = await whileLocked(nodeLock(host), BOOT_LOCK_WAIT_MS, host, () => boot(host))
    host.log(`boot: ${JSON.stringify(facts)}`)
    return 0
  } catch (error) {
    host.log(`boot failed: ${error instanceof Fault ? messageOf(error) : String(error)}`)
    return 1
  } finally {
    await told
    await reportQuietly(host)
  }
}

/** All of it, also into a pipe whose reader is slow. */
function print(text: string): void {
  const bytes = Buffer.from(text, 'utf8')
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
    }
  }
}
