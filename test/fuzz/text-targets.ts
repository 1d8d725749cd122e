/** Parsers of texts: SQL, names, addresses, values, orders; and of package archives. */

import { Fault } from '#contract/fault'
import { PARAMETERS } from '#contract/parameters'
import { bareStatement, isLike, literalText, splitList } from '../../proxy-node/admin/answer.ts'
import { LEVEL_RULES } from '../../proxy-node/admin/levels.ts'
import { NODE_RULES } from '../../proxy-node/admin/node.ts'
import { PARAMETER_RULES } from '../../proxy-node/admin/parameters.ts'
import { PREAMBLE } from '../../proxy-node/admin/preamble.ts'
import { SESSION_RULES } from '../../proxy-node/admin/sessions.ts'
import { SSL_RULES } from '../../proxy-node/admin/ssl.ts'
import {
  completeIdentity,
  DEFAULT_LOGIN_RULES,
  parseIdentity,
  refusalOf,
} from '../../proxy-node/auth/identity.ts'
import { canonicalIp, parseIp } from '../../proxy-node/base/address.ts'
import { isSameValue, normalise } from '../../proxy-node/contract/parameter-values.ts'
import { readOrder } from '../../proxy-node/control/order.ts'
import { DamagedArchive, TarReader, UnsafeArchive } from '../../proxy-node/control/tar.ts'
import { statementType } from '../../proxy-node/session/statement-type.ts'
import {
  answeredValues,
  setUserStatements,
  userValue,
} from '../../proxy-node/session/user-values.ts'
import { classify } from '../../proxy-node/sql/classify.ts'
import { Digest, MAX_DIGEST_BYTES } from '../../proxy-node/sql/digest.ts'
import { readDirectives } from '../../proxy-node/sql/directives.ts'
import { readExpression } from '../../proxy-node/sql/expression-reader.ts'
import { Expressions, NO_NODE } from '../../proxy-node/sql/expressions.ts'
import { readHints } from '../../proxy-node/sql/hints.ts'
import { initStatements } from '../../proxy-node/sql/init-sql.ts'
import { KeyColumns } from '../../proxy-node/sql/key-columns.ts'
import { LEXER_MODE } from '../../proxy-node/sql/lexer.ts'
import { explainedRouteAt, ownStatement } from '../../proxy-node/sql/own-statements.ts'
import { Predicates } from '../../proxy-node/sql/predicates.ts'
import { setsReading } from '../../proxy-node/sql/reading.ts'
import { RoutineCall } from '../../proxy-node/sql/routine-call.ts'
import { prepareText, textPrepared } from '../../proxy-node/sql/text-prepare.ts'
import { quotedText, unescaped } from '../../proxy-node/sql/texts.ts'
import { parseRootservices } from '../../proxy-node/topology/cluster.ts'
import {
  parseClusterList,
  parseIdcLists,
  parseRootServices,
  parseVersion,
} from '../../proxy-node/topology/config-server-documents.ts'
import { envelope as configEnvelope, listBody, member } from '../support/config-documents.ts'
import { bytesOf, demand, inPieces, type Target } from './target.ts'

const SQL_BYTES = 4096
const texts = (list: readonly string[]): readonly Uint8Array[] => list.map(text => bytesOf(text))

