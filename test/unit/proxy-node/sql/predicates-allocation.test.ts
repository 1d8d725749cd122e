/** In a file of its own: what other tests show the engine before decides what it optimises. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { classify } from '../../../../proxy-node/sql/classify.ts'
import { Digest } from '../../../../proxy-node/sql/digest.ts'
import { KeyColumns } from '../../../../proxy-node/sql/key-columns.ts'
import { LEXER_MODE } from '../../../../proxy-node/sql/lexer.ts'
import { Predicates } from '../../../../proxy-node/sql/predicates.ts'

const READINGS = 20_000
const MOST_RUNS = 300
/** The smallest object has 12 bytes: one a reading would be 240 KB. */
const LIMIT = READINGS * 4

const SQL = [
  'select * from shop.orders o where o.id = 42 and o.name = "x" and c in (?, ?) limit 1',
  "update t set a = 'b' where id = ? and c >= -5 or (c < 3 and id between 1 and 2)",
  "select * from t partition (p1) join u using (x) where t.id = x'41' and year(c) = 2024",
  "insert into t (a, id, c) values (now(), ?, 'text'), (1, 2, 3)",
  "select * from t join u on t.id = u.x where not (id <> 1) and 1 = 1 and c = 'a' 'b' and c in (select 2)",
  "select * from t where (false or binary c = if(1 > 2, 2, 3)) and n.x = cast('5' as signed) || 'x'",
]

/** The fewest bytes that READINGS calls of `read` took. */
function leastBytesOf(read: () => void): number {
  setFlagsFromString('--expose_gc')
  const collectGarbage = runInNewContext('gc') as () => void
  let leastBytes = Number.POSITIVE_INFINITY
  // The least of many: what else runs in the process only adds, and code that is not optimised yet allocates.
  for (let run = 0; run < MOST_RUNS && leastBytes >= LIMIT; run++) {
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let reading = 0; reading < READINGS; reading++) read()
    leastBytes = Math.min(leastBytes, process.memoryUsage().heapUsed - before)
  }
  return leastBytes
}

test.each(SQL)('%s: reading its values allocates nothing', sql => {
  const columns = new KeyColumns(['id', 'c'], [0, 1])
  const bytes = Uint8Array.from(Buffer.from(sql))
  const text = { bytes, to: bytes.length, mode: LEXER_MODE.plain, isCut: false }
  const statement = classify(bytes, 0, bytes.length)
  const predicates = new Predicates()

  expect(leastBytesOf(() => predicates.read(text, statement, columns))).toBeLessThan(LIMIT)
  expect(predicates.expressions.size).toBeGreaterThan(1)
})

test.each(SQL)('%s: its digest allocates nothing', sql => {
  const bytes = Uint8Array.from(Buffer.from(sql))
  const digest = new Digest()

  expect(leastBytesOf(() => digest.read(bytes, 0, bytes.length, LEXER_MODE.plain))).toBeLessThan(
    LIMIT,
  )
  expect(digest.text()).toContain('?')
})
