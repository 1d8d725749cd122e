/**
 * How long one client and its servers are waited for, in beats of a second: between commands, in the
 * middle of one, and for its answer. Source: proxy-protocol.md §9.
 */
import { Fault } from '#contract/fault'
import type { Statement } from '../sql/classify.ts'
import type { SessionMemory } from './memory.ts'
import type { Pipeline } from './pipeline.ts'
import type { SessionSettings } from './ports.ts'
import { overdue, READ_STALL_SECONDS } from './stall.ts'
import type { SessionState } from './states.ts'

/** Where no server has told one. */
const QUERY_TIMEOUT_US = 10_000_000

type Waited = {
  readonly state: SessionState
  readonly memory: SessionMemory
}

export class Patience {
  /** Beats since the client was last heard of, or its last command ended. */
  private idleSeconds = 0

  /** Bytes came from the client. */
  heard(): void {
    this.idleSeconds = 0
  }

  /** What the client is told as the last thing; 'mute': nothing, it does not read. */
  beat(
    session: Waited,
    pipeline: Pipeline | undefined,
    { inactivitySeconds }: Pick<SessionSettings, 'inactivitySeconds'>,
  ): Fault | 'mute' | undefined {
    this.idleSeconds = session.state === 'idle' ? this.idleSeconds + 1 : 0
    const owed = pipeline && overdue(pipeline)
    if (owed === 'writing') return 'mute'
    if (owed === 'server') return new Fault('server.lost-reading')
    if (owed === 'reading') {
      const limit = session.memory.seconds('net_read_timeout', READ_STALL_SECONDS)
      return new Fault('request.timeout', { seconds: limit })
    }
    const seconds = idleLimitSeconds(session, inactivitySeconds)
    if (this.idleSeconds >= seconds) return new Fault('session.idle', { seconds })
    if (pipeline !== undefined) beatServer(pipeline)
    return undefined
  }
}

function beatServer({ answering, clientBlocked, course, isIncomplete, state }: Pipeline): void {
  if (answering !== undefined || state === 'routing') course.beat(clientBlocked || isIncomplete)
}

/**
 * How long the client may say nothing. `interactive_timeout` is nobody's: servers go by `wait_timeout`
 * also for interactive clients (tried). A transaction is its server's to end: that rolls it back and
 * says so at the next statement, or closes, and then the session is outside it.
 */
function idleLimitSeconds({ memory }: Waited, inactivitySeconds: number): number {
  const isOpen = memory.inTransaction && memory.heldBegin === undefined
  return isOpen ? inactivitySeconds : memory.seconds('wait_timeout', inactivitySeconds)
}

/** How long the session lets a statement run, milliseconds: as the statement's hint says, else `ob_query_timeout`. */
export function queryLimitMs(memory: SessionMemory, meaning: Statement | undefined): number {
  const hintUs = meaning?.queryTimeoutUs ?? 0
  if (hintUs > 0) return hintUs / 1000
  return Number(memory.variable('ob_query_timeout') ?? QUERY_TIMEOUT_US) / 1000
}
