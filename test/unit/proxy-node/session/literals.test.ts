import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { setStatements, systemLiteral } from '../../../../proxy-node/session/literals.ts'
import { followsSchema, isReplayable } from '../../../../proxy-node/session/system-variables.ts'

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

describe("a system variable's value", () => {
  test.each([
    ['wait_timeout', '28800', '28800'],
    ['auto_increment_offset', '-1', '-1'],
    ['timestamp', '100.25', '100.25'],
    ['autocommit', 'ON', 'ON'],
    ['foreign_key_checks', 'OFF', 'OFF'],
    ['validate_password_check_user_name', 'on', "'on'"],
    ['tx_isolation', 'READ-COMMITTED', "'READ-COMMITTED'"],
    ['time_format', '%H:%i:%s', "'%H:%i:%s'"],
    ['sql_mode', '', "''"],
    ['character_set_results', '', 'NULL'],
    ['character_set_results', 'gbk', "'gbk'"],
    ['ob_trace_info', '123', "'123'"],
    ['ob_trace_info', 'ON', "'ON'"],
    ['ob_trace_info', "it's", "_utf8mb4 X'69742773'"],
    ['ob_trace_info', 'a\\b', "_utf8mb4 X'615c62'"],
    ['ob_trace_info', 'é\n', "_utf8mb4 X'c3a90a'"],
    ['any', '1e5', "'1e5'"],
    ['any', '+1', "'+1'"],
  ])('%s = %j is %s', (name, value, literal) => {
    expect(text(systemLiteral(name, value))).toBe(literal)
  })

  test('has no quote or backslash that a reader could take otherwise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), value => {
        expect(text(systemLiteral('any', value))).toMatch(
          /^(?:-?\d+(?:\.\d+)?|ON|OFF|'[^'"\\\x80-\xff]*'|_utf8mb4 X'[0-9a-f]*')$/,
        )
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the statements', () => {
  test('set system variables in their order', () => {
    const values = [
      ['autocommit', 'OFF'],
      ['time_zone', '+01:00'],
    ] as const

    expect(setStatements(values).map(text)).toEqual([
      "SET @@autocommit = OFF, @@time_zone = '+01:00'",
    ])
  })

  test('are none for nothing', () => {
    expect(setStatements([])).toEqual([])
  })
})

describe('what is replayed', () => {
  test.each([
    'autocommit',
    'sql_mode',
    'time_zone',
    'timestamp',
    'last_insert_id',
    'ob_last_schema_version',
    'ob_trace_info',
    'tx_read_only',
    'timestamp',
    'character_set_database',
  ])('%s is', name => {
    expect(isReplayable(name)).toBe(true)
  })

  test.each([
    'ob_proxy_partition_hit',
    'ob_proxy_set_trx_executed',
    '_ob_proxy_session_temporary_table_used',
    'ob_capability_flag',
    'ob_statement_trace_id',
    '_current_default_catalog',
    'max_allowed_packet',
    'insert_id',
    'rand_seed1',
  ])('%s is not', name => {
    expect(isReplayable(name)).toBe(false)
  })

  test('what follows the database is told from what does not', () => {
    expect(followsSchema('collation_database')).toBe(true)
    expect(followsSchema('collation_connection')).toBe(false)
  })
})
