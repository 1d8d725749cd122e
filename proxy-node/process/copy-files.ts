/** Local copies of a config server's answers, in the node's `etc` (0600: their URLs carry tokens). */
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../base/durable-file.ts'
import type { CopyFiles } from '../topology/config-server-copies.ts'

const MAX_BYTES = 64 * 1024 * 1024

export function copyFiles(workdir: string): CopyFiles {
  const folder = join(workdir, 'etc')
  return {
    read: file => {
      try {
        const path = join(folder, file)
        return statSync(path).size > MAX_BYTES ? undefined : readFileSync(path, 'utf8')
      } catch {
        // Whatever is the matter with it: it is a copy, and the server has the original.
        return undefined
      }
    },
    write: (file, text) => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      replaceFile(join(folder, file), text)
    },
  }
}