const SQL = [
  'select a, b from shop.t1 where id = 1 for update',
  'insert into t (a) values (1), (2) on duplicate key update a = 2',
  "update `t` set a = 'x\\'y' where b = \"z\" limit 1",
  'delete from t1 using t1 join t2 on t1.a = t2.a',
  'with recursive c as (select 1 union all select a + 1 from c) select * from c',
  '/*+ parallel(4) */ select /*!40001 sql_no_cache */ * from (t1) -- end',
  'explain extended select last_insert_id(), @@identity, found_rows()',
  'set @a = 1, @@session.autocommit = 0, global b = 2',
  'start transaction with consistent snapshot, read only',
  'create temporary table t (a int) # comment',
  'begin; select 1; commit',
  "call p(@a, 'b')",
  'lock tables a read, b write',
  'xa start 0x31, 0x32',
  "load data local infile 'f' into table t",
]
const SQL_WORDS = texts([
  ...[
    '(',
    ')',
    "'",
    '"',
    '`',
    '\\',
    '/*',
    '*/',
    '/*!',
    '/*+',
    '--',
    '-- ',
    '#',
    ';',
    ',',
    '.',
    '@',
  ],
  ...['@@', '\n', ' ', ' for update', ' union ', ' select ', ' from ', ' into ', ' values ', '?'],
  ...[
    '1e9',
    "x'41'",
    "n'a'",
    '_utf8mb4',
    ' with ',
    ' as ',
    ' get_lock(',
    ' last_insert_id()',
    '\0',
  ],
])
const mode = (bytes: Uint8Array): number => (bytes[0] ?? 0) & 0x0f
const isMode = (bytes: Uint8Array, flag: number): boolean => (mode(bytes) & flag) !== 0

/** The first byte of an input is the lexer's mode. */
const withMode = (list: readonly string[]): readonly Uint8Array[] =>
  list.map((text, index) => bytesOf([index % 16], text))

const CLASSIFY: Target = {
  name: 'sql/classify',
  seeds: withMode(SQL),
  words: SQL_WORDS,
  maxBytes: SQL_BYTES,
  run: bytes => {
    const statement = classify(bytes, Math.min(1, bytes.length), bytes.length, mode(bytes))
    const type = statementType(bytes, Math.min(1, bytes.length))
    return statement.flags * 64 + type
  },
}

const CONDITIONS = [
  'select * from t partition (p0, p1) x where x.k = 1 and c in (1, 2) or not k <=> null',
  'select ? from t left join u on t.k = 1 where k between ? and 2 for update',
  "update d.t set a = case when 1 then 2 end where k = -1.5e3 and c like 'x%' escape '!'",
  "insert into t (a, k) values (f(1, (2)), x'41'), (3, 4) on duplicate key update a = 1",
  'insert into t set k = ?, c = default',
  'merge into t using u on (t.k = u.k and t.c = 5) when matched then update set a = 1',
  "select * from t where extract(year from c) = 2024 and k = cast('1' as decimal(10, 2))",
  "select * from t where k + interval 1 day > trim(leading 'x' from c) and (k, c) = (1, @v)",
  "call d.p(1, ?, @v, 'x', f(2))",
]
const CONDITION_WORDS = [
  ...SQL_WORDS,
  ...texts([
    ' where ',
    ' and ',
    ' or ',
    ' not ',
    ' in (',
    ' between ',
    ' like ',
    ' is null',
    ' case ',
  ]),
  ...texts([
    ' join t on ',
    ' left ',
    '<=>',
    '||',
    ' k ',
    ' c ',
    '0x',
    ' interval ',
    'trim(',
    'cast(',
  ]),
]
/** Used again for each input, as for each statement of a worker. */
const READER = new Predicates()
const ARENA = new Expressions()
const CALL = new RoutineCall()
const DIGESTER = new Digest()
const KEY_COLUMNS = new KeyColumns(['k', 'c'], [1, 3])

/** @throws Finding when a node is not of the text. */
function demandNodes(expressions: Expressions, bytes: Uint8Array): void {
  for (let node = 1; node <= expressions.size; node++) {
    demand(expressions.to(node) <= bytes.length, 'a node ends with the text')
    demand(expressions.from(node) <= expressions.to(node), 'a node begins before its end')
    const child = expressions.first(node)
    demand(child !== node, 'a node is no child of its own')
  }
}

