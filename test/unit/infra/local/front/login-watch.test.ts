/** What a front learns from the answer to a login. */
import { expect, test } from 'vitest'
import {
  errorPacket,
  frame,
  minimalOk,
  okPacket,
  schemaChange,
  variableChanges,
} from '../../../../../infra/local/front/codec.ts'
import { authSwitchPacket, greetingPacket } from '../../../../../infra/local/front/login-codec.ts'
import {
  agreedFeatures,
  FEATURE,
  featuresIn,
  LoginWatch,
} from '../../../../../infra/local/front/login-watch.ts'

const greeting = greetingPacket({
  version: '5.7.25',
  threadId: 0x8000_0007,
  capabilities: 0,
  scramble: Buffer.alloc(20, 65),
})
const variables = variableChanges(
  [
    ['autocommit', 'ON'],
    ['ob_capability_flag', '16646127'],
  ],
  [['_min_cluster_version', "'1.3.0.0'"]],
)
const accepted = okPacket({
  affectedRows: 0,
  lastInsertId: 0,
  status: 0x22,
  changes: [schemaChange('demo'), variables],
})

test('the session and the features agreed to, wherever the bytes are cut', () => {
  const bytes = Buffer.concat([
    frame(0, greeting),
    frame(2, authSwitchPacket(Buffer.alloc(20, 66))),
    frame(4, accepted),
  ])
  for (let cut = 0; cut < bytes.length; cut++) {
    const watch = new LoginWatch()

    expect(watch.push(bytes.subarray(0, cut))).toBeUndefined()
    expect(watch.push(bytes.subarray(cut))).toEqual({ threadId: 0x8000_0007, features: 16646127 })
  }
})

test('nothing is agreed to by an error, an OK without state, or one that is cut short', () => {
  const watch = new LoginWatch()

  const agreed = watch.push(
    Buffer.concat([frame(0, greeting), frame(2, errorPacket(1045, '42000', 'no'))]),
  )

  expect(agreed).toBeUndefined()
  expect(agreedFeatures(minimalOk())).toBe(0)
  for (let end = 1; end < accepted.length; end++)
    expect(agreedFeatures(accepted.subarray(0, end))).toBe(0)
})

test.each([
  [undefined, 0],
  ['', 0],
  ['-1', 0],
  ['2565', 2565],
  ['18446744073709551615', 0xff_ffff],
])('%s has the features %i', (text, features) => {
  expect(featuresIn(text)).toBe(features)
  expect(FEATURE.ob20).toBe(256)
})
