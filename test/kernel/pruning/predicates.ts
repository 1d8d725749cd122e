/** Generated conditions over the key columns of a generated table. */
import type { Dice } from '../../differential/dice.ts'
import type { GeneratedTable, TableColumn } from './tables.ts'

/** Mostly the shapes for which a kernel names one partition. */
export function generatedPredicate(dice: Dice, table: GeneratedTable): string {
  const own = chosen(dice, table).filter(({ kind }) => kind.isCompared)
  if (own.length === 0) return '1 = 1'
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
function isSource({ columns }: GeneratedTable, { name }: TableColumn): boolean {
  return columns.some(other => other.isGenerated && other.name === `${name}g`)
}

function shuffle(dice: Dice, list: string[]): string[] {
  return dice.chance(0.5) ? list.reverse() : list
}

function value(dice: Dice, { kind }: TableColumn): string {
  for (;;) {
    const literal = kind.literal(dice)
    const isPlain = kind.family !== 'integer' || /^-?\d+$/.test(literal)
    if (literal !== 'NULL' && isPlain) return literal
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
  if (roll < 0.76) return `(${name} = ${value(dice, column)} or ${name} = ${value(dice, column)})`
  if (kind.bounds.length === 0) return equality(dice, column)
  if (roll < 0.84) return `${name} ${dice.pick(['<', '<=', '>', '>='])} ${value(dice, column)}`
  if (roll < 0.92) {
    const bound = dice.pick(kind.bounds)
    return `${name} ${dice.pick(['<', '<=', '>', '>=', '='])} ${bound}`
  }
  return `${name} between ${value(dice, column)} and ${value(dice, column)}`
}
