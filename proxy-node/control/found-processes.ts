/**
 * The processes of a found proxy: how each was started, so that it can be started so again, and their
 * end. What is started here outlives the verb: the service manager does it (`start-found`), detached,
 * as the user that it ran as. Source: management.md §2.2, §2.3.
 */
import { spawn } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Fault } from '#contract/fault'
import { isSecret } from '#contract/secret-names'
import { writeDurably } from './durable-file.ts'
import { argumentsOf, linkOf, readOr } from './foreign-processes.ts'
import type { Found, FoundCommand } from './found.ts'
import { homeOf } from './home.ts'
import type { Host } from './host.ts'
import { FOUND_UNIT, type Paths } from './paths.ts'
import { proxyProcesses, startedAt } from './processes.ts'
import { withoutPasswords } from './redaction.ts'
import { startFoundUnit } from './units.ts'
import { lookUntil } from './waiting.ts'
import { watchdogs } from './watchdogs.ts'

/** OBProxy ends after `delay_exit_time`, ours after as long at most. */
const END_MS = 10_000
const GONE_MS = 20_000
const POLL_MS = 50
/** What the kernel keeps of the name of a process. */
const MOST_OF_A_NAME = 15

export const FOUND_PARTS = ['proxy', 'watchdogs'] as const

export type FoundPart = (typeof FOUND_PARTS)[number]

/** Of one process, or put there by a unit of ours. */
const PASSING = /^(?:OBPROXY_INHERITED|OBFLEET_(?!ROOT$))/

/** How `pid` was started; undefined when it is gone. */
export function commandOf(pid: number): FoundCommand | undefined {
  const argv = ownArguments(pid)
  const cwd = linkOf(pid, 'cwd')
  const status = readOr(`/proc/${pid}/status`)
  if (argv.length === 0 || cwd === undefined || status === undefined) return undefined
  return {
    argv: argv.map(withoutPasswords),
    env: environmentIn(readOr(`/proc/${pid}/environ`) ?? ''),
    cwd,
    uid: idIn(status, 'Uid'),
    gid: idIn(status, 'Gid'),
  }
}

/** Without the interpreter of a script that was started by its own name, and is found by it. */
function ownArguments(pid: number): readonly string[] {
  const [first, ...rest] = argumentsOf(pid)
  if (first === undefined) return []
  const name = readOr(`/proc/${pid}/comm`)?.trim()
  const [script = ''] = rest
  const isScript = name !== basename(first) && name === basename(script).slice(0, MOST_OF_A_NAME)
  return isScript ? rest : [first, ...rest]
}

/** Variables by name, without secrets and without what is of one process only. */
export function environmentIn(text: string): Record<string, string> {
  const pairs = text.split('\0').flatMap((line): [string, string][] => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at), withoutPasswords(line.slice(at + 1))]] : []
  })
  return Object.fromEntries(pairs.filter(([name]) => !isSecret(name) && !PASSING.test(name)))
}

function idIn(status: string, name: 'Uid' | 'Gid'): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
}

/** Each script once: its subshells look like it, and end with it. */
export function watchdogCommands(paths: Paths, home: string): readonly FoundCommand[] {
  const all = watchdogs(paths, home)
  return all
    .filter(pid => !all.includes(parentOf(pid)))
    .flatMap(pid => {
      const command = commandOf(pid)
      return command === undefined ? [] : [command]
    })
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readOr(`/proc/${pid}/status`) ?? '')?.[1] ?? 0)
}

/** Killed at once: one that is let finish starts the proxy once more. @throws node.not-stopped */
export async function stopWatchdogs(
  home: string,
  { settings: { paths }, clock }: Host,
): Promise<void> {
  const look = async () => {
    const left = watchdogs(paths, home)
    for (const pid of left) signal(pid, 'SIGKILL')
    return left.length === 0 || undefined
  }
  const wait = { deadline: clock.now() + GONE_MS, everyMs: POLL_MS }
  if ((await lookUntil(look, wait, clock)) === undefined)
    throw new Fault('node.not-stopped', {
      seconds: GONE_MS / 1000,
      pid: watchdogs(paths, home)[0] ?? 0,
    })
}

/** Processes of the executable in that home, in the order of their pids. */
export function processesIn(paths: Paths, home: string): readonly number[] {
  const { executable } = homeOf(paths, { home })
  return proxyProcesses(paths.root)
    .filter(({ path }) => path === executable)
    .map(({ pid }) => pid)
}

/** Who came last takes the clients, or will; undefined when none runs. */
export function newestIn(paths: Paths, home: string): number | undefined {
  const pids = processesIn(paths, home)
  const byAge = [...pids].sort((one, other) => (startedAt(other) ?? 0) - (startedAt(one) ?? 0))
  return byAge[0]
}

/** No process of that home is left. @throws node.not-stopped */
export async function endProcesses(home: string, { settings, clock }: Host): Promise<void> {
  const since = clock.now()
  const told = new Set<number>()
  const look = async () => {
    const left = processesIn(settings.paths, home)
    const isPatient = clock.now() - since < END_MS
    for (const pid of left.filter(each => !isPatient || !told.has(each))) {
      told.add(pid)
      signal(pid, isPatient ? 'SIGTERM' : 'SIGKILL')
    }
    return left.length === 0 || undefined
  }
  const wait = { deadline: since + GONE_MS, everyMs: POLL_MS }
  if ((await lookUntil(look, wait, clock)) === undefined) {
    const [pid = 0] = processesIn(settings.paths, home)
    throw new Fault('node.not-stopped', { seconds: GONE_MS / 1000, pid })
  }
}

/**
 * Has the service manager start what was found: a child of this verb would end with Run Command's.
 * @throws node.init-failed, node.not-written
 */
export async function startAsFound(part: FoundPart, { settings, init }: Host): Promise<void> {
  const file = join(settings.paths.units, FOUND_UNIT)
  writeDurably(file, startFoundUnit(part), 0o644)
  chmodSync(file, 0o644)
  await init.reload()
  try {
    await init.act('start', FOUND_UNIT)
  } finally {
    rmSync(file, { force: true })
    await init.reload()
  }
}

/** What that unit does. */
export function launchFound(found: Found, part: FoundPart): void {
  for (const command of part === 'proxy' ? [found.start] : found.watchdogs) launch(command)
}

function launch({ argv, env, cwd, uid, gid }: FoundCommand): void {
  const [file = '', ...args] = argv
  const user = process.getuid?.() === 0 ? { uid, gid } : {}
  spawn(file, args, { ...user, cwd, env, argv0: file, detached: true, stdio: 'ignore' }).unref()
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}
