/** Answers of a server on their way to a proxy: only the OK that ends one is changed, and only its own. */
import { describe, expect, test } from 'vitest'
import {
  Ob20Answers,
  PlainAnswers,
  withChanges,
} from '../../../../../infra/local/front/answer-watch.ts'
import {
  eofPacket,
  errorPacket,
  framePackets,
  lenenc,
  minimalOk,
  okPacket,
  resultPayloads,
  schemaChange,
  variableChanges,
} from '../../../../../infra/local/front/codec.ts'
import { answerFrames, FrameStream } from '../../../../../infra/local/front/ob20-codec.ts'

const MISS = [['ob_proxy_partition_hit', 'OFF']] as const
const NONE = [] as const
const OK = { affectedRows: 300, lastInsertId: 0, status: 0x22 }
const changed = okPacket({ ...OK, changes: [variableChanges(MISS, [])] })

describe('an OK', () => {
  test('without changes gets some', () => {
    expect(withChanges(okPacket({ ...OK, changes: [] }), MISS)).toEqual(changed)
    expect(withChanges(minimalOk(), MISS)).toEqual(
      okPacket({
        affectedRows: 0,
        lastInsertId: 0,
        status: 0x22,
        changes: [variableChanges(MISS, [])],
      }),
    )
  })

  test('with changes keeps them: system variables stay in front of the user’s', () => {
    const before = [variableChanges([['a', '1']], [['u', "'x'"]]), schemaChange('d')]
    const after = [variableChanges([...MISS, ['a', '1']], [['u', "'x'"]]), schemaChange('d')]

    expect(withChanges(okPacket({ ...OK, changes: before }), MISS)).toEqual(
      okPacket({ ...OK, changes: after }),
    )
    expect(withChanges(okPacket({ ...OK, changes: [schemaChange('d')] }), MISS)).toEqual(
      okPacket({ ...OK, changes: [schemaChange('d'), variableChanges(MISS, [])] }),
    )
  })

  test('is the only packet that can be changed', () => {
    for (const payload of [errorPacket(1, 'HY000', 'x'), eofPacket(2)])
      expect(withChanges(payload, MISS)).toEqual(payload)
  })
})

const rows = resultPayloads({ columns: ['a', 'b'], rows: [['1', '2']] }, true)
const prepared = [
  Buffer.from([0, 7, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0]),
  Buffer.from('p'),
  eofPacket(2),
  Buffer.from('c'),
  Buffer.from('c'),
  eofPacket(2),
  minimalOk(),
]
const call = [
  ...resultPayloads({ columns: ['a'], rows: [['1']] }, false, 0x000a),
  okPacket({ ...OK, changes: [] }),
]
const ANSWERS: readonly (readonly [string, number, readonly Buffer[]])[] = [
  ['rows', 0x03, rows],
  ['an OK', 0x03, [okPacket({ ...OK, changes: [] })]],
  ['an error', 0x03, [errorPacket(1064, '42000', 'no'), minimalOk()]],
  ['several results', 0x03, call],
  ['a prepared statement', 0x16, prepared],
  ['fetched rows', 0x1c, [Buffer.from([0, 0, 1]), eofPacket(0x82), minimalOk()]],
  ['statistics', 0x09, [Buffer.from('text'), minimalOk()]],
]

describe.each(ANSWERS)('%s', (_name, code, payloads) => {
  const other = resultPayloads({ columns: ['x'], rows: [['9']] }, true)
  const last = payloads.at(-1) ?? Buffer.alloc(0)
  const wanted = [...payloads.slice(0, -1), withChanges(last, MISS)]

  test.each([1, 3, 7, 1000])('is followed to its end, cut every %i bytes', cut => {
    const answers = new PlainAnswers()
    for (const [each, changes] of [
      [0x03, NONE],
      [code, MISS],
      [0x01, NONE],
      [0x03, NONE],
    ] as const)
      answers.expect({ code: each, requestId: 0, changes })
    const streamOf = (middle: readonly Buffer[]) =>
      Buffer.concat([other, middle, other].map(each => framePackets(each, 1)))
    const stream = streamOf(payloads)
    const parts: Buffer[] = []
    for (let at = 0; at < stream.length; at += cut)
      parts.push(answers.push(stream.subarray(at, at + cut)))

    expect(Buffer.concat(parts)).toEqual(streamOf(wanted))
  })

  test('in frames is known by its request', () => {
    const answers = new Ob20Answers()
    const framesOf = (each: readonly Buffer[], requestId: number) =>
      answerFrames(framePackets(each, 1), {
        connectionId: 5,
        requestId,
        lastSequence: 0,
        lastPacketSequence: 0,
      })
    answers.expect({ code, requestId: 8, changes: MISS })

    const out = answers.push(Buffer.concat([framesOf(other, 7), framesOf(payloads, 8)]))
    const again = answers.push(framesOf(payloads, 8))

    const bodies = new FrameStream().push(out).map(({ body }) => body)
    expect(bodies).toEqual([framePackets(other, 1), framePackets(wanted, 1)])
    expect(again).toEqual(framesOf(payloads, 8))
  })
})

test('a long answer in frames is passed on whole, its last frame changed', () => {
  const answers = new Ob20Answers()
  const long = resultPayloads({ columns: ['a'], rows: Array(40).fill(['y'.repeat(900)]) }, true)
  const to = { connectionId: 5, requestId: 8, lastSequence: 0, lastPacketSequence: 0 }
  answers.expect({ code: 0x03, requestId: 8, changes: MISS })

  const out = answers.push(answerFrames(framePackets(long, 1), to))

  const stream = Buffer.concat(new FrameStream().push(out).map(({ body }) => body))
  expect(stream).toEqual(framePackets([...long.slice(0, -1), withChanges(minimalOk(), MISS)], 1))
})

test('prepared statements are told of, in both framings', () => {
  const told: (readonly [number, number])[] = []
  const hears = (id: number, parameters: number) => told.push([id, parameters])
  const expected = { code: 0x16, requestId: 8, changes: NONE, prepared: hears }
  const [plain, framed] = [new PlainAnswers(), new Ob20Answers()]
  plain.expect(expected)
  framed.expect(expected)
  plain.push(framePackets(prepared, 1))
  const to = { connectionId: 5, requestId: 8, lastSequence: 0, lastPacketSequence: 0 }
  framed.push(answerFrames(framePackets(prepared, 1), to))

  expect(told).toEqual([
    [7, 1],
    [7, 1],
  ])
})

test('what nobody asked for passes as it is, content of 16 MiB too', () => {
  const answers = new PlainAnswers()
  const stream = Buffer.concat([framePackets([Buffer.alloc(0xffffff, 1)], 3), lenenc(5)])

  expect(answers.push(stream).equals(stream.subarray(0, -1))).toBe(true)
})
