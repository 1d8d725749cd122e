/** PARTITION BY behind CREATE TABLE: HASH and RANGE of one whole-number column, in one or two levels. */
import {
  type Bound,
  type Level,
  type Levels,
  leavesOf,
  MAX_LEAVES,
  type Part,
} from '../partitioning.ts'
import type { TokensReader } from './tokens-reader.ts'

/** @throws SqlError 1064 for other ways to cut a table */
export function readPartitioning(reader: TokensReader): Levels {
  if (!reader.takeWords('partition', 'by')) return []
  const first = readKind(reader)
  const counted = first.kind === 'hash' ? readCount(reader, 'partitions') : undefined
  const second = reader.takeWords('subpartition', 'by') ? readSecond(reader) : undefined
  const parts =
    first.kind === 'hash'
      ? numbered(counted ?? readCount(reader, 'partitions') ?? 1, 'p')
      : readRanges(reader, 'partition')
  const levels: Level[] = [{ ...first, parts }]
  if (second !== undefined) levels.push(second)
  if (leavesOf(levels) > MAX_LEAVES) throw reader.fail()
  return levels
}

type Kind = Omit<Level, 'parts'>

function readKind(reader: TokensReader): Kind {
  const isHash = reader.takeWords('hash')
  if (!isHash) reader.needWords('range')
  const isColumns = !isHash && reader.takeWords('columns')
  reader.needSign('(')
  const column = reader.needName().toLowerCase()
  reader.needSign(')')
  if (isHash) return { kind: 'hash', column }
  return { kind: isColumns ? 'range-columns' : 'range', column }
}

/** The same parts under every part of the first level. */
function readSecond(reader: TokensReader): Level {
  const second = readKind(reader)
  if (second.kind === 'hash')
    return { ...second, parts: numbered(readCount(reader, 'subpartitions') ?? 1, 'sp') }
  reader.needWords('subpartition', 'template')
  return { ...second, parts: readRanges(reader, 'subpartition') }
}

function readCount(reader: TokensReader, word: string): number | undefined {
  if (!reader.takeWords(word)) return undefined
  const count = reader.needWhole()
  if (count < 1 || count > MAX_LEAVES) throw reader.fail()
  return count
}

function numbered(count: number, prefix: string): readonly Part[] {
  return Array.from({ length: count }, (_part, at) => ({
    name: `${prefix}${at}`,
    below: undefined,
  }))
}

function readRanges(reader: TokensReader, word: string): readonly Part[] {
  reader.needSign('(')
  const parts = reader.list(() => {
    reader.needWords(word)
    const name = reader.needName()
    reader.needWords('values', 'less', 'than')
    return { name, below: readBound(reader) }
  })
  reader.needSign(')')
  return parts
}

function readBound(reader: TokensReader): Bound {
  const isEnclosed = reader.takeSign('(')
  const isNegative = reader.takeSign('-')
  const isMost = !isNegative && reader.takeWords('maxvalue')
  const bound = isMost ? 'MAXVALUE' : (isNegative ? -1 : 1) * reader.needWhole()
  if (isEnclosed) reader.needSign(')')
  return bound
}
