/**
 * Every parser answers damaged input with its own error or not at all: what the fuzzer once found,
 * the seeds, and some thousand new inputs each. `npm run fuzz` shows them millions.
 */
import { describe, expect, test } from 'vitest'
import { readCorpus } from '../fuzz/corpus.ts'
import { Mutator } from '../fuzz/mutate.ts'
import { isMalformed, MAX_BYTES, show, type Target } from '../fuzz/target.ts'
import { TARGETS } from '../fuzz/targets.ts'

const INPUTS = 2000

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Fails with the input, so that it can be kept. */
function shown(target: Target, bytes: Uint8Array): void {
  const before = hexOf(bytes)
  try {
    show(target, bytes)
  } catch (error) {
    throw new Error(`${target.name} of ${before}`, { cause: error })
  }
}

describe.each(TARGETS.map(target => [target.name, target] as const))('%s', (_name, target) => {
  test('takes its seeds, and some of them are what it parses', () => {
    for (const seed of target.seeds) shown(target, seed.slice())

    const outcomes = target.seeds.map(seed => show(target, seed.slice()))
    expect(outcomes.filter(outcome => typeof outcome === 'number').length).toBeGreaterThan(0)
  })

  test('takes what was kept of earlier runs', () => {
    for (const [file, bytes] of readCorpus(target))
      expect(() => show(target, bytes), file).not.toThrow()
  })

  test(`takes ${INPUTS} damaged inputs`, () => {
    const maxBytes = target.maxBytes ?? MAX_BYTES
    const mutator = new Mutator(target.seeds, target.words ?? [], { seed: 1, maxBytes })
    for (let index = 0; index < INPUTS; index++) shown(target, mutator.input(index))
  })
})

describe('the fuzzer', () => {
  test('lets no error pass but those a parser may answer with', () => {
    const broken: Target = {
      name: 'broken',
      seeds: [],
      run: bytes => {
        throw new RangeError(`of ${bytes.length} bytes`)
      },
    }
    expect(isMalformed(new RangeError('of a buffer'))).toBe(false)
    expect(() => show(broken, new Uint8Array(1))).toThrow(RangeError)
  })

  test('makes the same inputs from the same seed, and others from another', () => {
    const inputs = (seed: number): string[] => {
      const mutator = new Mutator([Uint8Array.of(1, 2, 3, 4)], [], { seed, maxBytes: 64 })
      return Array.from({ length: 50 }, (_, index) => hexOf(mutator.input(index)))
    }
    expect(inputs(1)).toEqual(inputs(1))
    expect(inputs(1)).not.toEqual(inputs(2))
    expect(new Set(inputs(1)).size).toBeGreaterThan(30)
  })
})