const PREDICATES: Target = {
  name: 'sql/predicates',
  seeds: withMode([...SQL, ...CONDITIONS]),
  words: CONDITION_WORDS,
  maxBytes: SQL_BYTES,
  run: bytes => {
    const text = { bytes, to: bytes.length, mode: mode(bytes), isCut: isMode(bytes, 8) }
    const from = Math.min(1, bytes.length)
    READER.read(text, classify(bytes, from, bytes.length, mode(bytes)), KEY_COLUMNS)
    demandNodes(READER.expressions, bytes)
    const { condition, hasValues, partitionNames } = READER
    for (let index = 0; index < partitionNames; index++) READER.partitionName(index)
    const kind = condition === NO_NODE ? 0 : READER.expressions.kind(condition)
    return kind * 64 + partitionNames * 2 + (hasValues ? 1 : 0)
  },
}

const EXPRESSION: Target = {
  name: 'sql/expression-reader',
  seeds: withMode([
    'year(k)',
    '(`k` + (`c` * 2))',
    "substr(c, 1, 2) = 'x' and k is null",
    '-k div 10',
  ]),
  words: CONDITION_WORDS,
  maxBytes: SQL_BYTES,
  run: bytes => {
    const expressions = ARENA
    expressions.clear(bytes)
    const whole = { from: Math.min(1, bytes.length), to: bytes.length }
    const node = readExpression(expressions, whole, KEY_COLUMNS, mode(bytes))
    demandNodes(expressions, bytes)
    return expressions.kind(node)
  },
}

const ROUTINE_CALL: Target = {
  name: 'sql/routine-call',
  seeds: withMode(CONDITIONS.filter(sql => sql.startsWith('call'))),
  words: CONDITION_WORDS,
  run: bytes => {
    const call = CALL
    const text = { bytes, to: bytes.length, mode: mode(bytes), isCut: false }
    const isRead = call.read(text, Math.min(1, bytes.length))
    demandNodes(call.expressions, bytes)
    return isRead ? 1 + call.names.length * 8 + Math.min(call.argumentCount, 6) : 0
  },
}

const HINTS: Target = {
  name: 'sql/hints',
  seeds: withMode([
    'read_consistency(weak) query_timeout(1000) trace_log index(@b t i) parallel(4) */ 1',
    'index(`t` i), read_consistency(frozen)',
  ]),
  words: SQL_WORDS,
  run: bytes => {
    const hints = readHints(bytes, Math.min(1, bytes.length), bytes.length, mode(bytes))
    demand(hints.queryTimeoutUs >= 0 && hints.queryTimeoutUs < 1e16, 'at most 16 digits')
    return (hints.consistency?.length ?? 0) * 32 + hints.indexes.length
  },
}

const DIRECTIVES: Target = {
  name: 'sql/directives',
  seeds: texts([
    "/* target_db_server='10.0.0.1:2881,10.0.0.2:2881;10.0.0.3:2881' */ select 1",
    '/* ODP: trace_id=a, rpc_id=0.1, trace_log */ /* table t part_key 5 */ select 1',
    '-- a\n# b\n/*+DBP: $SYS={TRACE(a#b)}*/ select 1',
  ]),
  words: texts([
    '/*',
    '*/',
    '--\n',
    '#',
    '=',
    "'",
    ';',
    ',',
    'trace_id',
    ' table t part_key ',
    'odp:',
  ]),
  run: bytes => {
    const { simpleRoute, targetServers } = readDirectives(bytes, 0, bytes.length)
    if (simpleRoute === undefined) return targetServers.length
    const { tableFrom, tableTo, keyFrom, keyTo } = simpleRoute
    const isOrdered = tableFrom < tableTo && tableTo < keyFrom && keyFrom < keyTo
    demand(isOrdered && keyTo <= bytes.length, 'what is overwritten stands in the text')
    return 99
  },
}

const DIGEST: Target = {
  name: 'sql/digest',
  seeds: withMode([...SQL, ...CONDITIONS]),
  words: CONDITION_WORDS,
  maxBytes: SQL_BYTES,
  run: bytes => {
    const digest = DIGESTER
    const from = Math.min(1, bytes.length)
    digest.read(bytes, from, bytes.length, mode(bytes))
    const { high, low } = digest
    demand(digest.text().length <= MAX_DIGEST_BYTES, 'a digest is short')
    digest.read(bytes, from, bytes.length, mode(bytes))
    demand(digest.high === high && digest.low === low, 'a digest is the same again')
    return digest.text().length >> 4
  },
}

