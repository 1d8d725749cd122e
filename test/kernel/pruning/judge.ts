/**
 * The real kernel judges pruning: what is computed from its own metadata rows against where it keeps
 * the rows, and against the partitions that its EXPLAIN names.
 */
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { classify } from '../../../proxy-node/sql/classify.ts'
import { readExpression } from '../../../proxy-node/sql/expression-reader.ts'
import { Expressions } from '../../../proxy-node/sql/expressions.ts'
import { LEXER_MODE } from '../../../proxy-node/sql/lexer.ts'
import { Predicates } from '../../../proxy-node/sql/predicates.ts'
import { decodePartitions, type Row } from '../../../proxy-node/topology/partition/decode.ts'
import { PRUNED, type Pruned, Pruner } from '../../../proxy-node/topology/partition/pruner.ts'
import { partitionStatements4x } from '../../../proxy-node/topology/partition/statements.ts'
import type { TablePartitions } from '../../../proxy-node/topology/partition/table-partitions.ts'
import { TimeZone } from '../../../proxy-node/topology/partition/time-zones.ts'
import type { PruneSession } from '../../../proxy-node/topology/partition/values.ts'
import type { Dice } from '../../differential/dice.ts'
import { KeptReading } from './kept.ts'
import { type GeneratedStatement, generatedStatement, isSource } from './predicates.ts'
import { writtenOtherwise } from './shapes.ts'
import type { GeneratedTable, TableColumn } from './tables.ts'

export type Tally = {
  tables: number
  rows: number
  predicates: number
  /** Predicates that were computed by what is kept of their texts, too. */
  kept: number
  /** Predicates for which the kernel names one partition. */
  prunable: number
  /** Predicates for which one partition is computed where the kernel names several. */
  narrower: number
  /** Rows that the kernel does not take. */
  refused: number
  /** By shape: statements, and those for which the kernel names one partition. */
  readonly shapes: Map<string, { statements: number; prunable: number }>
  readonly disagreements: string[]
  readonly unknown: string[]
}

export const ZONE = '+05:45'

export const SESSION: PruneSession = {
  charset: 'utf8mb4',
  timeZone: new TimeZone(ZONE),
  parameters: undefined,
  userVariable: () => undefined,
  now: () => 0,
}

export function newTally(): Tally {
  return {
    tables: 0,
    rows: 0,
    predicates: 0,
    kept: 0,
    prunable: 0,
    narrower: 0,
    refused: 0,
    shapes: new Map(),
    disagreements: [],
    unknown: [],
  }
}

/** The leaf that a row is computed to be in. */
type Computed = number | 'none' | 'unknown'

const NOWHERE = -1
/** Rows of one table that have no partition, which go in alone. */
const MOST_ONE_BY_ONE = 5
/** Of values that are inserted. */
const SHAPED_CHANCE = 0.03
/** Of tables whose statements are read under PIPES_AS_CONCAT. */
const CONCAT_CHANCE = 0.15

export type Connections = {
  readonly user: Connection
  /** With nothing but SELECT on oceanbase.*. */
  readonly metadata: Connection
  readonly database: string
}

async function rowsOf(connection: Connection, sql: string): Promise<Row[]> {
  const [rows] = await connection.query<RowDataPacket[]>(sql)
  return rows.map(row =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]),
    ),
  )
}

/** The table as a proxy would know it. */
export async function partitionsOf(
  { metadata, database }: Connections,
  table: string,
): Promise<TablePartitions> {
  const [schema] = await rowsOf(
    metadata,
    `SELECT table_id FROM oceanbase.__all_virtual_proxy_schema WHERE tenant_name = 'sys'
     AND database_name = '${database}' AND table_name = '${table}'`,
  )
  const statements = partitionStatements4x('sys', schema?.['table_id'] ?? '')
  const keys = await rowsOf(metadata, statements.keys)
  const partitions = await rowsOf(metadata, statements.partitions)
  const isTwoLevel = keys[0]?.['part_level'] === '2'
  const subPartitions = isTwoLevel ? await rowsOf(metadata, statements.subPartitions) : []
  return decodePartitions({ keys, partitions, subPartitions }, 'seekdb')
}

export class Judge {
  private readonly connections: Connections
  private readonly pruner = new Pruner()
  private readonly expressions = new Expressions()
  private readonly predicates = new Predicates()
  private readonly kept = new KeptReading()
  readonly tally: Tally

  constructor(connections: Connections, tally: Tally) {
    this.connections = connections
    this.tally = tally
  }

  async judge(dice: Dice, table: GeneratedTable, sizes: { rows: number; predicates: number }) {
    const { user } = this.connections
    await user.query(table.ddl)
    const partitions = await partitionsOf(this.connections, table.name)
    this.tally.tables += 1
    if (partitions.reason !== undefined) {
      this.tally.unknown.push(`${table.ddl}: ${partitions.reason}`)
      return
    }
    await this.judgeRows(dice, table, partitions, sizes.rows)
    const isConcat = dice.chance(CONCAT_CHANCE)
    if (isConcat) await user.query(`set sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT')`)
    const mode = isConcat ? LEXER_MODE.pipesAsConcat : LEXER_MODE.plain
    for (let count = 0; count < sizes.predicates; count++)
      await this.judgeStatement(
        table.ddl,
        partitions,
        generatedStatement(dice, table, isConcat),
        mode,
      )
    if (isConcat) await user.query(`set sql_mode = replace(@@sql_mode, 'PIPES_AS_CONCAT', '')`)
  }

