/**
 * Rows of the kernel's metadata become a table's partitions. What cannot be understood makes the table
 * unprunable with a reason; its partitions' names and ids are known all the same.
 * Source: proxy-routing.md §4.3, §6.3, §6.8; proxy-routing-tried.md "Metadata".
 */
import { KeyColumns } from '../../sql/key-columns.ts'
import { type Cell, singleCell } from './cells.ts'
import { collationOf } from './collations.ts'
import { BINARY_COLLATION, type ColumnType, type KernelFlavour, kindOf } from './column-type.ts'
import { derivedFrom, type Names, pieces, unquoted } from './part-expression.ts'
import { siblingsOf } from './siblings.ts'
import {
  type Leaf,
  type Level,
  type Method,
  type Scheme,
  type Siblings,
  type Slot,
  TablePartitions,
} from './table-partitions.ts'
import { Unprunable } from './unprunable.ts'

export type Row = Readonly<Record<string, string | null>>

export type PartitionRows = {
  readonly keys: readonly Row[]
  readonly partitions: readonly Row[]
  readonly subPartitions: readonly Row[]
}

/** Leaf partitions of one table, key columns of one table: more are not understood. */
export const MOST_LEAVES = 65_536
const MOST_KEYS = 64
const DEFAULT_COLLATION = 45
const V3_TWO_LEVELS = 1n << 28n
const V3_TEMPLATE = '-1'

type Code = { readonly method: Method; readonly textHash: Level['textHash'] }

const murmur = (method: Method): Code => ({ method, textHash: 'murmur' })
const CODES_4X: readonly (Code | undefined)[] = [
  murmur('hash'),
  murmur('key'),
  murmur('key'),
  murmur('range'),
  murmur('range'),
  murmur('list'),
  murmur('list'),
]
const TWO_REGISTER: Code = { method: 'key', textHash: 'two-register' }
const CODES_3X: readonly (Code | undefined)[] = [
  murmur('hash'),
  undefined,
  TWO_REGISTER,
  murmur('range'),
  murmur('range'),
  murmur('list'),
  TWO_REGISTER,
  murmur('list'),
  murmur('hash'),
  murmur('key'),
  murmur('key'),
]

const number = (row: Row, column: string, otherwise = 0): number =>
  Number(row[column] ?? otherwise) || otherwise
const textIn = (row: Row, column: string): string => row[column] ?? ''

export function decodePartitions(rows: PartitionRows, flavour: KernelFlavour): TablePartitions {
  const decoder = new Decoder(rows, flavour)
  try {
    return decoder.decode()
  } catch (error) {
    if (error instanceof Unprunable) return decoder.named(error.message)
    throw error
  }
}

class Decoder {
  private readonly rows: PartitionRows
  private readonly flavour: KernelFlavour
  private readonly head: Row
  private readonly hasTwoLevels: boolean

  constructor(rows: PartitionRows, flavour: KernelFlavour) {
    this.rows = rows
    this.flavour = flavour
    this.head = rows.keys[0] ?? {}
    this.hasTwoLevels = number(this.head, 'part_level') === 2
  }

  decode(): TablePartitions {
    const { keys } = this.rows
    if (keys.length === 0) throw new Unprunable('no key column is known')
    if (keys.length > MOST_KEYS) throw new Unprunable('too many key columns')
    const slots = this.columnSlots()
    const levels = [this.level(1, slots)]
    if (this.hasTwoLevels) levels.push(this.level(2, slots))
    const [level, second] = levels
    if (level === undefined) throw new Unprunable('no level is known')
    const first = siblingsOf(level, this.rows.partitions, this.flavour, 'part_position')
    const seconds =
      second === undefined ? [] : first.order.map(row => this.subSiblings(second, row))
    const scheme = {
      levels,
      first: first.siblings,
      seconds: seconds.map(({ siblings }) => siblings),
    }
    return this.table({
      slots,
      scheme,
      reason: undefined,
      first: first.order,
      seconds: seconds.map(({ order }) => order),
    })
  }

