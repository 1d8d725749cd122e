import { describe, expect, test } from 'vitest'
import { framingOf, Ob20Framing, PLAIN_FRAMING } from '../../../../proxy-node/backend/framing.ts'
import { FrameScratch } from '../../../../proxy-node/wire/ob20.ts'
import {
  OB20_CAPABILITIES,
  OB20_CAPABILITY,
  PROXY_CAPABILITIES,
  TRACE_CAPABILITIES,
} from '../../../../proxy-node/wire/protocol.ts'
import { RequestFrames, responseFrames, responseState } from '../../../support/ob20-server.ts'

const command = Buffer.from('\x01\0\0\0\x0e', 'latin1')
const answer = Buffer.from('answer')

function sinkOf() {
  const seen: string[] = []
  return {
    seen,
    sink: {
      mysql: (bytes: Uint8Array, from: number, to: number) =>
        seen.push(Buffer.from(bytes.slice(from, to)).toString()),
      extra: () => {},
      frameEnded: (isLast: boolean) => {
        if (isLast) seen.push('last')
      },
    },
  }
}

test('plain framing passes the very bytes in both directions', () => {
  const { seen, sink } = sinkOf()

  PLAIN_FRAMING.begin()
  expect(PLAIN_FRAMING.wrap(command, true)).toBe(command)
  PLAIN_FRAMING.feed(answer, sink)

  expect(seen).toEqual(['answer'])
})

test('OB 2.0 framing wraps a command and unwraps its response, over and over', () => {
  const framing = new Ob20Framing(5, new FrameScratch())
  const server = new RequestFrames(5)
  for (let round = 1; round <= 3; round++) {
    const { seen, sink } = sinkOf()

    framing.begin()
    const [request] = server.push(Buffer.from(framing.wrap(command, true)))
    const state = responseState(5, request ?? { requestId: 0, sequence: 0 }, 0)
    for (const bytes of responseFrames(state, answer, { sliceBytes: 3 })) framing.feed(bytes, sink)

    expect(request?.requestId).toBe(round)
    expect(seen).toEqual(['ans', 'wer', 'last'])
  }
})

describe('what a server speaks', () => {
  test.each([
    ['plain where it agrees to nothing', 0, 'plain'],
    ['plain where it is not asked for frames', PROXY_CAPABILITIES, 'plain'],
    ['frames where it agrees to them', OB20_CAPABILITIES, 'ob20'],
    ['frames on old servers, too', OB20_CAPABILITY.framing | OB20_CAPABILITY.newExtraInfo, 'ob20'],
    ['nothing of ours with the old extra info', OB20_CAPABILITY.framing, 'ask-for-plain'],
  ])('is %s', (_name, agreed, spoken) => {
    expect(framingOf(agreed)).toBe(spoken)
  })
})

test('the bits asked for are those of the specification', () => {
  const bits = (...numbers: number[]) => numbers.reduce((all, bit) => all | (1 << bit), 0)

  expect(PROXY_CAPABILITIES).toBe(bits(0, 1, 2, 9, 11, 20, 21))
  expect(OB20_CAPABILITIES & ~PROXY_CAPABILITIES).toBe(bits(8, 12, 13, 15, 16, 19, 23))
  expect(TRACE_CAPABILITIES).toBe(bits(14, 18))
})
