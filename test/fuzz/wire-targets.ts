/** Parsers of wire: what a client or a server can put into one payload. */
import {
  EXTRA,
  eachEntry,
  isRequestExtra,
  lockSessionOf,
} from '../../proxy-node/wire/extra-info.ts'
import {
  buildAuthSwitch,
  buildGreeting,
  buildLogin,
  type Login,
  maskLogin,
  parseAuthSwitch,
  parseChangeUser,
  parseGreeting,
  parseLogin,
  proxyGreeting,
} from '../../proxy-node/wire/handshake.ts'
import {
  buildError,
  buildOk,
  parseError,
  parseOk,
  parseServerOk,
  rebuildOk,
  variablesOfOk,
} from '../../proxy-node/wire/ok.ts'
import { CAPABILITY, STATUS } from '../../proxy-node/wire/protocol.ts'
import { buildProxyHeader, readProxyHeader } from '../../proxy-node/wire/proxy-protocol.ts'
import { parseReroute } from '../../proxy-node/wire/reroute.ts'
import { parseColumnName, parseTextRow } from '../../proxy-node/wire/resultset.ts'
import {
  parsePrepareOk,
  setStatementId,
  statementId,
  wantsCursor,
} from '../../proxy-node/wire/statement.ts'
import { Writer } from '../../proxy-node/wire/writer.ts'
import { bytesOf, demand, type Target } from './target.ts'

const SCRAMBLE = new Uint8Array(20).fill(0x41)
const FULL_CAPABILITIES =
  CAPABILITY.protocol41 |
  CAPABILITY.secureConnection |
  CAPABILITY.connectWithDb |
  CAPABILITY.pluginAuth |
  CAPABILITY.connectAttrs
const LOGIN: Login = {
  capabilities: FULL_CAPABILITIES,
  maxPacketBytes: 0x100_0000,
  collation: 45,
  user: 'root@tenant#cluster',
  authResponse: SCRAMBLE,
  database: 'shop',
  plugin: 'mysql_native_password',
  attributes: new Map([['_client_name', Buffer.from('libmysql')]]),
}

/** Seeds of this target begin with the parser's number. */
const HANDSHAKE: Target = {
  name: 'wire/handshake',
  seeds: [
    bytesOf([0], buildLogin(LOGIN)),
    bytesOf(
      [0],
      buildLogin({
        ...LOGIN,
        capabilities: (FULL_CAPABILITIES | CAPABILITY.pluginAuthLenenc) >>> 0,
      }),
    ),
    bytesOf([0], buildLogin({ ...LOGIN, capabilities: CAPABILITY.protocol41 })),
    bytesOf([1], buildGreeting(proxyGreeting('5.7.25-OceanBase-v4.3.5.0', 77, SCRAMBLE))),
    bytesOf([2], 'app@t\0', [20], SCRAMBLE, 'shop\0', [45, 0], 'mysql_native_password\0', [0]),
    bytesOf([6], 'app@t\0', [1, 2, 3, 0], 'shop\0'),
    bytesOf([3], buildAuthSwitch(SCRAMBLE)),
  ],
  run: bytes => {
    const payload = bytes.subarray(1)
    const kind = (bytes[0] ?? 0) & 7
    if (kind === 1) return parseGreeting(payload).plugin.length
    if (kind === 2) return parseChangeUser(payload, FULL_CAPABILITIES).attributes.size
    if (kind === 3) return parseAuthSwitch(payload).scramble.length
    if (kind === 6) return parseChangeUser(payload, CAPABILITY.protocol41).collation
    const login = parseLogin(payload)
    demand(maskLogin(payload).length === payload.length, 'a masked login has its length')
    if (login.authResponse.length <= 255) return parseLogin(buildLogin(login)).attributes.size
    return 1000
  },
}

const tracked = (...entries: readonly Uint8Array[]): Uint8Array =>
  new Writer()
    .u8(0)
    .lenenc(1)
    .lenenc(2n ** 60n)
    .u16(STATUS.sessionStateChanged | 2)
    .u16(0)
    .lenencText(' message')
    .lenencBytes(bytesOf(...entries))
    .payload()

const entry = (kind: number, bytes: Uint8Array): Uint8Array =>
  new Writer().u8(kind).lenencBytes(bytes).payload()

const VARIABLES = new Writer()
  .lenencText('autocommit')
  .lenencText('1')
  .lenencText('__NULL')
  .lenencText('')
  .lenencText('mine')
  .lenencText("'text'")
  .payload()

const OK: Target = {
  name: 'wire/ok',
  seeds: [
    buildOk(),
    buildOk(2, { affectedRows: 70_000, insertId: 2n ** 63n, warnings: 3, message: bytesOf('x') }),
    tracked(entry(0, VARIABLES), entry(1, new Writer().lenencText('shop').payload())),
    tracked(entry(1, new Uint8Array(0))),
    buildError(1045, '42000', 'Access denied'),
    bytesOf([0xff, 1, 2], 'without a state'),
  ],
  run: bytes => {
    if (bytes[0] === 0xff) return parseError(bytes).state.length
    const ok = parseOk(bytes)
    parseServerOk(bytes)
    const again = parseOk(rebuildOk(ok))
    demand(again.insertId === ok.insertId, 'a rebuilt OK has its insert id')
    demand(again.affectedRows === ok.affectedRows, 'a rebuilt OK has its count')
    return variablesOfOk(bytes).length + ok.userVariables.size
  },
}

