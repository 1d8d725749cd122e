/** Numbers of packets that the proxy puts between those of others. */
import { expect, test } from 'vitest'
import { ownSequence, sequenceFor } from '../../../../proxy-node/session/own-sequence.ts'

const answeredTo = (isInsidePacket: boolean, nextSequence: number) => ({
  relay: { isInsidePacket, nextSequence },
})

test.each([
  ['behind the command, while nobody answers it', undefined, 3],
  ['behind the command, while nothing of its answer was shown', answeredTo(false, 1), 3],
  ['behind what was shown of the answer', answeredTo(false, 7), 7],
  ['nowhere inside another packet', answeredTo(true, 7), undefined],
])('%s', (_what, answering, expected) => {
  expect(ownSequence({ answering, replySequence: 3 })).toBe(expected)
})

test.each([
  ['by the login, while there is one', { sequence: 2 }, 2],
  ['by the commands behind it', undefined, 5],
])('a client is told %s', (_what, signIn, expected) => {
  const pipeline = { answering: undefined, replySequence: 5 }
  expect(sequenceFor({ signIn, pipeline })).toBe(expected)
})

test('who talks with the node itself is told first', () => {
  expect(sequenceFor({ signIn: undefined, pipeline: undefined })).toBe(1)
})
