/** What a turn over stored work comes to. */

/** `again`: something changed, look anew. */
export type Turn = { readonly kind: 'again' } | { readonly kind: 'wait'; readonly delayMs: number }

/** Somebody looks again after so long, whatever nobody said. */
export const MOST_MS = 10_000

export function soonest(turns: readonly Turn[]): Turn {
  let delayMs = MOST_MS
  for (const turn of turns) {
    if (turn.kind === 'again') return turn
    delayMs = Math.min(delayMs, turn.delayMs)
  }
  return { kind: 'wait', delayMs }
}
