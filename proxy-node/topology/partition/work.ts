/**
 * How much may be computed for one statement, so that none keeps a worker from the others for long: in
 * steps, of which one takes some 0.1 µs. Who runs out of them knows nothing.
 */

/** About 2 ms: a thousand values of IN in a thousand partitions by RANGE take less. */
const MOST_STEPS = 20_000

export class Work {
  private left = MOST_STEPS

  /** For the next statement. */
  begin(): void {
    this.left = MOST_STEPS
  }

  spend(steps: number): void {
    this.left -= steps
  }

  /** Whatever was computed since is to be thrown away. */
  get isSpent(): boolean {
    return this.left < 0
  }
}
