/**
 * The configuration on disk, under `<workdir>/etc`. A file is written beside, synced, renamed, and
 * the directory synced, so `kill -9` or a full disk at any moment leaves the old values or the new
 * ones, never a part. Source: proxy-admin.md §1.2.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Fault } from '#contract/fault'

const STORE_SCHEMA = 1
const FILE_NAME = 'proxyconfig_v1.db'
/** Deployers tell a first start by this file's absence. */
const MARKER_NAME = 'obproxy_config.bin'

const storedSchema = z.object({
  schema: z.literal(STORE_SCHEMA),
  /** Grows by one with each change; what managers compare over a proxy cluster. */
  version: z.int().min(0).default(0),
  values: z.record(z.string(), z.string()),
})

export type Stored = { readonly version: number; readonly values: ReadonlyMap<string, string> }

/** What is kept, nothing at a first start. @throws config.damaged, config.not-written */
export function readStored(workdir: string): Stored {
  const folder = join(workdir, 'etc')
  attempt(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }))
  const file = join(folder, FILE_NAME)
  if (!existsSync(file)) return { version: 0, values: new Map() }
  try {
    const { version, values } = storedSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    return { version, values: new Map(Object.entries(values)) }
  } catch (cause) {
    throw new Fault('config.damaged', { file }, { cause })
  }
}

/** @throws config.not-written, and then what was kept before is still there. */
export function writeStored(workdir: string, { version, values }: Stored): void {
  const folder = join(workdir, 'etc')
  const sorted = Object.fromEntries([...values].sort())
  const text = `${JSON.stringify({ schema: STORE_SCHEMA, version, values: sorted })}\n`
  attempt(folder, () => {
    replaceFile(folder, FILE_NAME, text)
    if (!existsSync(join(folder, MARKER_NAME))) replaceFile(folder, MARKER_NAME, 'obfleet\n')
  })
}

function attempt(folder: string, act: () => void): void {
  try {
    act()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Fault('config.not-written', { folder, reason }, { cause })
  }
}

function replaceFile(folder: string, name: string, text: string): void {
  const file = join(folder, name)
  const beside = `${file}.new`
  withDescriptor(beside, 'w', descriptor => {
    const bytes = Buffer.from(text)
    // A disk that is almost full takes a part without an error; the next write then tells.
    for (let sent = 0; sent < bytes.length; ) sent += writeSync(descriptor, bytes, sent)
    fsyncSync(descriptor)
  })
  renameSync(beside, file)
  withDescriptor(folder, 'r', fsyncSync)
}

function withDescriptor(path: string, flags: string, act: (descriptor: number) => void): void {
  const descriptor = openSync(path, flags, 0o600)
  try {
    act(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
