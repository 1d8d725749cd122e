/**
 * An archive of chosen lines, packed as they come: in memory there is what was packed, and the text of one
 * part. Each part is a member of its own of the gzip file (RFC 1952 §2.2), so that the oldest can be
 * dropped when a bound is reached, and the size in front of a file can be written behind it.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { LOG_BUNDLE_MAX_BYTES } from '#contract/log-filter'
import { TAR_END, tarHeader, tarPadding } from './tar-writer.ts'

const MIB = 2 ** 20

export type BundleBounds = {
  /** Of text, before it is packed. */
  readonly textBytes: number
  readonly packedBytes: number
  readonly lines: number
  /** Of text that is packed at a time. */
  readonly partBytes: number
}

const BOUNDS: BundleBounds = {
  textBytes: 64 * MIB,
  // With room for what is around the files.
  packedBytes: LOG_BUNDLE_MAX_BYTES - MIB,
  lines: 500_000,
  partBytes: MIB,
}

export type LineChunks = AsyncIterable<readonly string[]> | Iterable<readonly string[]>

type Size = { readonly textBytes: number; readonly lines: number; readonly packedBytes: number }
type Part = Size & { readonly packed: Buffer }
type BundleFile = { readonly name: string; readonly at: number; readonly parts: Part[] }

/** Whoever waits for it lets others work: it packs in threads. */
const packedOf = promisify(gzip)

export class LogBundle {
  private readonly bounds: BundleBounds
  private readonly all: BundleFile[] = []
  private waiting: string[] = []
  private waitingBytes = 0
  /** Why lines were left out; undefined: none were. From then on nothing has room. */
  full: string | undefined

  constructor(bounds: BundleBounds = BOUNDS) {
    this.bounds = bounds
  }

  /** Files with a line at least. */
  get files(): number {
    return this.all.filter(({ parts }) => parts.length > 0).length
  }

  get lines(): number {
    return this.size().lines
  }

  /** The newest file comes first: where a bound is reached, the oldest lines of the last one give way. */
  async file(
    { name, at }: { readonly name: string; readonly at: number },
    chunks: LineChunks,
  ): Promise<void> {
    const file = { name: name.slice(0, 100), at, parts: [] }
    this.all.push(file)
    try {
      for await (const lines of chunks)
        for (const line of lines) {
          this.waiting.push(line)
          this.waitingBytes += Buffer.byteLength(line) + 1
          if (this.waitingBytes >= this.bounds.partBytes) await this.pack(file)
        }
    } finally {
      await this.pack(file)
    }
  }

  /** The whole of it, with a file in front that says what it is. */
  async archive(about: string, at: number): Promise<Buffer> {
    const text = Buffer.from(about)
    const head = tarHeader({ name: 'about.json', at, bytes: text.length })
    const members: Buffer[] = [await packedOf(Buffer.concat([head, text, tarPadding(text.length)]))]
    for (const { name, at: changedAt, parts } of this.all) {
      if (parts.length === 0) continue
      const bytes = sizeOf(parts).textBytes
      members.push(await packedOf(tarHeader({ name, at: changedAt, bytes })))
      for (const { packed } of parts) members.push(packed)
      members.push(await packedOf(tarPadding(bytes)))
    }
    return Buffer.concat([...members, await packedOf(TAR_END)])
  }

  private async pack({ parts }: BundleFile): Promise<void> {
    if (this.waiting.length === 0) return
    const lines = this.waiting.length
    const text = Buffer.from(`${this.waiting.join('\n')}\n`)
    this.waiting = []
    this.waitingBytes = 0
    const packed = await packedOf(text)
    parts.push({ textBytes: text.length, lines, packedBytes: packed.length, packed })
    for (let why = this.whyFull(); why !== undefined && parts.length > 0; why = this.whyFull()) {
      this.full = `it is more than ${why}: the oldest lines were left out`
      parts.shift()
    }
  }

  private whyFull(): string | undefined {
    const { textBytes, packedBytes, lines } = this.size()
    if (textBytes > this.bounds.textBytes) return sized(this.bounds.textBytes)
    if (lines > this.bounds.lines) return `${this.bounds.lines} lines`
    if (packedBytes > this.bounds.packedBytes) return `${sized(this.bounds.packedBytes)} packed`
    return undefined
  }

  private size(): Size {
    return sizeOf(this.all.flatMap(({ parts }) => parts))
  }
}

function sizeOf(parts: readonly Size[]): Size {
  const sum = (name: keyof Size) => parts.reduce((total, part) => total + part[name], 0)
  return { textBytes: sum('textBytes'), lines: sum('lines'), packedBytes: sum('packedBytes') }
}

function sized(bytes: number): string {
  return bytes < MIB ? `${bytes} B` : `${Math.floor(bytes / MIB)} MB`
}
