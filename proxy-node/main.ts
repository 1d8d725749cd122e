/**
 * The executable `obproxy`: OBProxy's command line, and the workers it starts of itself. The only
 * place of the node that reads the environment and ends the process.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PROXY_VERSION } from '#contract/version'
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
import { lockFile, openListeningSocket } from './net/listening-socket.ts'
import { Log } from './observe/log.ts'
import type { Message } from './process/channel.ts'
import { spawnDaemon, spawnWorker } from './process/spawn.ts'
import { Supervisor } from './process/supervisor.ts'
import { runWorker } from './process/worker.ts'

const WORKER_FLAG = '--worker'
const NODE_COMMAND = 'node'
const INHERITED_DESCRIPTOR = 3
/** Set by a start in the background for the process it leaves behind. */
const BACKGROUND_VARIABLE = 'OBPROXY_IN_BACKGROUND'
const PASSWORD_VARIABLES = ['observer_sys_password', 'observer_sys_password1']

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
  if (!line.inForeground) {
    process.env[BACKGROUND_VARIABLE] = '1'
    return process.exit(await spawnDaemon([...given, '-N'], process.cwd()))
  }
  const workdir = resolve(process.env['OBPROXY_ROOT'] || process.cwd())
  const parity = lockDirectory(workdir)
  const config = openConfig(workdir, withPasswords(line.overrides))
  supervise(config, listen(config), { parity, log: openLog(workdir, config) })
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
  for (const name of PASSWORD_VARIABLES) {
    const hash = process.env[name]
    if (hash !== undefined && hash !== '' && !all.has(name)) all.set(name, hash)
  }
  return all
}

/** One proxy a directory; tells which of the two id generations this start is. */
function lockDirectory(workdir: string): 0 | 1 {
  try {
    const folder = join(workdir, 'etc')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const descriptor = openSync(join(folder, '.lock'), 'a', 0o600)
    if (!lockFile(descriptor)) {
      closeSync(descriptor)
      return fail(`another obproxy runs in ${workdir}`, EXIT.stateDirectory)
    }
    // Held, not closed: the lock ends with this process.
    fstatSync(descriptor)
    const file = join(folder, '.generation')
    const last = Number(readOr(file, '0'))
    const parity = last === 0 ? 1 : 0
    writeFileSync(file, String(parity), { mode: 0o600 })
    return parity
  } catch (error) {
    return fail(`${workdir} cannot be used: ${(error as Error).message}`, EXIT.stateDirectory)
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return otherwise
  }
}

function openConfig(workdir: string, overrides: ReadonlyMap<string, string>): ConfigStore {
  try {
    const config = ConfigStore.open(workdir, overrides)
    const isMysql = config.get('server_routing_mode') === 'mysql'
    const needed = isMysql ? 'test_server_addr' : 'rootservice_list'
    if (config.get(needed) === '') return fail(`${needed} is not set`, EXIT.configuration)
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

function supervise(
  config: ConfigStore,
  listenDescriptor: number,
  { parity, log }: { readonly parity: 0 | 1; readonly log: Log },
): void {
  const supervisor = new Supervisor({
    config,
    parity,
    spawn: (take, lost) => spawnWorker({ flag: WORKER_FLAG, listenDescriptor, take, lost }),
    log,
  })
  supervisor.start()
  log.inform(`obproxy ${PROXY_VERSION} started, pid ${process.pid}`)
  let asked = false
  const end = () => {
    // The second signal does not wait.
    if (asked) process.exit(0)
    asked = true
    void supervisor.stop(config.timeMs('delay_exit_time')).then(() => process.exit(0))
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}
