/** Metadata rows as a kernel fills them (real ones, shortened), and conditions read for them. */
import { readExpression } from '../../../../../proxy-node/sql/expression-reader.ts'
import { Expressions } from '../../../../../proxy-node/sql/expressions.ts'
import type { KernelFlavour } from '../../../../../proxy-node/topology/partition/column-type.ts'
import {
  decodePartitions,
  type PartitionRows,
  type Row,
} from '../../../../../proxy-node/topology/partition/decode.ts'
import { PRUNED, Pruner } from '../../../../../proxy-node/topology/partition/pruner.ts'
import type { TablePartitions } from '../../../../../proxy-node/topology/partition/table-partitions.ts'
import { TimeZone } from '../../../../../proxy-node/topology/partition/time-zones.ts'
import type { PruneSession } from '../../../../../proxy-node/topology/partition/values.ts'

export type SampleKey = {
  readonly name: string
  readonly type: number
  readonly level?: number
  readonly place?: number
  readonly collation?: number
  readonly scale?: number
  readonly length?: number
  readonly extra?: string
  readonly default?: string
}

export type Sample = {
  readonly type: number
  readonly expr: string
  readonly subType?: number
  readonly subExpr?: string
  readonly keys: readonly SampleKey[]
  /** Name and bound; the ids are given in order from 1000, the tablets from 2000. */
  readonly partitions: readonly (readonly [name: string, bound: string | null])[]
  /** Of each first-level partition. */
  readonly subs?: readonly (readonly (readonly [name: string, bound: string | null])[])[]
  readonly flavour?: KernelFlavour
}

export function sampleRows(sample: Sample): PartitionRows {
  const isTwoLevel = sample.subs !== undefined
  const keys = sample.keys.map(
    (key, at): Row => ({
      part_level: isTwoLevel ? '2' : '1',
      part_type: String(sample.type),
      part_expr: sample.expr,
      sub_part_type: String(sample.subType ?? 0),
      sub_part_expr: sample.subExpr ?? '',
      part_space: '0',
      part_key_name: key.name,
      part_key_type: String(key.type),
      part_key_idx: String(key.place ?? at),
      part_key_level: String(key.level ?? 1),
      part_key_extra: key.extra ?? '',
      part_key_collation_type: String(key.collation ?? 63),
      part_key_length: String(key.length ?? -1),
      part_key_precision: '-1',
      part_key_scale: String(key.scale ?? -1),
      part_key_default_value: key.default ?? '',
    }),
  )
  const partitions = sample.partitions.map(
    ([name, bound], at): Row => ({
      part_id: String(1000 + at),
      part_name: name,
      part_position: bound === null ? String(at) : '0',
      tablet_id: isTwoLevel ? '0' : String(2000 + at),
      high_bound_val_bin: bound,
    }),
  )
  const subPartitions = (sample.subs ?? []).flatMap((list, at) =>
    list.map(
      ([name, bound], sub): Row => ({
        part_id: String(1000 + at),
        sub_part_id: String(3000 + at * 100 + sub),
        part_name: name,
        sub_part_position: bound === null ? String(sub) : null,
        tablet_id: String(4000 + at * 100 + sub),
        high_bound_val_bin: bound,
      }),
    ),
  )
  return { keys, partitions, subPartitions }
}

export function sampleTable(sample: Sample): TablePartitions {
  return decodePartitions(sampleRows(sample), sample.flavour ?? 'seekdb')
}

export function named(prefix: string, count: number): readonly (readonly [string, null])[] {
  return Array.from({ length: count }, (_, at) => [`${prefix}${at}`, null] as const)
}

export const SESSION: PruneSession = {
  charset: 'utf8mb4',
  timeZone: new TimeZone('+08:00'),
  parameters: undefined,
  userVariable: name => (name === 'seven' ? { kind: 'number', text: '7' } : undefined),
  now: () => Date.UTC(2024, 0, 2, 3, 4, 5) * 1000,
}

export type Asked = { readonly expressions: Expressions; readonly root: number }

export function condition(table: TablePartitions, text: string): Asked {
  const bytes = Buffer.from(text)
  const expressions = new Expressions()
  expressions.clear(bytes)
  const root = readExpression(expressions, { from: 0, to: bytes.length }, table.columns)
  return { expressions, root }
}

/** `p1`, `several from p1`, `none, so p0`, `unknown`. */
export function pruned(
  table: TablePartitions,
  text: string,
  session: PruneSession = SESSION,
): string {
  const { expressions, root } = condition(table, text)
  const pruner = new Pruner()
  return told(table, pruner, pruner.prune(table, expressions, root, session))
}

/** Of a row whose values are given by place, `-` for one that is left out. */
export function prunedRow(
  table: TablePartitions,
  values: readonly string[],
  session: PruneSession = SESSION,
): string {
  const expressions = new Expressions()
  const bytes = Buffer.from(values.join(','))
  expressions.clear(bytes)
  const nodes: number[] = []
  let at = 0
  for (const value of values) {
    const to = at + Buffer.byteLength(value)
    nodes.push(value === '-' ? 0 : readExpression(expressions, { from: at, to }, table.columns))
    at = to + 1
  }
  const pruner = new Pruner()
  return told(table, pruner, pruner.pruneRow(table, expressions, nodes, session))
}

function told(table: TablePartitions, { leaf }: Pruner, found: number): string {
  const name = table.leaves[leaf]?.name ?? ''
  if (found === PRUNED.one) return name
  if (found === PRUNED.none) return `none, so ${name}`
  return found === PRUNED.several ? `several from ${name}` : 'unknown'
}
