/** The node's own small files: durable, with a fault that names the file. */
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '#contract/fault'
import { replaceFile } from '../base/durable-file.ts'

/** Creates the folder too, 0700. @throws node.not-written; the old file is then untouched. */
export function writeDurably(file: string, text: string, mode = 0o600): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    // A verb and the timer of the reports may write one file at a time.
    replaceFile(file, text, { mode, beside: `${file}.${process.pid}.new` })
  } catch (error) {
    throw new Fault('node.not-written', { file, reason: reasonOf(error) }, { cause: error })
  }
}

/** The file's text, undefined when there is none. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** `ENOSPC` and the like; empty for other errors. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