  // --- rows

  private async judgeRows(
    dice: Dice,
    table: GeneratedTable,
    partitions: TablePartitions,
    count: number,
  ): Promise<void> {
    const columns = table.columns.filter(({ isGenerated }) => !isGenerated)
    const literal = (column: TableColumn) => {
      const plain = column.kind.literal(dice)
      const isShaped = dice.chance(SHAPED_CHANCE) && !isSource(table, column)
      return isShaped ? writtenOtherwise(dice, column.kind.family, plain) : plain
    }
    const rows = Array.from({ length: count }, () => columns.map(literal))
    const expected = rows.map(literals => this.computed(columns, literals, partitions))
    const names = columns.map(({ name }) => name)
    const tried = await this.insert(table, names, rows, expected)
    const stored = await this.storedIn(table, partitions)
    for (const [rid, literals] of rows.entries())
      if (tried.has(rid)) {
        const what = `${table.ddl}: (${literals.join(', ')})`
        this.judgeRow(what, partitions, expected[rid] ?? 'unknown', stored.get(rid) ?? NOWHERE)
      }
  }

  private judgeRow(what: string, partitions: TablePartitions, own: Computed, place: number): void {
    if (place === NOWHERE && own !== 'none') {
      this.tally.refused += 1
      return
    }
    this.tally.rows += 1
    const is = `${what} is in ${nameOf(partitions, place)}`
    if (own === 'unknown') this.tally.unknown.push(is)
    else if (own === 'none' ? place !== NOWHERE : own !== place)
      this.tally.disagreements.push(
        `${is}, computed ${own === 'none' ? own : nameOf(partitions, own)}`,
      )
  }

  private computed(
    columns: readonly { readonly name: string }[],
    literals: readonly string[],
    partitions: TablePartitions,
  ): Computed {
    const bytes = Buffer.from(literals.join(' , '))
    this.expressions.clear(bytes)
    const nodes: number[] = []
    let at = 0
    for (const [index, literal] of literals.entries()) {
      const length = Buffer.byteLength(literal)
      const name = Buffer.from(columns[index]?.name ?? '')
      const place = partitions.columns.find(name, 0, name.length)
      nodes[place] = readExpression(
        this.expressions,
        { from: at, to: at + length },
        partitions.columns,
      )
      at += length + 3
    }
    const found = this.pruner.pruneRow(partitions, this.expressions, nodes, SESSION)
    if (found === PRUNED.none) return 'none'
    return found === PRUNED.one ? this.pruner.leaf : 'unknown'
  }

  /** What has a partition all at once, or one by one when the kernel refuses one of them. */
  private async insert(
    table: GeneratedTable,
    names: readonly string[],
    rows: readonly (readonly string[])[],
    expected: readonly unknown[],
  ): Promise<ReadonlySet<number>> {
    const head = `insert into ${table.name} (rid, ${names.join(', ')}) values `
    const tuples = rows.map((literals, rid) => `(${rid}, ${literals.join(', ')})`)
    const all = [...tuples.keys()]
    const sure = all.filter(rid => expected[rid] !== 'none')
    const others = all.filter(rid => expected[rid] === 'none').slice(0, MOST_ONE_BY_ONE)
    const { user } = this.connections
    const halves = async (some: readonly number[]): Promise<void> => {
      if (some.length === 0) return
      const done = await user.query(head + some.map(rid => tuples[rid]).join(', ')).then(
        () => true,
        () => false,
      )
      if (done || some.length === 1) return
      const middle = some.length >> 1
      await halves(some.slice(0, middle))
      await halves(some.slice(middle))
    }
    await halves(sure)
    for (const rid of others) await halves([rid])
    return new Set([...sure, ...others])
  }

  private async storedIn(
    table: GeneratedTable,
    partitions: TablePartitions,
  ): Promise<ReadonlyMap<number, number>> {
    const parts = partitions.leaves.map(
      ({ name }, at) => `select ${at} as place, rid from ${table.name} partition(${name})`,
    )
    const rows = await rowsOf(this.connections.user, parts.join(' union all '))
    return new Map(rows.map(({ rid, place }) => [Number(rid), Number(place)]))
  }

  // --- predicates

