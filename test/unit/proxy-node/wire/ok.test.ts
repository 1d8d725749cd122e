import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import {
  buildError,
  buildOk,
  errorOfFault,
  isBareOk,
  parseError,
  parseOk,
  parseServerOk,
  rebuildOk,
  shownOk,
} from '../../../../proxy-node/wire/ok.ts'
import { STATUS } from '../../../../proxy-node/wire/protocol.ts'
import { Writer } from '../../../../proxy-node/wire/writer.ts'

const CHANGED = 0x22 | STATUS.sessionStateChanged

/** An OK with session state, its entries written as given. */
function tracked(entries: (state: Writer) => Writer, message = ''): Uint8Array {
  return new Writer()
    .raw(buildOk(CHANGED))
    .lenencText(message)
    .lenencBytes(entries(new Writer()).payload())
    .payload()
}

function pairs(...texts: readonly string[]): Uint8Array {
  const writer = new Writer()
  for (const text of texts) writer.lenencText(text)
  return writer.payload()
}

describe('an OK', () => {
  test('of a login holds hundreds of variables in one entry, then user variables', () => {
    const names = Array.from({ length: 800 }, (_, index) => [`variable_${index}`, `value ${index}`])
    const all = [...names.flat(), '__NULL', '__NULL', '_min_cluster_version', "'4.3.5.3'"]
    const ok = parseOk(
      tracked(state =>
        state
          .u8(0)
          .lenencBytes(pairs(...all))
          .u8(1)
          .lenencBytes(pairs('')),
      ),
    )

    expect([...ok.systemVariables]).toEqual(names)
    expect(Buffer.from(ok.userVariables.get('_min_cluster_version') ?? []).toString()).toBe(
      "'4.3.5.3'",
    )
    expect(ok.schema).toBe('')
  })

  test('of the standard layout holds one entry a variable, and entries of other kinds', () => {
    const ok = parseOk(
      tracked(state =>
        state
          .u8(0)
          .lenencBytes(pairs('autocommit', 'OFF'))
          .u8(2)
          .lenencBytes(pairs('1'))
          .u8(0)
          .lenencBytes(pairs('time_zone', '+08:00'))
          .u8(9)
          .lenencBytes(pairs('whatever')),
      ),
    )

    expect([...ok.systemVariables]).toEqual([
      ['autocommit', 'OFF'],
      ['time_zone', '+08:00'],
    ])
    expect(ok.userVariables.size).toBe(0)
    expect(ok.schema).toBeUndefined()
  })

  test('keeps the bytes of a user variable, whatever their charset', () => {
    const value = Uint8Array.of(0x27, 0xd6, 0x5c, 0x27)
    const entry = new Writer()
      .raw(pairs('__NULL', '__NULL'))
      .lenencText('a`b')
      .lenencBytes(value)
      .payload()

    const ok = parseOk(tracked(state => state.u8(0).lenencBytes(entry)))

    expect(ok.userVariables.get('a`b')).toEqual(value)
    expect(ok.systemVariables.size).toBe(0)
  })

  test('is rebuilt for the client without the session state', () => {
    const payload = tracked(state => state.u8(1).lenencBytes(pairs('d1')), ' Rows matched: 1')

    const clean = parseOk(rebuildOk(parseServerOk(payload)))

    expect(clean.status).toBe(0x22)
    // Only the blank that servers put before it goes: they send proxies one more than clients.
    expect(Buffer.from(clean.message).toString()).toBe('Rows matched: 1')
    expect(clean.schema).toBeUndefined()
  })

  test.each([
    [false, '\0\x02\0"\0\x01\0 Rows matched: 2'],
    [true, '\0\x02\0"\0\x01\0\x0fRows matched: 2'],
  ])('is shown to a client that tracks sessions (%s) as a server writes it', (tracks, shown) => {
    const message = Buffer.from(' Rows matched: 2')
    const payload = buildOk(0x22, { affectedRows: 2, warnings: 1, message })

    expect(Buffer.from(shownOk(payload, undefined, tracks)).toString('latin1')).toBe(shown)
    expect(shownOk(payload, parseOk(payload), tracks)).toEqual(shownOk(payload, undefined, tracks))
  })

  test('is shown without an empty text, as the bytes it came in', () => {
    const payload = Uint8Array.of(0, 0, 0, 0x22, 0, 0, 0, 0)

    const shown = shownOk(payload, undefined, false)

    expect([...shown]).toEqual([0, 0, 0, 0x22, 0, 0, 0])
    expect(shown.buffer).toBe(payload.buffer)
  })

  test.each([
    [true, 'nothing', buildOk()],
    [true, 'an empty message', Uint8Array.of(...buildOk(), 0)],
    [false, 'rows', buildOk(2, { affectedRows: 1 })],
    [false, 'an insert id', buildOk(2, { insertId: 1 })],
    [false, 'a message', buildOk(2, { message: Buffer.from('x') })],
    [false, 'a state', Uint8Array.of(...buildOk(CHANGED), 0)],
  ])('is bare: %s, with %s', (isBare, _with, payload) => {
    expect(isBareOk(payload)).toBe(isBare)
  })

  test('keeps counts of 64 bits', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
        fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
        fc.nat(0xffff),
        (affectedRows, insertId, warnings) => {
          const built = buildOk(0x22, { affectedRows, insertId, warnings })
          const ok = parseOk(built)

          expect([BigInt(ok.affectedRows), BigInt(ok.insertId)]).toEqual([affectedRows, insertId])
          expect(rebuildOk(ok)).toEqual(built)
        },
      ),
    )
  })

  test('cut anywhere is read or a fault, never anything else', () => {
    const whole = tracked(state =>
      state
        .u8(0)
        .lenencBytes(pairs('a', 'b', '__NULL', '__NULL', 'c', '1'))
        .u8(1)
        .lenencBytes(pairs('d')),
    )
    let faults = 0
    for (let cut = 0; cut < whole.length; cut++) {
      try {
        parseOk(whole.subarray(0, cut))
      } catch (error) {
        expect(error).toBeInstanceOf(Fault)
        faults += 1
      }
    }

    expect(faults).toBeGreaterThan(whole.length / 2)
  })
})

describe('an ERR', () => {
  test('survives build and parse', () => {
    expect(parseError(buildError(1064, '42000', 'near ü'))).toEqual({
      errno: 1064,
      state: '42000',
      message: 'near ü',
    })
  })

  test('before the login has no state', () => {
    const bytes = new Writer().u8(0xff).u16(1040).text('Too many connections').payload()

    expect(parseError(bytes)).toEqual({
      errno: 1040,
      state: 'HY000',
      message: 'Too many connections',
    })
  })

  test('of a fault has the number and the text of the catalogue', () => {
    expect(parseError(errorOfFault(new Fault('login.too-many')))).toEqual({
      errno: 1203,
      state: '42000',
      message: 'Too many sessions',
    })
  })
})
