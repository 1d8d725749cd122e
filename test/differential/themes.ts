/** What sequences are made of: each theme makes one step, or a few that belong together. */
import type { Dice } from './dice.ts'
import { type Step, utf8, type Value } from './steps.ts'

export type Theme = (dice: Dice) => readonly Step[]

const query = (sql: string): readonly Step[] => [{ kind: 'query', sql }]
const rival = (sql: string): readonly Step[] => [{ kind: 'rival', sql }]
const command = (code: number, body = ''): readonly Step[] => [{ kind: 'command', code, body }]

// --- names and values

const VARIABLES = ['@a', '@b', '@c', '@`x y`', "@'q'", utf8('@`é`'), '@A', '@`b``q`', '@d.e$f']

/**
 * Of each kind that an OK does not tell from others: doubles, JSON, geometries, numbers in hexadecimal
 * digits, texts of another character set, of another collation, or whose collation binds otherwise.
 */
const LITERALS: readonly string[] = [
  "'plain'",
  "'it''s'",
  `'a"b'`,
  String.raw`'back\\slash'`,
  String.raw`'\\'`,
  String.raw`'new\nline\0zero\Z'`,
  String.raw`'\%\_'`,
  `'tick\`'`,
  "''",
  utf8("'é中🙂'"),
  "'\xff\xfe'",
  "UNHEX('00ff27225c')",
  "UNHEX('313233')",
  'NULL',
  '1',
  '-17',
  '1.50',
  '-0.0',
  '18446744073709551615',
  '9223372036854775808',
  'true',
  '1/3',
  '10 DIV 3',
  'CAST(1.5 AS DECIMAL(20,10))',
  "DATE'2020-02-29'",
  "TIMESTAMP'2020-02-29 10:11:12.123456'",
  "TIME'-10:00:00.5'",
  "CAST('2020-01-01' AS DATETIME(3))",
  '\'{"k": [1, "v"]}\'',
  "CONCAT('a', 1)",
  "REPEAT('long text ', 300)",
  "'; DROP TABLE t1; -- '",
  "UNHEX('80818283')",
  '(SELECT MAX(id) FROM {a}.t2)',
  '(SELECT v FROM {a}.t2 WHERE id = 99)',
  '@a',
  '@b := 5',
  'LENGTH(@a)',
  '@@sql_mode',
  '@@autocommit',
  'YEAR(2020)',
  '1.5e0',
  '1e0 / 3',
  '0x3635',
  "X'41'",
  "b'1000001'",
  '(SELECT d FROM {a}.t2 WHERE id = 1)',
  `CAST('{"k": [1, "v"]}' AS JSON)`,
  "ST_GeomFromText('POINT(1 2)')",
  "'x' COLLATE utf8mb4_bin",
  "'x' COLLATE utf8mb4_unicode_ci",
  "_latin1 X'E9'",
  "_gbk X'D6D0'",
  "CONVERT(_utf8mb4 X'E4B8AD' USING gbk)",
  "CAST('x' AS CHAR)",
]

const SEEN = (name: string) =>
  `${name}, HEX(${name}), CHARSET(${name}), COLLATION(${name}), IF(CHARSET(${name}) = 'binary', 0, COERCIBILITY(${name}))`

const SQL_MODES = [
  '',
  'NO_BACKSLASH_ESCAPES',
  'ANSI_QUOTES',
  'ANSI_QUOTES,NO_BACKSLASH_ESCAPES',
  'STRICT_TRANS_TABLES',
  'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY',
  'PIPES_AS_CONCAT',
  'NO_AUTO_VALUE_ON_ZERO',
  'PAD_CHAR_TO_FULL_LENGTH',
]

const CHARSETS = [
  'utf8mb4',
  'latin1',
  'gbk',
  'binary',
  'utf8',
  'gb18030',
  'ascii',
  'utf16',
  'nosuch',
]
const COLLATIONS = [
  'utf8mb4_bin',
  'utf8mb4_general_ci',
  'utf8mb4_unicode_ci',
  'gbk_bin',
  'binary',
  'latin1_swedish_ci',
]