  /** Without any way to compute a partition. */
  named(reason: string): TablePartitions {
    const first = this.rows.partitions
    const seconds = this.hasTwoLevels ? first.map(row => this.subRows(row)) : []
    return this.table({ slots: [], scheme: undefined, reason, first, seconds })
  }

  private table(parts: {
    readonly slots: readonly Slot[]
    readonly scheme: Scheme | undefined
    readonly reason: string | undefined
    readonly first: readonly Row[]
    readonly seconds: readonly (readonly Row[])[]
  }): TablePartitions {
    const { slots, scheme, reason, first, seconds } = parts
    const leaves: Leaf[] = []
    const leafStarts = new Int32Array(first.length + 1)
    for (const [at, row] of first.entries()) {
      const own = seconds[at]
      if (own === undefined) leaves.push(this.leaf(row, undefined, scheme))
      else for (const sub of own) leaves.push(this.leaf(row, sub, scheme))
      leafStarts[at + 1] = leaves.length
    }
    const columns = slots.filter(({ name }) => !name.includes('('))
    const places = columns.map(({ name }) => this.placeOf(name))
    return new TablePartitions({
      slots,
      scheme: leaves.length > MOST_LEAVES ? undefined : scheme,
      reason: leaves.length > MOST_LEAVES ? 'too many partitions' : reason,
      columns: new KeyColumns(
        columns.map(({ name }) => name),
        places,
      ),
      leaves,
      leafStarts,
      firstNames: first.map(row => textIn(row, 'part_name')),
    })
  }

  private placeOf(name: string): number {
    const row = this.rows.keys.find(one => nameOf(one) === name)
    return row === undefined ? -1 : number(row, 'part_key_idx', 0)
  }

  private leaf(row: Row, sub: Row | undefined, scheme: Scheme | undefined): Leaf {
    const partId = textIn(row, 'part_id')
    const subPartId = sub === undefined ? '' : textIn(sub, 'sub_part_id')
    const ownName = textIn(sub ?? row, 'part_name')
    const isTemplate = sub !== undefined && textIn(sub, 'part_id') === V3_TEMPLATE
    const name = isTemplate ? `${textIn(row, 'part_name')}s${ownName}` : ownName
    if (this.flavour !== 'v3')
      return { name, id: textIn(sub ?? row, 'tablet_id'), partId, subPartId }
    return { name, id: this.idOf3x(partId, subPartId, scheme), partId, subPartId }
  }

  /** §6.8. */
  private idOf3x(partId: string, subPartId: string, scheme: Scheme | undefined): string {
    const first = BigInt(partId || '0')
    if (subPartId !== '')
      return String(((first | V3_TWO_LEVELS) << 32n) | BigInt(subPartId) | V3_TWO_LEVELS)
    const method = scheme?.levels[0]?.method
    const isHashed = method === 'hash' || method === 'key'
    const space = BigInt(number(this.head, 'part_space'))
    return String(isHashed ? space * V3_TWO_LEVELS + first : first)
  }

  // --- columns

  private columnSlots(): Slot[] {
    const rows = new Map(this.rows.keys.map(row => [nameOf(row), row]))
    const names: Names = { list: [...rows.keys()] }
    const sources: Slot[] = []
    const slots = [...rows].map(([name, row]) => {
      const generation = textIn(row, 'part_key_extra')
      const derived = generation === '' ? undefined : derivedFrom(generation, names)
      const defaultCell = this.defaultOf(row)
      return { name, type: this.typeOf(row), derived, defaultCell }
    })
    for (const name of names.list.slice(slots.length))
      sources.push({ name, type: undefined, derived: undefined, defaultCell: undefined })
    return [...slots, ...sources]
  }

