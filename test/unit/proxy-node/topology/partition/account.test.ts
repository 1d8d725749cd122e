import { describe, expect, test } from 'vitest'
import { KeyColumns } from '../../../../../proxy-node/sql/key-columns.ts'
import { keyText, pruneAccount } from '../../../../../proxy-node/topology/partition/account.ts'
import type {
  ColumnKind,
  ColumnType,
} from '../../../../../proxy-node/topology/partition/column-type.ts'
import { type Box, point } from '../../../../../proxy-node/topology/partition/intervals.ts'
import { TablePartitions } from '../../../../../proxy-node/topology/partition/table-partitions.ts'

const typeOf = (kind: ColumnKind): ColumnType => ({
  kind,
  bits: 64,
  collation: 45,
  length: -1,
  precision: -1,
  scale: -1,
})

const siblings = (names: readonly string[]) => ({
  names,
  count: names.length,
  bounds: [],
  rows: [],
  defaultAt: -1,
  numbers: undefined,
  byNumber: undefined,
})

const slot = (name: string, kind: ColumnKind) => ({
  name,
  type: typeOf(kind),
  derived: undefined,
  defaultCell: undefined,
})

/** By range of `at`, then two by the hash of `id`. */
const table = new TablePartitions({
  slots: [slot('at', 'date'), slot('id', 'int')],
  columns: new KeyColumns(['at', 'id']),
  scheme: {
    levels: [
      { method: 'range', text: '`at`', slots: [0], types: [typeOf('date')], textHash: 'murmur' },
      { method: 'hash', text: '', slots: [1], types: [typeOf('int')], textHash: 'murmur' },
    ],
    first: siblings(['p0', 'p1']),
    seconds: [siblings(['p0sp0']), siblings(['p1sp0', 'p1sp1'])],
  },
  reason: undefined,
  leaves: ['p0sp0', 'p1sp0', 'p1sp1'].map(name => ({
    name,
    id: name,
    partId: '0',
    subPartId: '0',
  })),
  leafStarts: Int32Array.of(0, 1, 3),
  firstNames: ['p0', 'p1'],
})

const interval = { low: 1n, isLowOpen: false, high: 3n, isHighOpen: true, value: undefined }

describe('how a partition was computed', () => {
  test('level by level: what the statement leaves of its columns', () => {
    const boxes: readonly Box[] = [
      [interval, point(5n)],
      [{ ...interval, low: undefined, high: undefined }, undefined],
    ]

    expect(
      pruneAccount(table, {
        outcome: 'several',
        isNamed: false,
        boxes,
        marks: Uint8Array.of(0, 1, 1),
      }),
    ).toEqual({
      outcome: 'several',
      isNamed: false,
      reason: undefined,
      partitions: ['p1sp0', 'p1sp1'],
      reached: 2,
      leaves: 3,
      levels: [
        {
          method: 'range',
          expression: '`at`',
          count: 2,
          ranges: ["at in ['1970-01-02', '1970-01-04')", 'at in (MIN, MAX)'],
        },
        { method: 'hash', expression: 'id', count: 2, ranges: ['id = 5', 'id anything'] },
      ],
    })
  })

  test('is bounded however much the statement says', () => {
    const boxes = Array.from({ length: 4_000 }, (_none, at): Box => [undefined, point(BigInt(at))])

    const { levels } = pruneAccount(table, {
      outcome: 'unknown',
      isNamed: false,
      boxes,
      marks: new Uint8Array(3),
    })

    expect(levels.map(({ ranges }) => ranges.length)).toEqual([1, 9])
    expect(levels[1]?.ranges.at(-1)).toBe('…')
  })

  test.each<[ColumnKind, Parameters<typeof keyText>[0], string]>([
    ['int', -7n, '-7'],
    ['varchar', null, 'NULL'],
    ['double', 1.5, '1.5'],
    ['number', { units: 1250n, scale: 2 }, '12.50'],
    ['varchar', Buffer.from("it's\n"), "'it?s?'"],
    ['varchar', Buffer.alloc(100, 0x61), `'${'a'.repeat(64)}…'`],
    ['date', 20_000n, "'2024-10-04'"],
    ['datetime', 1_700_000_000_123_000n, "'2023-11-14 22:13:20.123'"],
    ['timestamp', 1_700_000_000_000_000n, "'2023-11-14 22:13:20.000' UTC"],
    ['date', 10n ** 18n, '1000000000000000000'],
    ['packed-date', 99n, '99'],
  ])('a key of %s as people read it', (kind, key, text) => {
    expect(keyText(key, typeOf(kind))).toBe(text)
  })
})
