/**
 * Processes of one instance, found by its mark in their environment: what a control group is on a
 * real host. Linux only (/proc).
 */
import { readdirSync, readFileSync } from 'node:fs'

/** Pids with `NAME=value` in their environment, our own left out. */
export function marked(name: string, value: string): readonly number[] {
  const wanted = Buffer.from(`${name}=${value}`)
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter(entry => hasEntry(entry, wanted))
    .map(Number)
}

function hasEntry(pid: string, wanted: Buffer): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`)
    const at = environment.indexOf(wanted)
    const isStart = at === 0 || (at > 0 && environment[at - 1] === 0)
    return isStart && environment[at + wanted.length] === 0
  } catch {
    return false
  }
}

/** A zombie is dead: only its parent has not looked yet. */
export function isAlive(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]
    return state !== 'Z' && state !== 'X'
  } catch {
    return false
  }
}

/** A process that is gone meanwhile is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Waits until none of `pids()` lives, at most `deadlineMs`; whether they are gone. */
export async function gone(pids: () => readonly number[], deadlineMs: number): Promise<boolean> {
  const end = Date.now() + deadlineMs
  while (pids().some(isAlive)) {
    if (Date.now() >= end) return false
    await new Promise(resolve => setTimeout(resolve, 15))
  }
  return true
}
