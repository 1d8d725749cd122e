/** Generated statements with conditions over the key columns of a generated table. */
import type { Dice } from '../../differential/dice.ts'
import { DERIVED, JOINS, OUTER_JOIN, SHAPES } from './shapes.ts'
import type { GeneratedTable, TableColumn } from './tables.ts'

export type GeneratedStatement = {
  readonly sql: string
  /** What it is counted as. */
  readonly shape: string
}

/** A table that others are joined with, whose columns are integers. */
export const OTHER_TABLE = 'pruning_other'
export const OTHER_DDL = `create table if not exists ${OTHER_TABLE} (n bigint, m bigint)`

const SHAPED_CHANCE = 0.4

/** Mostly plain conditions; `isConcat`: `||` joins texts. */
export function generatedStatement(
  dice: Dice,
  table: GeneratedTable,
  isConcat: boolean,
): GeneratedStatement {
  const plain = () => `select rid from ${table.name} where ${generatedPredicate(dice, table)}`
  const roll = dice.next()
  if (roll > SHAPED_CHANCE) return { sql: plain(), shape: 'plain' }
  if (roll < 0.03) return { sql: derived(dice, table), shape: 'derived tables' }
  const found = roll < 0.07 ? joined(dice, table) : shaped(dice, table, isConcat)
  return found ?? { sql: plain(), shape: 'plain' }
}

function derived(dice: Dice, table: GeneratedTable): string {
  return dice
    .pick(DERIVED)
    .replaceAll('T', table.name)
    .replaceAll('P', () => `(${generatedPredicate(dice, table)})`)
}

function joined(dice: Dice, table: GeneratedTable): GeneratedStatement | undefined {
  const own = shapable(dice, table)
  const target = own.find(one => one.kind.family === 'integer' && !isSource(table, one))
  const literal = target === undefined ? '' : value(dice, target)
  if (target === undefined || !/^-?\d+$/.test(literal)) return undefined
  const forms = own.length === 1 ? [...JOINS, OUTER_JOIN] : JOINS
  const from = dice
    .pick(forms)
    .replaceAll('T ', `${table.name} `)
    .replaceAll('OTHER', OTHER_TABLE)
    .replaceAll('K', target.name)
    .replaceAll('V', literal)
  const others = own.filter(one => one !== target).map(one => ` and ${equality(dice, one)}`)
  return { sql: `select t.rid from ${from}${others.join('')}`, shape: 'equal columns of a join' }
}

/** One column in one of SHAPES, the others plain. */
function shaped(
  dice: Dice,
  table: GeneratedTable,
  isConcat: boolean,
): GeneratedStatement | undefined {
  const own = shapable(dice, table)
  const targets = own.filter(column => !isSource(table, column))
  if (targets.length === 0) return undefined
  const target = dice.pick(targets)
  const { name, kind } = target
  const fitting = SHAPES.flatMap(({ name: shape, of }) => {
    const text = of({ name, family: kind.family, literal: value(dice, target), isConcat }, dice)
    return text === undefined ? [] : [{ shape, text }]
  })
  const { shape, text } = dice.pick(fitting)
  const others = own.filter(one => one !== target).map(one => equality(dice, one))
  const where = shuffle(dice, [text, ...others]).join(' and ')
  return { sql: `select rid from ${table.name} where ${where}`, shape }
}

function shapable(dice: Dice, table: GeneratedTable): readonly TableColumn[] {
  return chosen(dice, table).filter(({ kind }) => kind.isCompared)
}

