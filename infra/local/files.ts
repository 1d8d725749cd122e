/** Small files of the stack: private, written as a whole or not at all. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'

/** Writes `value` as JSON, mode 0600; a reader sees the old file or the new one. */
export function writePrivately(file: string, value: unknown): void {
  const descriptor = openSync(`${file}.new`, 'w', 0o600)
  try {
    writeFileSync(descriptor, `${JSON.stringify(value, null, 2)}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  chmodSync(`${file}.new`, 0o600)
  renameSync(`${file}.new`, file)
}

/** The JSON in `file`, or undefined when there is no such file. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${file} cannot be read: ${(error as Error).message}`)
  }
}
