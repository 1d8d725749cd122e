/** What is kept of a text that comes again, for whichever table it means this time. */
import { describe, expect, test } from 'vitest'
import { SessionMemory } from '../../../../proxy-node/session/memory.ts'
import { Placement, type TextUse } from '../../../../proxy-node/session/placement.ts'
import { classify } from '../../../../proxy-node/sql/classify.ts'
import { KnownTexts } from '../../../../proxy-node/sql/known-texts.ts'
import type { KnownTable } from '../../../../proxy-node/topology/location-view.ts'
import type { TablePartitions } from '../../../../proxy-node/topology/partition/table-partitions.ts'
import { HEADER_BYTES } from '../../../../proxy-node/wire/protocol.ts'
import { named, sampleTable } from '../topology/partition/sample-tables.ts'

const AT = HEADER_BYTES + 1
const PARTS = 5

/** HASH by an integer column. */
const hashedBy = (column: string) =>
  sampleTable({
    type: 0,
    expr: column,
    keys: [{ name: column, type: 4 }],
    partitions: named('p', PARTS),
  })

function packetOf(sql: string): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.alloc(AT), Buffer.from(sql)]))
}

/** One worker's. */
class Worker {
  readonly texts = new KnownTexts<TextUse>(() => ({
    digest: undefined,
    predicates: undefined,
    readings: 0,
  }))
  readonly placement = new Placement(() => 0, this.texts)
  private readonly memory = new SessionMemory()

  /** The leaf, and whether it was found by what is kept. `wait` runs where a session waits for its table. */
  leafOf(sql: string, partitions: TablePartitions, wait: (packet: Uint8Array) => void = () => {}) {
    const { texts, placement, memory } = this
    const chunk = packetOf(sql)
    const found = texts.find(chunk, AT, chunk.length, 0)
    const statement = found?.statement ?? classify(chunk, AT, chunk.length, 0)
    const known = found ?? texts.learn(statement)
    const head = chunk.slice()
    wait(chunk)
    const table = { partitions } as KnownTable
    if (known !== undefined && placement.placeKnown(table, known, head, memory))
      return [placement.leaf, 'kept']
    const text = { bytes: head, to: head.length, isCut: false, packet: undefined }
    const written = { ...text, known, prepared: undefined, hears: undefined }
    placement.place(table, statement, written, memory)
    return [placement.leaf, 'read']
  }
}

describe('a text that comes again', () => {
  const sqlOf = (value: number) => `select x from t where c = ${value}`

  test('is placed by what was read of it, for every table with the same columns', () => {
    const worker = new Worker()
    const tables = [hashedBy('c'), hashedBy('c')]
    for (let time = 0; time < 2; time++) worker.leafOf(sqlOf(1), hashedBy('c'))

    for (let value = 0; value < 100; value++)
      for (const table of tables)
        expect(worker.leafOf(sqlOf(value), table)).toEqual([value % PARTS, 'kept'])
  })

  test('is placed right where it means tables with different columns by turns', () => {
    const worker = new Worker()
    const [byC, byX] = [hashedBy('c'), hashedBy('x')]
    const kept: string[] = []
    for (let value = 0; value < 100; value++) {
      const [leaf, how] = worker.leafOf(sqlOf(value), byC)
      expect(leaf).toBe(value % PARTS)
      expect(worker.leafOf(sqlOf(value), byX)).toEqual([-1, expect.anything()])
      kept.push(String(how))
    }

    // Making anew what is kept costs more than reading: in the end one of them has it for good.
    const [, first] = worker.leafOf(sqlOf(1), byC)
    const [, second] = worker.leafOf(sqlOf(1), byX)
    expect([first, second].sort()).toEqual(['kept', 'read'])
  })

  test('is placed by its own value where the chunk it came in is used again meanwhile', () => {
    const worker = new Worker()
    const table = hashedBy('c')
    for (let time = 0; time < 3; time++) worker.leafOf(sqlOf(101), table)

    const overwritten = (chunk: Uint8Array) => void chunk.fill(0x39, AT)
    expect(worker.leafOf(sqlOf(103), table, overwritten)).toEqual([103 % PARTS, 'kept'])
  })
})
