import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import { PacketCollector } from '../../../../proxy-node/wire/framing.ts'
import {
  bigint,
  buildResultset,
  parseColumnName,
  parseTextRow,
  varchar,
} from '../../../../proxy-node/wire/resultset.ts'
import { concat } from '../../../../proxy-node/wire/writer.ts'

const text = fc.string({ unit: 'binary' })

function payloads(packets: readonly Uint8Array[]) {
  const collector = new PacketCollector(1 << 20)
  collector.push(concat(packets))
  const seen = []
  for (let next = collector.next(); next !== undefined; next = collector.next()) seen.push(next)
  return seen
}

describe('text result sets', () => {
  test('survive build and parse, whatever names and cells', () => {
    const cell = fc.oneof(text, fc.constant(null), fc.integer())
    const table = fc.array(text, { minLength: 1, maxLength: 6 }).chain(names =>
      fc.tuple(
        fc.constant(names),
        fc.array(fc.array(cell, { minLength: names.length, maxLength: names.length }), {
          maxLength: 6,
        }),
      ),
    )
    fc.assert(
      fc.property(table, ([names, rows]) => {
        const columns = names.map((name, index) => (index % 2 === 0 ? varchar(name) : bigint(name)))
        const seen = payloads(buildResultset(250, columns, rows))
        const definitions = seen.slice(1, 1 + names.length)
        const cells = seen.slice(2 + names.length, -1)

        expect(seen[0]?.payload[0]).toBe(names.length)
        expect(definitions.map(next => parseColumnName(next.payload))).toEqual(names)
        expect(cells.map(next => parseTextRow(next.payload, names.length))).toEqual(
          rows.map(row => row.map(value => (value === null ? null : String(value)))),
        )
        expect(seen.map(next => next.sequence)).toEqual(
          seen.map((_, index) => (250 + index) & 0xff),
        )
      }),
    )
  })

  test('of garbage are a fault and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
        for (const parse of [parseColumnName, (row: Uint8Array) => parseTextRow(row, 4)]) {
          try {
            parse(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(Fault)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })
})
