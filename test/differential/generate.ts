/** Sequences from seeds. A sequence has a few themes, so that its steps have to do with each other. */
import { Dice } from './dice.ts'
import { SESSION_TRACK } from './excused.ts'
import type { Sequence, Step } from './steps.ts'
import { THEMES, type Theme } from './themes.ts'

const THEMES_A_SEQUENCE = 3
const MIN_STEPS = 4
const MAX_STEPS = 14
/** Steps of no theme, now and then. */
const STRAY = 0.15
const FOUND_ROWS = 0x2
const IGNORE_SPACE = 0x100

const ALL = Object.values(THEMES)

/** Sequences of `count` seeds from `from` on. */
export function* generated(from: number, count: number): Generator<Sequence, void, undefined> {
  for (let seed = from; seed < from + count; seed++) yield generate(seed)
}

export function generate(seed: number): Sequence {
  const dice = new Dice(seed)
  const themes = Array.from({ length: THEMES_A_SEQUENCE }, () => dice.pick(ALL))
  const length = MIN_STEPS + dice.below(MAX_STEPS - MIN_STEPS)
  const steps: Step[] = []
  while (steps.length < length) {
    const theme: Theme = dice.chance(STRAY) ? dice.pick(ALL) : dice.pick(themes)
    steps.push(...theme(dice))
  }
  return {
    capabilities:
      (dice.chance(0.2) ? FOUND_ROWS : 0) |
      (dice.chance(0.1) ? IGNORE_SPACE : 0) |
      (dice.chance(0.2) ? SESSION_TRACK : 0),
    ob20: dice.chance(0.5),
    seed,
    steps,
  }
}
