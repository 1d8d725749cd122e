/** Waits of the stack: bounded, and what is waited for is named. */

const POLL_MS = 100

/** What `look` sees in the end; undefined when it saw nothing for `deadlineMs`. */
export async function seenWithin<T>(
  deadlineMs: number,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined || Date.now() > deadline) return seen
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}
