/** Starts this same program again: as a worker, as the successor, or in the background. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { systemClock } from '../base/clock.ts'
import type { Message } from './channel.ts'
import type { Successor, SuccessorEnd } from './handover.ts'
import type { WorkerProcess } from './workers.ts'

type WorkerSpawn = {
  readonly flag: string
  readonly listenDescriptor: number
  readonly take: (message: Message) => void
  readonly lost: () => void
}

/** How long a background start is watched for an early end. */
const DAEMON_WATCH_MS = 500
/** The executable that runs, whatever has been put in its place since. */
const RUNNING_EXECUTABLE = '/proc/self/exe'

const isCompiled = () => Bun.main.startsWith('/$bunfs/')

/**
 * The file that is to be started next time: the one at the path of this start, which an upgrade
 * replaces (N5). A program that was found by the search path is taken from where it was found.
 */
export function ownPath(cwd: string): string {
  return process.argv0.includes('/') ? resolve(cwd, process.argv0) : process.execPath
}

/** From source, Bun runs its first argument. */
function commandAt(path: string): string[] {
  return isCompiled() ? [path] : [process.execPath, Bun.main]
}

/** Never a replaced file: a worker of another version would not understand this supervisor. */
function runningCommand(): string[] {
  return commandAt(existsSync(RUNNING_EXECUTABLE) ? RUNNING_EXECUTABLE : process.execPath)
}

export function spawnWorker({ flag, listenDescriptor, take, lost }: WorkerSpawn): WorkerProcess {
  const child = Bun.spawn([...runningCommand(), flag], {
    argv0: process.argv0,
    stdio: ['ignore', 'inherit', 'inherit', listenDescriptor],
    ipc: message => take(message as Message),
    onExit: () => lost(),
  })
  return {
    pid: child.pid,
    post: message => {
      // A worker that has just ended cannot be told; `lost` is on its way.
      if (child.exitCode === null && child.signalCode === null) child.send(message)
    },
    kill: () => child.kill('SIGKILL'),
  }
}

type SuccessorSpawn = {
  readonly path: string
  readonly args: readonly string[]
  readonly descriptors: readonly number[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ended: (end: SuccessorEnd) => void
}

export type SuccessorProcess = Successor & { readonly tell: (message: unknown) => void }

/** @throws Error when the file is no executable. */
export function spawnSuccessor({
  path,
  args,
  descriptors,
  env,
  ended,
}: SuccessorSpawn): SuccessorProcess {
  const child = Bun.spawn([...commandAt(path), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', ...descriptors],
    env,
    // Another version may be built on another runtime.
    serialization: 'json',
    ipc: () => {},
    onExit: (_child, code, signal) =>
      ended({
        why: signal === null ? `ended with exit code ${code}` : `was ended by signal ${signal}`,
        isWanted: code === 0,
      }),
  })
  return {
    pid: child.pid,
    tell: message => {
      if (child.exitCode === null && child.signalCode === null) child.send(message)
    },
    kill: () => child.kill('SIGKILL'),
  }
}

/** Starts the program in the background; the code of an early end, else 0. */
export async function spawnDaemon(args: readonly string[], cwd: string): Promise<number> {
  const child = Bun.spawn([...commandAt(ownPath(cwd)), ...args], {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  })
  const early = await Promise.race([
    child.exited,
    systemClock.sleep(DAEMON_WATCH_MS).then(() => undefined),
  ])
  child.unref()
  return early ?? 0
}
