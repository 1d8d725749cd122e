/** What all parts of the bench use. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export const ROUNDS = 5
/**
 * Each path runs so long before it is measured. A node runs for weeks: what its engine spends on
 * compiling in the first seconds is not what a statement costs.
 */
export const WARM_SECONDS = 8
const TICK_MS = 10

export function fail(line) {
  process.stderr.write(`bench: ${line}\n`)
  process.exit(1)
}

export function has(command) {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export async function until(act, what) {
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      return act()
    } catch (error) {
      if (Date.now() > deadline) fail(`not within 30 s: ${what} (${error.message.split('\n')[0]})`)
      await new Promise(done => setTimeout(done, 100))
    }
  }
}

/** CPU of all pids so far, milliseconds. */
export function cpuMs(pids) {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK_MS
  }, 0)
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024
}

export function childrenOf(pid) {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        return (
          Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1].split(' ')[1]) === pid
        )
      } catch {
        return false
      }
    })
    .map(Number)
}

export function summary(rounds) {
  const of = key => {
    const values = rounds.map(round => round[key]).sort((a, b) => a - b)
    return { median: values[Math.floor(values.length / 2)], least: values[0], most: values.at(-1) }
  }
  return {
    queriesPerSec: of('queriesPerSec'),
    averageMs: of('averageMs'),
    p99Ms: of('p99Ms'),
    cpuUsPerQuery: of('cpuUsPerQuery'),
  }
}

/** One round: what sysbench says, and the CPU of `pids` meanwhile. */
export function measureRound(pids, run) {
  const before = cpuMs(pids)
  const out = run()
  const spentMs = cpuMs(pids) - before
  const number = shape => Number(shape.exec(out)?.[1] ?? Number.NaN)
  return {
    queriesPerSec: number(/queries:\s+\d+\s+\(([\d.]+) per sec/),
    averageMs: number(/avg:\s+([\d.]+)/),
    p99Ms: number(/99th percentile:\s+([\d.]+)/),
    cpuUsPerQuery: (spentMs * 1000) / number(/total:\s+(\d+)/),
  }
}
