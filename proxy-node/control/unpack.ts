/**
 * Unpacks a package into a new folder: files and folders only of what `tar.ts` lets through, each
 * created anew and synced. Whoever calls removes the folder when this fails.
 */
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Fault } from '#contract/fault'
import { errorCode, reasonOf } from './durable-file.ts'
import { type TarEvent, TarReader, UnsafeArchive } from './tar.ts'

const LIMITS = { maxBytes: 1024 * 1024 * 1024, maxEntries: 10_000 }

/** @throws package.unsafe, package.damaged, node.disk-full */
export async function unpack(archive: string, folder: string, name: string): Promise<void> {
  const tar = new TarReader(LIMITS)
  const sink = new FolderSink(folder)
  try {
    await pipeline(createReadStream(archive), createGunzip(), async chunks => {
      for await (const chunk of chunks) for (const event of tar.push(chunk)) sink.take(event)
    })
    tar.end()
    sink.finish()
  } catch (error) {
    sink.abandon()
    throw faultOf(error, name, folder)
  }
}

function faultOf(error: unknown, file: string, folder: string): Fault {
  const reason = reasonOf(error)
  if (['ENOSPC', 'EDQUOT'].includes(errorCode(error)))
    return new Fault('node.disk-full', { folder, detail: 'unpacking needs more' }, { cause: error })
  if (error instanceof UnsafeArchive) return new Fault('package.unsafe', { file, reason })
  return new Fault('package.damaged', { file, reason }, { cause: error })
}

/** Writes what the reader tells; one file is open at a time. */
class FolderSink {
  private readonly folder: string
  private open: number | undefined

  constructor(folder: string) {
    this.folder = folder
  }

  take(event: TarEvent): void {
    if (event.kind === 'bytes') {
      this.write(event.bytes)
      return
    }
    this.finish()
    const path = join(this.folder, event.path)
    mkdirSync(event.kind === 'folder' ? path : dirname(path), { recursive: true, mode: 0o755 })
    if (event.kind === 'link') symlinkSync(event.target, path)
    if (event.kind === 'file') this.open = openSync(path, 'wx', event.isExecutable ? 0o755 : 0o644)
  }

  /** Closes the last file, its bytes on disk. */
  finish(): void {
    if (this.open === undefined) return
    fsyncSync(this.open)
    this.abandon()
  }

  abandon(): void {
    if (this.open !== undefined) closeSync(this.open)
    this.open = undefined
  }

  private write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.open ?? -1, bytes, at)
  }
}
