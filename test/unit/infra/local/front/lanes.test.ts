/** Commands on their way through a front, in both framings, cut wherever bytes can be cut. */
import { describe, expect, test } from 'vitest'
import { errorPacket, frame, MalformedPacket } from '../../../../../infra/local/front/codec.ts'
import { CommandGate, type Course, PASS } from '../../../../../infra/local/front/command-gate.ts'
import { ob20Lane, plainLane } from '../../../../../infra/local/front/lanes.ts'
import {
  buildFrame,
  FLAG,
  FrameStream,
  writeTlvs,
} from '../../../../../infra/local/front/ob20-codec.ts'

const ID = 0x8000_0001
const query = (sql: string) => Buffer.from(`\x03${sql}`)

/** A gate that tells what it was asked and what it did. */
function gate(decide: (sql: string) => Course = () => PASS) {
  const log = { seen: [] as string[], passed: Buffer.alloc(0), answered: Buffer.alloc(0) }
  const marks = { drops: 0, dropsWhenAnswered: 0 }
  const made = new CommandGate({
    decide: ({ seen }) => {
      log.seen.push(seen.subarray(1, 40).toString())
      return decide(seen.subarray(1).toString())
    },
    pass: bytes => {
      log.passed = Buffer.concat([log.passed, bytes])
    },
    answer: bytes => {
      log.answered = Buffer.concat([log.answered, bytes])
    },
    drop: () => {
      marks.drops += 1
    },
    dropWhenAnswered: () => {
      marks.dropsWhenAnswered += 1
    },
    resume: () => {},
  })
  return { made, log, marks }
}

const refusing = (word: string) => (sql: string) =>
  sql.startsWith(word)
    ? ({ kind: 'answer', payloads: () => [errorPacket(5001, 'HY000', 'no')] } as const)
    : PASS

type Request = { readonly requestId: number; readonly packetSequence?: number }

function request(body: Buffer, { requestId, packetSequence = 0 }: Request, extra?: Buffer): Buffer {
  return buildFrame({
    outerSequence: packetSequence,
    connectionId: ID,
    requestId,
    packetSequence,
    flags: FLAG.last | (extra === undefined ? 0 : FLAG.newExtra),
    extra,
    body,
  })
}

describe('plain commands', () => {
  const bytes = Buffer.concat([
    frame(0, query('SELECT 1')),
    frame(0, query('REFUSE me')),
    frame(0, Buffer.from([0x0e])),
    frame(0, query(`SELECT '${'x'.repeat(9_000)}'`)),
  ])

  test('pass unchanged but for the refused one, wherever they are cut', () => {
    const refused = frame(0, query('REFUSE me')).length
    const first = frame(0, query('SELECT 1')).length
    const passing = Buffer.concat([bytes.subarray(0, first), bytes.subarray(first + refused)])
    for (let cut = 0; cut <= bytes.length; cut += cut < 200 ? 1 : 97) {
      const { made, log } = gate(refusing('REFUSE'))
      const lane = plainLane(made)

      lane.take(bytes.subarray(0, cut))
      lane.take(bytes.subarray(cut))

      expect(log.passed.equals(passing)).toBe(true)
      expect(log.answered).toEqual(frame(1, errorPacket(5001, 'HY000', 'no')))
      expect(log.seen.map(text => text.slice(0, 8))).toEqual([
        'SELECT 1',
        'REFUSE m',
        '',
        "SELECT '",
      ])
    }
  })

  test('of more than 16 MiB are decided by their beginning and answered behind their end', () => {
    const large = frame(0, query(`REFUSE ${'x'.repeat(17_000_000)}`))
    const { made, log } = gate(refusing('REFUSE'))
    const lane = plainLane(made)

    for (let at = 0; at < large.length; at += 65_536) {
      expect(log.answered).toHaveLength(0)
      lane.take(large.subarray(at, at + 65_536))
    }

    expect(log.seen).toHaveLength(1)
    expect(log.answered).toEqual(frame(2, errorPacket(5001, 'HY000', 'no')))
    expect(log.passed).toHaveLength(0)
  })

  test('a passing one is handed on as it comes, not when it is whole', () => {
    const large = frame(0, query('x'.repeat(100_000)))
    const { made, log } = gate()
    const lane = plainLane(made)

    lane.take(large.subarray(0, 4_000))
    expect(log.passed).toHaveLength(0)
    lane.take(large.subarray(4_000, 50_000))

    expect(log.passed).toEqual(large.subarray(0, 50_000))
  })
})

describe('what is no command passes unread', () => {
  test('the answer to an authentication switch that begins like a query', () => {
    const { made, log } = gate()
    const lane = plainLane(made)

    lane.take(frame(2, query('nineteen bytes here')))
    lane.take(frame(0, query('SELECT 1')))

    expect(log.seen).toEqual(['SELECT 1'])
  })

  test('the content of a file, past the 255th packet and to its empty one', () => {
    const { made, log } = gate()
    const lane = plainLane(made)

    for (let at = 2; at < 600; at++) lane.take(frame(at, query('a,b,c')))
    lane.take(frame(600, Buffer.alloc(0)))
    lane.take(frame(0, query('SELECT 1')))

    expect(log.seen).toEqual(['SELECT 1'])
  })
})

