import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import { lengthAt, ResponseRelay } from '../../../../proxy-node/wire/framing.ts'
import { buildAuthSwitch } from '../../../../proxy-node/wire/handshake.ts'
import { buildError, buildOk } from '../../../../proxy-node/wire/ok.ts'
import { COMMAND, PSEUDO_COMMAND, STATUS } from '../../../../proxy-node/wire/protocol.ts'
import { ACTION, ResponseTracker } from '../../../../proxy-node/wire/response.ts'
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

const MATCHED = Buffer.from(' Rows matched: 2')
/** As an OBServer writes it for a proxy: the text with its length, its blank counted. */
function okWithText(sequence: number, status: number): Uint8Array {
  const plain = buildOk(status, { affectedRows: 2, message: MATCHED })
  const isTracked = (status & STATUS.sessionStateChanged) !== 0
  return packet(sequence, isTracked ? concat([plain, Uint8Array.of(2, 1, 0)]) : plain)
}
function shownText(sequence: number, status: number): Uint8Array {
  return packet(sequence, concat([buildOk(status, { affectedRows: 2 }), MATCHED]))
}

const eof = (sequence: number, status?: number) => packet(sequence, buildEof(status))
const nullRow = (sequence: number) => packet(sequence, Uint8Array.of(0xfb, 1, 65))
const binaryRow = (sequence: number) => packet(sequence, Uint8Array.of(0, 0, 65))
const infileRequest = packet(1, Uint8Array.of(0xfb, 0x66))
const authSwitch = packet(1, buildAuthSwitch(new Uint8Array(20).fill(65)))

/** A result set of one column and the given rows, both EOFs with `status`. */
function binaryRows(sequence: number, rows: number, status: number): Uint8Array {
  const head = [packet(sequence, Uint8Array.of(1)), column(sequence + 1), eof(sequence + 2, status)]
  const body = Array.from({ length: rows }, (_, index) => binaryRow(sequence + 3 + index))
  return concat([...head, ...body, eof(sequence + 3 + rows, status)])
}

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
    'a row that begins with NULL',
    COMMAND.query,
    concat([column(1), column(2), eof(3), nullRow(4), eof(5), ok(6)]),
    concat([column(1), column(2), eof(3), nullRow(4), eof(5)]),
  ],
  [
    'a row that begins with a text of 2^24 bytes in its length',
    COMMAND.query,
    concat([column(1), column(2), eof(3), packet(4, new Uint8Array(9).fill(0xfe)), eof(5), ok(6)]),
    concat([column(1), column(2), eof(3), packet(4, new Uint8Array(9).fill(0xfe)), eof(5)]),
  ],
  [
    'binary rows',
    COMMAND.stmtExecute,
    concat([binaryRows(1, 3, 0x22), ok(8)]),
    binaryRows(1, 3, 0x22),
  ],
  [
    'a second result that fails',
    COMMAND.query,
    concat([rows([], MORE), error(6), ok(7)]),
    concat([rows([], MORE), error(6)]),
  ],
  [
    'OKs before a result set',
    COMMAND.query,
    concat([ok(1, MORE), ok(2, MORE), rows([], 0x22, 3), ok(8)]),
    concat([ok(1, MORE), ok(2, MORE), rows([], 0x22, 3)]),
  ],
  [
    'OKs with a text and state before another result: shown as OBServers write them for clients',
    COMMAND.query,
    concat([
      okWithText(1, MORE | STATUS.sessionStateChanged),
      okWithText(2, MORE),
      rows([], 0x22, 3),
      ok(8),
    ]),
    concat([shownText(1, MORE), shownText(2, MORE), rows([], 0x22, 3)]),
  ],
  [
    'a procedure with OUT parameters',
    COMMAND.stmtExecute,
    concat([binaryRows(1, 1, MORE | 0x1000), binaryRows(6, 1, 0x22), ok(11)]),
    concat([binaryRows(1, 1, MORE | 0x1000), binaryRows(6, 1, 0x22)]),
  ],
  ['a failed fetch', COMMAND.stmtFetch, concat([error(1), ok(2)]), error(1)],
  ['a failed field list', COMMAND.fieldList, concat([error(1), ok(2)]), error(1)],
  ['a database change', COMMAND.initDb, ok(1), 'ok'],
  ['a change of user', COMMAND.changeUser, ok(1), 'ok'],
  ['a reset connection', COMMAND.resetConnection, ok(1), 'ok'],
  ['a reset statement', COMMAND.stmtReset, ok(1), 'ok'],
  ['a failed option', COMMAND.setOption, concat([error(1), ok(2)]), error(1)],
  ['a failed debug', COMMAND.debug, concat([error(1), ok(2)]), error(1)],
  ['the end of a file', PSEUDO_COMMAND.infileContent, ok(5), 'ok'],
  ['a refused file', PSEUDO_COMMAND.infileContent, concat([error(5), ok(6)]), error(5)],
  ['a refused password', PSEUDO_COMMAND.authSwitchAnswer, concat([error(3), ok(4)]), error(3)],
  ['a process list', COMMAND.processInfo, concat([rows([]), ok(6)]), rows([])],
  [
    'the statistics',
    COMMAND.statistics,
    concat([packet(1, new TextEncoder().encode('Uptime')), ok(2)]),
    packet(1, new TextEncoder().encode('Uptime')),
  ],
]