const extraEntry = (type: number, bytes: Uint8Array): Uint8Array =>
  new Writer().u16(type).u32(bytes.length).raw(bytes).payload()

let entries = 0
const count = (): void => {
  entries += 1
}

const EXTRA_INFO: Target = {
  name: 'wire/extra-info',
  seeds: [
    extraEntry(EXTRA.feedback, extraEntry(0, bytesOf('1'))),
    extraEntry(0, bytesOf('0')),
    bytesOf(
      extraEntry(
        EXTRA.sessionState,
        bytesOf(extraEntry(1, bytesOf('ab')), extraEntry(7, SCRAMBLE)),
      ),
      extraEntry(EXTRA.traceClient, bytesOf('client_ip=10.0.0.1')),
    ),
    extraEntry(EXTRA.sessionCheck, extraEntry(2, bytesOf([1, 0, 0, 0]))),
  ],
  run: bytes => {
    entries = 0
    const isSafe = isRequestExtra(bytes)
    eachEntry(bytes, count)
    demand(entries > 0 || bytes.length === 0, 'whole extra info has entries')
    return entries * 4 + (isSafe ? 1 : 0) + (lockSessionOf(bytes) === true ? 2 : 0)
  },
}

const reroute = (host: Writer, port: number): Uint8Array => {
  const inner = host.lenenc(port).lenenc(1).lenenc(0).lenencText('t1').lenenc(1_700_000_000)
  return new Writer().lenencBytes(inner.payload()).payload()
}

const REROUTE: Target = {
  name: 'wire/reroute',
  seeds: [
    reroute(new Writer().lenenc(4).lenenc(0x0a00_0001), 2881),
    reroute(
      new Writer()
        .lenenc(6)
        .lenenc(2n ** 64n - 1n)
        .lenenc(1n),
      65_535,
    ),
  ],
  run: bytes => {
    const { port, host } = parseReroute(bytes)
    demand(port > 0 && port < 65_536 && host !== '', 'a reroute has an address')
    return host.includes(':') ? 1 : 0
  },
}

const STATEMENT: Target = {
  name: 'wire/statement',
  seeds: [
    bytesOf([0, 1, 0, 0, 0, 2, 0, 3, 0, 0, 1, 0]),
    bytesOf([0, 1, 0, 0, 0, 2, 0, 3, 0]),
    bytesOf([0x17, 1, 0, 0, 0, 1, 1, 0, 0, 0]),
  ],
  run: bytes => {
    const id = statementId(bytes)
    setStatementId(bytes, 0, 0xffff_fffe)
    demand(statementId(bytes) === 0xffff_fffe, 'a written id is read')
    setStatementId(bytes, 0, id)
    demand(statementId(bytes) === id, 'an id is written as it was read')
    const cursor = wantsCursor(bytes)
    return parsePrepareOk(bytes).warnings + (cursor ? 1 : 0)
  },
}

const RESULTSET: Target = {
  name: 'wire/resultset',
  seeds: [
    new Writer().lenencText('one').u8(0xfb).lenencText('three').payload(),
    new Writer()
      .lenencText('def')
      .lenencText('shop')
      .lenencText('t')
      .lenencText('t')
      .lenencText('column')
      .lenencText('column')
      .payload(),
  ],
  run: bytes => {
    const name = parseColumnName(bytes)
    return parseTextRow(bytes, 3).length + name.length
  },
}

const V4 = bytesOf([10, 0, 0, 1, 10, 0, 0, 2, 0xd4, 0x31, 0x0b, 0x43])

const PROXY_PROTOCOL: Target = {
  name: 'wire/proxy-protocol',
  seeds: [
    buildProxyHeader('proxy', 0x11, V4),
    buildProxyHeader('proxy', 0x11, bytesOf(V4, [0xea, 0, 5, 1], 'vpce', [4, 0, 1, 0])),
    buildProxyHeader('proxy', 0x21, bytesOf(new Uint8Array(32).fill(9), [1, 2, 3, 4])),
    buildProxyHeader('local', 0, new Uint8Array(0)),
    buildProxyHeader('proxy', 0x31, new Uint8Array(216)),
  ],
  run: bytes => {
    const header = readProxyHeader(bytes)
    if (typeof header === 'string') return header === 'more' ? 0 : 1
    demand(header.lengthBytes <= bytes.length, 'a header is no longer than what came')
    return header.kind === 'proxied' ? 2 + Math.min(header.endpointId.length, 8) : 2
  },
}

export const WIRE_TARGETS: readonly Target[] = [
  HANDSHAKE,
  OK,
  EXTRA_INFO,
  REROUTE,
  STATEMENT,
  RESULTSET,
  PROXY_PROTOCOL,
]