  async judgeStatement(
    ddl: string,
    partitions: TablePartitions,
    { sql, shape }: GeneratedStatement,
    mode: number,
  ): Promise<void> {
    const named = await explainedPartitions(this.connections.user, sql).catch(() => undefined)
    if (named === undefined) {
      this.tally.refused += 1
      return
    }
    if (named === '') return
    const real = leavesNamed(named, partitions)
    const own = this.computedFor(partitions, sql, mode)
    this.tally.predicates += 1
    this.judgeShortcut(partitions, own, sql)
    this.judgeKept(partitions, own, { sql, mode })
    this.count(shape, real.length === 1)
    const what = `${ddl}: ${sql}: kernel p(${named})`
    const isOne = own === PRUNED.one || own === PRUNED.none
    // Narrower than the kernel is no mistake: rows are where INSERT puts them, which is judged too.
    if (own === PRUNED.one && real.length > 1 && real.includes(this.pruner.leaf))
      this.tally.narrower += 1
    else if (own === PRUNED.none && (real.length > 1 || this.isCrossed(partitions)))
      this.tally.narrower += 1
    else if (isOne && real[0] !== this.pruner.leaf)
      this.tally.disagreements.push(
        `${what}, computed ${own} ${nameOf(partitions, this.pruner.leaf)} #${this.pruner.leaf}`,
      )
    if (!isOne && real.length === 1) this.tally.unknown.push(`${what}, computed ${own}`)
  }

  /** As a proxy reads the statement, all of it. */
  private computedFor(partitions: TablePartitions, sql: string, mode: number): Pruned {
    const { predicates } = this
    const bytes = Buffer.from(sql)
    const text = { bytes, to: bytes.length, mode, isCut: false }
    predicates.read(text, classify(bytes, 0, bytes.length, mode), partitions.columns)
    return this.pruner.prune(partitions, predicates.expressions, predicates.condition, SESSION)
  }

  /** The kernel prunes the levels of an OR apart, and may name a partition that no part of it is in. */
  private isCrossed(partitions: TablePartitions): boolean {
    const { expressions, condition } = this.predicates
    const boxes = this.pruner.boxesOf(partitions, expressions, condition, SESSION)
    return partitions.scheme?.levels.length === 2 && boxes.length > 1
  }

  private count(shape: string, isPrunable: boolean): void {
    const { tally } = this
    const counted = tally.shapes.get(shape) ?? { statements: 0, prunable: 0 }
    tally.shapes.set(shape, counted)
    counted.statements += 1
    if (!isPrunable) return
    counted.prunable += 1
    tally.prunable += 1
  }

  /** What is kept of a text that came with other values has to come to the same. */
  private judgeKept(
    partitions: TablePartitions,
    own: Pruned,
    { sql, mode }: { readonly sql: string; readonly mode: number },
  ): void {
    const { leaf } = this.pruner
    const kept = this.kept.of(sql, mode, partitions.columns)
    if (kept === undefined) return
    this.tally.kept += 1
    const found = this.pruner.prune(partitions, kept.expressions, kept.condition, SESSION)
    if (found !== own || this.pruner.leaf !== leaf)
      this.tally.disagreements.push(
        `${sql}: ${found} #${this.pruner.leaf} by what is kept, else ${own} #${leaf}`,
      )
  }

  /** Equalities are found by a shorter way, which has to come to the same. */
  private judgeShortcut(partitions: TablePartitions, own: Pruned, sql: string): void {
    if (own !== PRUNED.one) return
    const { expressions, condition } = this.predicates
    const boxes = this.pruner.boxesOf(partitions, expressions, condition, SESSION)
    const marks = this.pruner.marksOf(partitions, boxes)
    const leaves = [...marks.keys()].filter(at => marks[at] === 1)
    if (leaves.length !== 1 || leaves[0] !== this.pruner.leaf)
      this.tally.disagreements.push(`${sql}: by boxes ${leaves}, else ${this.pruner.leaf}`)
  }
}

const ACCESS = /access\((?:nil|\[(\w+)\.[^\n]*)\), partitions\(([^)]*)\)/g
/** What EXPLAIN calls the tables that are joined with the one that is judged. */
const JOINED = new Set(['u', 'v'])

/** The partitions that EXPLAIN names of the only table that is partitioned; empty for none. */
export async function explainedPartitions(connection: Connection, sql: string): Promise<string> {
  const lines = await rowsOf(connection, `explain ${sql}`)
  const text = lines.map(line => Object.values(line)[0] ?? '').join('\n')
  const all = [...text.matchAll(ACCESS)].filter(([, table = '']) => !JOINED.has(table))
  return all.length === 1 ? (all[0]?.[2] ?? '') : ''
}

function nameOf(partitions: TablePartitions, leaf: number): string {
  return partitions.leaves[leaf]?.name ?? 'none'
}

/** EXPLAIN names partitions by index: `p0`, `p[1-3]`, `p0sp2`, `p1sp[0-1]`. */
function leavesNamed(text: string, { leafStarts }: TablePartitions): readonly number[] {
  const leaves: number[] = []
  for (const item of text.split(',').map(one => one.trim())) {
    const [, first = '', second] = /^p([\d[\]-]+)(?:sp([\d[\]-]+))?$/.exec(item) ?? []
    for (const at of span(first))
      for (const sub of second === undefined ? [0] : span(second))
        leaves.push((leafStarts[at] ?? 0) + sub)
  }
  return leaves
}

function span(text: string): readonly number[] {
  const [from = 0, to = from] = text.replaceAll(/[[\]]/g, '').split('-').map(Number)
  return Array.from({ length: to - from + 1 }, (_, at) => from + at)
}
