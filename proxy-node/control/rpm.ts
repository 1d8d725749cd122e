/** What the package database of this host knows of proxies. A host without rpm is no error. */
import { execFile } from 'node:child_process'
import { type Paths, rooted } from './paths.ts'

const PROGRAM = '/usr/bin/rpm'
const TIMEOUT_MS = 20_000
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024
/** Product and community edition; what is not a proxy itself has a word before its version. */
const PROXY_PACKAGE = /^obproxy(?:-ce)?-\d/

export type InstalledPackages = {
  /** Of proxies; null: there is no rpm here, or it does not answer. */
  readonly proxies: readonly string[] | null
  /** The one that `file` is of; null: of none. */
  readonly owner: string | null
}

export async function installedPackages(
  paths: Paths,
  file: string | undefined,
): Promise<InstalledPackages> {
  const program = rooted(paths, PROGRAM)
  const all = await linesOf(program, ['-qa'])
  if (all === null) return { proxies: null, owner: null }
  const [owner = null] = file === undefined ? [] : ((await linesOf(program, ['-qf', file])) ?? [])
  return { proxies: all.filter(name => PROXY_PACKAGE.test(name)).sort(), owner }
}

/** Null when it cannot be run, or says no. */
function linesOf(program: string, args: readonly string[]): Promise<readonly string[] | null> {
  const bounds = { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }
  return new Promise(resolve => {
    execFile(program, args, bounds, (error, out) =>
      resolve(error === null ? out.split('\n').filter(line => line !== '') : null),
    )
  })
}
