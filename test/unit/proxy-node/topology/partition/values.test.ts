/** Values of statements and parameters, and what columns make of them. */
import { describe, expect, test } from 'vitest'
import { converted } from '../../../../../proxy-node/topology/partition/charsets.ts'
import { momentOfText, timeOfText } from '../../../../../proxy-node/topology/partition/moments.ts'
import { ExecuteParameters } from '../../../../../proxy-node/topology/partition/parameters.ts'
import { TimeZone } from '../../../../../proxy-node/topology/partition/time-zones.ts'
import { named, pruned, prunedRow, SESSION, sampleTable } from './sample-tables.ts'

const utc = (text: string) => BigInt(Date.parse(`${text}Z`)) * 1000n

describe('a time zone', () => {
  test.each([
    ['+05:45', '2024-01-01T12:00:00', '2024-01-01T06:15:00'],
    ['-08:00', '2024-01-01T12:00:00', '2024-01-01T20:00:00'],
    ['Europe/Berlin', '2024-01-01T12:00:00', '2024-01-01T11:00:00'],
    ['Europe/Berlin', '2024-07-01T12:00:00', '2024-07-01T10:00:00'],
    ['Europe/Berlin', '2024-03-31T03:30:00', '2024-03-31T01:30:00'],
    ['America/New_York', '2024-11-03T12:00:00', '2024-11-03T17:00:00'],
    ['Asia/Shanghai', '1969-12-31T23:00:00', '1969-12-31T15:00:00'],
  ])('%s: %s is %s in UTC', (name, local, expected) => {
    const zone = new TimeZone(name)

    expect(zone.toUtc(utc(local))).toBe(utc(expected))
    expect(zone.toLocal(utc(expected))).toBe(utc(local))
  })

  test.each(['SYSTEM', 'Nowhere/Land', ''])('%s is not known', name => {
    expect(new TimeZone(name).isKnown).toBe(false)
    expect(new TimeZone(name).toUtc(0n)).toBeUndefined()
  })
})

describe('a text', () => {
  test.each([
    ['2024-01-02', 0],
    ['24-1-2', 0],
    ['20240102', 0],
    ['240102', 0],
    ['2024-01-02 03:04:05.5', 11_045_500_000],
    ['2024/01/02T03:04:05', 11_045_000_000],
    ['20240102030405', 11_045_000_000],
    ['2024-01-02 03:04:05.9999999', 11_046_000_000],
  ])('%s is a date', (text, micros) => {
    expect(momentOfText(text)).toEqual({ year: 2024, month: 1, day: 2, micros })
  })

  test.each([
    '',
    'abc',
    '2024-13-01',
    '2024-02-30',
    '2023-02-29',
    '2024-01-02 25:00:00',
    '2024-00-01',
  ])('%s is none', text => {
    expect(momentOfText(text)).toBeUndefined()
  })

  test.each([
    ['10:00:00', 36_000_000_000n],
    ['-10:00:00.5', -36_000_500_000n],
    ['1 01:00', 90_000_000_000n],
    ['101112', 36_672_000_000n],
    ['839:00:00', undefined],
    ['10:60:00', undefined],
  ])('%s is a time', (text, micros) => {
    expect(timeOfText(text)).toBe(micros)
  })

  test.each([
    ['é', 'utf8mb4', 'latin1', 'e9'],
    ['€', 'utf8mb4', 'latin1', '80'],
    ['ÿ', 'utf8mb4', 'latin1', 'ff'],
    ['中', 'utf8mb4', 'gbk', 'd6d0'],
    ['é🙂', 'utf8mb4', 'utf16', '00e9d83dde42'],
    ['中', 'utf8mb4', 'latin1', undefined],
    ['é', 'utf8mb4', 'ascii', undefined],
    ['abc', 'utf8mb4', 'gb18030', '616263'],
  ] as const)('%s goes from %s to %s', (text, from, to, expected) => {
    const bytes = converted(Buffer.from(text), from, to)

    expect(bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')).toBe(expected)
  })
})

const HASH = sampleTable({
  type: 0,
  expr: 'c',
  keys: [{ name: 'c', type: 5 }],
  partitions: named('p', 7),
})
const KEY_TEXT = sampleTable({
  type: 1,
  expr: 'c',
  keys: [{ name: 'c', type: 22, collation: 45, length: 20 }],
  partitions: named('p', 5),
})

/** COM_STMT_EXECUTE with its types. */
function execute(types: readonly number[], nulls: number, values: Buffer): ExecuteParameters {
  const head = Buffer.alloc(10)
  head[0] = 0x17
  const bound = Buffer.from([nulls, 1, ...types.flatMap(type => [type & 0xff, type >> 8])])
  const bytes = Buffer.concat([Buffer.from('..'), head, bound, values])
  const parameters = new ExecuteParameters()
  expect(parameters.open(bytes, { at: 2, end: bytes.length }, types.length, undefined)).toBe(true)
  return parameters
}

const long = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(value)
  return bytes
}
const UNSIGNED = 0x8000

