/**
 * Small files that must never be half there: written beside, synced, renamed, and the directory
 * synced, so that after a crash or a loss of power either the old or the new one is read.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '#contract/fault'

/** Creates the folder too, 0700. @throws node.not-written; the old file is then untouched. */
export function writeDurably(file: string, text: string, mode = 0o600): void {
  const beside = `${file}.${process.pid}.new`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const descriptor = openSync(beside, 'w', mode)
    try {
      writeFileSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(beside, file)
    syncFolder(dirname(file))
  } catch (error) {
    rmSync(beside, { force: true })
    throw new Fault('node.not-written', { file, reason: reasonOf(error) }, { cause: error })
  }
}

/** Makes renames within `folder` last. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
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
