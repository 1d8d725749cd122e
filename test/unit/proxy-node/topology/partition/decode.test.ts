/** Metadata rows of every kernel, and what they cannot say. */
import { describe, expect, test } from 'vitest'
import {
  listRows,
  rangeBound,
  singleCell,
} from '../../../../../proxy-node/topology/partition/cells.ts'
import { decodePartitions } from '../../../../../proxy-node/topology/partition/decode.ts'
import {
  partitionStatements3x,
  partitionStatements4x,
} from '../../../../../proxy-node/topology/partition/statements.ts'
import { named, prunedRow, sampleRows, sampleTable } from './sample-tables.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('a cell', () => {
  test.each([
    ['00063fff', { kind: 'null' }],
    ['19070000 feffffffffffffffff01', { kind: 'max' }],
    ['1907000014', { kind: 'current-timestamp' }],
    ['05053f00 0a', { kind: 'integer', type: 'int', value: 10n }],
    ['05053f00 fbffffffffffffffff01', { kind: 'integer', type: 'int', value: -5n }],
    ['0a053f00 ffffffffffffffffff01', { kind: 'integer', type: 'unsigned', value: 2n ** 64n - 1n }],
    ['16042dff 03 616263 00', { kind: 'text', bytes: Uint8Array.from(Buffer.from('abc')) }],
    ['27053f02 08 02 6affffffffffffff', { kind: 'decimal', value: { units: -150n, scale: 2 } }],
    [
      '0f053f02 40000002 0c000000 0065cd1d',
      { kind: 'decimal', value: { units: -12_500_000_000n, scale: 9 } },
    ],
    ['29053fff a2a03f', { kind: 'integer', type: 'packed-date', value: 1_036_322n }],
    ['13053f00 8c9a01', { kind: 'integer', type: 'date', value: 19_724n }],
    ['14053fff e0edcff1f9feffffff01', { kind: 'integer', type: 'time', value: -36_000_500_000n }],
    ['15053fff 63', { kind: 'integer', type: 'year', value: 99n }],
    ['0b053fff 808080fe03', { kind: 'real', value: 1.5 }],
    ['0c053fff 80808080808080fc3f', { kind: 'real', value: 1.5 }],
    ['1f053f08 05', { kind: 'integer', type: 'bit', value: 5n }],
  ])('%s is %o', (bytes, cell) => {
    expect(singleCell(hex(bytes), 'seekdb')).toEqual(cell)
  })

  test.each(['', '05053f00', '16042dff7f6162', '24053f0000', '05053f00ffffffffffffffffffffff01'])(
    'that is cut short or of an unknown type is none: %s',
    bytes => {
      expect(singleCell(hex(bytes), 'seekdb')).toBeUndefined()
    },
  )

  test('of a bound and of a list are read one after another', () => {
    expect(rangeBound(hex('0205053f000a05053f000b'), 'seekdb')).toHaveLength(2)
    expect(listRows(hex('0100063fff000105053f000700'), 'seekdb')).toEqual([
      [{ kind: 'null' }],
      [{ kind: 'integer', type: 'int', value: 7n }],
    ])
    expect(listRows(hex('ff01'), 'seekdb')).toBeUndefined()
  })
})

