import { describe, expect, test } from 'vitest'
import { ResponseRelay } from '../../../../proxy-node/wire/framing.ts'
import { buildError, buildOk } from '../../../../proxy-node/wire/ok.ts'
import { COMMAND, STATUS } from '../../../../proxy-node/wire/protocol.ts'
import { ResponseTracker } from '../../../../proxy-node/wire/response.ts'
import { buildEof, buildResultset, varchar } from '../../../../proxy-node/wire/resultset.ts'
import { concat, packet, Writer } from '../../../../proxy-node/wire/writer.ts'

const MORE = 0x22 | STATUS.moreResults
const rows = (cells: string[][], status = 0x22, sequence = 1) =>
  concat(buildResultset(sequence, [varchar('a'), varchar('b')], cells, status))
const ok = (sequence: number, status = 0x22) => packet(sequence, buildOk(status))
const error = (sequence: number) => packet(sequence, buildError(1064, '42000', 'syntax, much text'))
const column = (sequence: number) => packet(sequence, new Uint8Array(30).fill(3))
const prepareOk = (columns: number, parameters: number) =>
  packet(1, new Writer().u8(0).u32(7).u16(columns).u16(parameters).u8(0).u16(0).payload())

/** What each kind of response is made of, and what of it a client may see (§7.1). */
const CASES: readonly [string, number, Uint8Array, Uint8Array | 'ok'][] = [
  ['an OK', COMMAND.query, ok(1), 'ok'],
  ['an ERR and its OK', COMMAND.query, concat([error(1), ok(2)]), error(1)],
  ['a result set', COMMAND.query, concat([rows([['x', 'y']]), ok(7)]), rows([['x', 'y']])],
  [
    'a row that begins with an empty string',
    COMMAND.query,
    concat([
      rows([
        ['', ''],
        ['', 'z'],
      ]),
      ok(8),
    ]),
    rows([
      ['', ''],
      ['', 'z'],
    ]),
  ],
  [
    'a result set that fails among its rows',
    COMMAND.query,
    concat([
      column(1),
      column(2),
      packet(3, buildEof()),
      packet(4, Uint8Array.of(1, 65)),
      error(5),
      ok(6),
    ]),
    concat([
      column(1),
      column(2),
      packet(3, buildEof()),
      packet(4, Uint8Array.of(1, 65)),
      error(5),
    ]),
  ],
  [
    'two result sets',
    COMMAND.query,
    concat([rows([['1', '2']], MORE), rows([], 0x22, 7), ok(12)]),
    concat([rows([['1', '2']], MORE), rows([], 0x22, 7)]),
  ],
  [
    'a prepared statement with parameters and columns',
    COMMAND.stmtPrepare,
    concat([
      prepareOk(1, 1),
      column(2),
      packet(3, buildEof()),
      column(4),
      packet(5, buildEof()),
      ok(6),
    ]),
    concat([prepareOk(1, 1), column(2), packet(3, buildEof()), column(4), packet(5, buildEof())]),
  ],
  [
    'a prepared statement without either',
    COMMAND.stmtPrepare,
    concat([prepareOk(0, 0), ok(2)]),
    prepareOk(0, 0),
  ],
  ['a refused PREPARE', COMMAND.stmtPrepare, concat([error(1), ok(2)]), error(1)],
  [
    'a cursor',
    COMMAND.stmtExecute,
    concat([column(1), column(2), packet(3, buildEof(0x42)), ok(4)]),
    concat([column(1), column(2), packet(3, buildEof(0x42))]),
  ],
  [
    'a fetch',
    COMMAND.stmtFetch,
    concat([packet(1, Uint8Array.of(0, 0, 65)), packet(2, buildEof(0x82)), ok(3, 0xa2)]),
    concat([packet(1, Uint8Array.of(0, 0, 65)), packet(2, buildEof(0x82))]),
  ],
  [
    'a field list',
    COMMAND.fieldList,
    concat([column(1), packet(2, buildEof()), ok(3)]),
    concat([column(1), packet(2, buildEof())]),
  ],
  [
    'the statistics',
    COMMAND.statistics,
    concat([packet(1, new TextEncoder().encode('Uptime')), ok(2)]),
    packet(1, new TextEncoder().encode('Uptime')),
  ],
]

