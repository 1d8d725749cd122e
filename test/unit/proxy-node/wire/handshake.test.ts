import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import {
  buildAuthSwitch,
  buildGreeting,
  buildLogin,
  maskGreeting,
  maskLogin,
  parseAuthSwitch,
  parseGreeting,
  parseLogin,
  proxyGreeting,
} from '../../../../proxy-node/wire/handshake.ts'
import { buildOk, parseError, parseOk } from '../../../../proxy-node/wire/ok.ts'
import { CAPABILITY, STATUS } from '../../../../proxy-node/wire/protocol.ts'
import { Writer } from '../../../../proxy-node/wire/writer.ts'

const scramble = new TextEncoder().encode('aaaaaaaabbbbbbbbbbbb')
const word = fc.string({ maxLength: 40 }).filter(text => !text.includes('\0'))

describe('greeting', () => {
  test('offers 0x009FF7DF, mysql_native_password and a 20-byte scramble', () => {
    const greeting = parseGreeting(buildGreeting(proxyGreeting('5.7.25', 42, scramble)))

    expect(greeting.capabilities).toBe(0x009ff7df)
    expect(greeting.plugin).toBe('mysql_native_password')
    expect([...greeting.scramble]).toEqual([...scramble])
    expect(greeting.connectionId).toBe(42)
  })

  test('is the bytes of the specification', () => {
    const bytes = buildGreeting(proxyGreeting('5.6.25', 0x01020304, scramble))

    expect(Buffer.from(bytes).toString('latin1')).toBe(
      '\x0a5.6.25\0\x04\x03\x02\x01aaaaaaaa\0\xdf\xf7\x2e\0\0\x9f\0\x15' +
        '\0\0\0\0\0\0\0\0\0\0bbbbbbbbbbbb\0mysql_native_password\0',
    )
  })

  test('cut anywhere is read or a fault, never anything else', () => {
    const bytes = buildGreeting(proxyGreeting('5.6.25', 1, scramble))
    for (let cut = 0; cut < bytes.length; cut++) {
      try {
        expect(parseGreeting(bytes.subarray(0, cut)).version).toBe('5.6.25')
      } catch (error) {
        expect(error).toBeInstanceOf(Fault)
      }
    }
  })

  test('what is not relayed is taken from the client’s answer too, and nothing else', () => {
    const payload = new Uint8Array(40).map((_zero, at) => at + 1)
    new DataView(payload.buffer).setUint32(0, 0xffff_ffff, true)
    const before = payload.slice()
    const masked = maskLogin(payload)
    const bits = new DataView(masked.buffer).getUint32(0, true)
    const refused =
      CAPABILITY.compress |
      CAPABILITY.ssl |
      CAPABILITY.deprecateEof |
      CAPABILITY.optionalResultsetMetadata |
      CAPABILITY.zstd |
      CAPABILITY.queryAttributes

    expect(bits).toBe(~refused >>> 0)
    expect(masked.slice(4)).toEqual(payload.slice(4))
    expect(payload).toEqual(before)
    expect(maskLogin(new Uint8Array(3))).toEqual(new Uint8Array(3))
  })

  test('masks what the relay does not implement', () => {
    const masked = maskGreeting({
      ...proxyGreeting('11.4-MariaDB', 1, scramble),
      capabilities: 0xffffffff,
    })

    expect(
      masked.capabilities & (CAPABILITY.ssl | CAPABILITY.compress | CAPABILITY.deprecateEof),
    ).toBe(0)
    expect(masked.capabilities & CAPABILITY.protocol41).not.toBe(0)
  })
})

/** A login up to its plugin: user u, no answer, attributes announced. */
function head(): number[] {
  const bits =
    CAPABILITY.protocol41 |
    CAPABILITY.secureConnection |
    CAPABILITY.pluginAuth |
    CAPABILITY.connectAttrs
  const writer = new Writer()
    .u32(bits)
    .u32(1 << 24)
    .u8(45)
    .zeros(23)
    .nul('u')
    .u8(0)
  return [...writer.nul('mysql_native_password').payload()]
}

describe('authentication switch', () => {
  test('survives build and parse', () => {
    const request = buildAuthSwitch(scramble)

    expect(request[0]).toBe(0xfe)
    expect(request.at(-1)).toBe(0)
    expect(parseAuthSwitch(request)).toEqual({ plugin: 'mysql_native_password', scramble })
    expect(parseAuthSwitch(request.subarray(0, -1)).scramble).toEqual(scramble)
  })
})