  private typeOf(row: Row): ColumnType {
    const code = number(row, 'part_key_type', -1)
    const known = kindOf(code, this.flavour)
    if (known === undefined) throw new Unprunable(`key of type ${code}`)
    const isText = known.kind === 'varchar' || known.kind === 'char'
    const collation = isText ? this.collationOf(row) : BINARY_COLLATION
    if (collationOf(collation) === undefined) throw new Unprunable(`collation ${collation}`)
    const [length, precision, scale] = this.accuracyOf(row)
    return {
      kind: known.kind,
      bits: known.bits ?? 0,
      collation,
      length: isText ? (length ?? -1) : -1,
      precision: precision ?? -1,
      scale: scale ?? -1,
    }
  }

  private collationOf(row: Row): number {
    const column = this.flavour === 'v3' ? 'spare1' : 'part_key_collation_type'
    return number(row, column) || DEFAULT_COLLATION
  }

  private accuracyOf(row: Row): readonly number[] {
    if (this.flavour === 'v3') return textIn(row, 'spare5').split(',').map(Number)
    return ['part_key_length', 'part_key_precision', 'part_key_scale'].map(column =>
      Number(row[column] ?? -1),
    )
  }

  private defaultOf(row: Row): Cell | undefined {
    const hex = textIn(row, 'part_key_default_value')
    if (hex === '') return undefined
    const cell = singleCell(Buffer.from(hex, 'hex'), this.flavour)
    return cell?.kind === 'null' ? undefined : cell
  }

  // --- levels

  private level(depth: 1 | 2, slots: Slot[]): Level {
    const prefix = depth === 1 ? '' : 'sub_'
    const code = number(this.head, `${prefix}part_type`)
    const known = (this.flavour === 'v3' ? CODES_3X : CODES_4X)[code]
    if (known === undefined) throw new Unprunable(`partitioning of type ${code}`)
    const text = textIn(this.head, `${prefix}part_expr`)
    const own = this.rows.keys.filter(row => number(row, 'part_key_level') === depth)
    const names = this.keyNames(text, own)
    const places = names.map(name => slots.findIndex(slot => slot.name === name))
    const isColumns = places.length > 0 && !places.includes(-1)
    const keys = isColumns ? places : [this.expressionSlot(text, slots)]
    const types = keys.map(place => {
      const type = slots[place]?.type
      if (type === undefined) throw new Unprunable('key of an unknown type')
      return type
    })
    return { ...known, text, slots: keys, types }
  }

  private keyNames(text: string, own: readonly Row[]): readonly string[] {
    if (text.trim() !== '') return pieces(text).map(unquoted)
    return own
      .toSorted((one, other) => number(one, 'part_key_idx') - number(other, 'part_key_idx'))
      .map(nameOf)
  }

  private expressionSlot(text: string, slots: Slot[]): number {
    if (pieces(text).length !== 1) throw new Unprunable(`partitioned by ${text}`)
    const names: Names = { list: slots.map(({ name }) => name) }
    const derived = derivedFrom(text, names)
    if (names.list.length > slots.length) throw new Unprunable(`partitioned by ${text}`)
    const type: ColumnType = {
      kind: 'int',
      bits: 64,
      collation: BINARY_COLLATION,
      length: -1,
      precision: -1,
      scale: 0,
    }
    // Its name has a parenthesis, as no column's has here, so that nobody takes it for one.
    slots.push({ name: `(${text})`, type, derived, defaultCell: undefined })
    return slots.length - 1
  }

  private subSiblings(level: Level, row: Row): { siblings: Siblings; order: readonly Row[] } {
    return siblingsOf(level, this.subRows(row), this.flavour, 'sub_part_position')
  }

  private subRows(row: Row): readonly Row[] {
    const own = textIn(row, 'part_id')
    return this.rows.subPartitions.filter(sub => {
      const id = textIn(sub, 'part_id')
      return id === own || (this.flavour === 'v3' && id === V3_TEMPLATE)
    })
  }
}

function nameOf(row: Row): string {
  return textIn(row, 'part_key_name').toLowerCase()
}
