/**
 * Waiting for what others bring about: parts that have their own time, other processes, a whole stack. What
 * can be awaited itself is not waited for by this.
 */

/** For how long it is looked for, and how often; milliseconds. */
export type Patience = { readonly deadlineMs: number; readonly everyMs: number }

/** Below the time-out of a test of `integration`, so that a failure says what did not come true. */
const USUAL: Patience = { deadlineMs: 20_000, everyMs: 20 }

/** Nothing yet: a count of none, a text that is empty and what is not there are no more than false. */
type Unseen = undefined | null | false | 0 | ''

/**
 * What `look` sees as soon as it is anything but false, at once where it is there already.
 * @throws Error that names `what`, at the deadline; what `look` throws, when it does.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | Unseen> | T | Unseen,
  patience: Partial<Patience> = {},
): Promise<T> {
  const { deadlineMs, everyMs } = { ...USUAL, ...patience }
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (!isUnseen(seen)) return seen
    if (Date.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await new Promise(done => setTimeout(done, everyMs))
  }
}

function isUnseen<T>(seen: T | Unseen): seen is Unseen {
  return seen === undefined || seen === null || seen === false || seen === 0 || seen === ''
}