function relay(command: number, chunks: readonly Uint8Array[], extraOk = true) {
  const seen: Uint8Array[] = []
  const finished: { swallowed: boolean; hasOk: boolean; sequence: number }[] = []
  const tracker = new ResponseTracker(extraOk)
  const relay = new ResponseRelay(tracker, {
    forward: bytes => seen.push(bytes.slice()),
    finished: (okPacket, sequence, swallowed) =>
      finished.push({ swallowed, hasOk: okPacket !== undefined, sequence }),
    infile: () => {},
  })
  relay.begin(command)
  for (const chunk of chunks) {
    const reused = chunk.slice()
    relay.feed(reused)
    reused.fill(0xee)
  }
  return { seen: concat(seen), finished, errorCode: tracker.errorCode }
}

describe('the end of a response on an OceanBase connection', () => {
  test.each(CASES)('%s is told at every cut', (_name, command, bytes, visible) => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const result = relay(
        command,
        [bytes.subarray(0, cut), bytes.subarray(cut)].filter(part => part.length > 0),
      )

      expect(result.finished).toHaveLength(1)
      expect(result.finished[0]).toMatchObject({ swallowed: visible !== 'ok', hasOk: true })
      expect(Buffer.from(result.seen)).toEqual(
        Buffer.from(visible === 'ok' ? new Uint8Array(0) : visible),
      )
    }
  })

  test.each(CASES)('%s is told byte by byte', (_name, command, bytes, visible) => {
    const result = relay(
      command,
      Array.from(bytes, byte => Uint8Array.of(byte)),
    )

    expect(result.finished).toHaveLength(1)
    expect(Buffer.from(result.seen)).toEqual(
      Buffer.from(visible === 'ok' ? new Uint8Array(0) : visible),
    )
  })

  test('holds an ERR back until its OK has come', () => {
    const result = relay(COMMAND.query, [error(1)])

    expect(result.seen).toHaveLength(0)
    expect(result.finished).toHaveLength(0)
    expect(result.errorCode).toBe(1064)
  })

  test('forwards a row above 16 MiB without looking into its continuation', () => {
    const big = packet(4, new Uint8Array(0xffffff + 20).fill(0xfe))
    const head = concat([column(1), column(2), packet(3, buildEof())])
    const tail = concat([packet(6, buildEof()), ok(7)])

    const result = relay(COMMAND.query, [head, big.subarray(0, 70_000), big.subarray(70_000), tail])

    expect(result.finished).toHaveLength(1)
    expect(result.seen.length).toBe(head.length + big.length + 9)
  })

  test('refuses bytes after the end', () => {
    expect(() => relay(COMMAND.query, [concat([ok(1), ok(2)])])).toThrow(/after the end/)
  })
})

describe('the end of a response on a MySQL connection', () => {
  test.each([
    ['an OK', COMMAND.query, ok(1)],
    ['an ERR', COMMAND.query, error(1)],
    [
      'a result set',
      COMMAND.query,
      rows([
        ['x', ''],
        ['', 'y'],
      ]),
    ],
    ['two result sets', COMMAND.query, concat([rows([['1', '2']], MORE), rows([], 0x22, 7)])],
    ['a refused PREPARE', COMMAND.stmtPrepare, error(1)],
    [
      'a prepared statement',
      COMMAND.stmtPrepare,
      concat([prepareOk(1, 0), column(2), packet(3, buildEof())]),
    ],
  ])('%s is forwarded whole at every cut', (_name, command, bytes) => {
    for (let cut = 1; cut < bytes.length; cut++) {
      const result = relay(command, [bytes.subarray(0, cut), bytes.subarray(cut)], false)

      expect(result.finished).toHaveLength(1)
      expect(Buffer.from(result.seen)).toEqual(Buffer.from(bytes))
    }
  })
})
