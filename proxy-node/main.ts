/**
 * The executable `obproxy`: OBProxy's command line, and the workers it starts of itself. The only
 * place of the node that reads the environment and ends the process.
 */
import { closeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PROXYRO_SLOTS } from '#contract/parameters'
import { PROXY_VERSION } from '#contract/version'
import { parseIp } from './base/address.ts'
import { boundAddress } from './config/bound-address.ts'
import {
  EXIT,
  exitCodeOf,
  lineOf,
  parseCommandLine,
  USAGE,
  VERSION_TEXT,
} from './config/command-line.ts'
import { ConfigStore } from './config/store.ts'
import { adoptListeningSocket, openListeningSocket } from './net/listening-socket.ts'
import { Log } from './observe/log.ts'
import type { Message } from './process/channel.ts'
import { handedOn, type Inherited, takeInherited } from './process/inherited.ts'
import { ownPath, spawnDaemon, spawnSuccessor, spawnWorker } from './process/spawn.ts'
import {
  lockDirectory,
  publishPid,
  type StateDirectory,
  withdrawPid,
} from './process/state-directory.ts'
import { Supervisor } from './process/supervisor.ts'
import { runWorker } from './process/worker.ts'

const WORKER_FLAG = '--worker'
const NODE_COMMAND = 'node'
const INHERITED_DESCRIPTOR = 3
/** Set by a start in the background for the process it leaves behind. */
const BACKGROUND_VARIABLE = 'OBPROXY_IN_BACKGROUND'

const args = process.argv.slice(2)
if (args[0] === WORKER_FLAG) startWorker()
else if (args[0] === NODE_COMMAND) await runNodeCommand(args.slice(1))
else await startProxy(args)

function startWorker(): void {
  runWorker({
    listenDescriptor: INHERITED_DESCRIPTOR,
    post: message => process.send?.(message),
    onMessage: take => process.on('message', message => take(message as Message)),
    onSupervisorLost: act => process.on('disconnect', act),
    exit: code => process.exit(code),
  })
  // Both are the supervisor's to answer; a worker ends when it is told or left alone.
  process.on('SIGTERM', () => {})
  process.on('SIGINT', () => {})
}

/** Loaded on demand: neither a proxy nor a worker pays for the verbs. */
async function runNodeCommand(given: readonly string[]): Promise<void> {
  const { runNode } = await import('./control/run.ts')
  process.exit(await runNode(given, process.env))
}

async function startProxy(given: readonly string[]): Promise<void> {
  const line = parseCommandLine(given)
  if (line.kind === 'help') return say(USAGE, 0)
  if (line.kind === 'release') return say(`${process.platform}-${process.arch}\n`, 0)
  if (line.kind === 'version') {
    process.stderr.write(VERSION_TEXT)
    return process.exit(0)
  }
  if (line.kind === 'wrong') return fail(line.line, EXIT.usage)
  const inherited = takeInherited(process.env, process.ppid)
  if (!line.inForeground && inherited === undefined) {
    process.env[BACKGROUND_VARIABLE] = '1'
    return process.exit(await spawnDaemon([...given, '-N'], process.cwd()))
  }
  const workdir = resolve(process.env['OBPROXY_ROOT'] || process.cwd())
  const directory = lock(workdir, inherited)
  // A successor goes on with what is stored; what came with the first start is long in there.
  const overrides = inherited === undefined ? withPasswords(line.overrides) : line.overrides
  const config = openConfig(workdir, overrides)
  await supervise({
    workdir,
    directory,
    config,
    inherited,
    listenDescriptor: inherited === undefined ? listen(config) : adopt(config, inherited),
    log: openLog(workdir, config),
  })
}

function say(text: string, code: number): void {
  process.stdout.write(text)
  process.exit(code)
}

function fail(line: string, code: number): never {
  process.stderr.write(`obproxy: ${line}\n`)
  process.exit(code)
}

/** Hashed passwords may come by the environment, where `ps` does not show them (proxy-admin.md §1.1). */
function withPasswords(overrides: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const all = new Map(overrides)
  for (const name of PROXYRO_SLOTS) {
    const hash = process.env[name]
    if (hash !== undefined && hash !== '' && !all.has(name)) all.set(name, hash)
  }
  return all
}

function lock(workdir: string, inherited: Inherited | undefined): StateDirectory {
  try {
    const directory = lockDirectory(workdir, inherited)
    return directory ?? fail(`another obproxy runs in ${workdir}`, EXIT.stateDirectory)
  } catch (error) {
    return fail(`${workdir} cannot be used: ${(error as Error).message}`, EXIT.stateDirectory)
  }
}