const SETTINGS: readonly ((dice: Dice) => string)[] = [
  dice => `autocommit = ${dice.pick(['0', '1', 'ON', 'OFF', 'DEFAULT', '2'])}`,
  dice => `sql_mode = '${dice.pick(SQL_MODES)}'`,
  dice =>
    `SESSION sql_mode = ${dice.pick(["CONCAT(@@sql_mode, ',ANSI_QUOTES')", 'DEFAULT', '0', "'WRONG'"])}`,
  dice => `time_zone = ${dice.pick(["'+03:00'", "'-11:30'", "'+08:00'", 'DEFAULT', "'+99:00'"])}`,
  dice => `@@session.time_zone = '${dice.pick(['+01:00', '-02:00'])}'`,
  dice => `character_set_client = ${dice.pick(CHARSETS)}`,
  dice => `character_set_results = ${dice.pick([...CHARSETS, 'NULL'])}`,
  dice => `character_set_connection = ${dice.pick(CHARSETS)}`,
  dice => `collation_connection = ${dice.pick(COLLATIONS)}`,
  dice => `NAMES ${dice.pick(CHARSETS)}`,
  () => 'NAMES DEFAULT',
  () => 'NAMES utf8mb4 COLLATE utf8mb4_bin',
  dice => `CHARACTER SET ${dice.pick(['utf8mb4', 'latin1', 'gbk'])}`,
  dice =>
    `${dice.pick(['transaction_isolation', 'tx_isolation'])} = '${dice.pick(['READ-COMMITTED', 'REPEATABLE-READ', 'SERIALIZABLE'])}'`,
  dice =>
    `SESSION TRANSACTION ISOLATION LEVEL ${dice.pick(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])}`,
  dice => `SESSION TRANSACTION READ ${dice.pick(['ONLY', 'WRITE'])}`,
  dice => `tx_read_only = ${dice.pick(['0', '1'])}`,
  dice => `ob_query_timeout = ${dice.pick(['9000000', '12345678', '100000000', 'DEFAULT'])}`,
  dice => `ob_trx_timeout = ${dice.pick(['90000000', '123456780'])}`,
  dice => `group_concat_max_len = ${dice.pick(['4', '5', '1024', 'DEFAULT', '1'])}`,
  dice => `div_precision_increment = ${dice.pick(['0', '2', '10', '30', 'DEFAULT', '99'])}`,
  dice => `last_insert_id = ${dice.pick(['77', '0', '9223372036854775807'])}`,
  dice => `character_set_database = ${dice.pick(['latin1', 'gbk', 'utf8mb4'])}`,
  dice => `collation_database = ${dice.pick(['utf8mb4_bin', 'latin1_swedish_ci', 'DEFAULT'])}`,
  dice => `identity = ${dice.pick(['5', '6'])}`,
  dice => `timestamp = ${dice.pick(['100', '1000000.5', '86400'])}`,
  dice => `auto_increment_increment = ${dice.pick(['1', '5'])}`,
  dice => `auto_increment_offset = ${dice.pick(['1', '3'])}`,
  dice => `sql_select_limit = ${dice.pick(['1', '2', '18446744073709551615', 'DEFAULT'])}`,
  dice => `sql_auto_is_null = ${dice.pick(['0', '1'])}`,
  dice => `max_execution_time = ${dice.pick(['0', '9000'])}`,
  dice => `wait_timeout = ${dice.pick(['444', '555'])}`,
  dice => `interactive_timeout = ${dice.pick(['444', '555'])}`,
  dice => `foreign_key_checks = ${dice.pick(['0', 'OFF', '1'])}`,
  dice => `sql_safe_updates = ${dice.pick(['0', '1'])}`,
  dice => `sql_quote_show_create = ${dice.pick(['0', '1'])}`,
  dice => `ob_trace_info = ${dice.pick(["'client=1'", "'it''s'", "'5'", "''"])}`,
  dice => `ob_enable_plan_cache = ${dice.pick(['0', '1'])}`,
  dice => `ob_read_consistency = '${dice.pick(['STRONG', 'WEAK', ''])}'`,
  dice => `ob_log_level = '${dice.pick(['disabled', 'error', 'info'])}'`,
  dice => `lc_time_names = '${dice.pick(['en_US', 'de_DE'])}'`,
  dice => `default_week_format = ${dice.pick(['0', '3'])}`,
  dice => `net_read_timeout = ${dice.pick(['31', '32'])}`,
  dice => `sql_warnings = ${dice.pick(['0', '1'])}`,
  dice => `explicit_defaults_for_timestamp = ${dice.pick(['0', '1'])}`,
  dice => `optimizer_switch = ${dice.pick(['DEFAULT', "'x=on'"])}`,
  dice => `insert_id = ${dice.pick(['500', '0'])}`,
  dice => `rand_seed1 = ${dice.pick(['10', '11'])}, rand_seed2 = 20`,
  () => 'nosuch_variable = 1',
  () => 'wait_timeout = 333, nosuch_variable = 1',
  () => 'version = 5',
  () => 'GLOBAL max_connections = 0.5e',
]

