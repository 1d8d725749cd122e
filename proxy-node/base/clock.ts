/**
 * Time and timers as a parameter. The only place that touches the platform's timers, so that every
 * module can be tested with a clock it moves by hand.
 */

export type TimerHandle = { readonly cancel: () => void }

export type Clock = {
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  /** Runs `act` once after `delayMs`. The timer does not keep the process alive. */
  readonly after: (delayMs: number, act: () => void) => TimerHandle
  /** Runs `act` every `intervalMs` until cancelled. The timer does not keep the process alive. */
  readonly every: (intervalMs: number, act: () => void) => TimerHandle
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted. Keeps the process alive. */
  readonly sleep: (delayMs: number, signal?: AbortSignal) => Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, act) => {
    const timer = setTimeout(act, delayMs)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  every: (intervalMs, act) => {
    const timer = setInterval(act, intervalMs)
    timer.unref()
    return { cancel: () => clearInterval(timer) }
  },
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const aborted = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', aborted)
        resolve()
      }, delayMs)
      signal?.addEventListener('abort', aborted, { once: true })
    }),
}