function openConfig(workdir: string, overrides: ReadonlyMap<string, string>): ConfigStore {
  try {
    const config = ConfigStore.open(workdir, overrides)
    const isMysql = config.get('server_routing_mode') === 'mysql'
    const sources = isMysql
      ? ['test_server_addr']
      : ['rootservice_list', 'obproxy_config_server_url']
    if (sources.every(name => config.get(name) === ''))
      return fail(`${sources.join(', ')}: none is set`, EXIT.configuration)
    return config
  } catch (error) {
    return fail(lineOf(error), exitCodeOf(error))
  }
}

function listen(config: ConfigStore): number {
  const { host, isDual } = boundAddress(config)
  const [four, six] = ['local_bound_ip', 'local_bound_ipv6_ip'].map(name => config.get(name))
  if (isDual && (four !== '0.0.0.0' || six !== '::'))
    return fail('ip_listen_mode=3 binds every address, 0.0.0.0 and ::', EXIT.configuration)
  try {
    return openListeningSocket(host, config.number('listen_port'), isDual)
  } catch (error) {
    return fail((error as Error).message, EXIT.portInUse)
  }
}

/** The socket of the process before, unless the proxy is to listen elsewhere from now on. */
function adopt(config: ConfigStore, { listenDescriptor }: Inherited): number {
  try {
    const { host, isDual } = boundAddress(config)
    const at = adoptListeningSocket(listenDescriptor)
    const isThere = Buffer.compare(at.ip, parseIp(host) ?? at.ip) === 0 && at.isDual === isDual
    if (isThere && at.port === config.number('listen_port')) return listenDescriptor
    // Kept open, it would take clients whom nobody answers.
    closeSync(listenDescriptor)
    return listen(config)
  } catch (error) {
    return fail((error as Error).message, EXIT.internal)
  }
}

/** In the background nobody reads standard error, and its reader's end must not end the proxy. */
function openLog(workdir: string, config: ConfigStore): Log {
  const isInBackground = process.env[BACKGROUND_VARIABLE] !== undefined
  process.stderr.on('error', () => {})
  return new Log({
    folder: join(workdir, 'log'),
    now: Date.now,
    level: () => config.get('syslog_level'),
    maxFileBytes: () => config.number('max_log_file_size'),
    maxBytesPerSec: () => config.number('syslog_io_bandwidth_limit'),
    ...(isInBackground ? {} : { echo: line => process.stderr.write(`${line}\n`) }),
  })
}

type Parts = {
  readonly workdir: string
  readonly directory: StateDirectory
  readonly config: ConfigStore
  readonly inherited: Inherited | undefined
  readonly listenDescriptor: number
  readonly log: Log
}

async function supervise(parts: Parts): Promise<void> {
  const { config, inherited, log, workdir } = parts
  const path = ownPath(process.cwd())
  const { lockDescriptor, generation } = parts.directory
  const { listenDescriptor } = parts
  const supervisor = new Supervisor({
    config,
    workdir,
    generation,
    spawn: (take, lost) => spawnWorker({ flag: WORKER_FLAG, listenDescriptor, take, lost }),
    spawnSuccessor: ended => {
      const { descriptors, env } = handedOn({ listenDescriptor, lockDescriptor, generation })
      return spawnSuccessor({
        path,
        args: ['-N'],
        descriptors,
        env: { ...process.env, ...env },
        ended,
      })
    },
    predecessor:
      inherited === undefined
        ? undefined
        : { pid: inherited.predecessor, isGone: () => process.ppid !== inherited.predecessor },
    serving: () => publish(workdir, log),
    exit: how => {
      withdrawPid(workdir, process.pid)
      log.inform(`obproxy ${how}, pid ${process.pid}`)
      process.exit(how === 'ended' ? 0 : EXIT.internal)
    },
    log,
  })
  listenToSignals(supervisor, config, log)
  if (!(await supervisor.start())) return
  log.inform(`obproxy ${PROXY_VERSION} started, pid ${process.pid}`)
  // Whoever it is that took the place of a parent that is gone, is not to be told.
  if (inherited !== undefined && process.ppid === inherited.predecessor)
    process.kill(inherited.predecessor, 'SIGUSR1')
}

/** A disk that refuses costs who looks for the pid, not the proxy. */
function publish(workdir: string, log: Log): void {
  try {
    publishPid(workdir, process.pid)
  } catch (error) {
    log.error(`the pid could not be written: ${(error as Error).message}`)
  }
}

/** What signals mean: proxy-admin.md §1.7. Of USR1 and HUP the default would end the process. */
function listenToSignals(supervisor: Supervisor, config: ConfigStore, log: Log): void {
  let asked = false
  const end = () => {
    // The second signal does not wait.
    if (asked) process.exit(0)
    asked = true
    supervisor.stop(config.timeMs('delay_exit_time'))
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.on('SIGUSR1', () => supervisor.successorReady())
  // OBProxy tells so that the process before has gone; ours is noticed by itself.
  process.on('SIGUSR2', () => {})
  process.on('SIGHUP', () => log.close())
  process.on('message', message => supervisor.heard(message))
}
