/** Time as a parameter: the plane's modules never touch the platform's clock or timers themselves. */

export type Clock = {
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly sleep: (delayMs: number) => Promise<void>
}

/** Nudges are hints: a lost one costs time, never correctness (PL4). SQS in the cloud. */
export type Queue = { readonly nudge: (operationId: string, delayMs: number) => Promise<void> }
