#!/usr/bin/env bun
/**
 * `npm run fuzz`: shows each parser generated and mutated inputs, the corpus first, and ends with a
 * table of parser, inputs, inputs a second. A crash, a hang or an error that is no answer is kept in
 * `corpus/` and replayed by the unit suite; growth of the heap is told. Runs on Bun, as nodes do.
 * `--inputs N` inputs a parser (10 million), `--seconds N` time a parser, `--in-all N` time of all
 * together (1800), `--only NAME,…` parsers whose name contains it, `--seed N` other inputs, `--keep`
 * also keeps the inputs that led somewhere new.
 */
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { keep } from './corpus.ts'
import { MAX_BYTES } from './target.ts'
import { TARGETS } from './targets.ts'

/** No progress for so long is a hang, even where many programs share a processor. */
const HANG_MS = 30_000
const WATCH_MS = 1000

const options = readOptions()
const targets = TARGETS.filter(
  ({ name }) => options.only.length === 0 || options.only.some(part => name.includes(part)),
)
if (targets.length === 0) {
  console.error(`no parser is called so; there are: ${TARGETS.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
console.log(`${'parser'.padEnd(32)}${'inputs'.padStart(12)}${'inputs/s'.padStart(12)}`)
const deadline = Date.now() + options.inAll * 1000
let failures = 0
for (const [index, target] of targets.entries()) {
  const fairShare = (deadline - Date.now()) / 1000 / (targets.length - index)
  const seconds = Math.min(options.seconds, Math.max(1, fairShare))
  const { inputs, ms } = await fuzz(target, seconds)
  const rate = Math.round((inputs * 1000) / Math.max(1, ms))
  console.log(`${target.name.padEnd(32)}${String(inputs).padStart(12)}${String(rate).padStart(12)}`)
}
console.log(failures === 0 ? 'no findings' : `${failures} findings`)
process.exit(failures === 0 ? 0 : 1)

function fuzz(target, seconds) {
  const { inputs, seed } = options
  const progress = new Int32Array(new SharedArrayBuffer(8))
  const input = new Uint8Array(new SharedArrayBuffer(target.maxBytes ?? MAX_BYTES))
  const workerData = { name: target.name, inputs, seconds, seed, progress, input }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
  const { promise, resolve } = Promise.withResolvers()
  let [seen, since] = [-1, Date.now()]
  const watch = setInterval(() => {
    if (progress[0] !== seen) [seen, since] = [progress[0], Date.now()]
    if (Date.now() - since < HANG_MS) return
    found(target, `no end after ${HANG_MS} ms`, Uint8Array.from(input.subarray(0, progress[1])))
    resolve({ inputs: progress[0], ms: seconds * 1000 })
  }, WATCH_MS)
  worker.on('message', report => {
    if (report.kind === 'finding') found(target, report.what, report.bytes)
    else if (report.kind === 'growth') failed(target, report.what)
    else if (report.kind === 'done') resolve(report)
    else if (options.keep) keep(target, report.bytes)
  })
  worker.on('error', error => {
    failed(target, `the runner itself: ${error.stack}`)
    resolve({ inputs: progress[0], ms: seconds * 1000 })
  })
  return promise.finally(() => {
    clearInterval(watch)
    return worker.terminate()
  })
}

function found(target, what, bytes) {
  failed(target, `${what}; kept in ${keep(target, bytes)}`)
}

function failed({ name }, what) {
  failures += 1
  console.error(`${name}: ${what}`)
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '10000000' },
      seconds: { type: 'string', default: '86400' },
      'in-all': { type: 'string', default: '1800' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
      keep: { type: 'boolean', default: false },
    },
  })
  return {
    inputs: Number(values.inputs),
    seconds: Number(values.seconds),
    inAll: Number(values['in-all']),
    only: values.only.split(',').filter(part => part !== ''),
    seed: Number(values.seed),
    keep: values.keep,
  }
}
