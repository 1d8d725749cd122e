/** Waves of a rollout, and what a node must show before the next one. */
import { describe, expect, test } from 'vitest'
import { gateFailure } from '../../../../functions/domain/gates.ts'
import {
  ALL_AT_ONCE,
  bakeOf,
  mayBegin,
  ONE_BY_ONE,
  type RolloutState,
  SAFE_ROLLOUT,
  undoneWith,
  wavesOf,
} from '../../../../functions/domain/rollout.ts'

const nodes = (text: string) =>
  text.split(' ').map(one => {
    const [idc = '', clients] = one.split(':')
    return { idc, clients: clients === undefined ? null : Number(clients) }
  })

const login = (number: number, cluster: string, error: number | null) => ({
  [`probe${number}Cluster`]: cluster,
  [`probe${number}Error`]: error,
})

describe('waves', () => {
  test.each([
    [
      'the least loaded of the smallest zone is first',
      'a:5 a:1 a:3 b:9 b:2',
      [[4], [3], [1], [2], [0]],
    ],
    [
      'a zone is never mixed with another',
      'a a a a b b b b b',
      [[0], [1, 2], [3], [4, 5], [6, 7], [8]],
    ],
    ['a single node has no canary of its own', 'a', [[0]]],
    ['two nodes are two waves', 'a a', [[0], [1]]],
  ])('%s', (_name, text, waves) => {
    expect(wavesOf(nodes(text), SAFE_ROLLOUT)).toEqual(waves)
  })

  test('all at once is one wave over all zones', () => {
    expect(wavesOf(nodes('a b a c'), ALL_AT_ONCE)).toEqual([[1, 3, 0, 2]])
    expect(wavesOf(nodes('a b a c'), ONE_BY_ONE)).toHaveLength(1)
  })

  test('every node is in one wave, whatever the sizes', () => {
    for (let count = 1; count <= 40; count++)
      for (const batchPercent of [1, 10, 25, 33, 50, 99, 100])
        for (const canary of [0, 1, 3, 50]) {
          const all = Array.from({ length: count }, (_n, at) => ({
            idc: `z${at % 3}`,
            clients: at,
          }))
          const waves = wavesOf(all, { canary, batchPercent }).flat()
          expect([...waves].sort((a, b) => a - b)).toEqual(all.map((_n, at) => at))
        }
  })
})

describe('going on', () => {
  const state: RolloutState = { rollout: SAFE_ROLLOUT, waves: [[0], [1, 2], [3]], undo: null }
  const of = (done: number[], failed: number[] = []) => ({
    isDone: (task: number) => done.includes(task),
    hasFailed: (task: number) => failed.includes(task),
  })

  test.each([
    ['begins with the first wave', [], [], [0]],
    ['the next wave waits until all of one are done', [0, 1], [], [1, 2]],
    ['then comes the next', [0, 1, 2], [], [3]],
    ['a failure lets nothing begin', [0, 1], [2], []],
    ['nothing is left', [0, 1, 2, 3], [], []],
  ])('%s', (_name, done, failed, may) => {
    expect(mayBegin(state, of(done, failed))).toEqual(may)
  })

  test('nothing begins while something is put back', () => {
    expect(mayBegin({ ...state, undo: [0] }, of([]))).toEqual([])
  })

  test('with a failure its whole wave is put back', () => {
    expect(undoneWith(state, [2])).toEqual([1, 2])
  })

  test('the canary is watched longer', () => {
    expect([bakeOf(state, 0), bakeOf(state, 1)]).toEqual([300_000, 60_000])
  })
})

describe('a gate', () => {
  const well = { ready: true, exporter: true, requests: 1000, errors: 5, latencySumUs: 3_000_000 }
  test.each([
    ['is passed by a node that is as it was', well, well, null],
    ['is passed without a past', null, well, null],
    ['judges nothing that a product does not tell', well, { ready: true, requests: null }, null],
    [
      'is failed by a node that is not ready',
      well,
      { ...well, ready: false, reason: 'draining' },
      'not ready: draining',
    ],
    ['is failed by a silent exporter', well, { ...well, exporter: false }, 'exporter'],
    ['is failed by more than one error in a hundred', well, { ...well, errors: 11 }, '1.1 %'],
    [
      'lets a node fail as much as before, twice',
      { ...well, errors: 40 },
      { ...well, errors: 79 },
      null,
    ],
    ['but no more', { ...well, errors: 40 }, { ...well, errors: 81 }, '8.1 %'],
    ['does not count a handful of requests', well, { ...well, requests: 10, errors: 9 }, null],
    ['is failed by half as slow again', well, { ...well, latencySumUs: 4_600_000 }, '4600 µs'],
    [
      'leaves what is fast anyhow',
      { ...well, latencySumUs: 100_000 },
      { ...well, latencySumUs: 1_900_000 },
      null,
    ],
    [
      'is failed by a login that fails and did not before, by name of its OB cluster',
      { ...well, ...login(1, 'a', null), ...login(2, 'b', null) },
      { ...well, ...login(1, 'b', 1045), ...login(2, 'a', null) },
      '1 of 2 logins through the proxy fail that succeeded before: b: error 1045',
    ],
    [
      'is not failed by one that failed before, nor by one that was not tried',
      { ...well, ...login(1, 'a', 1045) },
      { ...well, ...login(1, 'a', 1045), ...login(2, 'b', 0) },
      null,
    ],
    [
      'of a node that does not name them is failed all the same',
      { ...well, probe1Error: null },
      { ...well, probe1Error: 0 },
      'the 1.: no answer',
    ],
  ])('%s', (_name, before, after, says) => {
    const failure = gateFailure(before, after)
    if (says === null) expect(failure).toBeNull()
    else
      expect(failure).toMatchObject({ code: 'gate-failed', detail: expect.stringContaining(says) })
  })
})
