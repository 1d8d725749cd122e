/**
 * How the scripted engine cuts a table into partitions: HASH by remainder and RANGE by bounds, of one
 * whole-number column a level. Written down apart from proxy-node on purpose (L4), so that a wrong
 * partition there is a miss here.
 */
import type { Cell } from './codec.ts'

export type Bound = number | 'MAXVALUE'

export type Part = {
  readonly name: string
  /** RANGE only: values are below it. */
  readonly below: Bound | undefined
}

export type Level = {
  readonly kind: 'hash' | 'range' | 'range-columns'
  readonly column: string
  readonly parts: readonly Part[]
}

/** Outermost first; none for a table without partitions. */
export type Levels = readonly Level[]

/** A real server takes 8192. */
export const MAX_LEAVES = 8192

/** Leaf partitions; 1 for a table without partitions. */
export function leavesOf(levels: Levels): number {
  return levels.reduce((product, { parts }) => product * parts.length, 1)
}

/** Names of the leaves in their order: `p0`, with a second level `p0sp0`. */
export function leafNames(levels: Levels): readonly string[] {
  return levels.reduce<readonly string[]>(
    (names, { parts }) => names.flatMap(name => parts.map(part => `${name}${part.name}`)),
    [''],
  )
}

/** The part of a level that a value belongs to; undefined when it is above every bound. */
export function partOf({ kind, parts }: Level, value: Cell): number | undefined {
  const number = value === null ? null : Math.trunc(Number(value))
  if (kind === 'hash') return number === null ? 0 : Math.abs(number) % parts.length
  if (number === null) return 0
  const at = parts.findIndex(({ below }) => below === 'MAXVALUE' || number < (below ?? 0))
  return at < 0 ? undefined : at
}

/**
 * The leaves of a statement, given the values of each level's column, undefined where they are not
 * known: then it is every part. Ascending.
 */
export function leavesFor(
  levels: Levels,
  values: readonly (readonly Cell[] | undefined)[],
): readonly number[] {
  return levels.reduce<readonly number[]>(
    (leaves, level, at) => {
      const parts = partsFor(level, values[at])
      return leaves.flatMap(leaf => parts.map(part => leaf * level.parts.length + part))
    },
    [0],
  )
}

function partsFor(level: Level, values: readonly Cell[] | undefined): readonly number[] {
  if (values === undefined) return level.parts.map((_part, at) => at)
  const found = new Set<number>()
  for (const value of values) {
    const part = partOf(level, value)
    if (part !== undefined) found.add(part)
  }
  return [...found].sort((a, b) => a - b)
}
