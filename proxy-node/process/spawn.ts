/** Starts this same program again: as a worker on the inherited socket, or in the background. */
import type { Message } from './channel.ts'
import type { WorkerProcess } from './supervisor.ts'

type WorkerSpawn = {
  readonly flag: string
  readonly listenDescriptor: number
  readonly take: (message: Message) => void
  readonly lost: () => void
}

/** How long a background start is watched for an early end. */
const DAEMON_WATCH_MS = 500

/** Compiled, the executable is the program; from source, Bun runs its first argument. */
function selfCommand(): string[] {
  const isCompiled = Bun.main.startsWith('/$bunfs/')
  return isCompiled ? [process.execPath] : [process.execPath, Bun.main]
}

export function spawnWorker({ flag, listenDescriptor, take, lost }: WorkerSpawn): WorkerProcess {
  const child = Bun.spawn([...selfCommand(), flag], {
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

/** Starts the program in the background; the code of an early end, else 0. */
export async function spawnDaemon(args: readonly string[], cwd: string): Promise<number> {
  const child = Bun.spawn([...selfCommand(), ...args], {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  })
  const early = await Promise.race([child.exited, Bun.sleep(DAEMON_WATCH_MS).then(() => undefined)])
  child.unref()
  return early ?? 0
}