describe('courses', () => {
  test('drop: nothing is passed on and nothing behind it is looked at', () => {
    const { made, log, marks } = gate(() => ({ kind: 'drop' }))

    plainLane(made).take(Buffer.concat([frame(0, query('COMMIT')), frame(0, query('SELECT 1'))]))

    expect([log.passed.length, marks.drops, log.seen.length]).toEqual([0, 1, 1])
  })

  test.each([
    ['passed', [1, 0]],
    ['answered', [0, 1]],
  ] as const)('lose when %s: all of it is passed on before', (when, [drops, later]) => {
    const { made, log, marks } = gate(() => ({ kind: 'lose', when }))
    const bytes = frame(0, query('COMMIT'))
    const lane = plainLane(made)

    lane.take(bytes.subarray(0, 7))
    expect([marks.drops, marks.dropsWhenAnswered]).toEqual([0, 0])
    lane.take(bytes.subarray(7))

    expect(log.passed).toEqual(bytes)
    expect([marks.drops, marks.dropsWhenAnswered]).toEqual([drops, later])
  })
})

describe('OB 2.0 frames', () => {
  const refused = frame(0, query('REFUSE me'))
  const extra = writeTlvs([{ type: 2001, value: Buffer.from('client_ip=127.0.0.1') }])
  const one = request(frame(0, query('SELECT 1')), { requestId: 1 }, extra)
  const two = Buffer.concat([
    request(refused.subarray(0, 3), { requestId: 2, packetSequence: 254 }),
    request(refused.subarray(3, 6), { requestId: 2, packetSequence: 255 }),
    request(refused.subarray(6), { requestId: 2, packetSequence: 0 }),
  ])
  const three = request(frame(0, query('SELECT 3')), { requestId: 3 })
  const bytes = Buffer.concat([one, two, three])

  test('pass unchanged but for the refused one, wherever they are cut', () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { made, log } = gate(refusing('REFUSE'))
      const lane = ob20Lane(made, ID)

      lane.take(bytes.subarray(0, cut))
      lane.take(bytes.subarray(cut))

      expect(log.passed.equals(Buffer.concat([one, three]))).toBe(true)
      expect(log.seen).toEqual(['SELECT 1', 'REFUSE me', 'SELECT 3'])
      const [answer, ...more] = new FrameStream().push(log.answered)
      expect(more).toEqual([])
      expect(answer).toMatchObject({
        connectionId: ID,
        requestId: 2,
        outerSequence: 1,
        packetSequence: 1,
        flags: FLAG.last,
        body: frame(1, errorPacket(5001, 'HY000', 'no')),
      })
    }
  })

  test('of one byte each are held until their command is seen, and pass in order', () => {
    const packet = frame(0, query('SELECT 1'))
    const frames = [...packet].map((byte, at) =>
      request(Buffer.from([byte]), { requestId: 1, packetSequence: at }),
    )
    const { made, log } = gate()
    const lane = ob20Lane(made, ID)

    for (const each of frames.slice(0, -1)) lane.take(each)
    expect(log.passed).toHaveLength(0)
    for (const each of frames.slice(-1)) lane.take(each)

    expect(log.passed).toEqual(Buffer.concat(frames))
  })

  const packet = frame(0, query('SELECT 1'))
  const stranger = buildFrame({
    outerSequence: 0,
    connectionId: ID + 1,
    requestId: 1,
    packetSequence: 0,
    flags: FLAG.last,
    extra: undefined,
    body: packet,
  })
  test.each([
    ['another connection id', stranger, /connection id/],
    [
      'a gap in a request',
      Buffer.concat([
        request(packet.subarray(0, 3), { requestId: 1 }),
        request(packet.subarray(3), { requestId: 1, packetSequence: 2 }),
      ]),
      /missing/,
    ],
    [
      'two commands in one frame',
      request(Buffer.concat([packet, packet]), { requestId: 1 }),
      /two commands/,
    ],
    [
      'extra info that hangs a server',
      request(packet, { requestId: 1 }, writeTlvs([{ type: 1001, value: Buffer.alloc(0) }])),
      /type 1001/,
    ],
    ['a plain packet', Buffer.concat([packet, packet, packet]), /checksum/],
  ])('with %s end the connection; nothing of it passes', (_name, wrong, reason) => {
    const { made, log } = gate()
    const lane = ob20Lane(made, ID)

    expect(() => lane.take(wrong)).toThrow(MalformedPacket)
    expect(() => ob20Lane(gate().made, ID).take(wrong)).toThrow(reason)
    expect(log.passed).toHaveLength(0)
  })
})