/** Mostly the shapes for which a kernel names one partition. */
function generatedPredicate(dice: Dice, table: GeneratedTable): string {
  const own = chosen(dice, table).filter(({ kind }) => kind.isCompared)
  if (own.length === 0) return '1 = 1'
  if (table.expressions.length > 0 && dice.chance(0.15)) return ofExpressions(dice, table, own)
  if (own.length > 1 && dice.chance(0.1)) return rowsOf(dice, own)
  if (dice.chance(0.1)) {
    const parts = own.map(column => equality(dice, column)).join(' and ')
    return `(${parts}) or (${own.map(column => equality(dice, column)).join(' and ')})`
  }
  return shuffle(
    dice,
    own.map(column => (isSource(table, column) ? equality(dice, column) : condition(dice, column))),
  ).join(' and ')
}

/** A generated column or its source, not both. */
function chosen(dice: Dice, { columns }: GeneratedTable): readonly TableColumn[] {
  const bySource = dice.chance(0.6)
  return columns.filter(({ name, isGenerated }) =>
    isGenerated
      ? !bySource
      : bySource || !columns.some(other => other.isGenerated && other.name === `${name}g`),
  )
}

/** Its type is not in the metadata, so that nothing but its equalities is understood. */
export function isSource({ columns }: GeneratedTable, { name }: TableColumn): boolean {
  return columns.some(other => other.isGenerated && other.name === `${name}g`)
}

/** `year(d) = 2020` where that is what the table is partitioned by. */
function ofExpressions(
  dice: Dice,
  { expressions }: GeneratedTable,
  columns: readonly TableColumn[],
): string {
  const parts = expressions.map(text => {
    const number = String(dice.pick([1, 2, 3, 5, 7, 9, 2018, 2020, 2023, 738_000]))
    return dice.chance(0.3) ? `${text} in (${number}, ${dice.below(12)})` : `${text} = ${number}`
  })
  const others = columns.filter(({ name }) => !expressions.some(text => text.includes(name)))
  return [...parts, ...others.map(column => equality(dice, column))].join(' and ')
}

function rowsOf(dice: Dice, own: readonly TableColumn[]): string {
  const row = () => `(${own.map(column => value(dice, column)).join(', ')})`
  const names = `(${own.map(({ name }) => name).join(', ')})`
  return dice.chance(0.5) ? `${names} = ${row()}` : `${names} in (${row()}, ${row()})`
}

function shuffle(dice: Dice, list: string[]): string[] {
  return dice.chance(0.5) ? list.reverse() : list
}

function value(dice: Dice, { kind }: TableColumn): string {
  for (;;) {
    const literal = (kind.compared ?? kind.literal)(dice)
    const isPlain = kind.family !== 'integer' || /^-?\d+$/.test(literal)
    // A row with x'' in it is compared in a way of its own.
    if (literal !== 'NULL' && literal !== "x''" && isPlain) return literal
  }
}

function equality(dice: Dice, column: TableColumn): string {
  if (dice.chance(0.07)) return `${column.name} is null`
  const literal = value(dice, column)
  return dice.chance(0.1) ? `${literal} = ${column.name}` : `${column.name} = ${literal}`
}

function condition(dice: Dice, column: TableColumn): string {
  const { name, kind } = column
  const roll = dice.next()
  if (roll < 0.6) return equality(dice, column)
  if (roll < 0.68) return `${name} in (${value(dice, column)}, ${value(dice, column)})`
  if (roll < 0.72) return `${name} <=> ${value(dice, column)}`
  if (roll < 0.75) return `(${name} = ${value(dice, column)} or ${name} = ${value(dice, column)})`
  if (roll < 0.76 && kind.family === 'text') return `${name} like 'abc'`
  if (roll < 0.76 && kind.family === 'integer') return `${name} = '${dice.below(100)}'`
  if (kind.bounds.length === 0) return equality(dice, column)
  if (roll < 0.84) return `${name} ${dice.pick(['<', '<=', '>', '>='])} ${value(dice, column)}`
  if (roll < 0.92) {
    const bound = dice.pick(kind.bounds)
    return `${name} ${dice.pick(['<', '<=', '>', '>=', '='])} ${bound}`
  }
  return `${name} between ${value(dice, column)} and ${value(dice, column)}`
}