const READ_VARIABLES = [
  '@@sql_mode',
  '@@autocommit, @@tx_isolation, @@tx_read_only',
  '@@time_zone, @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection',
  '@@group_concat_max_len, @@div_precision_increment, 1/7',
  '@@last_insert_id, LAST_INSERT_ID(), @@identity',
  '@@wait_timeout, @@interactive_timeout, @@ob_query_timeout, @@ob_trx_timeout',
  'IF(@@timestamp < 100000000, NOW(6), 0)',
  '@@ob_trace_info, @@ob_read_consistency, @@sql_select_limit',
  'DATABASE(), USER(), CURRENT_USER()',
  '@@insert_id',
  '@@rand_seed1, @@rand_seed2',
  '@@auto_increment_increment, @@auto_increment_offset',
  '@@character_set_database, @@collation_database',
  "FROM_UNIXTIME(0), UNIX_TIMESTAMP('2020-01-01 00:00:00')",
  "'lit', CHARSET('lit'), COLLATION('lit'), HEX('\xe4')",
  `"double"`,
  `'a' || 'b'`,
  String.raw`'a\\b', LENGTH('\n')`,
]

const reading: Theme = dice => query(`SELECT ${dice.pick(READ_VARIABLES)}`)

// --- themes

const settings: Theme = dice => {
  if (dice.chance(0.4)) return reading(dice)
  const scope = dice.chance(0.1) ? 'SESSION ' : ''
  const one = dice.pick(SETTINGS)(dice)
  if (dice.chance(0.8) || /NAMES|CHARACTER SET|TRANSACTION/.test(one))
    return query(`SET ${scope}${one}`.replace('SESSION SESSION', 'SESSION'))
  const other = dice.pick(SETTINGS)(dice)
  return query(`SET ${one}, ${other}`)
}

const userVariables: Theme = dice => {
  const name = dice.pick(VARIABLES)
  const kind = dice.below(8)
  if (kind < 3) return query(`SET ${name} = ${dice.pick(LITERALS)}`)
  if (kind === 3)
    return query(
      `SET ${name} = ${dice.pick(LITERALS)}, ${dice.pick(VARIABLES)} := ${dice.pick(LITERALS)}`,
    )
  if (kind === 4) return query(`SELECT ${name} := ${dice.pick(LITERALS)}`)
  if (kind === 5) return query(`SELECT ${SEEN(name)}`)
  if (kind === 6) return query(`SELECT id, v INTO @a, @b FROM {a}.t2 WHERE id = ${dice.below(5)}`)
  return query(`SELECT ${SEEN(name)}, ${name} + 0, ${name} = ${dice.pick(LITERALS)}`)
}

const transactions: Theme = dice => {
  const kind = dice.below(14)
  if (kind < 2)
    return query(
      dice.pick(['BEGIN', 'START TRANSACTION', 'BEGIN WORK', 'begin /* held */', 'BEGIN;']),
    )
  if (kind === 2)
    return query(
      `START TRANSACTION ${dice.pick(['READ ONLY', 'READ WRITE', 'WITH CONSISTENT SNAPSHOT', 'WITH CONSISTENT SNAPSHOT, READ ONLY', 'nonsense'])}`,
    )
  if (kind < 5) return query(dice.pick(['COMMIT', 'COMMIT WORK', 'COMMIT;']))
  if (kind === 5) return query(dice.pick(['ROLLBACK', 'ROLLBACK WORK']))
  if (kind === 6) return query(`SAVEPOINT ${dice.pick(['s1', 's2', '`s 3`'])}`)
  if (kind === 7)
    return query(
      `ROLLBACK TO ${dice.pick(['', 'SAVEPOINT '])}${dice.pick(['s1', 's2', '`s 3`', 'nosuch'])}`,
    )
  if (kind === 8) return query(`RELEASE SAVEPOINT ${dice.pick(['s1', 'nosuch'])}`)
  if (kind === 9) return query(`SET autocommit = ${dice.pick(['0', '1'])}`)
  if (kind === 10)
    return query(
      `SET TRANSACTION ${dice.pick(['READ ONLY', 'READ WRITE', 'ISOLATION LEVEL SERIALIZABLE', 'ISOLATION LEVEL READ COMMITTED', 'ISOLATION LEVEL REPEATABLE READ'])}`,
    )
  if (kind === 11) return query('SELECT * FROM t2 WHERE id = 1 FOR UPDATE')
  if (kind === 12) return query('BEGIN; INSERT INTO t1 (a) VALUES (4); COMMIT')
  return dice.chance(0.5) ? changes(dice) : reading(dice)
}

