import { describe, expect, test } from 'vitest'
import { SETS, setsReading } from '../../../../proxy-node/sql/reading.ts'

const setsOf = (sql: string) => {
  const bytes = Buffer.from(sql)
  return setsReading(bytes, 0, bytes.length, 0)
}

describe('what a statement decides about reading', () => {
  test.each([
    ['SET tx_read_only=1', SETS.readOnly],
    ['SET @@session . `tx_read_only` := 1', SETS.readOnly],
    ['SET a=1, transaction_read_only /* c */ = 1', SETS.readOnly],
    ['SET ob_read_consistency=2, tx_read_only=0', SETS.readOnly | SETS.consistency],
    ['SELECT 1; SET OB_READ_CONSISTENCY = 3', SETS.consistency],
    ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE', SETS.readOnly],
    ['START TRANSACTION WITH CONSISTENT SNAPSHOT, READ -- c\n WRITE', SETS.readOnly],
    ['START TRANSACTION READ ONLY', 0],
    ['SET @a = @@tx_read_only', 0],
    ["SET @a = 'tx_read_only = 1'", 0],
    ['SELECT tx_read_only = 1 FROM t', 0],
    ['SELECT a FROM t WHERE ob_read_consistency = 2', 0],
    ['LOCK TABLES a READ, b WRITE', 0],
    ['', 0],
  ])('%j: %j', (sql, sets) => {
    expect(setsOf(sql)).toBe(sets)
  })
})
