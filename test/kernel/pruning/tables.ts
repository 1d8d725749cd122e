/** Generated tables of every kind of partitioning, one and two levels. */
import type { Dice } from '../../differential/dice.ts'
import {
  type ColumnKind,
  DATE,
  INTEGERS,
  MOMENTS,
  OTHERS,
  PLAIN,
  TEXTS,
  UNORDERED,
} from './columns.ts'

export type TableColumn = {
  readonly name: string
  readonly kind: ColumnKind
  /** Nothing can be inserted into it. */
  readonly isGenerated: boolean
}

export type GeneratedTable = {
  readonly name: string
  readonly ddl: string
  readonly columns: readonly TableColumn[]
  /** The expressions that it is partitioned by, to be compared with. */
  readonly expressions: readonly string[]
}

type Part = {
  readonly columns: readonly TableColumn[]
  /** `partition by …` with PARTITION replaced by the word of the level. */
  readonly by: string
  /** Definitions of the partitions; empty: they are counted. */
  readonly items: readonly string[]
  readonly count: number
  readonly expression?: string
  readonly generated?: string
}

const KEYS = [...INTEGERS, ...TEXTS, ...UNORDERED, ...MOMENTS, ...OTHERS]
const LISTED = [...INTEGERS.slice(0, 5), ...TEXTS, ...MOMENTS]

function column(name: string, kind: ColumnKind): TableColumn {
  return { name, kind, isGenerated: false }
}

const count = (dice: Dice) => dice.pick([2, 3, 4, 5, 7])

function hashed(dice: Dice, name: string): Part {
  const kind = dice.pick(INTEGERS)
  return { columns: [column(name, kind)], by: `hash(${name})`, items: [], count: count(dice) }
}

const OF_INTEGERS = [
  (name: string) => `abs(${name})`,
  (name: string) => `${name} + 7`,
  (name: string) => `mod(${name}, 11)`,
  (name: string) => `${name} div 3`,
  (name: string) => `${name} * 2 - 1`,
  (name: string) => `${name} % 5`,
]
const OF_DATES = [
  'year',
  'month',
  'day',
  'dayofyear',
  'weekday',
  'to_days',
  'quarter',
  'dayofweek',
].map(word => (name: string) => `${word}(${name})`)

function expression(dice: Dice, name: string): { kind: ColumnKind; text: string } {
  const [, , , int] = INTEGERS
  if (int === undefined || dice.chance(0.6))
    return { kind: dice.pick(MOMENTS), text: dice.pick(OF_DATES)(name) }
  return { kind: int, text: dice.pick(OF_INTEGERS)(name) }
}

function hashedExpression(dice: Dice, name: string): Part {
  const { kind, text } = expression(dice, name)
  return {
    columns: [column(name, kind)],
    by: `hash(${text})`,
    items: [],
    count: count(dice),
    expression: text,
  }
}

function keyed(dice: Dice, name: string): Part {
  const columns = [column(name, dice.pick(KEYS))]
  if (dice.chance(0.35)) columns.push(column(`${name}2`, dice.pick(KEYS)))
  const names = columns.map(one => one.name)
  if (dice.chance(0.3)) names.reverse()
  return { columns, by: `key(${names.join(', ')})`, items: [], count: count(dice) }
}

function ranges(bounds: readonly string[], hasMaximum: boolean, last: string): string[] {
  const all = hasMaximum ? [...bounds, last] : bounds
  return all.map(bound => `values less than (${bound})`)
}

function ranged(dice: Dice, name: string): Part {
  if (dice.chance(0.3)) {
    const { kind, text } = expression(dice, name)
    const bounds = text.startsWith('to_days') ? ['736000', '738000'] : ['3', '7', '2016', '2022']
    return rangePart(column(name, kind), `range(${text})`, ranges(bounds, true, 'maxvalue'), text)
  }
  const kind = dice.pick(INTEGERS.slice(2))
  return rangePart(
    column(name, kind),
    `range(${name})`,
    ranges(kind.bounds, dice.chance(0.85), 'maxvalue'),
  )
}

function rangePart(one: TableColumn, by: string, items: string[], text?: string): Part {
  return {
    columns: [one],
    by,
    items,
    count: items.length,
    ...(text === undefined ? {} : { expression: text }),
  }
}

function rangedColumns(dice: Dice, name: string): Part {
  const first = column(name, dice.pick(LISTED))
  if (dice.chance(0.6))
    return rangePart(
      first,
      `range columns(${name})`,
      ranges(first.kind.bounds, dice.chance(0.85), 'maxvalue'),
    )
  const second = column(`${name}2`, dice.pick(LISTED))
  const [low, high] = [second.kind.bounds[0] ?? '', second.kind.bounds.at(-1) ?? '']
  const bounds = first.kind.bounds.flatMap(bound => [`${bound}, ${low}`, `${bound}, ${high}`])
  const items = ranges(bounds.slice(0, 6), true, 'maxvalue, maxvalue')
  return {
    columns: [first, second],
    by: `range columns(${name}, ${name}2)`,
    items,
    count: items.length,
  }
}

