/**
 * A proxy of another installer as it was found, `/var/lib/obfleet/take-over.json`, and how far its
 * take-over, or the way back, has come: written before each phase acts, so that whoever comes next goes
 * on from there. It lasts as long as the node does, because a release gives back what it names. No
 * secrets: what is set in the proxy lies in copies of its own files (`found-files`), and beside them how it
 * was started, whose command line and environment may have the token of a config URL.
 * Source: management.md §3.3, §6 (A1, A5, A8).
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Fault } from '#contract/fault'
import { readIfThere, reasonOf, writeDurably } from './durable-file.ts'
import { placeOf } from './node-file.ts'
import type { Paths } from './paths.ts'

/**
 * `saved`: nothing has been changed. `quieting`: what would start it again is being stopped. `changing`:
 * parameters and passwords. `starting`: its process is replaced by one of ours. `taken`: done. `undoing`,
 * `releasing`: on the way out of our hands, as it was found or as it is.
 */
const FOUND_PHASES = [
  'saved',
  'quieting',
  'changing',
  'starting',
  'taken',
  'undoing',
  'releasing',
] as const

const commandSchema = z.object({
  /** As the process has them; what was a password is left out. */
  argv: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  /** On this machine, with its root. */
  cwd: z.string(),
  uid: z.int(),
  gid: z.int(),
})

export type FoundCommand = z.infer<typeof commandSchema>

const autoStartSchema = z.discriminatedUnion('kind', [
  /** Lines of a script or a table that name it. */
  z.object({ kind: z.literal('lines'), file: z.string() }),
  /** A link of a run level. */
  z.object({ kind: z.literal('link'), file: z.string(), target: z.string() }),
  /** Of the service manager. */
  z.object({
    kind: z.literal('unit'),
    name: z.string(),
    isEnabled: z.boolean(),
    isActive: z.boolean(),
  }),
])

/** What starts it again at a boot. Files are named as the host sees them. */
export type AutoStart = z.infer<typeof autoStartSchema>

/** Kept apart from the record, 0600 where the copies are. */
const commandsSchema = z.object({ start: commandSchema, watchdogs: z.array(commandSchema) })

export type FoundCommands = z.infer<typeof commandsSchema>

const recordSchema = z.object({
  schema: z.int().min(0).max(1),
  nodeId: z.string(),
  phase: z.enum(FOUND_PHASES),
  /** Parameters or passwords may be other ones than they were. */
  isChanged: z.boolean(),
  /** Ours tells its own pid; of another one somebody has to watch over who takes over from whom. */
  kind: z.enum(['ours', 'other']),
  /** Of the process; its number where it has no name. */
  user: z.string(),
  /** Null for one that we installed. */
  pid: z.int().nullable(),
  home: z.string(),
  sqlPort: z.int(),
  version: z.string(),
  /** It runs, and is to run on. */
  isRunning: z.boolean(),
  /** Somebody kept its pid where ours does. */
  hasPidFile: z.boolean(),
  autoStart: z.array(autoStartSchema),
  /** Names of parameters that the take-over has made the cluster's, or was about to. */
  changed: z.array(z.string()).default([]),
  /** Of a record of an earlier version, which had the commands in it. */
  ...commandsSchema.partial().shape,
})

export type Found = z.infer<typeof recordSchema> & FoundCommands

/** Undefined on a host whose proxy is no other installer's. @throws node.state-damaged */
export function readFound(paths: Paths): Found | undefined {
  const file = fileOf(paths)
  try {
    const text = readIfThere(file)
    if (text === undefined) return undefined
    const record = recordSchema.parse(JSON.parse(text))
    const commands = readIfThere(commandsFile(paths))
    // Dropped while it was read: the record goes first.
    if (commands === undefined && readIfThere(file) === undefined) return undefined
    return {
      ...record,
      ...commandsSchema.parse(commands === undefined ? record : JSON.parse(commands)),
    }
  } catch (error) {
    const reason = error instanceof z.ZodError ? placeOf(error) : reasonOf(error)
    throw new Fault('node.state-damaged', { file, reason }, { cause: error })
  }
}

/** The record as it is kept, which is never there without its commands. @throws node.not-written */
export function keepFound(paths: Paths, found: Found, more: Partial<Found> = {}): Found {
  const kept = { ...found, ...more, schema: 1 }
  const { start, watchdogs, ...record } = kept
  const commands = `${JSON.stringify({ start, watchdogs })}\n`
  if (readIfThere(commandsFile(paths)) !== commands) writeDurably(commandsFile(paths), commands)
  writeDurably(fileOf(paths), `${JSON.stringify(record)}\n`)
  return kept
}

/** The record and the copies with it. */
export function dropFound(paths: Paths): void {
  rmSync(fileOf(paths), { force: true })
  rmSync(foundFolder(paths), { recursive: true, force: true })
}

/** Where copies of the proxy's own files are; 0700. */
export function foundFolder({ state }: Paths): string {
  return join(state, 'as-found')
}

/** Neither as it was found nor ours. */
export function isBetween({ phase }: Found): boolean {
  return phase !== 'taken'
}

function commandsFile(paths: Paths): string {
  return join(foundFolder(paths), 'commands.json')
}

function fileOf({ state }: Paths): string {
  return join(state, 'take-over.json')
}
