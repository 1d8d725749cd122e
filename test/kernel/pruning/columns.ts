/** Key columns of generated tables: how they are declared, which literals go in, where bounds may be. */
import type { Dice } from '../../differential/dice.ts'

export type Family =
  | 'integer'
  | 'decimal'
  | 'real'
  | 'text'
  | 'bytes'
  | 'date'
  | 'datetime'
  | 'time'
  | 'year'
  | 'bit'

export type ColumnKind = {
  readonly ddl: string
  readonly family: Family
  /** A literal that can be stored. */
  readonly literal: (dice: Dice) => string
  /** The same for conditions, where that differs. */
  readonly compared?: (dice: Dice) => string
  /** Literals in ascending order, as bounds and as values of lists; none where the type takes none. */
  readonly bounds: readonly string[]
  /** Equality with a literal of this family is pruned. */
  readonly isCompared: boolean
}

const NULL = 'NULL'
const NULL_CHANCE = 0.06

function orNull(literal: (dice: Dice) => string): (dice: Dice) => string {
  return dice => (dice.chance(NULL_CHANCE) ? NULL : literal(dice))
}

function integer(ddl: string, least: bigint, most: bigint): ColumnKind {
  const inside = (value: bigint) => value >= least && value <= most
  const edges = [least, most, least + 1n, most - 1n, 0n, -1n, 1n, 10n, 100n, 65_535n].filter(inside)
  const literal = (dice: Dice): string => {
    if (dice.chance(0.2)) return String(dice.pick(edges))
    const span = most - least > 1_000_000_000n ? 1_000_000_000n : most - least
    const near = dice.chance(0.5) ? 220n : span
    const base = least < 0n ? -(near / 2n) : 0n
    const value = base + BigInt(Math.floor(dice.next() * Number(near)))
    const kept = inside(value) ? value : 0n
    if (dice.chance(0.08)) return `'${kept}'`
    if (dice.chance(0.05) && inside(kept + 2n)) return `${kept}.4`
    return String(kept)
  }
  const bounds = [-100n, -1n, 0n, 1n, 50n, 100n].filter(inside).map(String)
  return { ddl, family: 'integer', literal: orNull(literal), bounds, isCompared: true }
}

function decimal(ddl: string, digits: number, scale: number): ColumnKind {
  const literal = (dice: Dice): string => {
    const size = 1 + dice.below(digits)
    const all = Array.from({ length: size }, () => dice.below(10)).join('')
    const whole = all.slice(0, Math.max(0, size - scale)) || '0'
    const fraction = all.slice(-scale || size).slice(0, dice.below(scale + 1))
    const sign = dice.chance(0.4) && !ddl.includes('unsigned') ? '-' : ''
    return fraction === '' || scale === 0 ? `${sign}${whole}` : `${sign}${whole}.${fraction}`
  }
  return { ddl, family: 'decimal', literal: orNull(literal), bounds: [], isCompared: true }
}

function real(ddl: string): ColumnKind {
  const literal = (dice: Dice): string =>
    dice.pick([
      () => String(dice.below(2000) / 8 - 100),
      () => `${dice.below(1000) - 500}e0`,
      () => `${(dice.next() * 1000).toFixed(2)}`,
      () => String(dice.below(100)),
      () => '0',
    ])()
  // Of DOUBLE(m,d) the kernel's OR of several values with more digits than d is another than each of them.
  const compared = (dice: Dice) => String(dice.below(2000) / 4 - 250)
  const own = {
    ddl,
    family: 'real',
    literal: orNull(literal),
    bounds: [],
    isCompared: true,
  } as const
  return ddl.includes(',') ? { ...own, compared } : own
}