const INSERTED = ["'x'", "'é'", '@a', '@b', 'NULL', "'it''s'", 'DATABASE()', '@@sql_mode']

const changes: Theme = dice => {
  const kind = dice.below(16)
  const id = dice.below(6)
  if (kind < 3)
    return query(`INSERT INTO t1 (a, s) VALUES (${dice.below(9)}, ${dice.pick(INSERTED)})`)
  if (kind === 3) return query(`INSERT INTO t1 (a) VALUES (1), (2), (3)`)
  if (kind === 4) return query(`INSERT INTO t1 (a) SELECT id FROM t2 ORDER BY id`)
  if (kind === 5) return query(`INSERT INTO t2 (id, d, v) VALUES (${id}, 1.2345, 'n${id}')`)
  if (kind === 6) return query(`INSERT IGNORE INTO t2 (id, v) VALUES (${id}, 'one'), (9, 'nine')`)
  if (kind === 7)
    return query(
      `INSERT INTO t2 (id, v) VALUES (${id}, 'dup') ON DUPLICATE KEY UPDATE v = 'u${id}', id = LAST_INSERT_ID(id)`,
    )
  if (kind === 8) return query(`REPLACE INTO t2 (id, v) VALUES (${id}, 'r${id}')`)
  if (kind === 9) return query(`UPDATE t2 SET d = d + 1 WHERE id <= ${id}`)
  if (kind === 10) return query(`UPDATE t2 SET v = v`)
  if (kind === 11) return query(`DELETE FROM t2 WHERE id = ${id}`)
  if (kind === 12) return query(`UPDATE t1 SET a = LAST_INSERT_ID(a + ${id}) LIMIT 1`)
  if (kind === 13) return query('INSERT INTO t1 (id, a) VALUES (0, 1)')
  if (kind === 14) return query(`INSERT INTO {b}.t1 VALUES (${id}, 5)`)
  return query('SELECT LAST_INSERT_ID(), ROW_COUNT()')
}

const LEANING = [
  'SELECT FOUND_ROWS()',
  'SELECT ROW_COUNT()',
  'SELECT LAST_INSERT_ID()',
  'SELECT LAST_INSERT_ID(42)',
  'SHOW WARNINGS',
  'SHOW ERRORS',
  'SHOW COUNT(*) WARNINGS',
  'SELECT @@warning_count, @@error_count',
  'SHOW WARNINGS LIMIT 1',
  'SELECT SQL_CALC_FOUND_ROWS id FROM t2 ORDER BY id LIMIT 1',
  "SELECT CAST('12x' AS SIGNED)",
  "SELECT 1/0, CAST('x' AS DATE)",
  "INSERT INTO t1 (a) VALUES ('5')",
  "INSERT IGNORE INTO t1 (a) VALUES ('7z')",
  'DROP TABLE IF EXISTS nosuch',
  'SELECT GROUP_CONCAT(v ORDER BY id) FROM t2',
  'DO 1',
  'SELECT id FROM t2 ORDER BY id',
]

const leaning: Theme = dice => query(dice.pick(LEANING))

const ERRORS = [
  'SELEKT 1',
  '',
  ' ',
  '-- nothing',
  '/* nothing */',
  ';',
  'SELECT',
  'SELECT * FROM nosuch',
  'SELECT nosuch FROM t1',
  'INSERT INTO t2 (id) VALUES (1)',
  "INSERT INTO t2 (id, v) VALUES (7, 'one')",
  "INSERT INTO t2 (id, v) VALUES (8, REPEAT('x', 99))",
  'SELECT 1 FROM t1 WHERE (SELECT id FROM t2)',
  "SELECT 'open",
  'CALL nosuch()',
  'CALL p_sets()',
  'USE nosuch_database',
  'EXECUTE nosuch',
  'DEALLOCATE PREPARE nosuch',
  'SELECT f_nosuch(1)',
  'KILL 0',
  'SELECT @@nosuch',
  'DROP TABLE nosuch',
  'DROP DATABASE nosuch_database',
  "SELECT ST_ASTEXT('x')",
  "SIGNAL SQLSTATE '45000'",
  'SELECT CAST(9e99 AS SIGNED), 9223372036854775807 + 1',
  'UPDATE t2 SET id = 1',
  'SHOW CREATE TABLE nosuch',
  "SELECT '\xff' + 1",
]

