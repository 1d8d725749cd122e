/** What a front can be told to do, and the text form of it that comes over the control channel. */

/** The last order wins; one-shot orders (`…-next`, `disconnect`) end as `normal`. */
export type Order =
  | { readonly kind: 'normal' }
  /** Refuses new connections and drops the open ones. */
  | { readonly kind: 'stop' }
  /** Refuses new connections; the open ones go on. */
  | { readonly kind: 'refuse' }
  /** Accepts new connections and says nothing to them, not even a greeting; the open ones go on. */
  | { readonly kind: 'half-open' }
  /** Stops and comes back, in turns, beginning with a stop. */
  | { readonly kind: 'flap'; readonly downMs: number; readonly upMs: number }
  /** Accepts, but reads nothing and answers nothing until the next order; nothing is lost. */
  | { readonly kind: 'freeze' }
  /** Drops every open connection once. */
  | { readonly kind: 'disconnect' }
  /** Drops a connection when the next statement has been passed on, before its answer. */
  | { readonly kind: 'lose-next' }
  /** Drops a connection instead of passing its next COMMIT on: nothing is committed. */
  | { readonly kind: 'lose-commit-before' }
  /** Drops a connection when its next COMMIT has been carried out, instead of the answer. */
  | { readonly kind: 'lose-commit-after' }
  /** Answers the next statement with this error; `status` is of the OK behind it, 34 when left out. */
  | { readonly kind: 'fail-next'; readonly errno: number; readonly status?: number }
  /** Answers every statement that names a table as a replica that does not lead: 4038. */
  | { readonly kind: 'not-master' }
  /** Passes everything that clients send on after this time. */
  | { readonly kind: 'delay'; readonly delayMs: number }

const PLAIN = [
  'normal',
  'stop',
  'refuse',
  'half-open',
  'freeze',
  'disconnect',
  'lose-next',
  'lose-commit-before',
  'lose-commit-after',
  'not-master',
] as const
const LONGEST_DELAY_MS = 600_000

/** An order out of parsed JSON; otherwise what is wrong with it. */
export function parseOrder(value: unknown): Order | string {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as {
    readonly kind?: unknown
    readonly errno?: unknown
    readonly status?: unknown
    readonly delayMs?: unknown
    readonly downMs?: unknown
    readonly upMs?: unknown
  }
  const plain = PLAIN.find(kind => kind === fields.kind)
  if (plain !== undefined) return { kind: plain }
  if (fields.kind === 'fail-next') return failNext(fields.errno, fields.status)
  if (fields.kind === 'delay')
    return isWhole(fields.delayMs, 0, LONGEST_DELAY_MS)
      ? { kind: 'delay', delayMs: fields.delayMs }
      : `delay needs delayMs, 0 to ${LONGEST_DELAY_MS}`
  if (fields.kind === 'flap') return flap(fields.downMs, fields.upMs)
  return `kind must be one of ${[...PLAIN, 'fail-next', 'delay', 'flap'].join(', ')}`
}

function flap(downMs: unknown, upMs: unknown): Order | string {
  return isWhole(downMs, 1, LONGEST_DELAY_MS) && isWhole(upMs, 1, LONGEST_DELAY_MS)
    ? { kind: 'flap', downMs, upMs }
    : `flap needs downMs and upMs, 1 to ${LONGEST_DELAY_MS}`
}

function failNext(errno: unknown, status: unknown): Order | string {
  if (!isWhole(errno, 1, 0xffff)) return 'fail-next needs errno, 1 to 65535'
  if (status === undefined) return { kind: 'fail-next', errno }
  return isWhole(status, 0, 0xffff)
    ? { kind: 'fail-next', errno, status }
    : 'status of fail-next is 0 to 65535'
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most
}
