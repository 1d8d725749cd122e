/** The vectors of proxy-routing.md §6.11 B. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type {
  ColumnKind,
  ColumnType,
} from '../../../../../proxy-node/topology/partition/column-type.ts'
import { type Key, KeyHash } from '../../../../../proxy-node/topology/partition/hash.ts'
import { collationRanges } from '../../../../../proxy-node/topology/partition/implied-weights.ts'
import { weightsOf } from '../../../../../proxy-node/topology/partition/weights.ts'

function column(kind: ColumnKind, collation = 63, scale = -1): ColumnType {
  return { kind, bits: 64, collation, length: -1, precision: -1, scale }
}

const INT = column('int')
const GENERAL = column('varchar', 45)
const BIN = column('varchar', 46)
const text = (value: string) => Buffer.from(value)

type Part = readonly [type: ColumnType, key: Key]

const VECTORS: readonly (readonly [string, readonly Part[], string, readonly number[]])[] = [
  ['int 0', [[INT, 0n]], '7208f7fa198a2d81', [2, 1, 6, 1, 1]],
  ['int 1', [[INT, 1n]], '8fbb8d815c9e092e', [2, 1, 6, 2, 2]],
  ['int 2', [[INT, 2n]], 'c7530d606bb62412', [2, 2, 5, 6, 14]],
  ['int 10', [[INT, 10n]], '9c3cb98756b0e453', [2, 2, 6, 5, 13]],
  ['int 100', [[INT, 100n]], '05230dbbb2b10938', [0, 0, 4, 0, 8]],
  ['int -1', [[INT, -1n]], '3a8e59c4e2c576dd', [2, 2, 3, 5, 13]],
  ['2^64 - 1', [[column('unsigned'), 2n ** 64n - 1n]], '3a8e59c4e2c576dd', [2, 2, 3, 5, 13]],
  ['int 2147483647', [[INT, 2147483647n]], 'a9b37cc46644d1a3', [0, 1, 0, 5, 13]],
  ['int 2^63 - 1', [[INT, 2n ** 63n - 1n]], 'ab1877a30aad157f', [0, 3, 0, 1, 1]],
  ['double 1.5', [[column('double'), 1.5]], '27e217f0353a299e', [1, 3, 3, 6, 14]],
  ['double -2.25', [[column('double'), -2.25]], 'a87bc0582e16bc23', [0, 4, 2, 5, 13]],
  ['empty text', [[GENERAL, text('')]], '0000000000000000', [0, 0, 0, 0, 0]],
  ['empty bytes', [[BIN, text('')]], '0000000000000000', [0, 0, 0, 0, 0]],
  ['general a', [[GENERAL, text('a')]], '4cdc42c9b1907dec', [0, 0, 1, 4, 12]],
  ['general A', [[GENERAL, text('A')]], '4cdc42c9b1907dec', [0, 0, 1, 4, 12]],
  ['general ABC and a space', [[GENERAL, text('ABC ')]], 'f3299ff240083bbb', [0, 3, 0, 5, 5]],
  ['general hello world', [[GENERAL, text('hello world')]], '4872d91aa0e952e3', [0, 1, 0, 3, 3]],
  ['two blocks', [[GENERAL, text('x'.repeat(100))]], 'b4a8f9ada66e7539', [2, 1, 2, 7, 7]],
  ['bin a and a space', [[BIN, text('a ')]], '071717d2d36b6b11', [0, 0, 1, 1, 1]],
  ['bin A', [[BIN, text('A')]], '37150ad24f8a8007', [0, 3, 1, 7, 7]],
  ['bin abc', [[BIN, text('abc')]], '9cc9c33498a95efb', [0, 1, 3, 5, 5]],
  ['bin 你好', [[BIN, text('你好')]], '5523d2bdd8757a9e', [1, 2, 1, 6, 14]],
  ['binary, space kept', [[column('varchar'), text('a ')]], '408610adcdc87ac1', [0, 2, 6, 1, 1]],
  ['datetime', [[column('datetime'), 1704164645000000n]], 'f177fa5038beff27', [1, 1, 6, 1, 9]],
  ['date', [[column('date'), 19724n]], 'b661725175f0fbc5', [0, 2, 5, 3, 11]],
  ['NULL', [[INT, null]], '6097d7cef65aa5e7', [2, 0, 5, 7, 7]],
  ['number 0', [[column('number'), { units: 0n, scale: 0 }]], 'ba9783cf279bfcad', [0, 2, 1, 3, 3]],
  ['number 1', [[column('number'), { units: 1n, scale: 0 }]], 'ad4d7b28ff05e653', [2, 0, 2, 5, 13]],
  [
    'number 12.5',
    [[column('number'), { units: 125n, scale: 1 }]],
    '3b66abdfd27593f2',
    [2, 1, 4, 2, 2],
  ],
  [
    'decimal-int 1',
    [[column('decimal-int', 63, 0), { units: 1n, scale: 0 }]],
    'f52ab5e6fe56c909',
    [1, 3, 1, 7, 7],
  ],
  [
    'decimal-int 12.50',
    [[column('decimal-int', 63, 2), { units: 1250n, scale: 2 }]],
    'd275336a3dc66c0c',
    [2, 3, 5, 4, 4],
  ],
  ['decimal-int NULL', [[column('decimal-int', 63, 2), null]], '0000000000000000', [0, 0, 0, 0, 0]],
  [
    '7, x',
    [
      [INT, 7n],
      [GENERAL, text('x')],
    ],
    'd1146d8961ee4174',
    [0, 0, 0, 4, 12],
  ],
  [
    'x, 7',
    [
      [GENERAL, text('x')],
      [INT, 7n],
    ],
    'db97262539a1bb9f',
    [0, 2, 6, 1, 1],
  ],
]

describe('the hash of KEY partitioning', () => {
  test.each(VECTORS)('of %s is that of the kernel', (_name, parts, hash, indexes) => {
    const chain = new KeyHash()

    for (const [type, key] of parts) expect(chain.add(type, key)).toBe(true)

    const { low, high } = chain.murmur
    const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
    expect(bits.toString(16).padStart(16, '0')).toBe(hash)
    expect([3, 5, 7, 8, 16].map(count => chain.murmur.index(count))).toEqual(indexes)
  })

  test('of the least hash is its magnitude as an unsigned number', () => {
    const { murmur } = new KeyHash()
    murmur.high = -0x8000_0000

    expect(murmur.index(1000)).toBe(Number(2n ** 63n % 1000n))
  })

  test('is none of bytes that are no text', () => {
    expect(new KeyHash().add(GENERAL, Uint8Array.of(0x61, 0xff))).toBe(false)
    expect(new KeyHash().add(GENERAL, Uint8Array.of(0xe4, 0xbd))).toBe(false)
  })
})

describe('weights', () => {
  test.each([
    ['general', '8396e63a'],
    ['unicode', '82c7ef0b'],
    ['unicode520', '977d04cb'],
    ['uca900', '0a7cd3e2'],
  ] as const)('of %s are those that the kernel once gave', (name, checksum) => {
    const table = weightsOf(name)
    const hash = createHash('sha256')
    const weights = new Int32Array(16)
    for (const [from, to] of collationRanges)
      for (let point = from; point <= to; point++) {
        const length = table.write(point, weights, 0)
        hash.update(weights.subarray(0, length)).update(';')
      }

    expect(hash.digest('hex').slice(0, 8)).toBe(checksum)
  })

  test.each([
    ['general', 0xdf, [0x53]],
    ['general', 0x1f600, [0xfffd]],
    ['general', 0x0439, [0x0419]],
    ['unicode', 0x20000, [0xfffd]],
    ['unicode520', 0x20000, [0xfbc4, 0x8000]],
    ['uca900', 0x20000, [0xfb84, 0x8000]],
    ['uca900', 0x2f800, [0xfb40, 0xce3d]],
    ['uca900', 0xe0100, []],
  ] as const)('of %s, %i', (name, point, expected) => {
    const weights = new Int32Array(16)

    const length = weightsOf(name).write(point, weights, 0)

    expect([...weights.subarray(0, length)]).toEqual(expected)
  })
})
