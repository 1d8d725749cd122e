/**
 * The home of the managed proxy: whose it is, what is installed in it, and the move of a whole
 * unpacked package into it. `etc/` and `log/` are the proxy's own and are left alone.
 */
import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { syncFolder } from '../base/durable-file.ts'
import { readIfThere, writeDurably } from './durable-file.ts'
import { type Paths, rooted } from './paths.ts'

/** Marks the directory as ours, with the node it belongs to. */
export const MARKER = '.obfleet-node.json'
const UNPACKING = '.obfleet-new'
/** The proxy keeps its state there; no package brings files of these names. */
const OF_THE_PROXY: ReadonlySet<string> = new Set(['etc', 'log', 'logs', 'minidump', 'run'])

const installedSchema = z.object({
  version: z.string(),
  packageSha256: z.string(),
  executableSha256: z.string(),
})

export type Installed = z.infer<typeof installedSchema>

/** Copies of what is installed, each beside it in the home. */
export const COPIES = ['.obfleet-backup', '.obfleet-undo'] as const

/** Files of another version are being moved in and are not proven yet: the node may have a part of either. */
const movingSchema = z.object({
  to: installedSchema,
  /** The whole version before, to go back to. */
  undo: z.enum(COPIES),
  /** The process that was the proxy then; null when none was. */
  pid: z.int().nullable(),
  mode: z.enum(['hot', 'force']),
  drainSec: z.int().optional(),
})

export type Moving = z.infer<typeof movingSchema>

const markerSchema = z.object({
  schema: z.int().min(0).max(1),
  nodeId: z.string(),
  /** The last version that was whole and, after an upgrade, proven. Absent until a package is whole in place. */
  installed: installedSchema.optional(),
  moving: movingSchema.optional(),
})

export type Marker = z.infer<typeof markerSchema>

export type Home = {
  readonly folder: string
  readonly executable: string
  /** Where packages are unpacked: on the same file system, out of the way. */
  readonly unpacking: string
}

export function homeOf(paths: Paths, desired: Pick<DesiredNode, 'home'>): Home {
  const folder = rooted(paths, desired.home)
  return {
    folder,
    executable: join(folder, 'bin/obproxy'),
    unpacking: join(folder, UNPACKING),
  }
}

/** What the marker says; undefined when the directory is not ours or is not there. */
export function readMarker({ folder }: Home): Marker | undefined {
  try {
    return markerSchema.parse(JSON.parse(readIfThere(join(folder, MARKER)) ?? ''))
  } catch {
    return undefined
  }
}

export function writeMarker({ folder }: Home, marker: Marker): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  writeDurably(join(folder, MARKER), `${JSON.stringify(marker)}\n`)
}

/** Takes the directory for `nodeId` when it is free or already this node's (C6). @throws node.home-occupied, node.other-node */
export function claim(home: Home, nodeId: string): Marker {
  const marker = readMarker(home)
  if (marker !== undefined) {
    if (marker.nodeId === nodeId) return marker
    throw new Fault('node.other-node', { found: marker.nodeId, wanted: nodeId })
  }
  if (entriesOf(home.folder).length > 0)
    throw new Fault('node.home-occupied', { home: home.folder })
  const claimed = { schema: 1, nodeId }
  writeMarker(home, claimed)
  return claimed
}

/** Whether the executable that lies there is the one of `installed`. */
export async function isIntact(
  home: Pick<Home, 'executable'>,
  installed: Installed | undefined,
): Promise<boolean> {
  return (
    installed !== undefined &&
    existsSync(home.executable) &&
    (await sha256Of(home.executable)) === installed.executableSha256
  )
}

/** @throws package.unsafe when the unpacked package does not look like a proxy */
export function checkUnpacked({ unpacking }: Home, file: string): void {
  const refuse = (reason: string) => new Fault('package.unsafe', { file, reason })
  const taken = entriesOf(unpacking).find(name => OF_THE_PROXY.has(name) || name.startsWith('.'))
  if (taken !== undefined) throw refuse(`it brings ${taken}, which is the proxy's own`)
  const executable = lstatSync(join(unpacking, 'bin/obproxy'), { throwIfNoEntry: false })
  if (executable?.isFile() !== true || (executable.mode & 0o100) === 0)
    throw refuse('it has no executable bin/obproxy')
}

/**
 * Moves what was unpacked over what is there, file by file, each at once: a running proxy keeps its
 * old executable, and a crash leaves old or new, never half a file.
 */
export function moveIntoPlace({ folder, unpacking }: Home): void {
  const files = readdirSync(unpacking, { recursive: true, withFileTypes: true }).filter(
    entry => !entry.isDirectory(),
  )
  for (const entry of files) {
    const from = join(entry.parentPath, entry.name)
    const to = join(folder, from.slice(unpacking.length))
    mkdirSync(dirname(to), { recursive: true, mode: 0o755 })
    renameSync(from, to)
    syncFolder(dirname(to))
  }
  rmSync(unpacking, { recursive: true, force: true })
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}

function entriesOf(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}
