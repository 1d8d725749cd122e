/** Lines of a log of any size, in memory that no file decides about. */
import { open } from 'node:fs/promises'

const CHUNK_BYTES = 65_536
/** Of a line: what is behind it is read and dropped. */
const MAX_LINE_BYTES = 32_768
const LINE_END = 10
const NOTHING = Buffer.alloc(0)

/** The lines of a file from its beginning, those of a chunk at a time. @throws Error of the file system */
export async function* lineChunks(path: string): AsyncGenerator<readonly string[]> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES)
    let begun: Buffer = NOTHING
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null)
      if (bytesRead === 0) break
      const lines: string[] = []
      begun = split(begun, buffer.subarray(0, bytesRead), lines)
      // Also without any: whoever reads looks at the clock between them.
      yield lines
    }
    if (begun.length > 0) yield [begun.toString('utf8')]
  } finally {
    await file.close()
  }
}

/** Puts whole lines into `lines`; the beginning of the next one. */
function split(begun: Buffer, chunk: Buffer, lines: string[]): Buffer {
  let before: Buffer = begun
  let from = 0
  for (let end = chunk.indexOf(LINE_END); end !== -1; end = chunk.indexOf(LINE_END, from)) {
    lines.push(joined(before, chunk.subarray(from, end)).toString('utf8').replace(/\r$/, ''))
    before = NOTHING
    from = end + 1
  }
  return joined(before, chunk.subarray(from))
}

function joined(begun: Buffer, more: Buffer): Buffer {
  const room = MAX_LINE_BYTES - begun.length
  return room <= 0 ? begun : Buffer.concat([begun, more.subarray(0, room)])
}