const LATIN = ['a', 'B', 'c', 'abc', 'Z', 'x y', '0', '9', '~', '_', '-', 'aa', 'Ab', 'zz', 'A']
const WIDE = [
  'é',
  'ß',
  'Ä',
  'ü',
  '中',
  '你好',
  'Ж',
  'ж',
  'ǅ',
  'İ',
  'ı',
  '한',
  '글',
  'あ',
  'ア',
  '🙂',
  'ﬁ',
  '\u00a0',
  '\u3000',
  'e\u0301',
  '²',
  '½',
  'Å',
  'ſ',
]
const WESTERN = ['é', 'ß', 'Ä', 'ü', 'Å', 'ñ', '½', '²', 'ÿ']
const CHINESE = ['中', '你好', '国', '啊', '一']

function text(ddl: string, beyond: readonly string[]): ColumnKind {
  const most = Number(/\d+/.exec(ddl)?.[0] ?? 10)
  const literal = (dice: Dice): string => {
    const from = beyond.length > 0 && dice.chance(0.5) ? [...LATIN, ...beyond, ...beyond] : LATIN
    let value = ''
    const size = dice.chance(0.05) ? 0 : 1 + dice.below(dice.chance(0.1) ? 90 : 6)
    for (let count = 0; count < size; count++) value += dice.pick(from)
    value = [...value].slice(0, most - 2).join('')
    if (dice.chance(0.15)) value += dice.pick([' ', '  '])
    return `'${value}'`
  }
  const bounds = ["'0'", "'b'", "'m'", "'x y'"]
  return { ddl, family: 'text', literal: orNull(literal), bounds, isCompared: true }
}

function bytes(ddl: string): ColumnKind {
  const most = Number(/\d+/.exec(ddl)?.[0] ?? 8)
  const literal = (dice: Dice): string => {
    const size = dice.below(most + 1)
    const hex = Array.from({ length: size }, () => dice.below(256).toString(16).padStart(2, '0'))
    return dice.chance(0.5) ? `x'${hex.join('')}'` : `'${'ab c'.slice(0, Math.min(size, 4))}'`
  }
  return {
    ddl,
    family: 'bytes',
    literal: orNull(literal),
    bounds: [],
    isCompared: true,
  }
}

const two = (value: number) => String(value).padStart(2, '0')

function day(dice: Dice): string {
  const year = dice.chance(0.7) ? 2015 + dice.below(10) : 1000 + dice.below(8900)
  return `${year}-${two(1 + dice.below(12))}-${two(1 + dice.below(28))}`
}

function clock(dice: Dice, digits: number): string {
  const time = `${two(dice.below(24))}:${two(dice.below(60))}:${two(dice.below(60))}`
  return digits > 0 && dice.chance(0.6)
    ? `${time}.${String(dice.below(10 ** digits)).padStart(digits, '0')}`
    : time
}

const DAYS = ["'2016-01-01'", "'2018-06-30'", "'2020-02-29'", "'2023-01-01'"]

const date: ColumnKind = {
  ddl: 'date',
  family: 'date',
  literal: orNull(dice =>
    dice.chance(0.15)
      ? day(dice).replaceAll('-', '')
      : dice.pick([`'${day(dice)}'`, `date'${day(dice)}'`, `'${day(dice)}'`]),
  ),
  bounds: DAYS,
  isCompared: true,
}

function datetime(ddl: string, digits: number): ColumnKind {
  const isTimestamp = ddl.startsWith('timestamp')
  const literal = (dice: Dice): string => {
    const base = isTimestamp ? day(dice).replace(/^\d+/, String(1980 + dice.below(50))) : day(dice)
    if (dice.chance(0.1)) return `'${base}'`
    return `'${base} ${clock(dice, dice.chance(0.2) ? 6 : digits)}'`
  }
  const bounds = isTimestamp ? [] : DAYS
  return { ddl, family: 'datetime', literal: orNull(literal), bounds, isCompared: true }
}

function time(ddl: string, digits: number): ColumnKind {
  const literal = (dice: Dice) => `'${dice.chance(0.3) ? '-' : ''}${clock(dice, digits)}'`
  return { ddl, family: 'time', literal: orNull(literal), bounds: [], isCompared: true }
}

