/**
 * The hot restart as data and as the machine that moves through it: a successor is started, becomes
 * ready or is undone, and only then the clients of this process leave. State names and texts are
 * OBProxy's, as far as they are needed: HU_STATE_WAIT_CR_CMD waits for a metadata database, which
 * this proxy does not use. Source: proxy-admin.md §4.2, §4.3.
 */

import type { Clock, TimerHandle } from '../base/clock.ts'
import { invariant } from '../base/invariant.ts'

export const HANDOVER_TABLE = {
  /** Serves. */
  HU_STATE_WAIT_HU_CMD: {
    restartAsked: 'HU_STATE_FORK_NEW_PROXY',
    leaveAsked: 'HU_STATE_EXITING',
  },
  /** Serves; waits for the process before, or for its next attempt. */
  HU_STATE_FORK_NEW_PROXY: {
    restartAsked: 'HU_STATE_FORK_NEW_PROXY',
    spawned: 'HU_STATE_WAIT_LOCAL_CR_FINISH',
    givenUp: 'HU_STATE_WAIT_HU_CMD',
    leaveAsked: 'HU_STATE_EXITING',
  },
  /** Serves; the successor is starting. */
  HU_STATE_WAIT_LOCAL_CR_FINISH: {
    ready: 'HU_STATE_WAIT_CR_FINISH',
    undone: 'HU_STATE_FORK_NEW_PROXY',
    givenUp: 'HU_STATE_WAIT_HU_CMD',
    leaveAsked: 'HU_STATE_EXITING',
  },
  /** The successor serves, the clients of this process leave. */
  HU_STATE_WAIT_CR_FINISH: {
    successorLost: 'HU_STATE_WAIT_HU_CMD',
    leaveAsked: 'HU_STATE_EXITING',
    drained: 'HU_STATE_EXITED',
  },
  /** Told to end. */
  HU_STATE_EXITING: { drained: 'HU_STATE_EXITED' },
  HU_STATE_EXITED: {},
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>

export type HandoverState = keyof typeof HANDOVER_TABLE
export type HandoverEvent = {
  [S in HandoverState]: Extract<keyof (typeof HANDOVER_TABLE)[S], string>
}[HandoverState]

/** The state that `event` leads to; undefined where it must not happen. */
export function nextHandoverState(
  state: HandoverState,
  event: HandoverEvent,
): HandoverState | undefined {
  const row: Partial<Record<HandoverEvent, HandoverState>> = HANDOVER_TABLE[state]
  return row[event]
}

const PREDECESSOR_POLL_MS = 50
/** Longer ones would come at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export type SuccessorEnd = {
  /** What follows the word "successor". */
  readonly why: string
  /** It was told to end. */
  readonly isWanted: boolean
}

export type Successor = { readonly pid: number; readonly kill: () => void }

export type HandoverPort = {
  readonly clock: Clock
  /** Calls `ended` once. @throws Error when it cannot be started at all. */
  readonly spawn: (ended: (end: SuccessorEnd) => void) => Successor
  readonly limits: () => {
    /** How long a successor may take to become ready. */
    readonly readyMs: number
    readonly attempts: number
    /** Between two attempts. */
    readonly pauseMs: number
  }
  /** The process before this one is gone: its ids are free. */
  readonly isAlone: () => boolean
  /** The configuration belongs to the successor from here on. */
  readonly begun: () => void
  /** The successor is gone before it was ready; `begun` is taken back. */
  readonly undone: () => void
  /** The successor serves. */
  readonly committed: (successor: Successor) => void
  /** The successor is gone after it was ready: serve again. */
  readonly resumed: () => void
  readonly say: (line: string, isFailure: boolean) => void
}

export type HandoverView = {
  readonly state: HandoverState
  readonly command: string
  /** OBProxy's words for how far it is. */
  readonly status: string
  readonly failures: number
  readonly lastFailure: string
  readonly successorPid: number | undefined
}

export class Handover {
  private readonly port: HandoverPort
  private current: HandoverState = 'HU_STATE_WAIT_HU_CMD'
  private successor: Successor | undefined
  private timer: TimerHandle | undefined
  private command = 'none'
  private status = 'none'
  private failures = 0
  private lastFailure = ''

