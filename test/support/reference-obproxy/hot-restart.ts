/**
 * The local restart (proxy-admin.md §4.2): the executable that lies at the proxy's own path is started
 * with the listening sockets, and this process stops accepting and waits for its sign. When it dies, or
 * says nothing until `hot_upgrade_rollback_timeout`, this process accepts again as if nothing had been.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Log } from './log.ts'
import type { Settings } from './settings.ts'

/** What timers take. */
const MAX_TIMER_MS = 2 ** 31 - 1
const FIRST_FD = 3

/** State → event → next. */
export const UPGRADE_TABLE = {
  HU_STATE_WAIT_HU_CMD: { commanded: 'HU_STATE_FORK_NEW_PROXY' },
  HU_STATE_FORK_NEW_PROXY: {
    forked: 'HU_STATE_WAIT_CR_CMD',
    successorLost: 'HU_STATE_WAIT_HU_CMD',
  },
  HU_STATE_WAIT_CR_CMD: {
    successorReady: 'HU_STATE_WAIT_LOCAL_CR_FINISH',
    successorLost: 'HU_STATE_WAIT_HU_CMD',
  },
  HU_STATE_WAIT_LOCAL_CR_FINISH: { successorLost: 'HU_STATE_WAIT_HU_CMD' },
} as const satisfies Record<string, Record<string, string>>

type UpgradeState = keyof typeof UPGRADE_TABLE
type UpgradeEvent = 'commanded' | 'forked' | 'successorReady' | 'successorLost'

export type Relaunch = {
  /** Where the executable lies, and how it was called. */
  readonly path: string
  readonly argv0: string
}

export type RestartParts = {
  readonly settings: Settings
  readonly log: Log
  readonly relaunch: Relaunch
  /** Variable of the environment → descriptor. */
  readonly sockets: () => ReadonlyMap<string, number>
  /** Lets go of everything that the successor needs, the listening sockets but for their descriptors. */
  readonly stepAside: () => void
  readonly stepBack: () => Promise<void>
  readonly drain: () => void
  /** False until the process that this one took over from is gone. */
  readonly isParent: () => boolean
}

export class HotRestart {
  private readonly parts: RestartParts
  private state: UpgradeState = 'HU_STATE_WAIT_HU_CMD'
  private child: ChildProcess | undefined
  private timer: NodeJS.Timeout | undefined
  private failures = 0
  private outcome = 'none'

  constructor(parts: RestartParts) {
    this.parts = parts
  }

  /** Nothing tells whoever asked when it does not begin. */
  begin(): void {
    const { log, isParent } = this.parts
    if (!isParent() || !this.move('commanded')) {
      log.write('WARN', `hot restart refused in ${this.state}, parent: ${isParent()}`)
      return
    }
    this.parts.stepAside()
    this.outcome = 'start hot upgrade'
    this.fork()
  }

  /** The successor's SIGUSR1. */
  ready(): void {
    if (!this.move('successorReady')) return
    clearTimeout(this.timer)
    this.outcome = 'create new proxy succeed'
    this.parts.drain()
  }

  describe(): string {
    const { isParent } = this.parts
    const lines = [
      `state:${this.state}`,
      `status:${this.outcome}`,
      `is_parent:${isParent()}`,
      `failure_retries:${this.failures}`,
      `sub_pid:${this.child?.pid ?? -1}`,
    ]
    return lines.join('\n')
  }

  private fork(): void {
    const { log, settings } = this.parts
    const child = this.launched()
    this.child = child
    this.move('forked')
    if (child === undefined) {
      this.lost(child)
      return
    }
    child.once('error', error => {
      log.write('WARN', `successor: ${error.message}`)
      this.lost(child)
    })
    child.once('exit', (code, signal) => {
      log.write('WARN', `successor ended: ${code ?? signal}`)
      this.lost(child)
    })
    const timeoutMs = Math.min(settings.milliseconds('hot_upgrade_rollback_timeout'), MAX_TIMER_MS)
    this.timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  }

  /** Undefined for a file that is no program. */
  private launched(): ChildProcess | undefined {
    const { relaunch, sockets, log } = this.parts
    const handed = [...sockets()]
    const inherited = handed.map(([name], at) => [name, String(FIRST_FD + at)])
    try {
      return spawn(relaunch.path, [], {
        argv0: relaunch.argv0,
        env: { ...process.env, ...Object.fromEntries(inherited) },
        stdio: ['ignore', 'inherit', 'inherit', ...handed.map(([, fd]) => fd)],
      })
    } catch (error) {
      log.write('WARN', `successor: ${String(error)}`)
      return undefined
    }
  }

  private lost(child: ChildProcess | undefined): void {
    if (this.child !== child || !this.move('successorLost')) return
    clearTimeout(this.timer)
    this.child = undefined
    this.failures += 1
    this.outcome = 'rollback succeed'
    void this.parts.stepBack()
  }

  private move(event: UpgradeEvent): boolean {
    const row: Partial<Record<UpgradeEvent, UpgradeState>> = UPGRADE_TABLE[this.state]
    const next = row[event]
    if (next === undefined) return false
    this.state = next
    return true
  }
}