/** Responses that no OK follows and that are forwarded as they are. */
const LONE: readonly [string, number, Uint8Array][] = [
  ['the answer to DEBUG', COMMAND.debug, eof(1)],
  ['the answer to SHUTDOWN', COMMAND.shutdown, eof(1)],
  ['an authentication switch', COMMAND.changeUser, authSwitch],
]

const BEFORE = Uint8Array.of(1, 0, 0)
const BEHIND = Uint8Array.of(0xff, 0xff)

function relay(command: number, chunks: readonly Uint8Array[], extraOk = true) {
  const seen: Uint8Array[] = []
  const finished: { swallowed: boolean; hasOk: boolean; sequence: number }[] = []
  const tracker = new ResponseTracker(extraOk)
  const relay = new ResponseRelay(tracker, {
    forward: (bytes, from, to) => seen.push(bytes.slice(from, to)),
    finished: (okPacket, sequence, swallowed) =>
      finished.push({ swallowed, hasOk: okPacket !== undefined, sequence }),
    infile: () => {},
    discards: () => false,
  })
  relay.begin(command)
  for (const chunk of chunks) {
    // In the middle of others, as behind the head of a frame.
    const reused = concat([BEFORE, chunk, BEHIND])
    relay.feed(reused, BEFORE.length, BEFORE.length + chunk.length)
    reused.fill(0xee)
  }
  return { seen: concat(seen), finished, errorCode: tracker.errorCode }
}

/** What the relay tells besides bytes. */
function trace(command: number, bytes: Uint8Array): string[] {
  const told: string[] = []
  const relay = new ResponseRelay(new ResponseTracker(true), {
    forward: () => {},
    finished: () => told.push('finished'),
    infile: () => told.push('infile'),
    discards: () => false,
  })
  relay.begin(command)
  relay.feed(bytes)
  return told
}

/** Feeds the first `cut` bytes of an answer to a query, then ends the server's connection. */
function closeAt(bytes: Uint8Array, cut: number) {
  const seen: Uint8Array[] = []
  let finished = 0
  const relay = new ResponseRelay(new ResponseTracker(true), {
    forward: (bytes, from, to) => seen.push(bytes.slice(from, to)),
    finished: () => {
      finished += 1
    },
    infile: () => {},
    discards: () => false,
  })
  relay.begin(COMMAND.query)
  if (cut > 0) relay.feed(bytes.slice(0, cut))
  const next = relay.nextSequence
  const ended = relay.serverEnded()
  return { seen: concat(seen), finished, ended, next }
}

