/**
 * Which partitions a statement needs, asked of the kernel itself: EXPLAIN names them, for an INSERT
 * the EXPLAIN of a SELECT by the same values. What it cannot say counts as a hit.
 * Source: kernel.md §2; plans read `partitions(p3)`, `partitions(p[1-2], p5)`, `partitions(p3sp[0-2])`.
 */
import type { Touched } from './engine.ts'
import type { TableEntry, Tablet } from './picture.ts'
import { parse } from './scripted/parser.ts'
import { SqlError } from './scripted/sql-error.ts'
import type { Expression, Statement } from './scripted/statement.ts'

export type KernelQuestions = {
  readonly tableEntry: (database: string, table: string) => Promise<TableEntry | undefined>
  /** Rows of a statement in a database. */
  readonly ask: (
    database: string,
    sql: string,
  ) => Promise<readonly Readonly<Record<string, unknown>>[]>
}

const MAX_KNOWN = 10_000
const WEAK = /\/\*\+[^*]*\bread_consistency\s*\(\s*(?:weak|frozen)\b/i
const TABLE_LINE =
  /\bTABLE (?:GET|FULL SCAN|RANGE SCAN|SKIP SCAN|LOOK ?UP|INSERT|UPDATE|DELETE)\s*\|([^|]*)\|/g
const PARTITIONS = /\bpartitions\(([^)]*)\)/g
const ONE_PART = /p(\[[^\]]*\]|\d+)(?:sp(\[[^\]]*\]|\d+))?/g

type Insert = Extract<Statement, { kind: 'insert' }>

export class KernelTouch {
  private readonly kernel: KernelQuestions
  private readonly known = new Map<string, Promise<Touched | undefined>>()

  constructor(kernel: KernelQuestions) {
    this.kernel = kernel
  }

  /** Definitions have changed. */
  forget(): void {
    this.known.clear()
  }

  /** Undefined for what touches no table, several, or cannot be told. */
  touched(database: string, sql: string, table: string): Promise<Touched | undefined> {
    const key = `${database}\0${sql}`
    const found = this.known.get(key)
    if (found !== undefined) return found
    if (this.known.size >= MAX_KNOWN) this.known.clear()
    const asked = this.ask(database, sql, table).catch(() => undefined)
    this.known.set(key, asked)
    return asked
  }

  private async ask(database: string, sql: string, written: string): Promise<Touched | undefined> {
    const [table = '', owner = database] = written.split('.').reverse()
    const entry = await this.kernel.tableEntry(owner, table)
    if (entry === undefined || entry.tablets.length === 0) return undefined
    const isWeak = WEAK.test(sql)
    const name = `${owner}.${table}`
    if (entry.tablets.length === 1) return { table: name, tablets: entry.tablets, isWeak }
    const probe = await this.probe(owner, table, sql)
    if (probe === undefined) return undefined
    const rows = await this.kernel.ask(database, `EXPLAIN ${probe}`)
    const tablets = tabletsIn(rows.map(row => String(Object.values(row)[0])).join('\n'), entry)
    return tablets.length === 0 ? undefined : { table: name, tablets, isWeak }
  }

  /** The statement whose plan tells of the partitions. */
  private async probe(database: string, table: string, sql: string): Promise<string | undefined> {
    const insert = insertIn(sql)
    if (insert === undefined) return /^\W*(?:insert|replace)\b/i.test(sql) ? undefined : sql
    const columns = insert.columns ?? (await this.columns(database, table))
    const keys = await this.keys(database, table)
    const rows = insert.rows.map(row => {
      const conditions = keys.map(key => {
        const at = columns.findIndex(column => column.toLowerCase() === key)
        return `\`${key}\` <=> ${literal(row[at])}`
      })
      return `(${conditions.join(' AND ')})`
    })
    if (keys.length === 0 || rows.some(row => row.includes(UNKNOWN))) return undefined
    return `SELECT 1 FROM \`${database}\`.\`${table}\` WHERE ${rows.join(' OR ')}`
  }

  private async columns(database: string, table: string): Promise<readonly string[]> {
    const rows = await this.kernel.ask(database, `SHOW COLUMNS FROM \`${table}\``)
    return rows.map(row => String(row['Field']))
  }

  /** Columns that the table is partitioned by. */
  private async keys(database: string, table: string): Promise<readonly string[]> {
    const entry = await this.kernel.tableEntry(database, table)
    const rows = await this.kernel.ask(
      database,
      'SELECT part_key_name FROM oceanbase.__all_virtual_proxy_partition_info ' +
        `WHERE tenant_name = 'sys' AND table_id = ${entry?.tableId ?? 0}`,
    )
    return [...new Set(rows.map(row => String(row['part_key_name']).toLowerCase()))]
  }
}

function insertIn(sql: string): Insert | undefined {
  try {
    const { statement, parameters } = parse(sql)
    return statement.kind === 'insert' && parameters === 0 ? statement : undefined
  } catch (error) {
    if (error instanceof SqlError) return undefined
    throw error
  }
}

/** No literal has it. */
const UNKNOWN = '\0'

function literal(expression: Expression | undefined): string {
  if (expression?.kind !== 'value') return UNKNOWN
  const { value } = expression
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

/** Leaves that a plan of one table names; none when it is of several. */
export function tabletsIn(plan: string, { tablets }: TableEntry): readonly Tablet[] {
  const tables = new Set([...plan.matchAll(TABLE_LINE)].map(([, name = '']) => name.trim()))
  if (tables.size > 1) return []
  const parts = partsOf(tablets)
  const found = new Set<Tablet>()
  for (const [, list = ''] of plan.matchAll(PARTITIONS))
    for (const [, first = '', second] of list.matchAll(ONE_PART))
      for (const at of numbersIn(first))
        for (const tablet of leavesOfPart(parts[at] ?? [], second)) found.add(tablet)
  return [...found]
}

function leavesOfPart(part: readonly Tablet[], second: string | undefined): readonly Tablet[] {
  if (second === undefined) return part
  return numbersIn(second).flatMap(at => part[at] ?? [])
}

/** Leaves by first-level partition, in the order of both. */
function partsOf(tablets: readonly Tablet[]): readonly (readonly Tablet[])[] {
  const parts = new Map<string, Tablet[]>()
  for (const tablet of tablets) {
    const part = parts.get(tablet.partitionId)
    if (part === undefined) parts.set(tablet.partitionId, [tablet])
    else part.push(tablet)
  }
  return [...parts.values()]
}

/** `3`, `[1-2]`, `[0-1, 4]`. */
function numbersIn(text: string): readonly number[] {
  return [...text.matchAll(/(\d+)(?:-(\d+))?/g)].flatMap(([, from = '0', to = from]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_number, at) => Number(from) + at),
  )
}
