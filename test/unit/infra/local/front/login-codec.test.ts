/** Passwords and logins of the fronts, pinned by the vector of proxy-protocol.md §2.2. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lenenc, lenencText, MalformedPacket } from '../../../../../infra/local/front/codec.ts'
import {
  greetingPacket,
  nativeToken,
  parseClientLogin,
  proves,
  proxiedScramble,
  stage2Of,
} from '../../../../../infra/local/front/login-codec.ts'

const P = Buffer.from('aaaaaaaabbbbbbbbbbbb')

describe('mysql_native_password', () => {
  test('makes token and double hash of the vector', () => {
    expect(stage2Of('secret')?.toString('hex')).toBe('14e65567abdb5135d0cfd9a70b3032c179a49ee7')
    expect(nativeToken('secret', P).toString('hex')).toBe(
      '83733890ca052d9a2d6227265370d86bac2ee213',
    )
  })

  test('is proven by its own token for its own scramble alone', () => {
    const stage2 = stage2Of('secret')
    const other = Buffer.from('aaaaaaaabbbbbbbbbbbc')

    expect(proves(nativeToken('secret', P), stage2, P)).toBe(true)
    expect(proves(nativeToken('wrong', P), stage2, P)).toBe(false)
    expect(proves(nativeToken('secret', P), stage2, other)).toBe(false)
    expect(proves(Buffer.alloc(0), stage2, P)).toBe(false)
    expect(proves(nativeToken('secret', P).subarray(1), stage2, P)).toBe(false)
  })

  test('the empty password is proven by nothing, and by nothing else', () => {
    expect(stage2Of('')).toBeUndefined()
    expect(proves(Buffer.alloc(0), undefined, P)).toBe(true)
    expect(proves(nativeToken('x', P), undefined, P)).toBe(false)
  })

  test("a proxy's scramble comes out of its attribute; without one it is the constant", () => {
    const own = Buffer.from('12345678901234567890')
    const hidden = Buffer.from(P.map((byte, at) => byte ^ (own[at] ?? 0)))

    expect(proxiedScramble(hidden, own)).toEqual(P)
    expect(proxiedScramble(undefined, own).toString()).toBe('aaaaaaaabbbbbbbbbbbb')
    expect(proxiedScramble(hidden.subarray(1), own).toString()).toBe('aaaaaaaabbbbbbbbbbbb')
  })
})

function login(flags: number, parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(32)
  head.writeUInt32LE(flags | 0x200, 0)
  return Buffer.concat([head, ...parts])
}

describe('logins', () => {
  const attributes = Buffer.concat(['key', 'value'].map(lenencText))
  const whole = login(0x8 | 0x80000 | 0x100000, [
    Buffer.from('demo@app\0'),
    lenencText('12345678901234567890'),
    Buffer.from('d1\0mysql_native_password\0'),
    lenenc(attributes.length),
    attributes,
  ])

  test('are cut into their fields, and put together again with another user', () => {
    const read = parseClientLogin(whole)

    expect(read).toMatchObject({
      user: 'demo@app',
      database: 'd1',
      plugin: 'mysql_native_password',
    })
    expect(read.authResponse.toString()).toBe('12345678901234567890')
    expect(read.attributes.get('key')?.toString()).toBe('value')
    expect(Buffer.concat([read.head, Buffer.from(read.user), read.tail])).toEqual(whole)
  })

  test('cut short or made of nonsense are malformed, never something else', () => {
    for (let length = 0; length < 45; length++)
      expect(() => parseClientLogin(whole.subarray(0, length))).toThrow(MalformedPacket)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        try {
          parseClientLogin(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedPacket)
        }
      }),
    )
  })
})

test('a greeting has its fields where the protocol wants them', () => {
  const packet = greetingPacket({
    version: '5.7.25',
    threadId: 0x8000_0001,
    capabilities: 0x309c_f7df,
    scramble: P,
  })

  expect(packet.subarray(0, 8).toString('latin1')).toBe('\x0a5.7.25\0')
  expect(packet.readUInt32LE(8)).toBe(0x8000_0001)
  expect(packet.subarray(12, 20).toString()).toBe('aaaaaaaa')
  expect(packet.readUInt16LE(21)).toBe(0xf7df)
  expect(packet.readUInt16LE(26)).toBe(0x309c)
  expect(packet.readUInt8(28)).toBe(21)
  expect(packet.subarray(39).toString()).toBe('bbbbbbbbbbbb\0mysql_native_password\0')
})
