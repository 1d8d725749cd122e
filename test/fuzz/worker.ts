/** Runs one parser over its corpus and over mutated inputs; the runner watches it from outside. */
import { parentPort, workerData } from 'node:worker_threads'
import { readCorpus } from './corpus.ts'
import { Mutator } from './mutate.ts'
import { MAX_BYTES, show, type Target } from './target.ts'
import { TARGETS } from './targets.ts'

export type Order = {
  readonly name: string
  readonly inputs: number
  readonly seconds: number
  readonly seed: number
  /** Input under way, and its length; its bytes are in `input`. */
  readonly progress: Int32Array
  readonly input: Uint8Array
}

export type Report =
  | { readonly kind: 'finding'; readonly what: string; readonly bytes: Uint8Array }
  | { readonly kind: 'growth'; readonly what: string }
  | { readonly kind: 'outcome'; readonly bytes: Uint8Array }
  | { readonly kind: 'done'; readonly inputs: number; readonly ms: number }

/** An input that takes longer, each time it is tried, hangs a proxy. */
const HANG_MS = 50
const TRIES = 3
const BLOCK_INPUTS = 100_000
/** What a parser may keep for good: caches, tables made when first needed. */
const GROWTH_LIMIT_BYTES = 16 * 1024 * 1024
const FINDINGS_LIMIT = 20
const OUTCOMES_LIMIT = 48

const order = workerData as Order
const target = TARGETS.find(({ name }) => name === order.name)
Error.stackTraceLimit = 0
if (target !== undefined) run(target)

function run(parser: Target): void {
  const started = performance.now()
  const corpus = readCorpus(parser).map(([, bytes]) => bytes)
  const seeds = [...parser.seeds, ...corpus]
  const maxBytes = parser.maxBytes ?? MAX_BYTES
  const mutator = new Mutator(seeds, parser.words ?? [], { seed: order.seed, maxBytes })
  const outcomes = new Set<number | string>()
  for (const bytes of seeds) outcomes.add(tried(parser, bytes.slice()) ?? '')
  const heaps: number[] = []
  let [findings, index] = [0, 0]
  const isOver = (): boolean => performance.now() - started >= order.seconds * 1000
  while (index < order.inputs && findings < FINDINGS_LIMIT && !isOver()) {
    const end = Math.min(order.inputs, index + BLOCK_INPUTS)
    for (; index < end; index++) {
      const outcome = tried(parser, begun(mutator.input(index), index))
      if (outcome === undefined) findings += 1
      else learn(outcome, outcomes, mutator)
    }
    heaps.push(heapBytes())
  }
  judgeGrowth(heaps)
  tell({ kind: 'done', inputs: index, ms: performance.now() - started })
}

/** Shows the input to whoever watches from outside. */
function begun(bytes: Uint8Array, index: number): Uint8Array {
  order.input.set(bytes)
  order.progress[1] = bytes.length
  order.progress[0] = index + 1
  return bytes
}

/** An input that led somewhere new is mutated in its turn. */
function learn(outcome: number | string, outcomes: Set<number | string>, mutator: Mutator): void {
  if (outcomes.size >= OUTCOMES_LIMIT || outcomes.has(outcome)) return
  outcomes.add(outcome)
  mutator.learn(kept())
  tell({ kind: 'outcome', bytes: kept() })
}

/** The outcome; undefined when it was a finding, which is told. */
function tried(parser: Target, bytes: Uint8Array): number | string | undefined {
  if (order.progress[0] === 0) {
    order.input.set(bytes)
    order.progress[1] = bytes.length
  }
  const started = performance.now()
  try {
    const outcome = show(parser, bytes)
    if (performance.now() - started < HANG_MS || !isSlow(parser)) return outcome
    tell({ kind: 'finding', what: `slower than ${HANG_MS} ms`, bytes: kept() })
  } catch (error) {
    tell({ kind: 'finding', what: String(error), bytes: kept() })
  }
  return undefined
}

/** Again, because this thread may only have waited for a processor. */
function isSlow(parser: Target): boolean {
  for (let again = 0; again < TRIES; again++) {
    const bytes = kept()
    const started = performance.now()
    show(parser, bytes)
    if (performance.now() - started < HANG_MS) return false
  }
  return true
}

/** The input as it was before the parser had it: some write into what they are given. */
function kept(): Uint8Array {
  return Uint8Array.from(order.input.subarray(0, order.progress[1]))
}

function heapBytes(): number {
  Bun.gc(true)
  return process.memoryUsage().heapUsed
}

/** The second half of the blocks must not need more than the first. */
function judgeGrowth(heaps: readonly number[]): void {
  const half = Math.floor(heaps.length / 2)
  if (half === 0) return
  const before = Math.min(...heaps.slice(0, half))
  const after = Math.min(...heaps.slice(half))
  if (after - before > GROWTH_LIMIT_BYTES)
    tell({ kind: 'growth', what: `heap grew from ${before} to ${after} bytes` })
}

function tell(report: Report): void {
  parentPort?.postMessage(report)
}
