/**
 * Copies of an installed version, its `bin` and `lib`, beside it in the home: what an upgrade goes
 * back to. Links where the file system has them: files are replaced here, never written into, so a
 * copy costs no room. A copy has its record when it is whole, and is not there without it.
 */
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { Fault } from '#contract/fault'
import { syncFile, syncFolder } from '../base/durable-file.ts'
import { errorCode, readIfThere, reasonOf, writeDurably } from './durable-file.ts'
import { type COPIES, type Home, type Installed, moveIntoPlace } from './home.ts'

export type CopyName = (typeof COPIES)[number]

const RECORD = 'copy.json'
const PARTS = ['bin', 'lib'] as const

const copySchema = z.object({
  schema: z.int().min(0).max(1),
  takenAt: z.int(),
  installed: z.object({
    version: z.string(),
    packageSha256: z.string(),
    executableSha256: z.string(),
  }),
})

export type Copy = z.infer<typeof copySchema>

/** Undefined when there is none that is whole. */
export function readCopy({ folder }: Home, name: CopyName): Copy | undefined {
  try {
    return copySchema.parse(JSON.parse(readIfThere(join(folder, name, RECORD)) ?? ''))
  } catch {
    return undefined
  }
}

/** Copies what is installed, in place of an earlier copy. @throws node.disk-full, node.not-written */
export function takeCopy(home: Home, name: CopyName, installed: Installed, now: number): void {
  const folder = join(home.folder, name)
  const beside = `${folder}.new`
  try {
    rmSync(beside, { recursive: true, force: true })
    copyParts(home.folder, beside)
    writeDurably(
      join(beside, RECORD),
      `${JSON.stringify({ schema: 1, takenAt: now, installed })}\n`,
    )
    rmSync(folder, { recursive: true, force: true })
    renameSync(beside, folder)
    syncFolder(home.folder)
  } catch (error) {
    rmSync(beside, { recursive: true, force: true })
    throw refusal(error, folder)
  }
}

/** A copy's files as if they had been unpacked: for a way back that itself can be undone. */
export function copyToIncoming(home: Home, name: CopyName): void {
  try {
    rmSync(home.unpacking, { recursive: true, force: true })
    copyParts(join(home.folder, name), home.unpacking)
  } catch (error) {
    throw refusal(error, home.unpacking)
  }
}

/** `bin` and `lib` as they are in the copy, each file at once; what the copy lacks is removed. @throws node.no-backup */
export function putBack(home: Home, name: CopyName): void {
  // Else everything would be what it lacks.
  if (readCopy(home, name) === undefined)
    throw new Fault('node.no-backup', { reason: `${name} is not whole` })
  const from = join(home.folder, name)
  const beside = join(home.folder, `${name}.back`)
  try {
    for (const part of PARTS) {
      const kept = new Set(filesIn(join(from, part)))
      for (const file of kept) {
        const to = join(home.folder, part, file)
        rmSync(beside, { force: true })
        copyFile(join(from, part, file), beside)
        mkdirSync(dirname(to), { recursive: true, mode: 0o755 })
        renameSync(beside, to)
        syncFolder(dirname(to))
      }
      removeOthers(join(home.folder, part), kept)
    }
  } catch (error) {
    throw refusal(error, home.folder)
  } finally {
    // A rename of a link onto another link of one file does nothing, and leaves the first one.
    rmSync(beside, { force: true })
  }
}

/** Moves in what was unpacked, file by file; of the version before nothing is left in `bin` and `lib`. */
export function moveWhole(home: Home): void {
  const brought = PARTS.map(part => new Set(filesIn(join(home.unpacking, part))))
  moveIntoPlace(home)
  for (const [index, part] of PARTS.entries()) removeOthers(join(home.folder, part), brought[index])
}

function removeOthers(folder: string, kept: ReadonlySet<string> = new Set()): void {
  for (const file of filesIn(folder))
    if (!kept.has(file)) rmSync(join(folder, file), { force: true })
}

export function dropCopy({ folder }: Home, name: CopyName): void {
  rmSync(join(folder, name), { recursive: true, force: true })
}

function copyParts(from: string, to: string): void {
  for (const part of PARTS)
    for (const file of filesIn(join(from, part))) {
      const target = join(to, part, file)
      mkdirSync(dirname(target), { recursive: true, mode: 0o755 })
      copyFile(join(from, part, file), target)
    }
}

function copyFile(from: string, to: string): void {
  if (lstatSync(from).isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to)
    return
  }
  try {
    linkSync(from, to)
  } catch (error) {
    if (!['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP'].includes(errorCode(error))) throw error
    copyFileSync(from, to)
    syncFile(to)
  }
}

/** Paths of all that is no folder, below `folder`. */
function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

/** What a copy that failed is told as. */
export function refusal(error: unknown, folder: string): Fault {
  if (error instanceof Fault) return error
  if (['ENOSPC', 'EDQUOT'].includes(errorCode(error)))
    return new Fault('node.disk-full', { folder, detail: 'a copy needs more' }, { cause: error })
  return new Fault('node.not-written', { file: folder, reason: reasonOf(error) }, { cause: error })
}