function offsetOf(bytes: Uint8Array, packets: number): number {
  let at = 0
  for (let passed = 0; passed < packets; passed++) at += 4 + lengthAt(bytes, at)
  return at
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

  test.each(LONE)('%s is forwarded whole at every cut', (_name, command, bytes) => {
    for (let cut = 1; cut < bytes.length; cut++) {
      const result = relay(command, [bytes.subarray(0, cut), bytes.subarray(cut)])

      expect(result.finished).toEqual([{ swallowed: false, hasOk: false, sequence: 1 }])
      expect(Buffer.from(result.seen)).toEqual(Buffer.from(bytes))
    }
  })

  test('of CALL is its own OK, behind result sets that announce more', () => {
    const sets = concat([rows([['1', '2']], MORE), rows([], MORE, 7)])
    const result = relay(COMMAND.query, [concat([sets, ok(12)])])

    expect(result.finished).toEqual([{ swallowed: false, hasOk: true, sequence: 12 }])
    expect(Buffer.from(result.seen)).toEqual(Buffer.from(sets))
  })

  test('of the statistics has no OK where the server did not agree to it', () => {
    const text = packet(1, new TextEncoder().encode('Uptime: 1'))
    const tracker = new ResponseTracker(true, false)

    tracker.begin(COMMAND.statistics)

    expect(tracker.packet(text, 4, text.length - 4)).toBe(ACTION.forwardLast)
  })

  test('is a request for a file only where a result of a query begins', () => {
    expect(trace(COMMAND.query, infileRequest)).toEqual(['infile'])
    expect(trace(PSEUDO_COMMAND.infileContent, infileRequest)).toEqual([])
    expect(
      trace(COMMAND.query, concat([rows([], MORE), packet(6, Uint8Array.of(0xfb, 0x66))])),
    ).toEqual(['infile'])
    expect(trace(COMMAND.query, concat([column(1), column(2), eof(3), nullRow(4)]))).toEqual([])
  })

  test('comes with a server that closes behind its ERR', () => {
    const whole = concat([error(1), ok(2)])
    for (let cut = 0; cut < whole.length; cut++) {
      const { seen, ended, finished } = closeAt(whole, cut)

      expect(ended).toBe(cut >= error(1).length)
      expect(finished).toBe(ended ? 1 : 0)
      expect(Buffer.from(seen)).toEqual(Buffer.from(ended ? error(1) : new Uint8Array(0)))
    }
  })

  test('does not come with a server that closes among rows or behind them', () => {
    const whole = concat([rows([['a', 'b']]), ok(7)])
    for (let cut = 0; cut < whole.length; cut++)
      expect(closeAt(whole, cut)).toMatchObject({ ended: false, finished: 0 })
  })

  test('held back does not count for the number a client expects next', () => {
    const set = rows([['a', 'b']])
    const expected = [1, 2, 3, 4, 5, 6, 6]
    for (let packets = 0; packets <= 6; packets++) {
      const { next } = closeAt(set, offsetOf(set, packets))

      expect(next).toBe(expected[packets])
    }
  })

  test.each([
    ['an EOF where its OK belongs', COMMAND.query, concat([rows([]), eof(6)])],
    ['an OK cut short', COMMAND.query, packet(1, Uint8Array.of(0, 0, 0, 2))],
    ['an empty packet', COMMAND.query, packet(1, new Uint8Array(0))],
    ['an ERR without a number', COMMAND.query, packet(1, Uint8Array.of(0xff, 1))],
    ['an ERR without a number among rows', COMMAND.stmtFetch, packet(1, Uint8Array.of(0xff))],
    ['an answer to PREPARE cut short', COMMAND.stmtPrepare, packet(1, Uint8Array.of(0, 1, 0, 0))],
    ['another answer to PREPARE', COMMAND.stmtPrepare, packet(1, new Uint8Array(12).fill(3))],
  ])('refuses %s', (_name, command, bytes) => {
    expect(() => relay(command, [bytes])).toThrow(Fault)
  })

  test('is told, or refused by a fault, whatever the bytes', () => {
    const commands = fc.constantFrom(...Object.values(COMMAND), ...Object.values(PSEUDO_COMMAND))
    const packets = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 })
    fc.assert(
      fc.property(
        commands,
        packets,
        fc.boolean(),
        fc.nat(40),
        (command, payloads, extraOk, cut) => {
          const bytes = concat(payloads.map((payload, index) => packet(index + 1, payload)))
          const outcome = (chunks: readonly Uint8Array[]) => {
            try {
              const { seen, finished } = relay(command, chunks, extraOk)
              return { seen: [...seen], finished }
            } catch (error) {
              expect(error).toBeInstanceOf(Fault)
              return 'fault'
            }
          }

          const whole = outcome([bytes])
          expect(outcome([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
          expect(outcome(Array.from(bytes, byte => Uint8Array.of(byte)))).toEqual(whole)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('holds an ERR back until its OK has come', () => {
    const result = relay(COMMAND.query, [error(1)])

    expect(result.seen).toHaveLength(0)
    expect(result.finished).toHaveLength(0)
    expect(result.errorCode).toBe(1064)
  })

  test.each([
    ['an EOF', 0xfe, 5],
    ['an ERR', 0xff, 9],
    ['a long row', 0xfe, 20],
  ])('forwards a row above 16 MiB whose continuation looks like %s', (_name, byte, rest) => {
    const payload = new Uint8Array(0xff_ffff + rest).fill(byte)
    payload[0] = 0x41
    const big = packet(4, payload)
    const head = concat([column(1), column(2), eof(3)])
    const tail = concat([eof(6), ok(7)])

    const result = relay(COMMAND.query, [head, big.subarray(0, 70_000), big.subarray(70_000), tail])

    expect(result.finished).toEqual([{ swallowed: true, hasOk: true, sequence: 7 }])
    expect(result.seen.length).toBe(head.length + big.length + eof(6).length)
  })

  /** What the relay offers to be kept from the client, of an answer that comes in chunks. */
  function offered(answer: Uint8Array, chunkBytes: number): Uint8Array[] {
    const held: Uint8Array[] = []
    const relay = new ResponseRelay(new ResponseTracker(true), {
      forward: () => {},
      finished: () => {},
      infile: () => {},
      discards: (_errorCode, bytes) => held.push(bytes.slice()) > 0,
    })
    relay.begin(COMMAND.query)
    for (let at = 0; at < answer.length; at += chunkBytes)
      relay.feed(answer.slice(at, at + chunkBytes))
    return held
  }

  test.each([1, 7, 100_000])(
    'offers an ERR to be kept that is all of an answer (%i bytes a chunk)',
    chunkBytes => {
      expect(offered(concat([error(1), ok(2)]), chunkBytes)).toEqual([error(1)])
    },
  )

  test('offers no ERR behind a file that the server has asked for', () => {
    const held: Uint8Array[] = []
    const relay: ResponseRelay = new ResponseRelay(new ResponseTracker(true), {
      forward: () => {},
      finished: () => {},
      infile: () => relay.begin(COMMAND.query),
      discards: (_errorCode, bytes) => held.push(bytes.slice()) > 0,
    })
    relay.begin(COMMAND.query)
    relay.feed(infileRequest)
    relay.feed(concat([error(4), ok(5)]))

    expect(held).toEqual([])
  })

  // The 256th packet has number 0, as if there had been none.
  test.each([0, 1, 252, 253, 254, 509])('offers no ERR behind %i rows', count => {
    const last = 3 + count
    const answer = concat([
      packet(1, Uint8Array.of(1)),
      column(2),
      eof(3),
      ...Array.from({ length: count }, (_none, index) => nullRow((4 + index) & 0xff)),
      error((last + 1) & 0xff),
      ok((last + 2) & 0xff),
    ])

    for (const chunkBytes of [1, 7, answer.length]) expect(offered(answer, chunkBytes)).toEqual([])
  })

  test('knows a payload of exactly 16 MiB - 1 by the empty packet behind it', () => {
    const big = packet(4, new Uint8Array(0xff_ffff).fill(0xff))
    const head = concat([column(1), column(2), eof(3), packet(4, new Uint8Array(1).fill(1))])
    const whole = concat([head, big, eof(6), ok(7)])
    big[4] = 0x41
    const bytes = concat([head, big, eof(6), ok(7)])

    expect(() => relay(COMMAND.query, [whole])).toThrow(Fault)
    const result = relay(COMMAND.query, [bytes.subarray(0, -20), bytes.subarray(-20)])
    expect(result.finished).toHaveLength(1)
    expect(result.seen.length).toBe(bytes.length - ok(7).length)
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
    ['binary rows', COMMAND.stmtExecute, binaryRows(1, 3, 0x22)],
    ['a cursor', COMMAND.stmtExecute, concat([column(1), column(2), eof(3, 0x42)])],
    ['a fetch', COMMAND.stmtFetch, concat([binaryRow(1), binaryRow(2), eof(3, 0x82)])],
    ['a field list', COMMAND.fieldList, concat([column(1), column(2), eof(3)])],
    ['the statistics', COMMAND.statistics, packet(1, new TextEncoder().encode('Uptime'))],
    ['an option', COMMAND.setOption, eof(1)],
    ['a procedure', COMMAND.query, concat([rows([], MORE), ok(6)])],
    ['a result set that fails', COMMAND.query, concat([column(1), column(2), eof(3), error(4)])],
    ['a prepared statement without either', COMMAND.stmtPrepare, prepareOk(0, 0)],
    ['an authentication switch', COMMAND.changeUser, authSwitch],
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