function lists(dice: Dice, values: readonly string[]): string[] {
  const cut = 1 + dice.below(Math.max(1, values.length - 2))
  const groups = [values.slice(0, cut), values.slice(cut)].filter(group => group.length > 0)
  const items = groups.map(group => `values in (${group.join(', ')})`)
  return dice.chance(0.9) ? [...items, 'values in (default)'] : items
}

function listed(dice: Dice, name: string): Part {
  if (dice.chance(0.25)) {
    const { kind, text } = expression(dice, name)
    const items = lists(dice, ['1', '2', '3', '5', '2018', '2020', 'NULL'])
    return rangePart(column(name, kind), `list(${text})`, items, text)
  }
  const kind = dice.pick(INTEGERS.slice(0, 5))
  return rangePart(
    column(name, kind),
    `list(${name})`,
    lists(dice, [...kind.bounds, 'NULL', '7', '99']),
  )
}

function listedColumns(dice: Dice, name: string): Part {
  const first = column(name, dice.pick(LISTED))
  if (dice.chance(0.6))
    return rangePart(first, `list columns(${name})`, lists(dice, [...first.kind.bounds, 'NULL']))
  const second = column(`${name}2`, dice.pick(LISTED))
  const rows = first.kind.bounds.flatMap(one =>
    [...second.kind.bounds.slice(0, 2), 'NULL'].map(other => `(${one}, ${other})`),
  )
  const items = lists(dice, [...rows.slice(0, 8), '(NULL, NULL)'])
  return {
    columns: [first, second],
    by: `list columns(${name}, ${name}2)`,
    items,
    count: items.length,
  }
}

const GENERATIONS = [
  {
    type: 'varchar(4)',
    source: TEXTS[0],
    own: TEXTS[0],
    text: (name: string) => `substr(${name}, 2, 3)`,
  },
  {
    type: 'varchar(3)',
    source: TEXTS[0],
    own: TEXTS[0],
    text: (name: string) => `left(${name}, 2)`,
  },
  { type: 'bigint', source: PLAIN, own: PLAIN, text: (name: string) => `${name} * 2 + 1` },
  { type: 'int', source: DATE, own: PLAIN, text: (name: string) => `year(${name})` },
] as const

function generatedKey(dice: Dice, name: string): Part {
  const { type, source, own, text } = dice.pick(GENERATIONS)
  if (source === undefined || own === undefined) throw new Error('no such column')
  const generated: TableColumn = { name: `${name}g`, kind: own, isGenerated: true }
  const storage = dice.pick(['virtual', 'stored'])
  return {
    columns: [column(name, source), generated],
    by: `key(${name}g)`,
    items: [],
    count: count(dice),
    generated: `${name}g ${type} generated always as (${text(name)}) ${storage}`,
  }
}

const FIRST = [
  hashed,
  hashedExpression,
  keyed,
  keyed,
  keyed,
  ranged,
  rangedColumns,
  listed,
  listedColumns,
  generatedKey,
]
const SECOND = [
  hashed,
  hashedExpression,
  keyed,
  keyed,
  ranged,
  rangedColumns,
  listed,
  listedColumns,
]

export function generatedTable(dice: Dice, name: string): GeneratedTable {
  const first = dice.pick(FIRST)(dice, 'a')
  const second = dice.chance(0.3) ? dice.pick(SECOND)(dice, 'b') : undefined
  const parts = second === undefined ? [first] : [first, second]
  const columns = parts.flatMap(part => part.columns)
  const declared = columns
    .filter(one => !one.isGenerated)
    .map(one => `${one.name} ${one.kind.ddl} default null`)
  const generated = parts.flatMap(part => part.generated ?? [])
  const body = ['rid int', ...shuffled(dice, declared), ...generated].join(', ')
  const ddl = `create table ${name} (${body}) partition by ${first.by}${subLevel(second)}${level(first)}`
  return { name, ddl, columns, expressions: parts.flatMap(part => part.expression ?? []) }
}

function level(part: Part): string {
  if (part.items.length === 0) return ` partitions ${part.count}`
  return ` (${part.items.map((item, at) => `partition p${at} ${item}`).join(', ')})`
}

function subLevel(part: Part | undefined): string {
  if (part === undefined) return ''
  if (part.items.length === 0)
    return ` subpartition by ${part.by} subpartitions ${Math.min(part.count, 3)}`
  const items = part.items.map((item, at) => `subpartition s${at} ${item}`).join(', ')
  return ` subpartition by ${part.by} subpartition template (${items})`
}

function shuffled<T>(dice: Dice, list: readonly T[]): T[] {
  return list
    .map(item => ({ item, order: dice.next() }))
    .sort((one, other) => one.order - other.order)
    .map(({ item }) => item)
}