  constructor(port: HandoverPort) {
    this.port = port
  }

  get state(): HandoverState {
    return this.current
  }

  view(): HandoverView {
    const { current: state, command, status, failures, lastFailure } = this
    return { state, command, status, failures, lastFailure, successorPid: this.successor?.pid }
  }

  /** Whether `restart` may be called now. */
  get mayRestart(): boolean {
    return nextHandoverState(this.current, 'restartAsked') !== undefined
  }

  restart(): void {
    this.move('restartAsked')
    this.command = 'restart'
    this.status = 'start hot upgrade'
    this.failures = 0
    this.lastFailure = ''
    this.attempt()
  }

  /** The successor says that it serves; from anybody else, or too late, it means nothing. */
  ready(): void {
    const { current, successor } = this
    if (current !== 'HU_STATE_WAIT_LOCAL_CR_FINISH' || successor === undefined) return
    this.timer?.cancel()
    this.move('ready')
    this.status = 'received commit do graceful exit'
    this.port.say(`successor ${successor.pid} serves, clients leave now`, false)
    this.port.committed(successor)
  }

  /** This process is to end without a successor, or before its clients have left. */
  leave(): void {
    if (nextHandoverState(this.current, 'leaveAsked') === undefined) return
    this.timer?.cancel()
    const isStarting = this.current === 'HU_STATE_WAIT_LOCAL_CR_FINISH'
    this.move('leaveAsked')
    this.command = 'exit'
    if (!isStarting) return
    const { successor } = this
    this.successor = undefined
    successor?.kill()
  }

  drained(): void {
    this.move('drained')
    this.status = 'exited'
  }

  private move(event: HandoverEvent): void {
    const next = nextHandoverState(this.current, event)
    if (next === undefined) invariant(false, `hand-over: ${event} while ${this.current}`)
    this.current = next as HandoverState
  }

  private attempt(): void {
    const { clock } = this.port
    this.timer?.cancel()
    // Why not at once: ids alternate between two generations, and a third would use those of the first.
    if (!this.port.isAlone()) {
      this.timer = clock.after(PREDECESSOR_POLL_MS, () => this.attempt())
      return
    }
    this.port.begun()
    try {
      const successor = this.port.spawn(end => this.lost(successor, end))
      this.successor = successor
    } catch (error) {
      this.failed(`could not be started: ${(error as Error).message}`, 'rollback succeed')
      return
    }
    this.move('spawned')
    this.status = 'create new proxy succeed'
    this.timer = clock.after(Math.min(this.port.limits().readyMs, MAX_TIMER_MS), () =>
      this.timedOut(),
    )
  }

  private timedOut(): void {
    this.successor?.kill()
    this.failed('was not ready in time and was killed', 'timeout rollback succeed')
  }

  private lost(successor: Successor, { why, isWanted }: SuccessorEnd): void {
    if (this.successor !== successor) return
    if (this.current === 'HU_STATE_WAIT_LOCAL_CR_FINISH') {
      this.failed(why, 'rollback succeed')
      return
    }
    // Whoever ended the successor wants no proxy; this one is on its way already.
    if (this.current !== 'HU_STATE_WAIT_CR_FINISH' || isWanted) return
    this.successor = undefined
    this.move('successorLost')
    this.status = 'rollback succeed'
    this.lastFailure = why
    this.port.say(`successor ${successor.pid} ${why}: this process serves again`, true)
    this.port.resumed()
  }

  private failed(why: string, status: string): void {
    const { clock, limits } = this.port
    this.timer?.cancel()
    this.successor = undefined
    this.failures += 1
    this.lastFailure = why
    this.port.undone()
    this.port.say(`successor ${why}`, true)
    if (this.failures >= limits().attempts) {
      this.move('givenUp')
      this.status = 'failure retries too many'
      return
    }
    if (this.current !== 'HU_STATE_FORK_NEW_PROXY') this.move('undone')
    this.status = status
    this.timer = clock.after(limits().pauseMs, () => this.attempt())
  }
}
