/**
 * Entry of the executable `obproxy`: command line, daemon, start. As the original's, its exit status is
 * always 0; why a start failed is in the log, and on standard error in the foreground.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { BUILD, versionText } from './build.ts'
import { type CommandLine, commandLine, masked } from './command-line.ts'
import { Log } from './log.ts'
import { PARAMETERS } from './parameter.ts'
import { ObProxy, RPC_SOCKET, SQL_SOCKET } from './proxy.ts'
import type { Assignment } from './settings.ts'

const DAEMON = 'OBPROXY_STANDIN_DAEMON'

const USAGE = `usage: obproxy [-h] [-V] [-R] [-p PORT] [-l PORT] [-s PORT] [-n APP] [-r IP:PORT;…] [-c CLUSTER]
               [-o NAME=VALUE,…] [-u N] [-e] [-d] [-N]
`

/** As it was called: the first word of the command line, which the runtime does not tell. */
const ARGV0 = readFileSync('/proc/self/cmdline', 'utf8').split('\0')[0] ?? ''
const RELAUNCH = {
  path: ARGV0.includes('/') ? resolve(ARGV0) : process.execPath,
  argv0: ARGV0,
}

async function main(args: readonly string[]): Promise<void> {
  const line = commandLine(args)
  if (line.kind === 'start') await start(line, args)
  else process.exitCode = say(line)
}

function say(line: Exclude<CommandLine, { kind: 'start' }>): number {
  if (line.kind === 'version') process.stderr.write(versionText())
  else if (line.kind === 'release') process.stdout.write(`${BUILD.release}\n`)
  else if (line.kind === 'dump') process.stdout.write(registration())
  else {
    if (line.kind === 'wrong') process.stderr.write(`obproxy: ${line.reason}\n`)
    process.stdout.write(USAGE)
  }
  return 0
}

async function start(
  line: Extract<CommandLine, { kind: 'start' }>,
  args: readonly string[],
): Promise<void> {
  const inherited = takeInherited()
  const isDaemon = takeVariable(DAEMON) !== undefined
  if (!line.isForeground && !isDaemon && inherited.size === 0) {
    daemonise(args)
    return
  }
  const home = process.env['OBPROXY_ROOT'] ?? process.cwd()
  process.chdir(home)
  mkdirSync('log', { recursive: true })
  const log = new Log(resolve('log'))
  log.write('INFO', `started as ${ARGV0} ${masked(args)}`)
  try {
    const assignments = [...line.assignments, ...fromEnvironment()]
    const proxy = await ObProxy.make({ home, assignments, relaunch: RELAUNCH, inherited }, log)
    await proxy.start()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log.write('ERROR', `start failed: ${reason}`)
    if (line.isForeground) process.stderr.write(`obproxy: ${reason}\n${USAGE}`)
    process.exit(0)
  }
}

function daemonise(args: readonly string[]): void {
  const child = spawn(RELAUNCH.path, args, {
    argv0: ARGV0,
    detached: true,
    env: { ...process.env, [DAEMON]: '1' },
    stdio: 'ignore',
  })
  child.unref()
  process.exit(0)
}

/** Hashed passwords that are not to be seen in a process list. */
function fromEnvironment(): Assignment[] {
  return ['observer_sys_password', 'observer_sys_password1'].flatMap((name): Assignment[] => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
}

function takeInherited(): ReadonlyMap<string, number> {
  const taken = [SQL_SOCKET, RPC_SOCKET].flatMap((name): [string, number][] => {
    const value = takeVariable(name)
    return value === undefined ? [] : [[name, Number(value)]]
  })
  return new Map(taken)
}

/** The variable, which no process that this one starts is to see. */
function takeVariable(name: string): string | undefined {
  const value = process.env[name]
  delete process.env[name]
  return value
}

function registration(): string {
  return [...PARAMETERS.values()]
    .map(({ name, defaultValue, needsRestart }) => {
      const values = `'all', '${name}', '${defaultValue}', '', '${needsRestart}'`
      return `REPLACE INTO ob_all_proxy_app_config VALUES (${values});\n`
    })
    .join('')
}

await main(process.argv.slice(2))
