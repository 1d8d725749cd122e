import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import { PacketCollector } from '../../../../proxy-node/wire/framing.ts'
import {
  buildGreeting,
  buildLogin,
  maskGreeting,
  parseGreeting,
  parseLogin,
  proxyGreeting,
} from '../../../../proxy-node/wire/handshake.ts'
import { buildOk, parseError, parseOk } from '../../../../proxy-node/wire/ok.ts'
import { CAPABILITY, STATUS } from '../../../../proxy-node/wire/protocol.ts'
import { packet, Writer } from '../../../../proxy-node/wire/writer.ts'

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

  test('answers garbage with a fault and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        for (const parse of [parseLogin, parseGreeting, parseOk, parseError]) {
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

describe('packet collector', () => {
  test('joins payloads over every cut and over continuation packets', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ maxLength: 60 }),
        (first, second) => {
          const bytes = Buffer.concat([packet(0, first), packet(0, second)])
          for (let cut = 0; cut <= bytes.length; cut++) {
            const collector = new PacketCollector(1000)
            const seen: Uint8Array[] = []
            for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
              collector.push(part)
              for (let got = collector.next(); got !== undefined; got = collector.next())
                seen.push(got.payload)
            }
            expect(seen.map(part => [...part])).toEqual([[...first], [...second]])
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  test('refuses a packet above its cap before it has come', () => {
    const collector = new PacketCollector(100)
    collector.push(Uint8Array.of(101, 0, 0, 0))

    expect(() => collector.next()).toThrow(/more than 100 bytes/)
  })
})
