/**
 * What counts against a server, and its history: how many failures there were in the window before now,
 * in a ring of 17 bins of time. Bounded, and a failure costs an addition. Source: proxy-routing.md §9.4.
 */

export type FailureKind =
  | 'connect-failed'
  | 'connection-lost'
  | 'timeout'
  | 'unparsable-response'
  | 'undefined-state'
  | 'server-initialising'
  | 'server-stopping'
  | 'checksum'
  | 'no-memory'
  | 'client-gave-up'

export type FailureWords = {
  readonly words: string
  /** Counted as a failure to connect; the others happened to a connection that was there. */
  readonly isOfConnecting: boolean
  /** What excuses the server. */
  readonly unless?: 'quitting' | 'brief'
}

export const FAILURES: Readonly<Record<FailureKind, FailureWords>> = {
  'connect-failed': { words: 'connecting failed', isOfConnecting: true },
  'connection-lost': { words: 'the connection broke', isOfConnecting: false },
  // Of the query, the transaction or the session.
  timeout: { words: 'no answer in time', isOfConnecting: false, unless: 'quitting' },
  'unparsable-response': { words: 'an answer that cannot be read', isOfConnecting: false },
  'undefined-state': { words: 'an answer out of turn', isOfConnecting: false },
  // Error 8001.
  'server-initialising': { words: 'it is initialising', isOfConnecting: false },
  // Error 8002.
  'server-stopping': { words: 'it is stopping', isOfConnecting: false },
  // Error 8003.
  checksum: { words: 'a wrong checksum', isOfConnecting: false },
  // Error 4013.
  'no-memory': { words: 'it is out of memory', isOfConnecting: false },
  'client-gave-up': {
    words: 'the client gave up while connecting',
    isOfConnecting: true,
    unless: 'brief',
  },
}

export type Circumstances = {
  /** The command was COM_QUIT. */
  readonly isQuitting: boolean
  /** How long connecting has taken, and how long it may take before giving up says something. */
  readonly connectingMs: number
  /** `min_congested_connect_timeout`. */
  readonly minConnectingMs: number
}

/** Whether a failure speaks against the server. */
export function speaksAgainst(kind: FailureKind, circumstances: Circumstances): boolean {
  const { unless } = FAILURES[kind]
  if (unless === 'quitting') return !circumstances.isQuitting
  return unless === undefined || circumstances.connectingMs >= circumstances.minConnectingMs
}

const BINS = 17

export class FailureHistory {
  private readonly bins = new Array<number>(BINS).fill(0)
  private binMs = 1
  private windowMs = 0
  /** Number of the bin written last, counted from the epoch. */
  private last = 0
  /** Sum of `bins`. */
  private sum = 0
  lastAtMs = 0
  /** Since the server is known. */
  total = 0

  /** The window is `windowMs` long from now on; another one than before forgets what was. */
  count(nowMs: number, windowMs: number): void {
    this.move(nowMs, windowMs)
    const at = this.last % BINS
    this.bins[at] = (this.bins[at] ?? 0) + 1
    this.sum += 1
    this.total += 1
    this.lastAtMs = nowMs
  }

  /** Failures in the window before `nowMs`. */
  within(nowMs: number, windowMs: number): number {
    this.move(nowMs, windowMs)
    return this.sum
  }

  clear(): void {
    this.bins.fill(0)
    this.sum = 0
  }

  /** Empties the bins that time has passed; a clock that went back writes to the last one. */
  private move(nowMs: number, windowMs: number): void {
    if (windowMs !== this.windowMs) {
      this.windowMs = windowMs
      this.binMs = binLengthMs(windowMs)
      this.last = Math.floor(nowMs / this.binMs)
      this.clear()
    }
    const bin = Math.floor(nowMs / this.binMs)
    if (bin - this.last >= BINS) {
      this.clear()
      this.last = bin
    }
    for (; this.last < bin; this.last++) {
      const next = (this.last + 1) % BINS
      this.sum -= this.bins[next] ?? 0
      this.bins[next] = 0
    }
  }
}

/** §9.4: whole seconds, so that 17 of them cover the window and more. */
function binLengthMs(windowMs: number): number {
  return Math.floor((windowMs / 1_000 + BINS) / BINS) * 1_000
}
