/**
 * Statements of which only the beginning is analysed (`request_buffer_length`): wherever they are cut, the
 * partition that is computed is one of those that the whole statement is about, or none is.
 */
import { describe, expect, test } from 'vitest'
import { classify } from '../../../../../proxy-node/sql/classify.ts'
import { NO_NODE } from '../../../../../proxy-node/sql/expressions.ts'
import { LEXER_MODE } from '../../../../../proxy-node/sql/lexer.ts'
import { Predicates } from '../../../../../proxy-node/sql/predicates.ts'
import { decodePartitions } from '../../../../../proxy-node/topology/partition/decode.ts'
import {
  ExecuteParameters,
  PARAMETER_TYPE,
} from '../../../../../proxy-node/topology/partition/parameters.ts'
import { PRUNED, Pruner } from '../../../../../proxy-node/topology/partition/pruner.ts'
import { SESSION, sampleRows } from './sample-tables.ts'

const LEAVES = 16
const TABLE = decodePartitions(
  sampleRows({
    type: 0,
    expr: 'k',
    keys: [{ name: 'k', type: 4 }],
    partitions: Array.from({ length: LEAVES }, (_, at) => [`p${at}`, null] as const),
  }),
  'main-line',
)

const predicates = new Predicates()
const pruner = new Pruner()

/** Leaves that the first `length` bytes of a statement are about; all when nothing is known. */
function leavesOf(sql: string, length = sql.length): readonly number[] {
  const bytes = Buffer.from(sql)
  const text = { bytes, to: length, mode: LEXER_MODE.plain, isCut: length < bytes.length }
  predicates.read(text, classify(bytes, 0, length), TABLE.columns)
  const { expressions, condition, hasValues } = predicates
  if (hasValues) {
    const found = pruner.pruneRow(TABLE, expressions, [predicates.value(0) ?? NO_NODE], SESSION)
    return found === PRUNED.one ? [pruner.leaf] : ALL
  }
  const found = pruner.prune(TABLE, expressions, condition, SESSION)
  if (found === PRUNED.one) return [pruner.leaf]
  if (found === PRUNED.unknown) return ALL
  const marks = pruner.marksOf(TABLE, pruner.boxesOf(TABLE, expressions, condition, SESSION))
  return ALL.filter(leaf => marks[leaf] === 1)
}

const ALL = Array.from({ length: LEAVES }, (_, at) => at)

describe('a text', () => {
  test.each([
    'select * from t where k = 12',
    'select * from t where k = 12 + 5',
    'select * from t where k = 12 * 3 + 1',
    'select * from t where k = 1 + 2 * 3',
    'select * from t where k = 12 or k = 13',
    'select * from t where k in (12, 13, 14) and v = 1',
    'select * from t where (k = 12) = 0',
    'select * from t where k in (1, 2) = 0',
    'select * from t where k is null is null',
    'select * from t where k between 3 and 3 + 1 and v = 5',
    'select * from t where 12 = k + 1',
    'select * from t where k = (12) + 1',
    'select * from t where k = abs(-12) + 1',
    "select * from t where k = '1' '2'",
    "select * from t where k = x'31' + 1",
    'select * from t where k = -1 + 4',
    'select * from t where k = 12 collate utf8mb4_bin',
    'select * from t where k = 12 and v = 1 order by v limit 5 union select * from t where k = 13',
    'select * from t join u on t.k = 12 + 1 where v = 1 and k = 13',
    'select * from t partition (p1, p12) where v = 1',
    'select * from t partition (p12)',
    'select * from t partition p12 where v = 1',
    'insert into t set v = 1, k = 3',
    'update t set v = 1 where k = 12 - 5 limit 1',
    'delete from t where k = 12 div 5',
    'insert into t (v, k) values (1, 12 + 5), (2, 3)',
    'insert into t (v, k) values (1, 12), (2, 3)',
    'insert into t set v = 1, k = 12 + 5',
    'with x as (select 1 as a) select * from t where k = 12 + 5',
  ])('%s', sql => {
    const whole = leavesOf(sql)
    for (let length = 0; length < sql.length; length++) {
      const cut = leavesOf(sql, length)
      if (cut.length === 1)
        expect([sql.slice(0, length), whole]).toEqual([
          sql.slice(0, length),
          expect.arrayContaining([...cut]),
        ])
    }
  })

  test('is still good for what stands wholly in its beginning', () => {
    const rows = Array.from({ length: 500 }, (_, at) => `(${at}, 'x')`).join()
    const list = Array.from({ length: 500 }, (_, at) => at).join()

    expect(leavesOf(`insert into t (k, v) values (12, 'x'), ${rows}`, 200)).toEqual([12])
    expect(leavesOf(`insert into t set k = 12, v = '${list}'`, 200)).toEqual([12])
    expect(leavesOf(`select * from t where k = 12 and v in (${list})`, 200)).toEqual([12])
    expect(leavesOf(`select * from t where v in (${list}) and k = 12`, 200)).toEqual(ALL)
  })
})

describe('the parameters of a statement that is executed', () => {
  const long = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  }
  const text = Buffer.concat([Buffer.from([0xfc, 0xe8, 0x03]), Buffer.alloc(1000, 0x31)])
  const { longlong } = PARAMETER_TYPE
  const types = Buffer.from([longlong, 0, 253, 0, longlong, 0])
  const packet = Buffer.concat([
    Buffer.alloc(10),
    Buffer.from([0, 1]),
    types,
    long(3),
    text,
    long(12),
  ])

  test.each([
    ['before a long one', 'select * from t where k = ? and v = ? and w = ?', 3],
    ['behind a long one', 'select * from t where w = ? and v = ? and k = ?', 12],
  ])('wherever their packet is cut: the key %s', (_place, sql, leaf) => {
    const bytes = Buffer.from(sql)
    const parameters = new ExecuteParameters()
    const found = new Set<number>()
    predicates.read(
      { bytes, to: bytes.length, mode: LEXER_MODE.plain, isCut: false },
      classify(bytes, 0, bytes.length),
      TABLE.columns,
    )
    const { expressions, condition } = predicates
    for (let end = 1; end <= packet.length; end++) {
      parameters.close()
      parameters.open(packet, { at: 0, end }, 3, undefined)
      const outcome = pruner.prune(TABLE, expressions, condition, { ...SESSION, parameters })
      expect([PRUNED.one, PRUNED.unknown]).toContain(outcome)
      if (outcome === PRUNED.one) found.add(pruner.leaf)
    }
    expect([...found]).toEqual([leaf])
  })
})
