/**
 * A tar reader for packages from elsewhere: takes bytes in any pieces and tells what is in them,
 * refusing everything that could write outside of where it is unpacked or bring privileges (PL11).
 * Knows ustar, pax and GNU long names. Pure; writing is `unpack.ts`'s.
 */

const BLOCK = 512
const MAX_EXTENSION_BYTES = 64 * 1024
const MAX_PATH_CHARS = 4096

export type TarLimits = {
  /** Bound of all bytes of the archive, headers included. */
  readonly maxBytes: number
  readonly maxEntries: number
}

export type TarEvent =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'file'
      readonly path: string
      readonly isExecutable: boolean
      readonly sizeBytes: number
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** A piece of the last file; valid until the next call. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }

/** The archive holds what is never unpacked: somebody's mistake or somebody's attack. */
export class UnsafeArchive extends Error {}

/** The archive is cut off or is no tar. */
export class DamagedArchive extends Error {}

type Header = {
  readonly path: string
  readonly mode: number
  readonly sizeBytes: number
  readonly type: string
  readonly target: string
}

type Extension = 'pax' | 'long-path' | 'long-target' | 'for-all'

export class TarReader {
  private readonly limits: TarLimits
  private readonly seen = new Map<string, 'folder' | 'file' | 'link'>()
  private pending: Uint8Array = new Uint8Array(0)
  private totalBytes = 0
  /** Bytes of the current file or extension still to come, and the padding behind them. */
  private leftBytes = 0
  private paddingBytes = 0
  private extension: { readonly kind: Extension; parts: Uint8Array[] } | undefined
  private overrides = new Map<string, string>()
  private isEnded = false

  constructor(limits: TarLimits) {
    this.limits = limits
  }

  /** @throws UnsafeArchive, DamagedArchive */
  *push(chunk: Uint8Array): Generator<TarEvent> {
    this.totalBytes += chunk.length
    if (this.totalBytes > this.limits.maxBytes)
      throw new UnsafeArchive(`it unpacks to more than ${this.limits.maxBytes} bytes`)
    // Whatever follows the end mark is padding of the writer.
    if (this.isEnded) return
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    let at = 0
    while (!this.isEnded) {
      const length = this.nextLength(this.pending.length - at)
      if (length === 0) break
      yield* this.take(this.pending.subarray(at, at + length))
      at += length
    }
    this.pending = this.pending.slice(at)
  }

  /** To be called after the last bytes. @throws DamagedArchive when something is missing */
  end(): void {
    if (!this.isEnded) throw new DamagedArchive('it ends before its end mark')
  }

  /** Size of the next piece to take of `available` bytes; 0 to wait for more. */
  private nextLength(available: number): number {
    if (this.leftBytes > 0) return Math.min(this.leftBytes, available)
    if (this.paddingBytes > 0) return Math.min(this.paddingBytes, available)
    return available >= BLOCK ? BLOCK : 0
  }

  private *take(piece: Uint8Array): Generator<TarEvent> {
    if (this.leftBytes > 0) {
      this.leftBytes -= piece.length
      if (this.extension === undefined) yield { kind: 'bytes', bytes: piece }
      else this.collect(piece)
    } else if (this.paddingBytes > 0) this.paddingBytes -= piece.length
    else yield* this.header(piece)
  }

  private *header(block: Uint8Array): Generator<TarEvent> {
    if (block.every(byte => byte === 0)) {
      this.isEnded = true
      return
    }
    const header = parseHeader(block)
    const extension = EXTENSIONS[header.type]
    if (extension !== undefined) return this.begin(header, extension)
    const event = this.entry(amended(header, this.overrides))
    this.overrides = new Map()
    if (event === undefined) return
    this.expect(event.kind === 'file' ? event.sizeBytes : 0)
    yield event
  }

  private begin({ sizeBytes }: Header, kind: Extension): void {
    if (sizeBytes > MAX_EXTENSION_BYTES) throw new UnsafeArchive('a header is too long')
    this.expect(sizeBytes)
    this.extension = sizeBytes === 0 ? undefined : { kind, parts: [] }
  }

  private expect(bytes: number): void {
    this.leftBytes = bytes
    this.paddingBytes = (BLOCK - (bytes % BLOCK)) % BLOCK
  }

  private collect(piece: Uint8Array): void {
    this.extension?.parts.push(piece.slice())
    if (this.leftBytes > 0 || this.extension === undefined) return
    const { kind, parts } = this.extension
    this.extension = undefined
    const text = Buffer.concat(parts).toString('utf8')
    if (kind === 'for-all') return
    if (kind === 'pax')
      for (const [name, value] of paxRecords(text)) this.overrides.set(name, value)
    else this.overrides.set(kind === 'long-path' ? 'path' : 'linkpath', text.replace(/\0.*$/s, ''))
  }

  private entry(header: Header): TarEvent | undefined {
    const path = safePath(header.path)
    if ((header.mode & 0o7000) !== 0) throw new UnsafeArchive(`${path} has setuid or like bits`)
    const kind = KINDS[header.type]
    if (kind === undefined) throw new UnsafeArchive(`${path} is neither file, folder nor link`)
    // The archive's own root, `./`.
    if (path === '') {
      if (kind === 'folder') return undefined
      throw new UnsafeArchive('an entry has no name')
    }
    this.place(path, kind)
    if (kind === 'folder') return { kind, path }
    if (kind === 'link') return { kind, path, target: safeTarget(path, header.target) }
    const isExecutable = (header.mode & 0o111) !== 0
    return { kind, path, isExecutable, sizeBytes: header.sizeBytes }
  }

