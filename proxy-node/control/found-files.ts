/**
 * Copies of a found proxy's own files: what it has stored, passwords in their stored form included, and
 * the script that watches it. Taken while it runs, so each set is compared before and after; put back
 * while it does not. Source: management.md §2.1, §3.3; decision PL7.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Fault } from '#contract/fault'
import { syncFile, syncFolder } from '../base/durable-file.ts'
import type { Stage1 } from './access.ts'
import { refusal } from './copies.ts'
import { readIfThere, writeDurably } from './durable-file.ts'
import { type Found, foundFolder } from './found.ts'
import { homeOf } from './home.ts'
import { WATCHDOG } from './home-files.ts'
import type { Paths } from './paths.ts'

/** What the proxy keeps itself by; the second is of older versions. */
const KEPT = ['etc', '.conf'] as const
const PASSWORD = 'proxysys.sha1'
/** A proxy that stores something all the time cannot be copied. */
const TRIES = 20

/** Whole or not there. @throws node.disk-full, node.not-written, node.not-takeable */
export function copyAsFound(paths: Paths, home: string, password: Stage1): void {
  const folder = foundFolder(paths)
  const beside = `${folder}.new`
  try {
    const from = homeOf(paths, { home }).folder
    for (let tried = 1; ; tried++) {
      rmSync(beside, { recursive: true, force: true })
      mkdirSync(beside, { recursive: true, mode: 0o700 })
      const before = stateOf(from)
      for (const part of KEPT) copyFiles(join(from, part), join(beside, part))
      if (stateOf(from) === before) break
      if (tried === TRIES)
        throw new Fault('node.not-takeable', { reason: 'it changes its files all the time' })
    }
    copyFiles(join(from, WATCHDOG), join(beside, WATCHDOG))
    // As the copy of its store has it, in a form that can be read here.
    writeDurably(
      join(beside, PASSWORD),
      password === null ? '' : Buffer.from(password).toString('hex'),
    )
    rmSync(folder, { recursive: true, force: true })
    renameSync(beside, folder)
    syncFolder(dirname(folder))
  } catch (error) {
    rmSync(beside, { recursive: true, force: true })
    throw refusal(error, folder)
  }
}

/** While the proxy does not run. @throws node.disk-full, node.not-written */
export function putFilesBack(paths: Paths, { home, start: { uid, gid } }: Found): void {
  const { folder } = homeOf(paths, { home })
  try {
    for (const part of KEPT) {
      const from = join(foundFolder(paths), part)
      const to = join(folder, part)
      if (!existsSync(from)) continue
      for (const name of existsSync(to) ? readdirSync(to) : [])
        rmSync(join(to, name), { recursive: true, force: true })
      copyFiles(from, to)
      giveTo(to, uid, gid)
    }
  } catch (error) {
    throw refusal(error, folder)
  }
}

/** An upgrade may have left the script out that watched it. */
export function putWatchdogBack(paths: Paths, { home, start: { uid, gid } }: Found): void {
  const from = join(foundFolder(paths), WATCHDOG)
  const to = join(homeOf(paths, { home }).folder, WATCHDOG)
  if (existsSync(to) || !existsSync(from)) return
  copyFiles(from, to)
  chmodSync(to, 0o755)
  giveTo(to, uid, gid)
}

/** That root@proxysys had; null: none. */
export function passwordAsFound(paths: Paths): Stage1 {
  const hex = readIfThere(join(foundFolder(paths), PASSWORD))?.trim() ?? ''
  return hex === '' ? null : Buffer.from(hex, 'hex')
}

/** Files and folders below `from`, or `from` itself; nothing else is a proxy's. */
function copyFiles(from: string, to: string): void {
  const found = statSync(from, { throwIfNoEntry: false })
  if (found === undefined) return
  if (found.isDirectory()) {
    mkdirSync(to, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(from)) copyFiles(join(from, name), join(to, name))
    chmodSync(to, found.mode & 0o777)
    syncFolder(to)
  } else if (found.isFile()) {
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
    copyFileSync(from, to)
    chmodSync(to, found.mode & 0o777)
    syncFile(to)
  }
}

/** Names, sizes and times of all files: the same before and after is a copy of one moment. */
function stateOf(home: string): string {
  return KEPT.flatMap(part => filesBelow(join(home, part)))
    .map(file => {
      const { size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {}
      return `${file} ${size} ${mtimeMs}`
    })
    .join('\n')
}

function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}

/** The service manager's user may make files of others; anybody else has made them as himself. */
function giveTo(path: string, uid: number, gid: number): void {
  if (process.getuid?.() !== 0) return
  chownSync(path, uid, gid)
  if (!statSync(path).isDirectory()) return
  for (const name of readdirSync(path)) giveTo(join(path, name), uid, gid)
}