describe('login', () => {
  test('survives build and parse for any names, databases and attributes', () => {
    fc.assert(
      fc.property(
        word,
        fc.option(word, { nil: undefined }),
        fc.uint8Array({ maxLength: 20 }),
        fc.dictionary(word, fc.uint8Array({ maxLength: 300 }), { maxKeys: 5 }),
        (user, database, authResponse, attributes) => {
          const bits =
            CAPABILITY.protocol41 |
            CAPABILITY.secureConnection |
            CAPABILITY.pluginAuth |
            CAPABILITY.connectAttrs
          const login = {
            capabilities: database === undefined ? bits : bits | CAPABILITY.connectWithDb,
            maxPacketBytes: 1 << 24,
            collation: 45,
            user,
            authResponse,
            database,
            plugin: 'mysql_native_password',
            attributes: new Map(Object.entries(attributes)),
          }

          expect(parseLogin(buildLogin(login))).toEqual(login)
        },
      ),
    )
  })

  test('reads the answer in each of its three encodings', () => {
    const answer = Uint8Array.of(7, 8, 9)
    const none = CAPABILITY.protocol41
    for (const bits of [none, CAPABILITY.secureConnection, CAPABILITY.pluginAuthLenenc]) {
      const login = {
        capabilities: none | bits | CAPABILITY.pluginAuth,
        maxPacketBytes: 0,
        collation: 45,
        user: 'u',
        authResponse: answer,
        database: undefined,
        plugin: 'caching_sha2_password',
        attributes: new Map(),
      }

      expect(parseLogin(buildLogin(login))).toEqual(login)
    }
  })

  test.each([
    ['one byte', (length: number) => [length]],
    ['three bytes', (length: number) => [0xfc, length, 0]],
    ['four bytes', (length: number) => [0xfd, length, 0, 0]],
    ['nine bytes', (length: number) => [0xfe, length, 0, 0, 0, 0, 0, 0, 0]],
  ])('reads attributes whose lengths take %s', (_name, encode) => {
    const pair = [...encode(1), 0x6b, ...encode(2), 0x00, 0xff]
    const bytes = Uint8Array.of(...head(), ...encode(pair.length), ...pair)

    expect([...parseLogin(bytes).attributes]).toEqual([['k', Uint8Array.of(0x00, 0xff)]])
  })

  test.each([
    ['longer than the packet', [200, 1, 0x6b]],
    ['with a key and no value', [2, 1, 0x6b]],
    ['with a value behind their end', [4, 1, 0x6b, 9, 0x76]],
    ['of a stray byte', [0xff]],
    ['that are missing', []],
  ])('goes on without attributes %s', (_name, tail) => {
    const login = parseLogin(Uint8Array.of(...head(), ...tail))

    expect(login.user).toBe('u')
    expect(login.attributes.size).toBe(0)
  })

  test('finds the plugin behind a lone NUL that some drivers write for no database', () => {
    const plugin = [...Buffer.from('mysql_native_password\0')]
    const bytes = head()
    bytes.splice(bytes.length - plugin.length, 0, 0)

    const login = parseLogin(Uint8Array.from([...bytes, 5, 1, 0x6b, 2, 0x76, 0x77]))

    expect(login.plugin).toBe('mysql_native_password')
    expect([...login.attributes.keys()]).toEqual(['k'])
  })

  test('keeps an empty plugin that is followed by attributes', () => {
    const bytes = head().slice(0, -'mysql_native_password\0'.length)

    const login = parseLogin(Uint8Array.from([...bytes, 0, 5, 1, 0x6b, 2, 0x76, 0x77]))

    expect(login.plugin).toBe('')
    expect([...login.attributes.keys()]).toEqual(['k'])
  })

  test('without PROTOCOL_41 is refused', () => {
    expect(() => parseLogin(new Uint8Array(40))).toThrow(/PROTOCOL_41/)
  })

  test('cut anywhere is read or a fault, never anything else', () => {
    const bytes = Uint8Array.from([...head(), 5, 1, 0x6b, 2, 0x76, 0x77])
    for (let cut = 0; cut < bytes.length; cut++) {
      try {
        expect(parseLogin(bytes.subarray(0, cut)).user).toBe('u')
      } catch (error) {
        expect(error).toBeInstanceOf(Fault)
      }
    }
  })

  test('answers garbage with a fault and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        for (const parse of [parseLogin, parseGreeting, parseAuthSwitch, parseOk, parseError]) {
          try {
            parse(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(Fault)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('OK of OceanBase', () => {
  test('holds system variables, user variables and the schema', () => {
    const entry = new Writer()
    for (const text of ['autocommit', 'OFF', '__NULL', '__NULL', 'a', "'it''s'"])
      entry.lenencText(text)
    const schema = new Writer().lenencText('d1').payload()
    const state = new Writer().u8(0).lenencBytes(entry.payload()).u8(1).lenencBytes(schema)
    const payload = new Writer()
      .raw(
        buildOk(0x22 | STATUS.sessionStateChanged, {
          affectedRows: 300,
          insertId: 70_000,
          warnings: 2,
        }),
      )
      .lenenc(0)
      .lenencBytes(state.payload())
      .payload()

    const ok = parseOk(payload)

    expect(ok).toMatchObject({ affectedRows: 300, insertId: 70_000, warnings: 2, schema: 'd1' })
    expect(ok.systemVariables).toEqual(new Map([['autocommit', 'OFF']]))
    expect(Buffer.from(ok.userVariables.get('a') ?? []).toString()).toBe("'it''s'")
  })
})