const TEXT_PREPARE: Target = {
  name: 'sql/text-prepare',
  seeds: withMode([
    "prepare s from 'select ''a'''",
    'prepare `s``t` from @v',
    'execute s using @a, @b',
    'deallocate prepare s',
    'drop prepare s;',
    'prepare s from "select \\"1\\""',
  ]),
  words: SQL_WORDS,
  run: bytes => {
    const found = textPrepared(bytes, Math.min(1, bytes.length), bytes.length, mode(bytes))
    const text = bytes.subarray(1)
    const sql = prepareText('s', text, mode(bytes))
    const again = textPrepared(sql, 0, sql.length, mode(bytes))
    const literal =
      again?.verb === 'prepare' && again.name === 's' && again.source.kind === 'literal'
        ? again.source.bytes
        : undefined
    demand(literal !== undefined, 'a built PREPARE is one')
    const isSame = literal !== undefined && Buffer.compare(literal, text) === 0
    demand(isSame, 'a built PREPARE has its statement')
    return found === undefined ? 0 : found.verb.length
  },
}

const OWN_STATEMENTS: Target = {
  name: 'sql/own-statements',
  seeds: texts([
    'kill query 12',
    'kill 4294967296',
    'show full processlist',
    'ping proxy',
    'select proxy_version()',
    'show proxysession',
    'explain route select 1',
  ]),
  words: SQL_WORDS,
  run: bytes => {
    const at = explainedRouteAt(bytes, 0, bytes.length)
    demand(at < bytes.length, 'something is explained')
    return at > 0 ? 99 : (ownStatement(bytes, 0, bytes.length)?.kind.length ?? 0)
  },
}

const INIT_SQL: Target = {
  name: 'sql/init-sql',
  seeds: texts(["SET a = 1; set @b = 'x;y';", 'SET GLOBAL a = 1', ';;', 'SET', '/*! SET */ a = 1']),
  words: SQL_WORDS,
  run: bytes => {
    // A parameter is text: bytes that are none become it once.
    const statements = initStatements(Buffer.from(bytes).toString())
    for (const one of statements ?? [])
      demand(initStatements(one)?.join() === one, 'what was taken is taken again, one by one')
    return statements?.length ?? 99
  },
}

const READING: Target = {
  name: 'sql/reading',
  seeds: withMode(['SET tx_read_only = 1', 'START TRANSACTION READ WRITE', 'SELECT 1; SET a = 1']),
  words: SQL_WORDS,
  run: bytes => {
    const sets = setsReading(bytes, 1, bytes.length, mode(bytes))
    demand(sets >= 0 && sets <= 3, 'bits of two kinds')
    return sets
  },
}

const TEXTS: Target = {
  name: 'sql/texts',
  seeds: withMode(["it's", 'a\\b\\0\\Z', '\0\r\n\x1a"', 'plain', '\\']),
  words: SQL_WORDS,
  run: bytes => {
    const text = bytes.subarray(1)
    const quoted = quotedText(text, mode(bytes))
    const whole = { start: 1, end: quoted.length - 1, quote: 0x27 }
    const again = unescaped(quoted, whole, mode(bytes))
    demand(Buffer.compare(again, text) === 0, 'a quoted text is itself')
    unescaped(text, { start: 0, end: text.length, quote: 0x22 }, mode(bytes))
    return isMode(bytes, LEXER_MODE.doubleByte) ? 1 : 0
  },
}

