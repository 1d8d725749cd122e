/** What a front can be told to do, and the text form of it that comes over the control channel. */

/** The last order wins; one-shot orders (`…-next`, `disconnect`) end as `normal`. */
export type Order =
  | { readonly kind: 'normal' }
  /** Refuses new connections and drops the open ones. */
  | { readonly kind: 'stop' }
  /** Accepts, but reads nothing and answers nothing until the next order; nothing is lost. */
  | { readonly kind: 'freeze' }
  /** Drops every open connection once. */
  | { readonly kind: 'disconnect' }
  /** Drops a connection when the next statement has been passed on, before its answer. */
  | { readonly kind: 'lose-next' }
  /** Answers the next statement with this error. */
  | { readonly kind: 'fail-next'; readonly errno: number }
  /** Answers every statement that names a table as a replica that does not lead: 4038. */
  | { readonly kind: 'not-master' }
  /** Passes everything that clients send on after this time. */
  | { readonly kind: 'delay'; readonly delayMs: number }

const PLAIN = ['normal', 'stop', 'freeze', 'disconnect', 'lose-next', 'not-master'] as const
const LONGEST_DELAY_MS = 600_000

/** An order out of parsed JSON; otherwise what is wrong with it. */
export function parseOrder(value: unknown): Order | string {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as {
    readonly kind?: unknown
    readonly errno?: unknown
    readonly delayMs?: unknown
  }
  const plain = PLAIN.find(kind => kind === fields.kind)
  if (plain !== undefined) return { kind: plain }
  if (fields.kind === 'fail-next')
    return isWhole(fields.errno, 1, 0xffff)
      ? { kind: 'fail-next', errno: fields.errno }
      : 'fail-next needs errno, 1 to 65535'
  if (fields.kind === 'delay')
    return isWhole(fields.delayMs, 0, LONGEST_DELAY_MS)
      ? { kind: 'delay', delayMs: fields.delayMs }
      : `delay needs delayMs, 0 to ${LONGEST_DELAY_MS}`
  return `kind must be one of ${[...PLAIN, 'fail-next', 'delay'].join(', ')}`
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most
}
