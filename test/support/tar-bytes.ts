/** Tar archives built byte by byte, so that they can be anything a writer would never make. */
const BLOCK = 512

export type TarEntry = {
  readonly path: string
  readonly type?: string
  readonly mode?: number
  readonly target?: string
  readonly content?: Buffer | string
  /** Size in the header when it is not the content's; as text, it stands there as it is. */
  readonly size?: number | string
  readonly prefix?: string
  readonly checksum?: number
}

export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryBytes), Buffer.alloc(2 * BLOCK)])
}

/** A record of an extended header. */
export function paxRecord(name: string, value: string): string {
  const rest = ` ${name}=${value}\n`
  let length = rest.length
  while (`${length}`.length + Buffer.byteLength(rest) !== length) length += 1
  return `${length}${rest}`
}

function entryBytes(entry: TarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '')
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
  return Buffer.concat([header(entry, content.length), content, padding])
}

function header(entry: TarEntry, length: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const size = entry.size ?? length
  block.write(entry.path, 0, 100)
  block.write(octal(entry.mode ?? 0o644, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(typeof size === 'string' ? size : octal(size, 11), 124, 12, 'latin1')
  block.write(octal(0, 11), 136)
  block.write(entry.type ?? '0', 156, 1, 'latin1')
  block.write(entry.target ?? '', 157, 100)
  block.write('ustar\x0000', 257, 'latin1')
  block.write(entry.prefix ?? '', 345, 155)
  block.fill(0x20, 148, 156)
  const sum = entry.checksum ?? block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148)
  return block
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