const LITERALS: Target = {
  name: 'session/literals',
  seeds: texts(["'text'", "'it\\'s'", 'NULL', '12.5', "X'41'", "'\u00e4\u4e2d'"]),
  words: SQL_WORDS,
  run: bytes => {
    const connection = {
      client: 'utf8mb4',
      charset: 'utf8mb4',
      collation: 'utf8mb4_general_ci',
      mode: mode(bytes),
    }
    const value = userValue(bytes, connection, false)
    const values = answeredValues([['a', value]], bytes) ?? [['a', value] as const]
    setUserStatements(values, connection)
    return value.bytes === undefined ? 0 : 1
  },
}

const decoded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

const IDENTITY: Target = {
  name: 'auth/identity',
  seeds: texts(['u@t#c', 'u@t', 'u#c', 'c:t:u', 'c-t-u', 'c.t.u', 'u', '@t#c', 'u@t#c:12', '']),
  words: texts(['@', '#', ':', '-', '.', ';']),
  run: bytes => {
    const name = decoded(bytes)
    const identity = parseIdentity(name)
    const { user, tenant, cluster } = identity
    const parts = user.length + (tenant?.length ?? 0) + (cluster?.length ?? 0)
    demand(parts <= name.length, 'an identity is part of its name')
    completeIdentity(identity, DEFAULT_LOGIN_RULES)
    return refusalOf(identity, DEFAULT_LOGIN_RULES)?.length ?? 0
  },
}

const ADDRESS: Target = {
  name: 'base/address',
  seeds: texts(['10.0.0.1', '::1', 'fe80::1%eth0', '::ffff:10.0.0.1', '2001:db8::8:800:200c:417a']),
  words: texts([':', '::', '.', '%', '255', 'ffff', '0']),
  run: bytes => {
    const text = decoded(bytes)
    const parsed = parseIp(text)
    const canonical = canonicalIp(text)
    demand(canonicalIp(canonical) === canonical, 'a canonical address is canonical')
    return parsed?.length ?? 0
  },
}

const ALL_PARAMETERS = [...PARAMETERS.values()]

/** The first byte of an input tells the parameter. */
const VALUES: Target = {
  name: 'contract/parameter-values',
  seeds: ALL_PARAMETERS.map((parameter, index) => bytesOf([index & 0xff], parameter.default)),
  words: texts([
    '-',
    '+',
    '0x',
    '1',
    '0',
    's',
    'ms',
    'K',
    'GB',
    '.',
    ':',
    ',',
    'ERROR',
    'True',
    '%',
  ]),
  run: bytes => {
    const parameter = ALL_PARAMETERS[(bytes[0] ?? 0) % ALL_PARAMETERS.length]
    if (parameter === undefined) return 0
    const text = decoded(bytes.subarray(1))
    const value = normalise(parameter, text)
    if (value === undefined) return 1
    demand(normalise(parameter, value) === value, 'a normal value is normal')
    demand(isSameValue(parameter, value, text), 'a normal value is what was given')
    return 2
  },
}

const ROOTSERVICES: Target = {
  name: 'topology/cluster rootservices',
  seeds: texts(['10.0.0.1:2881;10.0.0.2:2881', '[::1]:2881', '::1:2881', ' a:1 ; ;b:65535']),
  words: texts([';', ':', '[', ']', '0.0.0.0', ' ', '65536']),
  maxBytes: SQL_BYTES,
  allows: error => error instanceof Error && error.message.endsWith('is no ip:port'),
  run: bytes => {
    const servers = parseRootservices(decoded(bytes))
    for (const { port } of servers) demand(port > 0 && port < 65_536, 'a server has a port')
    return Math.min(servers.length, 4)
  },
}

/** Where a template takes a name. */
const place = (name: string) => `$\{${name}}`