const errors: Theme = dice => (dice.chance(0.6) ? query(dice.pick(ERRORS)) : leaning(dice))

const READS = [
  'SELECT * FROM t1 ORDER BY id',
  'SELECT * FROM t2 ORDER BY id',
  'SELECT id, HEX(b), v FROM t2 WHERE id = 2',
  'SELECT COUNT(*) FROM t1',
  'SELECT t2.*, f_sets(id) FROM t2 ORDER BY id',
  'SELECT @a, f_sets(5), @a',
  '(SELECT 1) UNION (SELECT 2)',
  'WITH c AS (SELECT 1 AS n) SELECT n FROM c',
  'SELECT * FROM t2 PROCEDURE ANALYSE()',
  'SELECT @r := @r + 1, id FROM t2, (SELECT @r := 0) r ORDER BY id',
  'SELECT * FROM {b}.t1',
  'SELECT * FROM t1, t2 WHERE t1.a = t2.id ORDER BY 1',
  'EXPLAIN SELECT * FROM t2',
  'EXPLAIN FORMAT = JSON SELECT id FROM t2 WHERE id = 1',
  'DESC t1',
  'SHOW COLUMNS FROM t2',
  'SHOW TABLES',
  'SHOW CREATE TABLE t2',
  'SHOW INDEX FROM t2',
  "SHOW VARIABLES LIKE 'character%'",
  "SHOW SESSION VARIABLES LIKE 'ob\\_%timeout'",
  'SHOW DATABASES LIKE "nosuch"',
  "SHOW COLLATION LIKE 'utf8mb4\\_bin'",
  'SHOW GRANTS',
  'TABLE t2',
  'SELECT REPEAT("x", 70000)',
  'SELECT VERSION(), @@version_comment',
  'SHOW STATUS LIKE "nosuch"',
  'HELP "select"',
]

const reads: Theme = dice => query(dice.pick(READS))

const STATEMENTS = [
  'SELECT ? AS p, @a',
  'SELECT * FROM t2 WHERE id = ?',
  'INSERT INTO t1 (a, s) VALUES (?, ?)',
  'SELECT 1',
  'SET @a = ?',
  'SET @b = ?, time_zone = "+02:00"',
  'SELECT ?, ?, ?',
  'UPDATE t2 SET v = ? WHERE id = 1',
  'CALL p_sets(?)',
  'CALL p_out(1, @b, @c)',
  'SELECT * FROM nosuch WHERE id = ?',
  "SELECT \"quoted\", 'it''s'",
  String.raw`SELECT 'back\\slash'`,
  'COMMIT',
  'BEGIN',
  'SELECT DATABASE(), @@sql_mode',
  'SELECT LAST_INSERT_ID(), FOUND_ROWS()',
  'SELECT f_sets(?)',
  'SELECT 1; SELECT 2',
  'SELEKT ?',
  'SELECT ID, v FROM t2 ORDER BY id',
  'USE {b}',
  'SHOW WARNINGS',
  'DELETE FROM t2 WHERE id = ?',
  'SELECT * FROM t1 LIMIT ?',
  'CREATE TABLE IF NOT EXISTS t1 (id INT)',
  'DROP TABLE IF EXISTS nosuch',
]

const NAMES = ['st1', 'st2', '`s t`', 'ST1', "`q'`"]

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

const textPrepared: Theme = dice => {
  const name = dice.pick(NAMES)
  const kind = dice.below(9)
  const sql = dice.pick(STATEMENTS)
  if (kind < 3) return query(`PREPARE ${name} FROM ${quoted(sql)}`)
  if (kind === 3) return [...query(`SET @s = ${quoted(sql)}`), ...query(`PREPARE ${name} FROM @s`)]
  if (kind === 4) return query(`PREPARE ${name} FROM ${dice.pick(['@a', '@nosuch', '@s', '""'])}`)
  if (kind === 5) return query(`EXECUTE ${name}`)
  if (kind < 8)
    return query(`EXECUTE ${name} USING ${dice.pick(['@a', '@a, @b', '@a, @b, @c', '@nosuch'])}`)
  return query(`${dice.pick(['DEALLOCATE', 'DROP'])} PREPARE ${name}`)
}

