import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify } from '../../../../proxy-node/sql/classify.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { Names } from '../../../../proxy-node/sql/names.ts'

const tableOf = (sql: string, mode: number = LEXER_MODE.plain) => {
  const bytes = Buffer.from(sql)
  const { database, table } = classify(bytes, 0, bytes.length, mode)
  return [database, table]
}

describe('names that were seen before', () => {
  test('are found by all of their bytes, and by nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 6 })), words => {
        const names = new Names()
        for (const word of words) {
          const bytes = Buffer.from(`(${word})`)
          const found = names.find(bytes, 1, bytes.length - 1)
          expect(found === undefined || found === word).toBe(true)
          names.keep(bytes, 1, bytes.length - 1, word)
          expect(names.find(bytes, 1, bytes.length - 1)).toBe(word === '' ? undefined : word)
        }
      }),
    )
  })

  test('are copies: the bytes they came in may be overwritten', () => {
    const names = new Names()
    const bytes = Buffer.from('orders')
    names.keep(bytes, 0, 6, 'orders')
    bytes.fill('x')

    expect(names.find(bytes, 0, 6)).toBeUndefined()
    expect(names.find(Buffer.from('orders'), 0, 6)).toBe('orders')
  })

  test('are not kept when no server would take them for names', () => {
    const names = new Names()
    const long = Buffer.alloc(257, 'n')
    names.keep(long, 0, long.length, long.toString())

    expect(names.find(long, 0, long.length)).toBeUndefined()
  })

  test('mean by their quotes what they mean there', () => {
    for (let round = 0; round < 2; round++) {
      expect(tableOf('SELECT 1 FROM A')).toEqual([undefined, 'a'])
      expect(tableOf('SELECT 1 FROM `a``B`')).toEqual([undefined, 'a`b'])
      expect(tableOf('SELECT 1 FROM "a``B"')).toEqual([undefined, 'a``b'])
      expect(tableOf('SELECT 1 FROM d.`a``B`')).toEqual(['d', 'a`b'])
    }
  })
})

describe('names that differ in case', () => {
  const { plain, casedNames, capitalNames } = LEXER_MODE

  test.each([
    ['SELECT 1 FROM Shop.Orders', ['shop', 'orders'], ['Shop', 'Orders'], ['SHOP', 'ORDERS']],
    ['SELECT 1 FROM `Shop`.orders', ['shop', 'orders'], ['Shop', 'orders'], ['Shop', 'ORDERS']],
    ['DELETE FROM "a``B"', [undefined, 'a``b'], [undefined, 'a``B'], [undefined, 'a``B']],
    ['UPDATE `a``B` SET c = 1', [undefined, 'a`b'], [undefined, 'a`B'], [undefined, 'a`B']],
    ['SHOW COLUMNS FROM T FROM D', ['d', 't'], ['D', 'T'], ['D', 'T']],
    ['INSERT INTO ÄÖ VALUES (1)', [undefined, 'äö'], [undefined, 'ÄÖ'], [undefined, 'ÄÖ']],
  ])('%s, in any case, as written, in Oracle mode', (sql, lower, written, capital) => {
    // In turns, and again: what is kept of one is not taken for the other.
    for (let round = 0; round < 2; round++) {
      expect(tableOf(sql, plain)).toEqual(lower)
      expect(tableOf(sql, casedNames)).toEqual(written)
      expect(tableOf(sql, capitalNames)).toEqual(capital)
    }
  })

  test('in a comment that says where a statement belongs, too', () => {
    const bytes = Buffer.from('/* table Shop.Orders part_key 1 */ SELECT 1')
    const named = (mode: number) =>
      classify(bytes, 0, bytes.length, mode).directives.simpleRoute?.table

    expect([plain, casedNames, capitalNames].map(named)).toEqual([
      'shop.orders',
      'Shop.Orders',
      'SHOP.ORDERS',
    ])
  })
})
