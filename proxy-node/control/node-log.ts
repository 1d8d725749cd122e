/**
 * What the verbs did, `/var/lib/obfleet/node.log` and standard error. Bounded by rotation; a full
 * disk loses lines, never a verb. Callers pass no secrets.
 */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Paths } from './paths.ts'

const MAX_FILE_BYTES = 1024 * 1024
const ROTATED_FILES = 3
const MAX_LINE_CHARS = 2000

export type NodeLog = (text: string) => void

/** A log whose lines begin with `name`, the verb's or the command's. */
export function openNodeLog(paths: Paths, name: string, echo: (line: string) => void): NodeLog {
  const file = join(paths.state, 'node.log')
  return text => {
    const line = `${new Date().toISOString()} ${name}[${process.pid}] ${oneLine(text)}\n`
    echo(line)
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      rotate(file)
      appendFileSync(file, line, { mode: 0o600 })
    } catch {
      // Nothing better can be told than by the echo above.
    }
  }
}

/** Passes lines on up to `most` bytes in all; from the first that does not fit on, none. */
export function firstLines(most: number, echo: (line: string) => void): (line: string) => void {
  let left = most
  return line => {
    const bytes = Buffer.byteLength(line)
    if (bytes > left) left = 0
    else {
      left -= bytes
      echo(line)
    }
  }
}

function oneLine(text: string): string {
  return text.slice(0, MAX_LINE_CHARS).replace(/[\r\n]+/g, '\\n')
}

function rotate(file: string): void {
  const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (bytes < MAX_FILE_BYTES) return
  for (let index = ROTATED_FILES - 1; index >= 1; index--)
    if (statSync(`${file}.${index}`, { throwIfNoEntry: false }) !== undefined)
      renameSync(`${file}.${index}`, `${file}.${index + 1}`)
  renameSync(file, `${file}.1`)
}