/** Ones that a server of some kind sends, each whole. */
const CONFIG_DOCUMENTS = [
  listBody('v1', [['east', 'http://c/?Action=ObRootServiceInfo&ObRegion=east']]),
  configEnvelope({
    ObClusterList: ['east', 'west'],
    ObRootServiceInfoUrlTemplate: `http://c/${place('ObRegion')}`,
    ObRootServiceInfoUrlTemplateV2: `http://c/${place('ObCluster')}&ObClusterId=${place('OBClusterId')}`,
  }),
  configEnvelope(member('east', 1, 'PRIMARY', [{ ip: '10.0.0.1', role: 'LEADER' }])),
  configEnvelope([
    member('east', 1, 'PRIMARY', [{ ip: '[::1]' }], { ObClusterAlias: 'e' }),
    member('east', 2, 'STANDBY', [{ ip: '10.0.0.2' }], { ReadonlyRsList: '' }),
  ]),
  configEnvelope({ ObRegion: 'east', ObRegionId: 1, IDCList: [{ idc: 'A', region: 'r' }] }),
]

const CONFIG_SERVER: Target = {
  name: 'topology/config-server-documents',
  seeds: texts(CONFIG_DOCUMENTS),
  words: texts([
    '[',
    '{',
    '"',
    ':',
    ',',
    'null',
    '-1',
    '1e99',
    '"LEADER"',
    place('ObRegion'),
    '[[',
    ']',
  ]),
  maxBytes: SQL_BYTES,
  run: bytes => {
    const text = decoded(bytes)
    const list = parseClusterList(text)
    const answer = parseRootServices(text, { name: 'east', id: 0 })
    const idcs = parseIdcLists(text, ['east'])
    const version = parseVersion(text)
    if (list.kind === 'ok')
      demand(
        version.kind === 'ok' && version.value === list.value.version,
        'one version a document',
      )
    const servers = answer.kind === 'ok' ? answer.value.members.flatMap(each => each.servers) : []
    demand(answer.kind === 'bad' || servers.length > 0, 'a list has a server')
    for (const { address } of servers)
      demand(address.host !== '' && address.port > 0 && address.port < 65_536, 'it has an address')
    return [list, answer, idcs, version].reduce(
      (sum, { kind }) => sum * 2 + Number(kind === 'ok'),
      0,
    )
  },
}

const RULES = [
  ...LEVEL_RULES,
  ...NODE_RULES,
  ...PARAMETER_RULES,
  ...SESSION_RULES,
  ...SSL_RULES,
  ...PREAMBLE,
]

/** Of tuples and conditions: what they mean, or a fault. */
function readRows(bare: string): void {
  const config = {
    replaceRows: (rows: readonly unknown[]) => demand(rows.length <= 200, 'as many as may be'),
    deleteRows: () => 0,
    rows: () => [],
    levelRows: () => [],
  }
  for (const { grammar, answer } of LEVEL_RULES) {
    const found = grammar.exec(bare)
    if (found === null) continue
    try {
      answer(found, { config } as never, { user: 'root', connectionId: 1 })
    } catch (error) {
      demand(error instanceof Fault, 'a fault tells what is wrong')
    }
  }
}

const ADMIN: Target = {
  name: 'admin/answer',
  seeds: texts([
    'alter proxyconfig set a = 1, b=\'x,y\', c = "z"',
    "show proxyconfig like 'a%_b'",
    'show proxyconfig diff user',
    "replace into proxyconfig.proxy_config(vid, vip, vport, name, value) values (-1,'::1',1,'a','b'),(1,\"\",'','c','d')",
    "delete from proxy_config where name = 'a' and vid=-1",
    "select name, `value` from proxy_config where cluster_name='a'",
    "show proxysession like 'a'",
    'show full processlist',
    'kill proxysession 12;',
    'select @@version_comment, 1 as `a` /* c */ limit 1',
    'show proxyinfo binary -- c',
    "show session variables where variable_name = 'a' or variable_name='b'",
    'set names utf8mb4',
  ]),
  words: SQL_WORDS,
  maxBytes: SQL_BYTES,
  run: bytes => {
    const bare = bareStatement(decoded(bytes))
    splitList(bare)
    literalText(bare)
    isLike(bare, 'proxy_config_name')
    isLike('%a%_b%', bare)
    readRows(bare)
    for (let rule = 0; rule < RULES.length; rule++)
      if (RULES[rule]?.grammar.exec(bare) != null) return 1 + rule
    return 0
  },
}