describe('a table of 3.x', () => {
  const rows = {
    keys: [
      {
        part_level: '2',
        part_type: '0',
        part_expr: 'a',
        part_space: '0',
        sub_part_type: '9',
        sub_part_expr: 'b',
        part_key_name: 'a',
        part_key_type: '4',
        part_key_idx: '0',
        part_key_level: '1',
        spare1: '63',
        spare5: '-1,11,0',
      },
      {
        part_level: '2',
        part_type: '0',
        part_expr: 'a',
        part_space: '0',
        sub_part_type: '9',
        sub_part_expr: 'b',
        part_key_name: 'b',
        part_key_type: '22',
        part_key_idx: '1',
        part_key_level: '2',
        spare1: '45',
        spare5: '20,-1,-1',
      },
    ],
    partitions: ['0', '1'].map(id => ({ part_id: id, part_name: `p${id}` })),
    subPartitions: ['0', '1'].map(id => ({ part_id: '-1', sub_part_id: id, part_name: `p${id}` })),
  }

  test('has ids that are made of both levels, and names too', () => {
    const { leaves } = decodePartitions(rows, 'v3')

    expect(leaves.map(({ name }) => name)).toEqual(['p0sp0', 'p0sp1', 'p1sp0', 'p1sp1'])
    expect(leaves[1]?.id).toBe('1152921504875282433')
  })

  test('of one level has the part space in its ids', () => {
    const [head] = rows.keys
    const keys = [{ ...head, part_level: '1', part_space: '3' }]

    const { leaves } = decodePartitions({ ...rows, keys }, 'v3')

    expect(leaves.map(({ id }) => id)).toEqual(['805306368', '805306369'])
  })

  test.each([
    ['1', 'partitioning of type 1'],
    ['11', 'partitioning of type 11'],
  ])('with the code %s is not computed', (code, reason) => {
    const keys = rows.keys.map(row => ({ ...row, part_type: code }))

    expect(decodePartitions({ ...rows, keys }, 'v3').reason).toBe(reason)
  })

  test('with the code 2 hashes texts with two registers', () => {
    const text = { name: 'c', type: 22, collation: 45, length: 20 }
    const sample = { expr: 'c', keys: [text], partitions: named('p', 97) }
    const keys = sampleRows({ ...sample, type: 2 }).keys.map(row => ({
      ...row,
      spare1: '45',
      spare5: '20,-1,-1',
    }))
    const old = decodePartitions({ ...sampleRows({ ...sample, type: 2 }), keys }, 'v3')

    expect(prunedRow(old, ["'abc'"])).toBe(prunedRow(old, ["'ABC '"]))
    expect(prunedRow(old, ["'abc'"])).not.toBe(
      prunedRow(sampleTable({ ...sample, type: 1 }), ["'abc'"]),
    )
  })
})

describe('metadata', () => {
  test.each([
    ['a type of another kernel', { type: 50 }, 'key of type 50'],
    ['a collation that is not known', { type: 22, collation: 234 }, 'collation 234'],
  ])('with %s gives the reason', (_what, key, reason) => {
    const keys = [{ name: 'c', ...key }]

    expect(sampleTable({ type: 1, expr: 'c', keys, partitions: named('p', 3) }).reason).toBe(reason)
  })

  test('of the main line has the same type by another code', () => {
    const keys = [{ name: 'c', type: 50, scale: 2 }]
    const sample = { type: 1, expr: 'c', keys, partitions: named('p', 3) }

    expect(sampleTable({ ...sample, flavour: 'main-line' }).reason).toBeUndefined()
  })

  test('with a bound that is not understood, no keys or no partitions gives the reason', () => {
    const keys = [{ name: 'c', type: 4 }]

    expect(sampleTable({ type: 3, expr: 'c', keys, partitions: [['p0', '01']] }).reason).toBe(
      'bound of partition p0',
    )
    expect(sampleTable({ type: 0, expr: 'c', keys: [], partitions: named('p', 2) }).reason).toBe(
      'no key column is known',
    )
    expect(sampleTable({ type: 0, expr: 'c', keys, partitions: [] }).reason).toBe(
      'no partition is known',
    )
    expect(sampleTable({ type: 7, expr: 'c', keys, partitions: named('p', 2) }).reason).toBe(
      'partitioning of type 7',
    )
    expect(sampleTable({ type: 0, expr: 'f(c) +', keys, partitions: named('p', 2) }).reason).toBe(
      'partitioned by f(c) +',
    )
  })

  test('names partitions in any case', () => {
    const table = sampleTable({
      type: 0,
      expr: 'a',
      subType: 0,
      subExpr: 'b',
      keys: [
        { name: 'a', type: 4 },
        { name: 'b', type: 4, level: 2 },
      ],
      partitions: named('p', 2),
      subs: [named('p0sp', 2), named('p1sp', 2)],
    })

    expect(table.leafNamed('P1SP1')).toBe(3)
    expect(table.leafNamed('p1')).toBe(2)
    expect(table.leafNamed('p2')).toBe(-1)
    expect(table.leafOf('4101')).toBe(3)
  })

  test('is asked for with names as constants and bounds in hexadecimal digits', () => {
    const { keys, partitions, subPartitions } = partitionStatements4x("it's", '500005')

    expect(keys).toContain("WHERE tenant_name = 'it''s' AND table_id = 500005")
    expect(partitions).toContain('HEX(high_bound_val_bin)')
    expect(subPartitions).toContain('__all_virtual_proxy_sub_partition')
    expect(() => partitionStatements4x('t', '1 or 1=1')).toThrow()
    const old = partitionStatements3x('7', { hasBounds: false, isTemplate: true })
    expect(old.partitions).not.toContain('high_bound')
    expect(old.subPartitions).toContain('part_id = -1')
  })
})