describe('a parameter', () => {
  test.each([
    [[8], long(12n), 'p5'],
    [[8], long(-12n), 'p5'],
    [[8], long(-(2n ** 62n)), 'p4'],
    [[3], Buffer.from([12, 0, 0, 0]), 'p5'],
    [[3], Buffer.from([0xf4, 0xff, 0xff, 0xff]), 'p5'],
    [[2], Buffer.from([0xf4, 0xff]), 'p5'],
    [[1], Buffer.from([0xf4]), 'p5'],
    [[1 | UNSIGNED], Buffer.from([0xf4]), 'p6'],
    [[8 | UNSIGNED], long(-1n), 'none, so p0'],
    [[253], Buffer.from('\x0212'), 'p5'],
    [[246], Buffer.from('\x0212'), 'p5'],
    [[5], Buffer.from('0000000000002840', 'hex'), 'p5'],
    [[253], Buffer.from([9, 0x31]), 'unknown'],
    [[8], Buffer.from([1]), 'unknown'],
  ])('of the types %j is read as the column compares it', (types, values, expected) => {
    const parameters = execute(types, 0, values)

    expect(pruned(HASH, 'c = ?', { ...SESSION, parameters })).toBe(expected)
  })

  test('behind others is found, NULLs and texts among them', () => {
    const values = Buffer.concat([
      Buffer.from('\x03abc'),
      Buffer.from([4, 0xe8, 0x07, 1, 2]),
      long(12n),
    ])
    const parameters = execute([253, 8, 10, 8], 2, values)
    const session = { ...SESSION, parameters }

    expect(pruned(HASH, 'a = ? and b = ? and n = ? and c = ?', session)).toBe('p5')
    expect(pruned(HASH, 'a = ? and c <=> ?', session)).toBe('p0')
    expect(pruned(KEY_TEXT, 'c = ?', session)).toBe('p3')
    expect(prunedRow(KEY_TEXT, ['?'], session)).toBe('p3')
  })

  test('has the types of an earlier packet when its own brings none', () => {
    const bytes = Buffer.concat([Buffer.alloc(10), Buffer.from([0, 0]), long(12n)])
    const parameters = new ExecuteParameters()
    const at = { at: 0, end: bytes.length }

    expect(parameters.open(bytes, at, 1, Uint8Array.of(8, 0))).toBe(true)
    expect(pruned(HASH, 'c = ?', { ...SESSION, parameters })).toBe('p5')
    expect(parameters.open(bytes, at, 1, undefined)).toBe(false)
    expect(pruned(HASH, 'c = ?', { ...SESSION, parameters })).toBe('unknown')
  })

  test('that is not there has no value', () => {
    expect(pruned(HASH, 'c = ?')).toBe('unknown')
  })
})
