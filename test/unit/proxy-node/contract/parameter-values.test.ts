import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isSameValue,
  magnitude,
  normalise,
} from '../../../../proxy-node/contract/parameter-values.ts'
import {
  HASHED_PASSWORDS,
  OBSOLETE_NAMES,
  PARAMETERS,
  type Parameter,
  type ParameterType,
} from '../../../../proxy-node/contract/parameters.ts'

const ALL = [...PARAMETERS.values()]
const NUMERIC = ALL.filter(({ type }) => ['int', 'time', 'size'].includes(type))

const parameter = (type: ParameterType, range = ''): Parameter => ({
  name: 'sample',
  type,
  default: '',
  range,
  needsRestart: false,
  takesEffect: true,
  visibility: 'USER',
  level: 'LEVEL_GLOBAL',
  meaning: '',
})

describe('the catalogue', () => {
  test("has OBProxy's 299 names and 12 of our own in order, none of them obsolete", () => {
    const names = ALL.map(({ name }) => name)

    expect(names).toHaveLength(299 + 12)
    expect(names).toEqual([...names].sort())
    expect(names.filter(name => OBSOLETE_NAMES.has(name))).toEqual([])
    expect([...HASHED_PASSWORDS].every(name => PARAMETERS.has(name))).toBe(true)
  })

  test.each(ALL)('$name accepts its own default and means something', row => {
    expect(normalise(row, row.default)).toBeDefined()
    expect(row.meaning).not.toBe('')
    expect(row.name).toMatch(/^[a-z][a-z0-9_]{1,126}$/)
  })

  test.each(NUMERIC)('$name $range refuses what is beyond its range', row => {
    const [, opens, low = '', high = '', closes] =
      /^([[(])\s*([^,]*?)\s*,\s*([^,]*?)\s*([\])])$/.exec(row.range) ?? []
    const unit = { time: 'us', size: 'b', int: '' }[row.type as 'time' | 'size' | 'int']
    const ends = [
      [magnitude(row.type, low), opens === '[', -1],
      [magnitude(row.type, high), closes === ']', 1],
    ] as const

    for (const [end, isIn, step] of ends) {
      if (end === undefined) continue
      expect(normalise(row, `${end}${unit}`) !== undefined).toBe(isIn)
      const beyond = end + step
      // Negative times are 0 by rule, negative sizes are no sizes.
      if (beyond >= 0 || row.type === 'int')
        expect(normalise(row, `${beyond}${unit}`)).toBeUndefined()
    }
  })
})

describe('values', () => {
  test.each([
    ['time', '10s', 10e6],
    ['time', '5', 5e6],
    ['time', '-3s', 0],
    ['time', '2ms', 2000],
    ['time', ' 1 D ', 8.64e10],
    ['size', '2', 2 * 1024 * 1024],
    ['size', '1KB', 1024],
    ['size', '3g', 3 * 1024 ** 3],
    ['size', '7b', 7],
    ['int', '0x10', 16],
    ['int', '-0x10', -16],
    ['int', '010', 8],
    ['int', '+5', 5],
    ['int', '0', 0],
    ['int', '-0', 0],
    ['int', '08', undefined],
    ['int', 'ten', undefined],
    ['int', '', undefined],
    ['int', '9007199254740993', undefined],
    ['time', '5 weeks', undefined],
    ['size', '-1k', undefined],
    ['size', '1bb', undefined],
    ['text', '5', undefined],
  ] as const)('%s %j is %s', (type, text, value) => {
    expect(magnitude(type, text)).toBe(value)
  })

  test.each([
    ['bool', 'ON', 'True'],
    ['bool', 'f', 'False'],
    ['bool', '2', undefined],
    ['log-level', 'wdiag', 'wdiag'],
    ['log-level', 'ALL:INFO,PROXY.EVENT:DEBUG', 'ALL:INFO,PROXY.EVENT:DEBUG'],
    ['log-level', 'LOUD', undefined],
    ['address', '0.0.0.0', '0.0.0.0'],
    ['address', '::', '::'],
    ['address', '::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['address', '256.0.0.1', undefined],
    ['address', '1.2.3', undefined],
    ['address', 'localhost', undefined],
    ['address', ':::', undefined],
    ['text', 'a\nb', undefined],
    ['text', 'x'.repeat(4095), 'x'.repeat(4095)],
    ['text', 'x'.repeat(4096), undefined],
    ['text', 'é'.repeat(2048), undefined],
    ['list', 'a;b', 'a;b'],
  ] as const)('%s %j is kept as %j', (type, text, kept) => {
    expect(normalise(parameter(type), text)).toBe(kept)
  })

  test.each([
    ['time', '60s', '1m', true],
    ['size', '1g', '1024MB', true],
    ['bool', 'true', 'True', true],
    ['int', '8', '010', true],
    ['int', '8', '9', false],
    ['text', 'a', 'A', false],
  ] as const)('%s %s and %s: the same value is %s', (type, left, right, same) => {
    expect(isSameValue(parameter(type), left, right)).toBe(same)
  })

  test('an integer means itself in all three bases', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0 }), fc.boolean(), (value, negative) => {
        const sign = negative && value > 0 ? '-' : ''
        const wanted = negative && value > 0 ? -value : value

        for (const text of [value.toString(10), `0x${value.toString(16)}`, `0${value.toString(8)}`])
          expect(magnitude('int', sign + text)).toBe(wanted)
      }),
    )
  })

  test('whatever is kept is kept unchanged when it is given again', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[-+ 0-9a-zA-Z:.,;]{0,12}$/))
    fc.assert(
      fc.property(fc.constantFrom(...ALL), text, (row, given) => {
        const kept = normalise(row, given)

        if (kept !== undefined) expect(normalise(row, kept)).toBe(kept)
      }),
      { numRuns: 5000 },
    )
  })

  test('a range holds exactly what lies between its ends', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1000, max: 1000 }),
        fc.integer({ min: 0, max: 1000 }),
        fc.integer({ min: -2500, max: 2500 }),
        fc.record({ opens: fc.boolean(), closes: fc.boolean() }),
        (low, width, value, { opens, closes }) => {
          const high = low + width
          const range = `${opens ? '(' : '['}${low}, ${high}${closes ? ')' : ']'}`
          const isIn =
            (opens ? value > low : value >= low) && (closes ? value < high : value <= high)

          expect(normalise(parameter('int', range), String(value)) !== undefined).toBe(isIn)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
