/** Broken invariants are exceptions: a bug of ours, never an expected outcome. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}
