/** A shorter sequence that still shows a difference: steps are left out, in halves and then one by one. */
import type { Difference } from './play.ts'
import type { Sequence } from './steps.ts'

/** Tries a shrinking may take. */
const MOST_TRIES = 150

export async function shrink(
  found: Difference,
  play: (sequence: Sequence) => Promise<Difference | undefined>,
): Promise<Difference> {
  let best = withoutTail(found)
  let tries = 0
  for (let size = Math.ceil(best.sequence.steps.length / 2); size >= 1; size = size >> 1) {
    for (let from = 0; from < best.sequence.steps.length && tries < MOST_TRIES; ) {
      tries += 1
      const { steps } = best.sequence
      const shorter = {
        ...best.sequence,
        steps: [...steps.slice(0, from), ...steps.slice(from + size)],
      }
      const again = await play(shorter)
      if (again === undefined) from += size
      else best = withoutTail(again)
    }
  }
  return best
}

/** Nothing behind the step that was answered otherwise has a part in it. */
function withoutTail(found: Difference): Difference {
  const { sequence, at } = found
  return { ...found, sequence: { ...sequence, steps: sequence.steps.slice(0, at + 1) } }
}
