import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  buildRequestExtra,
  EXTRA,
  eachEntry,
  isRequestExtra,
  lockSessionOf,
  type RequestExtraParts,
} from '../../../../proxy-node/wire/extra-info.ts'
import { extraEntries, extraEntry } from '../../../support/ob20-server.ts'

function entriesOf(bytes: Uint8Array): { type: number; content: Buffer }[] {
  const entries: { type: number; content: Buffer }[] = []
  eachEntry(bytes, (type, content) => entries.push({ type, content: Buffer.from(content) }))
  return entries
}

const build = (parts: RequestExtraParts) => Buffer.from(buildRequestExtra(parts) ?? [])

describe('extra info for a server', () => {
  test('has entries of type, length and bytes', () => {
    expect(build({ clientAddress: '10.0.0.1' })).toEqual(
      Buffer.concat([
        Buffer.from('d107 12000000'.replace(' ', ''), 'hex'),
        Buffer.from('client_ip=10.0.0.1'),
      ]),
    )
  })

  test('is none at all when there is nothing to say, for an empty one is refused', () => {
    expect(buildRequestExtra({})).toBeUndefined()
    expect(buildRequestExtra({ sessionState: [] })).toBeUndefined()
    expect(buildRequestExtra({ clientAddress: undefined, fullTrace: undefined })).toBeUndefined()
  })

  test('carries session state, trace and where the session was', () => {
    const sessionCheck = {
      lastServer: '10.0.0.9:2881',
      lastThreadId: 0x8123_4567,
      proxySessionId: 0xfedc_ba98_7654_3210n,
    }
    const bytes = build({
      sessionState: [
        [4, Uint8Array.of(1, 2)],
        [0xffff, new Uint8Array(0)],
      ],
      fullTrace: Uint8Array.of(9),
      sessionCheck,
    })

    const [state, trace, check] = extraEntries(bytes)
    expect(state?.type).toBe(2002)
    expect(extraEntries(state?.content ?? Buffer.alloc(0))).toEqual([
      { type: 4, content: Buffer.from([1, 2]) },
      { type: 0xffff, content: Buffer.alloc(0) },
    ])
    expect(trace).toEqual({ type: 2003, content: Buffer.from([9]) })
    expect(check?.type).toBe(2004)
    const [address, thread, session] = extraEntries(check?.content ?? Buffer.alloc(0))
    expect(address).toEqual({ type: 1, content: Buffer.from('10.0.0.9:2881') })
    expect(thread?.content.readUInt32LE(0)).toBe(0x8123_4567)
    expect(session?.content.readBigUInt64LE(0)).toBe(0xfedc_ba98_7654_3210n)
  })

  test('cannot be more than 4 MB', () => {
    const large = new Uint8Array(2.1 * 1024 * 1024)

    expect(() =>
      buildRequestExtra({
        sessionState: [
          [0, large],
          [4, large],
        ],
      }),
    ).toThrow(/too large/)
  })

  test('takes no type of session state that is no 16-bit number', () => {
    for (const type of [-1, 0x1_0000, 1.5])
      expect(() => buildRequestExtra({ sessionState: [[type, Uint8Array.of(1)]] })).toThrow(
        /16 bits/,
      )
  })

  test('is what any other side reads, whatever is in it', () => {
    const blob = fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 50 }))
    const parts = fc.record(
      {
        clientAddress: fc.ipV4(),
        sessionState: fc.array(blob),
        fullTrace: fc.uint8Array({ maxLength: 50 }),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(parts, given => {
        const bytes = build(given)

        expect(extraEntries(bytes)).toEqual(entriesOf(bytes))
        for (const { type } of entriesOf(bytes)) expect([2001, 2002, 2003, 2004]).toContain(type)
        expect(bytes.length === 0 || isRequestExtra(bytes)).toBe(true)
      }),
    )
  })
})

describe('what a server survives', () => {
  test('is the four types and nothing else', () => {
    const survived: number[] = []
    for (let type = 0; type <= 0xffff; type++)
      if (isRequestExtra(extraEntry(type, type === 2002 ? extraEntry(1, 'x') : 'x')))
        survived.push(type)

    expect(survived).toEqual([2001, 2002, 2003, 2004])
  })

  test('is no mixture, no remainder and nothing empty', () => {
    const good = extraEntry(2001, 'client_ip=1')
    const whole = Buffer.concat([good, extraEntry(2002, extraEntry(4, 'abc'))])

    expect(isRequestExtra(Buffer.concat([good, extraEntry(1001, 'x')]))).toBe(false)
    expect(isRequestExtra(Buffer.alloc(0))).toBe(false)
    expect(isRequestExtra(whole)).toBe(true)
    for (let cut = 1; cut < whole.length; cut++)
      if (cut !== good.length) expect(isRequestExtra(whole.subarray(0, cut))).toBe(false)
  })

  test('has whole blobs in its session state', () => {
    const blob = extraEntry(4, 'abc')
    for (let cut = 1; cut < blob.length; cut++)
      expect(isRequestExtra(extraEntry(2002, blob.subarray(0, cut)))).toBe(false)
  })
})

describe('extra info from a server', () => {
  test('shows every entry, of types that nobody knows too', () => {
    const bytes = Buffer.concat([
      extraEntry(EXTRA.feedback, 'f'),
      extraEntry(60_000, ''),
      extraEntry(EXTRA.sessionState, 'first'),
      extraEntry(EXTRA.sessionState, 'second'),
    ])

    expect(entriesOf(bytes)).toEqual(extraEntries(bytes))
    expect(entriesOf(bytes)).toHaveLength(4)
  })

  test('is malformed when cut anywhere within an entry', () => {
    const bytes = extraEntry(2002, 'abcdef')
    for (let cut = 1; cut < bytes.length; cut++)
      expect(() => entriesOf(bytes.subarray(0, cut))).toThrow(/cut short/)
    expect(() => entriesOf(Buffer.from('d207ffffffff00', 'hex'))).toThrow(/cut short/)
  })

  test('says whether the session holds locks, or nothing of it', () => {
    expect(lockSessionOf(extraEntry(0, '1'))).toBe(true)
    expect(lockSessionOf(extraEntry(0, '0'))).toBe(false)
    expect(lockSessionOf(Buffer.concat([extraEntry(0, '1'), extraEntry(0, '0')]))).toBe(false)
    expect(lockSessionOf(extraEntry(7, '1'))).toBeUndefined()
    expect(lockSessionOf(extraEntry(0, ''))).toBeUndefined()
    expect(lockSessionOf(Buffer.alloc(0))).toBeUndefined()
  })

  test('is parsed or malformed, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
        try {
          eachEntry(bytes, () => {})
        } catch (error) {
          expect((error as Error).message).toMatch(/cut short/)
        }
      }),
    )
  })
})