  /** Each path once, and nothing beneath a file or a link: then paths mean what they say. */
  private place(path: string, kind: 'folder' | 'file' | 'link'): void {
    const before = this.seen.get(path)
    if (before !== undefined && !(before === 'folder' && kind === 'folder'))
      throw new UnsafeArchive(`${path} is there twice`)
    const parts = path.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/')
      if ((this.seen.get(parent) ?? 'folder') !== 'folder')
        throw new UnsafeArchive(`${path} lies beneath ${parent}, which is no folder`)
      this.seen.set(parent, 'folder')
    }
    this.seen.set(path, kind)
    if (this.seen.size > this.limits.maxEntries)
      throw new UnsafeArchive(`it has more than ${this.limits.maxEntries} entries`)
  }
}

const KINDS: Readonly<Record<string, 'folder' | 'file' | 'link'>> = {
  '\0': 'file',
  '0': 'file',
  '5': 'folder',
  '2': 'link',
}

/** Header entries that describe the next entry; those for all entries carry nothing we need. */
const EXTENSIONS: Readonly<Record<string, Extension>> = {
  x: 'pax',
  g: 'for-all',
  L: 'long-path',
  K: 'long-target',
}

function parseHeader(block: Uint8Array): Header {
  const bytes = Buffer.from(block.buffer, block.byteOffset, BLOCK)
  if (checksumOf(bytes) !== octal(bytes, 148, 8))
    throw new DamagedArchive('a header is no tar header')
  const isUstar = bytes.toString('latin1', 257, 262) === 'ustar'
  // GNU's old format keeps times where ustar has the prefix; its mark ends in blanks.
  const prefix = isUstar && bytes[263] === 0x30 ? text(bytes, 345, 155) : ''
  const name = text(bytes, 0, 100)
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    mode: octal(bytes, 100, 8),
    sizeBytes: octal(bytes, 124, 12),
    type: String.fromCharCode(bytes[156] ?? 0),
    target: text(bytes, 157, 100),
  }
}

function amended(header: Header, overrides: ReadonlyMap<string, string>): Header {
  const size = overrides.get('size')
  if (size !== undefined && !/^\d{1,15}$/.test(size))
    throw new DamagedArchive('a size is no number')
  return {
    ...header,
    path: overrides.get('path') ?? header.path,
    target: overrides.get('linkpath') ?? header.target,
    sizeBytes: size === undefined ? header.sizeBytes : Number(size),
  }
}

/** Records `<length> <name>=<value>\n`; the length counts bytes, itself included. */
function* paxRecords(all: string): Generator<readonly [string, string]> {
  let rest = Buffer.from(all, 'utf8')
  while (rest.length > 0) {
    const blank = rest.indexOf(0x20)
    const length = Number(rest.toString('latin1', 0, Math.max(0, blank)))
    const isWhole = blank > 0 && length > blank + 1 && length <= rest.length
    if (!isWhole || !Number.isInteger(length))
      throw new DamagedArchive('an extended header is broken')
    const record = rest.toString('utf8', blank + 1, length - 1)
    const equals = record.indexOf('=')
    if (equals > 0) yield [record.slice(0, equals), record.slice(equals + 1)]
    rest = rest.subarray(length)
  }
}

/** The path without `.` and double slashes. @throws UnsafeArchive */
function safePath(path: string): string {
  if (path.length > MAX_PATH_CHARS || path.includes('\0') || path.includes('\\'))
    throw new UnsafeArchive('an entry has no usable name')
  if (path.startsWith('/')) throw new UnsafeArchive(`${path} is absolute`)
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw new UnsafeArchive(`${path} leaves the package`)
  return parts.join('/')
}

/** Where a link points: inside, and with `..` in front only, so that no other link bends it. */
function safeTarget(path: string, target: string): string {
  const parts = target.split('/').filter(part => part !== '' && part !== '.')
  const up = parts.findIndex(part => part !== '..')
  const climbs = up < 0 ? parts.length : up
  const isInside = climbs <= path.split('/').length - 1 && !parts.slice(climbs).includes('..')
  if (target === '' || target.startsWith('/') || target.includes('\0') || !isInside)
    throw new UnsafeArchive(`link ${path} leaves the package`)
  return target
}

function checksumOf(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : (bytes[at] ?? 0)
  return sum
}

/** A number field: octal digits, or base 256 for what does not fit. */
function octal(bytes: Buffer, at: number, length: number): number {
  if (((bytes[at] ?? 0) & 0x80) !== 0) return base256(bytes.subarray(at, at + length))
  const digits = text(bytes, at, length).trim()
  if (!/^[0-7]*$/.test(digits)) throw new DamagedArchive('a number of a header is broken')
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function base256(field: Buffer): number {
  const value = field.reduce(
    (sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x7f : byte),
    0,
  )
  if (!Number.isSafeInteger(value) || ((field[0] ?? 0) & 0x40) !== 0)
    throw new UnsafeArchive('an entry has an impossible size')
  return value
}

function text(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at)
  return bytes.toString('utf8', at, end < 0 || end > at + length ? at + length : end)
}
