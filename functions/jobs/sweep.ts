/** The sweeper: once a minute, whatever events and nudges forgot; it alone is enough (PL4). */
import type { Engine } from '../operations/engine.ts'

const AT_ONCE = 50
/** One run is bounded; the next goes on. */
const MAX_ROUNDS = 20

/** How many operations were looked at. */
export async function sweep(engine: Engine): Promise<number> {
  let total = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = await engine.sweep(AT_ONCE)
    total += found
    if (found < AT_ONCE) break
  }
  await engine.forgetSecrets()
  return total
}
