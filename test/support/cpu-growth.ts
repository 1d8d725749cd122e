/** How the time of something grows with its length, for suites that must not depend on the machine's speed. */
const TRIES = 5
const TIMES = 16

/** Between growth with the length, which is 16, and with its square, which is 256. */
export const AS_THE_LENGTH = 64

/** Times of the processor, of 16 times `length` over those of `length`: others that it serves do not count. */
export function cpuGrowth(act: (length: number) => void, length: number): number {
  act(TIMES * length)
  return leastMicros(() => act(TIMES * length)) / leastMicros(() => act(length))
}

/** Work of the compiler and of the collector only ever adds to it. */
function leastMicros(act: () => void): number {
  let least = Number.POSITIVE_INFINITY
  for (let count = 0; count < TRIES; count++) {
    const since = process.cpuUsage()
    act()
    const { user, system } = process.cpuUsage(since)
    least = Math.min(least, user + system)
  }
  return Math.max(least, 20)
}
