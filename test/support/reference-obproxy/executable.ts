/**
 * The executable and packages of a version, made once and kept under `dist/reference-obproxy`: a binary
 * of its own, so that a process of it has the name and the path that OBProxy's has.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join, resolve } from 'node:path'

export type Version = { readonly version: string; readonly build: string }

/** The one that the specification describes, and one to upgrade it to. */
export const CURRENT: Version = { version: '4.3.1.0', build: '4' }
export const NEXT: Version = { version: '4.3.2.0', build: '18' }

const FOLDER = import.meta.dirname
const ROOT = resolve(FOLDER, '../../..')
const KEPT = join(ROOT, 'dist/reference-obproxy')
const BUN = join(ROOT, 'node_modules/.bin/bun')

/** `x86_64` or `aarch64`. */
export const ARCHITECTURE = process.arch === 'arm64' ? 'aarch64' : 'x86_64'

/** Path of the executable that says it is of this version; compiled when it is not there yet. */
export function executableOf({ version, build }: Version): string {
  const file = keptAs(`obproxy-${version}-${build}`)
  return made(file, folder => {
    const define = (name: string, value: string) => ['--define', `${name}=${JSON.stringify(value)}`]
    const target = join(folder, 'obproxy')
    const options = [...define('STANDIN_VERSION', version), ...define('STANDIN_BUILD', build)]
    const entry = join(FOLDER, 'main.ts')
    execFileSync(BUN, ['build', '--compile', ...options, entry, '--outfile', target], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    return target
  })
}

/** Path of a package of this version, named as packages are (PL11): its executable and the watchdog. */
export function packageOf(version: Version): string {
  const folder = keptAs(`package-${version.version}-${version.build}`)
  const file = join(folder, packageName(version))
  if (existsSync(file)) return file
  packed(file, executableOf(version))
  forgetOlder(folder)
  return file
}

export function packageName({ version, build }: Version): string {
  return `obproxy-${version}-${build}.el7.${ARCHITECTURE}.tar.gz`
}

/** A package at `file` whose `bin/obproxy` is a copy of `executable`, whatever that is. */
export function packed(file: string, executable: string): void {
  mkdirSync(join(file, '..'), { recursive: true })
  const folder = mkdtempSync(join(file, '../.new-'))
  mkdirSync(join(folder, 'bin'))
  place(executable, join(folder, 'bin/obproxy'))
  place(join(FOLDER, 'obproxyd.sh'), join(folder, 'bin/obproxyd.sh'))
  const target = join(folder, 'package')
  const owner = ['--owner=0', '--group=0']
  // Speed before size: the archive is read once or twice on this machine.
  execFileSync('tar', ['-I', 'gzip -1', '-cf', target, ...owner, '-C', folder, 'bin'])
  renameSync(target, file)
  rmSync(folder, { recursive: true })
}

/** Puts an executable copy into the place of what is there, which a process may be running. */
export function place(from: string, to: string): void {
  const other = `${to}.new`
  copyFileSync(from, other)
  chmodSync(other, 0o755)
  renameSync(other, to)
}

/** Another name when the sources, or the compiler, have changed. */
function keptAs(name: string): string {
  const hash = createHash('sha256').update(
    readFileSync(join(ROOT, 'node_modules/bun/package.json')),
  )
  const sources = readdirSync(FOLDER)
    .filter(source => !source.endsWith('.md'))
    .sort()
  for (const source of sources) hash.update(source).update(readFileSync(join(FOLDER, source)))
  return join(KEPT, `${name}-${hash.digest('hex').slice(0, 12)}`)
}

/** Two may make it at the same time: each in a folder of its own, the last one's stays. */
function made(file: string, make: (folder: string) => string): string {
  if (existsSync(file)) return file
  mkdirSync(KEPT, { recursive: true })
  const folder = mkdtempSync(join(KEPT, '.new-'))
  renameSync(make(folder), file)
  rmSync(folder, { recursive: true })
  forgetOlder(file)
  return file
}

function forgetOlder(file: string): void {
  const [, prefix = ''] = /([^/]*-)[^-]*$/.exec(file) ?? []
  for (const name of readdirSync(KEPT)) {
    const isOlder = name.startsWith(prefix) && join(KEPT, name) !== file
    if (isOlder) rmSync(join(KEPT, name), { recursive: true, force: true })
  }
}
