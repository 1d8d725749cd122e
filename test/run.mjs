#!/usr/bin/env node
/**
 * `npm test`: sets up what the suites need, runs every suite and ends with `N passed, N failed`
 * (and `, N skipped` with each reason above it). Suites run one after another: two cores.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { counted } from './report.mjs'

const ROOT = resolve(import.meta.dirname, '..')
const SCRATCH = resolve(ROOT, '.obfleet/test')
const SUITES = ['unit', 'integration', 'kernel', 'differential', 'drivers', 'e2e']

/**
 * Suites with processes, sockets and a kernel, on a machine that others load too: in CI a test of
 * theirs that fails is run once more. The end of a run lists what needed it: none of it stays unseen.
 */
const AGAIN = process.env.CI ? ['--retry=1'] : []

/**
 * Suites whose files have addresses and folders of their own and mostly wait: one worker a core. Left to
 * itself vitest keeps a core free, which on two of them is half. Of whole stacks there are two at once,
 * each with a kernel, however many cores there are.
 */
const WORKERS = {
  unit: availableParallelism(),
  integration: availableParallelism(),
  e2e: Math.min(2, availableParallelism()),
}

const totals = { passed: 0, failed: 0, skipped: 0 }
const reasons = []
const failures = []
const again = []

function run(command, args, env = {}) {
  return new Promise(done => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, AWS_EC2_METADATA_DISABLED: 'true', ...env },
    })
    child.on('error', () => done(127))
    child.on('exit', (code, signal) => done(signal ? 128 : (code ?? 1)))
  })
}

/** A step without vitest's counting: one more passed or failed. */
async function step(name, command, args) {
  console.log(`\n== ${name}`)
  const code = await run(command, args)
  if (code === 0) totals.passed += 1
  else {
    totals.failed += 1
    failures.push(`${name} (exit ${code})`)
  }
  return code === 0
}

function count(name, report) {
  const of = counted(name, report)
  totals.passed += of.passed
  totals.failed += of.failed
  totals.skipped += of.reasons.length
  reasons.push(...of.reasons)
  failures.push(...of.failures.map(failure => `${name}: ${failure}`))
  again.push(...of.again.map(failure => `${name}: ${failure}`))
}

async function suite(name) {
  console.log(`\n== ${name}`)
  const output = resolve(SCRATCH, `${name}.json`)
  rmSync(output, { force: true })
  const code = await run(process.execPath, [
    resolve(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    name,
    ...(WORKERS[name] === undefined ? [] : [`--maxWorkers=${WORKERS[name]}`]),
    ...(name === 'unit' ? [] : AGAIN),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
  ])
  const before = totals.failed
  if (existsSync(output)) count(name, JSON.parse(readFileSync(output, 'utf8')))
  else if (code === 0) count(name, { testResults: [] })
  if (code !== 0 && totals.failed === before) {
    totals.failed += 1
    failures.push(`suite ${name} ended with exit ${code}`)
  }
}

const only = process.argv.slice(2)
const unknown = only.filter(name => !SUITES.includes(name))
if (unknown.length > 0) {
  console.log(`no suite ${unknown.join(', ')}; there are ${SUITES.join(', ')}`)
  process.exit(2)
}
mkdirSync(SCRATCH, { recursive: true })
const chosen = only.length > 0 ? SUITES.filter(name => only.includes(name)) : SUITES
if (only.length === 0) {
  await step('types', process.execPath, [
    resolve(ROOT, 'node_modules/typescript/bin/tsc'),
    '--noEmit',
  ])
  await step('lint', resolve(ROOT, 'node_modules/.bin/biome'), ['check', '.'])
  await step('unused', resolve(ROOT, 'node_modules/.bin/knip'), [])
}
const built = await step('build of the node executable', process.execPath, [
  resolve(ROOT, 'infra/build-node.mjs'),
])
if (built) for (const name of chosen) await suite(name)

for (const failure of again) console.log(`passed when run again: ${failure}`)
for (const failure of failures) console.log(`FAILED: ${failure}`)
for (const reason of reasons) console.log(`skipped: ${reason}`)
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''
console.log(`\n${totals.passed} passed, ${totals.failed} failed${skipped}`)
process.exitCode = totals.failed === 0 ? 0 : 1