const BOUND: readonly Value[] = [
  null,
  'text',
  '',
  utf8('é中'),
  'it\'s \\ "q"',
  '\x00\xff',
  1,
  -5,
  2,
  { double: 1.5 },
  '2020-01-01',
]

const countOf = (sql: string) => sql.split('?').length - 1

const binaryPrepared: Theme = dice => {
  const slot = dice.below(3)
  const kind = dice.below(12)
  const sql = dice.pick(STATEMENTS)
  const values = (count: number) => Array.from({ length: count }, () => dice.pick(BOUND))
  const execute = (count: number, types: boolean, cursor = false): Step => ({
    kind: 'execute',
    slot,
    values: values(count),
    types,
    cursor,
  })
  if (kind < 3) return [{ kind: 'prepare', slot, sql }, execute(countOf(sql), true)]
  if (kind === 3) return [{ kind: 'prepare', slot, sql }]
  if (kind < 6) return [execute(countOf(sql), dice.chance(0.9))]
  if (kind === 6) {
    const text = dice.pick(['SELECT ?, @a', 'SET @a = ?', 'UPDATE t2 SET v = ? WHERE id = 2'])
    const again: Step = { kind: 'execute', slot, values: ['other'], types: false, cursor: false }
    return [
      { kind: 'prepare', slot, sql: text },
      { kind: 'execute', slot, values: ['first'], types: true, cursor: false },
      ...(dice.chance(0.5) ? settings(dice) : []),
      again,
      again,
    ]
  }
  if (kind === 7) return longData(dice, slot)
  if (kind === 8) return cursors(dice, slot)
  if (kind === 9) return [{ kind: 'reset', slot }]
  if (kind === 10) return [{ kind: 'close', slot }]
  return [{ kind: 'fetch', slot, rows: 1 + dice.below(3) }]
}

function longData(dice: Dice, slot: number): readonly Step[] {
  const chunk = (text: string): Step => ({ kind: 'longData', slot, parameter: 0, text })
  return [
    { kind: 'prepare', slot, sql: 'SELECT LENGTH(?), @a IS NULL' },
    chunk('first '),
    ...(dice.chance(0.3) ? reading(dice) : []),
    chunk(utf8('zweites é')),
    ...(dice.chance(0.2) ? ([{ kind: 'reset', slot }] as const) : []),
    { kind: 'execute', slot, values: ['bound'], types: true, cursor: false },
  ]
}

function cursors(dice: Dice, slot: number): readonly Step[] {
  const fetch: Step = { kind: 'fetch', slot, rows: 1 + dice.below(3) }
  return [
    { kind: 'prepare', slot, sql: dice.pick(['SELECT id, v FROM t2 ORDER BY id', 'SELECT 1']) },
    { kind: 'execute', slot, values: [], types: true, cursor: true },
    fetch,
    ...(dice.chance(0.4) ? userVariables(dice) : []),
    fetch,
    ...(dice.chance(0.5) ? [fetch] : []),
    ...(dice.chance(0.3)
      ? ([{ kind: dice.pick(['reset', 'close'] as const), slot }] as const)
      : []),
  ]
}

const CALLS = [
  'CALL p_sets(1)',
  'CALL p_sets(@a)',
  'CALL p_out(1, @b, @c)',
  "SET @c = 'z'",
  "CALL p_side('side')",
  'CALL p_side(@a)',
  'CALL p_fails()',
  'SELECT f_sets(3), @a',
  'SELECT @a, @b, @c, @@time_zone',
  'CALL {a}.p_sets(5)',
  'CALL p_out(1, 2, 3)',
]

const calls: Theme = dice => query(dice.pick(CALLS))

