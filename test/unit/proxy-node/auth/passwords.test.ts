import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  stage1FromStored,
  storedPassword,
  verifyStored,
} from '../../../../proxy-node/auth/passwords.ts'
import {
  nativeToken,
  randomScramble,
  stage1Of,
  verifyNative,
  xor,
} from '../../../../proxy-node/auth/scramble.ts'

const constant = new TextEncoder().encode('aaaaaaaabbbbbbbbbbbb')

describe('native passwords', () => {
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

  test('are accepted by a server that knows stage 2 alone', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), password => {
        const proxy = randomScramble()
        const server = randomScramble()
        const attribute = xor(proxy, server)
        const token = nativeToken(stage1Of(password), proxy)

        // What an OBServer does, written apart from the code under test (§2.2).
        const sha1 = (...parts: Uint8Array[]) =>
          createHash('sha1').update(Buffer.concat(parts)).digest()
        const stored = sha1(sha1(Buffer.from(password)))
        const recovered = attribute.map((byte, index) => byte ^ (server[index] as number))
        const mask = sha1(recovered, stored)
        const stage1 = token.map((byte, index) => byte ^ (mask[index] as number))
        expect(sha1(stage1)).toEqual(stored)
      }),
    )
  })

  test('hash to the stage 2 of the specification', () => {
    const stage2 = createHash('sha1').update(stage1Of('secret')).digest('hex')

    expect(stage2).toBe('14e65567abdb5135d0cfd9a70b3032c179a49ee7')
  })

  test('are answered to scrambles that never repeat and hold no NUL', () => {
    const seen = new Set(
      Array.from({ length: 500 }, () => Buffer.from(randomScramble()).toString()),
    )

    expect(seen.size).toBe(500)
    expect([...seen].every(text => /^[\x21-\x7e]{20}$/.test(text))).toBe(true)
  })
})

describe('stored passwords', () => {
  const secret = 'e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4'

  test('are the SHA1 in hex, empty for none', () => {
    expect(storedPassword('secret')).toBe(secret)
    expect(storedPassword('')).toBe('')
    expect(stage1FromStored(secret, 'p')).toEqual(new Uint8Array(stage1Of('secret')))
    expect(stage1FromStored('', 'p')).toBeNull()
  })

  test('let in who knows them, and nobody when they are damaged', () => {
    const token = nativeToken(stage1Of('secret'), constant)
    const none = new Uint8Array(0)

    expect(verifyStored(token, constant, secret)).toBe(true)
    expect(verifyStored(token, constant, secret.toUpperCase())).toBe(true)
    expect(verifyStored(none, constant, secret)).toBe(false)
    expect(verifyStored(none, constant, '')).toBe(true)
    expect(verifyStored(token, constant, '')).toBe(false)
    expect(verifyStored(none, constant, 'zz')).toBe(false)
    expect(verifyStored(token, constant, secret.slice(2))).toBe(false)
  })

  test('are not quoted by the fault about them', () => {
    expect(() => stage1FromStored('hunter2', 'obproxy_sys_password')).toThrow(
      /obproxy_sys_password.*40 hex digits/,
    )
    expect(() => stage1FromStored('hunter2', 'obproxy_sys_password')).not.toThrow(/hunter2/)
  })
})
