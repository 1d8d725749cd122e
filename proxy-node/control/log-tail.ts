/** The end of a log: its last lines within a bound of bytes, however long the file is. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Whole lines of the last `maxBytes` of a file; none of one that cannot be read. */
export function tailLines(file: string, maxBytes: number): readonly string[] {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'r')
    const { size } = fstatSync(descriptor)
    const from = Math.max(0, size - maxBytes)
    const bytes = Buffer.alloc(Math.min(size, maxBytes))
    const read = readSync(descriptor, bytes, 0, bytes.length, from)
    const lines = bytes.subarray(0, read).toString('utf8').split('\n')
    // The first is the end of one that began before.
    return (from > 0 ? lines.slice(1) : lines).filter(line => line !== '')
  } catch {
    return []
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