const ORDER = {
  schema: 1,
  verb: 'start',
  expiresAt: 1_900_000_000_000,
  nodes: { 'i-1': { operationId: 'op-1', step: 's', attempt: 1, fence: 1 } },
}

const ORDERS: Target = {
  name: 'control/order',
  seeds: texts([
    JSON.stringify(ORDER),
    JSON.stringify({ ...ORDER, schema: 9 }),
    '{}',
    '[]',
    'null',
  ]),
  words: texts(['{', '}', '[', ']', '"', ':', ',', 'null', '1e999', '"__proto__":', '\\u0000']),
  allows: error => error instanceof Fault && /^order\.(malformed|schema)$/.test(error.code),
  run: bytes => readOrder(Buffer.from(bytes).toString('base64url')).schema,
}

const LIMITS = { maxBytes: 1 << 20, maxEntries: 100 }
const BLOCK = 512

const tarHeader = (path: string, type: string, size: number, target = ''): Uint8Array => {
  const block = Buffer.alloc(BLOCK)
  block.write(path, 0)
  block.write('0000644\0', 100)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write(type, 156)
  block.write(target, 157)
  block.write('ustar\x0000', 257)
  return block
}
const padded = (text: string): Uint8Array => {
  const block = Buffer.alloc(BLOCK)
  block.write(text)
  return block
}
const END = new Uint8Array(BLOCK)

/** Headers get the checksum they should have, or nothing behind it would be reached. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  for (let at = 0; at + BLOCK <= copy.length; at += BLOCK) {
    if (copy[at + 257] !== 0x75) continue
    let sum = 0
    for (let index = 0; index < BLOCK; index++)
      sum += index >= 148 && index < 156 ? 0x20 : (copy[at + index] as number)
    for (let digit = 0; digit < 6; digit++)
      copy[at + 148 + digit] = 0x30 + ((sum >> (3 * (5 - digit))) & 7)
    copy[at + 154] = 0
    copy[at + 155] = 0x20
  }
  return copy
}

const TAR: Target = {
  name: 'control/tar',
  seeds: [
    bytesOf([0], tarHeader('a/b', '0', 5), padded('hello'), END),
    bytesOf([9], tarHeader('a/', '5', 0), tarHeader('a/l', '2', 0, '../a/b'), END),
    bytesOf([9], tarHeader('x', 'x', 16), padded('16 path=long/na\n'), tarHeader('s', '0', 0), END),
    bytesOf([9], tarHeader('x', 'L', 9), padded('long/name'), tarHeader('s', '0', 0), END),
  ],
  words: texts(['../', '/', './', '\0', '\\', '7', '0', ' size=9999999999\n']),
  maxBytes: 1 + 5 * BLOCK,
  allows: error => error instanceof UnsafeArchive || error instanceof DamagedArchive,
  run: bytes => {
    const reader = new TarReader(LIMITS)
    let events = 0
    inPieces(withChecksums(bytes.subarray(1)), (bytes[0] ?? 0) % 61, piece => {
      for (const event of reader.push(piece)) {
        events += 1
        if (event.kind === 'file')
          demand(!event.path.split('/').includes('..'), 'a path stays inside')
      }
    })
    reader.end()
    return Math.min(events, 6)
  },
}

export const TEXT_TARGETS: readonly Target[] = [
  CLASSIFY,
  PREDICATES,
  EXPRESSION,
  ROUTINE_CALL,
  HINTS,
  DIRECTIVES,
  DIGEST,
  TEXT_PREPARE,
  OWN_STATEMENTS,
  INIT_SQL,
  READING,
  TEXTS,
  LITERALS,
  IDENTITY,
  ADDRESS,
  VALUES,
  ROOTSERVICES,
  CONFIG_SERVER,
  ADMIN,
  ORDERS,
  TAR,
]
