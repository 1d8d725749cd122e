/**
 * Small files that must never be half there: written beside, synced, renamed, and the directory
 * synced, so that after a crash or a loss of power either the old or the new one is read.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** `beside` is its own for each of several writers. @throws Error of the system; the old file is then untouched. */
export function replaceFile(
  file: string,
  text: string,
  {
    mode = 0o600,
    beside = `${file}.new`,
  }: { readonly mode?: number; readonly beside?: string } = {},
): void {
  try {
    withDescriptor(beside, 'w', mode, descriptor => {
      const bytes = Buffer.from(text)
      // A disk that is almost full takes a part without an error; the next write then tells.
      for (let sent = 0; sent < bytes.length; ) sent += writeSync(descriptor, bytes, sent)
      fsyncSync(descriptor)
    })
    renameSync(beside, file)
    syncFolder(dirname(file))
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
}

/** Makes renames within `folder` last. */
export function syncFolder(folder: string): void {
  withDescriptor(folder, 'r', 0o600, fsyncSync)
}

/** Makes the content of `file`, written by others, last. */
export function syncFile(file: string): void {
  withDescriptor(file, 'r', 0o600, fsyncSync)
}

function withDescriptor(
  path: string,
  flags: string,
  mode: number,
  act: (descriptor: number) => void,
): void {
  const descriptor = openSync(path, flags, mode)
  try {
    act(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
