/** How long something takes, for suites that compare: what the machine does besides only ever adds to it. */
const TRIES = 7

/** The least of several times, in milliseconds, and never nothing. */
export function leastMs(act: () => void): number {
  let least = Number.POSITIVE_INFINITY
  for (let count = 0; count < TRIES; count++) {
    const since = performance.now()
    act()
    least = Math.min(least, performance.now() - since)
  }
  return Math.max(least, 0.01)
}