const year: ColumnKind = {
  ddl: 'year',
  family: 'year',
  literal: orNull(dice =>
    String(dice.pick([1901, 2155, 1970, 2000, 2024, 1999, 1990 + dice.below(50)])),
  ),
  bounds: [],
  isCompared: true,
}

const bit: ColumnKind = {
  ddl: 'bit(12)',
  family: 'bit',
  literal: orNull(dice => String(dice.below(4096))),
  bounds: [],
  isCompared: true,
}

export const INTEGERS: readonly ColumnKind[] = [
  integer('tinyint', -128n, 127n),
  integer('smallint', -32_768n, 32_767n),
  integer('mediumint', -8_388_608n, 8_388_607n),
  integer('int', -2_147_483_648n, 2_147_483_647n),
  integer('bigint', -(2n ** 63n), 2n ** 63n - 1n),
  integer('int unsigned', 0n, 2n ** 32n - 1n),
  integer('bigint unsigned', 0n, 2n ** 64n - 1n),
]

/** Without literals of other types: where the type of the column is not in the metadata. */
export const PLAIN: ColumnKind = {
  ddl: 'int',
  family: 'integer',
  literal: orNull(dice => String(dice.below(20_000) - 5_000)),
  bounds: ['-1', '0', '100', '2020'],
  isCompared: true,
}

const set = (charset: string, collation: string) => `character set ${charset} collate ${collation}`

export const TEXTS: readonly ColumnKind[] = [
  text('varchar(40)', WIDE),
  text('char(30)', WIDE),
  text('varchar(200)', WIDE),
  ...['utf8mb4_general_ci', 'utf8mb4_bin', 'utf8mb4_unicode_ci'].flatMap(name => [
    text(`varchar(120) ${set('utf8mb4', name)}`, WIDE),
    text(`char(20) ${set('utf8mb4', name)}`, WIDE),
  ]),
  text(`varchar(60) ${set('utf8mb4', 'utf8mb4_unicode_520_ci')}`, WIDE),
  text(`varchar(60) ${set('utf8mb4', 'utf8mb4_0900_ai_ci')}`, WIDE),
  text(`varchar(60) ${set('utf8mb4', 'utf8mb4_0900_bin')}`, WIDE),
  text(`varchar(60) ${set('latin1', 'latin1_swedish_ci')}`, WESTERN),
  text(`varchar(60) ${set('latin1', 'latin1_bin')}`, WESTERN),
  text(`varchar(60) ${set('ascii', 'ascii_general_ci')}`, []),
  text(`varchar(60) ${set('gbk', 'gbk_bin')}`, CHINESE),
  text(`varchar(60) ${set('utf16', 'utf16_general_ci')}`, WIDE),
  text(`varchar(60) ${set('utf16', 'utf16_bin')}`, WIDE),
  text(`varchar(60) ${set('utf16', 'utf16_unicode_ci')}`, WIDE),
]

/** Equal is known, less and greater are not. */
export const UNORDERED: readonly ColumnKind[] = [
  text(`varchar(60) ${set('gbk', 'gbk_chinese_ci')}`, CHINESE),
  bytes('binary(8)'),
  bytes('varbinary(20)'),
]

export const MOMENTS: readonly ColumnKind[] = [
  date,
  datetime('datetime', 0),
  datetime('datetime(3)', 3),
]
export const DATE = date

export const OTHERS: readonly ColumnKind[] = [
  decimal('decimal(10,2)', 10, 2),
  decimal('decimal(20,5)', 20, 5),
  decimal('decimal(30,0)', 30, 0),
  decimal('decimal(12,3) unsigned', 12, 3),
  real('double'),
  real('float'),
  real('double(12,2)'),
  datetime('timestamp', 0),
  datetime('timestamp(6)', 6),
  time('time', 0),
  time('time(2)', 2),
  year,
  bit,
]
