/**
 * Clients and servers that stop in the middle, measured in seconds of the worker's one-second beat rather
 * than by a timer each. Bounds: the session's `net_read_timeout` and `net_write_timeout`
 * (proxy-protocol.md §9); these where no server has told them.
 */
import type { SessionMemory } from './memory.ts'
import type { Requests } from './requests.ts'
import type { SessionState } from './states.ts'

export const READ_STALL_SECONDS = 30
const WRITE_STALL_SECONDS = 60

type Taker = { readonly pendingBytes: () => number }

/** What of a client's commands tells who is waited for. */
export type UnderWay = {
  readonly state: SessionState
  readonly stall: Stall
  readonly client: Taker
  readonly clientBlocked: boolean
  readonly target: Taker | undefined
  readonly serverBlocked: boolean
  readonly requests: Pick<Requests, 'isIncomplete' | 'waitingBytes'>
  readonly memory: Pick<SessionMemory, 'seconds'>
}

/** Called once a second: what one side has left undone for too long, if anything. */
export function overdue(pipeline: UnderWay): 'reading' | 'writing' | 'server' | undefined {
  const { stall, client, target, memory } = pipeline
  if (pipeline.clientBlocked) return stall.writing(client.pendingBytes(), writeSeconds(pipeline))
  if (pipeline.serverBlocked) {
    const pending = target?.pendingBytes() ?? 0
    return stall.writing(pending, writeSeconds(pipeline)) === undefined ? undefined : 'server'
  }
  // Asked for only where somebody is in the middle of something: thousands are not.
  if (!isHalfRead(pipeline)) return stall.reading(false, 0)
  return stall.reading(true, memory.seconds('net_read_timeout', READ_STALL_SECONDS))
}

function writeSeconds({ memory }: Pick<UnderWay, 'memory'>): number {
  return memory.seconds('net_write_timeout', WRITE_STALL_SECONDS)
}

/** The client owes the rest of what it began. */
function isHalfRead({ state, requests }: Pick<UnderWay, 'state' | 'requests'>): boolean {
  if (state === 'working') return requests.isIncomplete
  return state === 'asked' || (state === 'idle' && requests.waitingBytes > 0)
}

export class Stall {
  private seconds = 0
  private lastPending = 0
  private hasMoved = false

  /** Bytes came from the client. */
  moved(): void {
    this.hasMoved = true
  }

  /** One beat of a client that owes the rest of a command, or does not. */
  reading(isHalfRead: boolean, limitSeconds: number): 'reading' | undefined {
    this.seconds = isHalfRead && !this.hasMoved ? this.seconds + 1 : 0
    this.hasMoved = false
    this.lastPending = 0
    return isHalfRead && this.seconds >= limitSeconds ? 'reading' : undefined
  }

  /** One beat of a client that has not taken `pendingBytes` of its answers. */
  writing(pendingBytes: number, limitSeconds: number): 'writing' | undefined {
    this.seconds = pendingBytes === this.lastPending ? this.seconds + 1 : 0
    this.lastPending = pendingBytes
    this.hasMoved = false
    return this.seconds >= limitSeconds ? 'writing' : undefined
  }
}