const MULTIPLE = [
  'SELECT 1; SELECT 2',
  'SELECT 1; SELEKT; SELECT 3',
  'SET @a = 1; SET @b = 2; SELECT @a + @b',
  "SET time_zone = '+07:00'; SELECT 1",
  'INSERT INTO t1 (a) VALUES (1); SELECT LAST_INSERT_ID(); SELECT ROW_COUNT()',
  'SELECT * FROM nosuch; SET @a = 5',
  'SET @a = 5; SELECT * FROM nosuch',
  'CALL p_sets(1); SELECT 5',
  'BEGIN; SELECT 1',
  'BEGIN; INSERT INTO t1 (a) VALUES (1); ROLLBACK; SELECT COUNT(*) FROM t1',
  'COMMIT; BEGIN',
  'SELECT 1;',
  'SELECT 1;;',
  'SET autocommit = 0; SELECT 1; SET autocommit = 1',
  'USE {b}; SELECT DATABASE()',
  "PREPARE st1 FROM 'SELECT 7'; EXECUTE st1",
  'DO 1; DO 2',
]

const multiple: Theme = dice => query(dice.pick(MULTIPLE))

const SCHEMA = [
  'USE {a}',
  'USE {b}',
  'SELECT DATABASE()',
  'SELECT DATABASE(), @@character_set_database',
  'SELECT * FROM t1 ORDER BY id LIMIT 2',
]
const DDL = [
  'CREATE TABLE n1 (id INT)',
  'DROP TABLE n1',
  'CREATE TABLE IF NOT EXISTS n1 (id INT)',
  'DROP TABLE IF EXISTS n1, n2',
  'CREATE TABLE n2 (one INT)',
  'ALTER TABLE n1 ADD COLUMN c INT',
  'TRUNCATE TABLE n1',
  'INSERT INTO n1 (id) VALUES (1)',
  'SELECT * FROM n1',
]

const schema: Theme = dice => {
  if (dice.chance(0.06)) return query(dice.pick(DDL))
  if (dice.chance(0.2)) return command(0x02, dice.pick(['{a}', '{b}', 'nosuch_database', '']))
  return query(dice.pick(SCHEMA))
}

const COMMANDS: readonly Theme[] = [
  () => command(0x0e),
  () => command(0x09),
  dice => command(0x04, `${dice.pick(['t1', 't2', 'nosuch'])}\0${dice.pick(['', '%', 'a'])}`),
  dice => command(0x1b, dice.pick(['\x00\x00', '\x01\x00', '\x07\x00'])),
  () => command(0x1f),
  () => command(0x1f),
  () => command(0x0d),
  () => command(0x07, '\x01'),
  dice => command(dice.pick([0x00, 0x0f, 0x10, 0x13, 0x1d, 0x20, 0x50, 0xff])),
  dice => [
    {
      kind: 'changeUser',
      user: dice.pick(['first', 'second'] as const),
      isRight: dice.chance(0.95),
      database: dice.pick(['{a}', '{a}', '{b}', '', 'nosuch_database']),
    },
  ],
  leaning,
  reading,
]

const commands: Theme = dice => dice.pick(COMMANDS)(dice)

/** Another client has the row: waiting for it is given up soon. */
const locks: Theme = dice => {
  if (!dice.chance(0.25)) return dice.chance(0.5) ? transactions(dice) : changes(dice)
  return [
    ...query('SET ob_trx_lock_timeout = 20000'),
    ...rival('BEGIN'),
    ...rival('UPDATE {a}.t2 SET d = 9 WHERE id = 1'),
    ...(dice.chance(0.5) ? query('BEGIN') : []),
    ...query('UPDATE t2 SET d = 8 WHERE id = 1'),
    ...(dice.chance(0.5) ? changes(dice) : []),
    ...rival(dice.pick(['COMMIT', 'ROLLBACK'])),
  ]
}

export const THEMES = {
  settings,
  userVariables,
  transactions,
  changes,
  leaning,
  errors,
  reads,
  textPrepared,
  binaryPrepared,
  calls,
  multiple,
  schema,
  commands,
  locks,
} as const satisfies Record<string, Theme>

/** What every sequence ends with: everything that a session is, seen at its end. */
export const EPILOGUE: readonly Step[] = [
  ...query('SHOW SESSION VARIABLES'),
  ...query('SET NAMES utf8mb4, sql_select_limit = DEFAULT, sql_mode = DEFAULT'),
  ...query('ROLLBACK'),
  ...query(`SELECT ${VARIABLES.slice(0, 6).map(SEEN).join(', ')}`),
  ...query('SELECT DATABASE(), LAST_INSERT_ID()'),
  ...query('SELECT * FROM {a}.t1 ORDER BY id'),
  ...query('SELECT * FROM {a}.t2 ORDER BY id'),
]
