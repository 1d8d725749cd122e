import { describe, expect, test } from 'vitest'
import { parseIdentity } from '../../../../proxy-node/auth/identity.ts'
import {
  nativeToken,
  randomScramble,
  stage1Of,
  verifyNative,
  xor,
} from '../../../../proxy-node/auth/scramble.ts'

describe('login names', () => {
  test.each([
    ['root', { user: 'root', tenant: undefined, cluster: undefined, clusterId: 0 }],
    ['root@t1', { user: 'root', tenant: 't1', cluster: undefined, clusterId: 0 }],
    ['root@sys#obdemo', { user: 'root', tenant: 'sys', cluster: 'obdemo', clusterId: 0 }],
    ['root@t1#obdemo:2', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 2 }],
    ['root#obdemo', { user: 'root', tenant: undefined, cluster: 'obdemo', clusterId: 0 }],
    ['obdemo:t1:root', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo-t1-root', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo.t1.root', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo:t1:root:7', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 7 }],
    ['a-b', { user: 'a-b', tenant: undefined, cluster: undefined, clusterId: 0 }],
    ['My-User@T#C', { user: 'My-User', tenant: 'T', cluster: 'C', clusterId: 0 }],
    ['root@proxysys', { user: 'root', tenant: 'proxysys', cluster: undefined, clusterId: 0 }],
  ])('%s', (name, identity) => {
    expect(parseIdentity(name)).toEqual(identity)
  })
})

describe('native passwords', () => {
  const constant = new TextEncoder().encode('aaaaaaaabbbbbbbbbbbb')

  test('make the token of the specification', () => {
    expect(Buffer.from(nativeToken(stage1Of('secret'), constant)).toString('hex')).toBe(
      '83733890ca052d9a2d6227265370d86bac2ee213',
    )
  })

  test('are verified, and only the right one', () => {
    const token = nativeToken(stage1Of('secret'), constant)

    expect(verifyNative(token, constant, stage1Of('secret'))).toBe(true)
    expect(verifyNative(token, constant, stage1Of('other'))).toBe(false)
    expect(verifyNative(new Uint8Array(0), constant, stage1Of('secret'))).toBe(false)
    expect(verifyNative(new Uint8Array(0), constant, null)).toBe(true)
  })

  test('travel to any server by the exclusive or of the scrambles', () => {
    const proxy = randomScramble()
    const server = randomScramble()

    expect(xor(xor(proxy, server), server)).toEqual(proxy)
    expect([...proxy].every(byte => byte >= 0x21 && byte <= 0x7e)).toBe(true)
  })
})
