import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import { COMMAND } from '../../../../proxy-node/wire/protocol.ts'
import {
  parsePrepareOk,
  setStatementId,
  statementId,
  wantsCursor,
} from '../../../../proxy-node/wire/statement.ts'
import { Writer } from '../../../../proxy-node/wire/writer.ts'

const id = fc.integer({ min: 0, max: 0xffff_ffff })

describe('binary statements', () => {
  test('PREPARE_OK says id and counts, with or without warnings', () => {
    const short = new Writer().u8(0).u32(0xffff_fffe).u16(3).u16(2)

    expect(parsePrepareOk(short.payload())).toEqual({
      statementId: 0xffff_fffe,
      columnCount: 3,
      parameterCount: 2,
      warnings: 0,
    })
    expect(parsePrepareOk(short.u8(0).u16(7).payload()).warnings).toBe(7)
  })

  test('an id is read and replaced in place, and nothing else is touched', () => {
    fc.assert(
      fc.property(id, id, fc.nat(20), (before, after, at) => {
        const command = new Writer()
          .zeros(at)
          .u8(COMMAND.stmtExecute)
          .u32(before)
          .u8(1)
          .u32(1)
          .payload()
        const expected = command.slice()

        expect(statementId(command, at)).toBe(before)
        setStatementId(command, at, after)
        expect(statementId(command, at)).toBe(after)
        expect(wantsCursor(command, at)).toBe(true)
        expected.set(command.subarray(at + 1, at + 5), at + 1)
        expect(command).toEqual(expected)
      }),
    )
  })

  test('EXECUTE without a cursor asks for none', () => {
    const command = new Writer().u8(COMMAND.stmtExecute).u32(1).u8(0).u32(1).payload()

    expect(wantsCursor(command)).toBe(false)
  })

  test('whatever is too short is a fault', () => {
    const whole = new Writer().u8(0).u32(1).u16(0).u16(0).payload()
    for (let cut = 0; cut < whole.length; cut++)
      expect(() => parsePrepareOk(whole.subarray(0, cut))).toThrow(Fault)

    expect(() => parsePrepareOk(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0))).toThrow(Fault)
    expect(() => statementId(Uint8Array.of(0x17, 1, 2, 3))).toThrow(Fault)
    expect(() => setStatementId(Uint8Array.of(0x17, 1, 2, 3), 0, 1)).toThrow(Fault)
    expect(() => wantsCursor(Uint8Array.of(0x17, 1, 2, 3, 4))).toThrow(Fault)
  })
})
