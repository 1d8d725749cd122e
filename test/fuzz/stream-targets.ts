/**
 * Parsers of byte streams: they say the same of the same bytes wherever the chunks are cut. The first
 * byte of an input tells how it is cut, the second what is asked for; the rest is the stream.
 */
import type { TlsContext } from '../../proxy-node/net/tls.ts'
import type { Connection } from '../../proxy-node/net/transport.ts'
import { ClientEntry } from '../../proxy-node/session/client-entry.ts'
import { Requests } from '../../proxy-node/session/requests.ts'
import {
  executeFor,
  executeHeadBytes,
  type Prepared,
  typesIn,
} from '../../proxy-node/session/statements.ts'
import { classify } from '../../proxy-node/sql/classify.ts'
import { PacketCollector, ResponseRelay } from '../../proxy-node/wire/framing.ts'
import { buildLogin } from '../../proxy-node/wire/handshake.ts'
import { Ob20Reader } from '../../proxy-node/wire/ob20.ts'
import { buildError, buildOk } from '../../proxy-node/wire/ok.ts'
import { CAPABILITY, COMMAND, HEADER_BYTES } from '../../proxy-node/wire/protocol.ts'
import { buildProxyHeader } from '../../proxy-node/wire/proxy-protocol.ts'
import { ACTION, ResponseTracker } from '../../proxy-node/wire/response.ts'
import { bigint, buildResultset, varchar } from '../../proxy-node/wire/resultset.ts'
import { wantsCursor } from '../../proxy-node/wire/statement.ts'
import { packet } from '../../proxy-node/wire/writer.ts'
import { responseFrames, responseState } from '../support/ob20-server.ts'
import { bytesOf, demand, inPieces, isMalformed, type Target } from './target.ts'

const STREAM_AT = 2
const ACTIONS: ReadonlySet<number> = new Set(Object.values(ACTION))
const NO_BYTES = new Uint8Array(0)

/** What came out of one pass over a stream: numbers that must not depend on the cuts. */
type Outcome = { bytes: number; parts: number; ends: number; hash: number; error: boolean }

/** Both ways into counts of its own; a view of no more than what was given. */
function sameWhereverCut(
  bytes: Uint8Array,
  pass: (stream: Uint8Array, cut: number, control: number, outcome: Outcome) => void,
): number {
  const cut = 1 + ((bytes[0] ?? 0) % 61)
  const stream = bytes.length > STREAM_AT ? bytes.subarray(STREAM_AT) : NO_BYTES
  const whole = outcomeOf(stream, 0, bytes[1] ?? 0, pass)
  const pieces = outcomeOf(stream, cut, bytes[1] ?? 0, pass)
  demand(whole.error === pieces.error, 'what is malformed is so wherever it is cut')
  if (whole.error) return 1
  demand(whole.bytes === pieces.bytes, 'as many bytes come out wherever they are cut')
  demand(whole.hash === pieces.hash, 'the same bytes come out wherever they are cut')
  demand(whole.parts === pieces.parts, 'as many parts come out wherever they are cut')
  demand(whole.ends === pieces.ends, 'as many ends come out wherever they are cut')
  return 2 + Math.min(whole.parts, 4) + 8 * Math.min(whole.ends, 4)
}

function outcomeOf(
  stream: Uint8Array,
  cut: number,
  control: number,
  pass: (stream: Uint8Array, cut: number, control: number, outcome: Outcome) => void,
): Outcome {
  const outcome: Outcome = { bytes: 0, parts: 0, ends: 0, hash: 0, error: false }
  try {
    pass(stream, cut, control, outcome)
  } catch (error) {
    if (!isMalformed(error)) throw error
    outcome.error = true
  }
  return outcome
}

function taken(outcome: Outcome, bytes: Uint8Array): void {
  outcome.bytes += bytes.length
  let { hash } = outcome
  for (let at = 0; at < bytes.length; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0
  outcome.hash = hash
}

const QUERY = packet(0, bytesOf([COMMAND.query], 'select 1'))
const RESULT = bytesOf(
  ...buildResultset(
    1,
    [varchar('name'), bigint('id')],
    [
      ['a', 1],
      [null, 2],
    ],
  ),
)
const EXTRA_OK = packet(6, buildOk())
const PREPARED = bytesOf(
  packet(1, bytesOf([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0])),
  packet(2, bytesOf([3], 'def', [0, 0])),
  packet(3, bytesOf([0xfe, 0, 0, 2, 0])),
  packet(4, bytesOf([3], 'def', [0, 0])),
  packet(5, bytesOf([0xfe, 0, 0, 2, 0])),
)

const COLLECTOR: Target = {
  name: 'wire/framing collector',
  seeds: [
    bytesOf([1, 0], QUERY, QUERY),
    bytesOf([0, 0], RESULT),
    bytesOf([9, 0], [0xff, 0xff, 0xff, 0], 'short'),
  ],
  run: bytes =>
    sameWhereverCut(bytes, (stream, cut, _control, outcome) => {
      const collector = new PacketCollector(4096)
      inPieces(stream, cut, piece => {
        collector.push(piece)
        for (let next = collector.next(); next !== undefined; next = collector.next()) {
          taken(outcome, next.payload)
          outcome.parts += 1
        }
        demand(collector.waitingBytes <= stream.length, 'a collector keeps what came, no more')
      })
    }),
}

const COMMANDS = [
  COMMAND.query,
  COMMAND.stmtPrepare,
  COMMAND.stmtExecute,
  COMMAND.stmtFetch,
  COMMAND.fieldList,
  COMMAND.statistics,
  COMMAND.ping,
  COMMAND.changeUser,
]

/** Its lowest bits are a command, the next two what the server is. */
function trackerOf(control: number): ResponseTracker {
  const tracker = new ResponseTracker((control & 8) === 0, (control & 16) === 0)
  return tracker
}

const RELAY_SEEDS = [
  bytesOf([3, 0], RESULT, EXTRA_OK),
  bytesOf([5, 8], RESULT),
  bytesOf([1, 0], packet(1, buildOk(2))),
  bytesOf([1, 0], packet(1, buildError(1146, '42S02', 'no table')), packet(2, buildOk(2))),
  bytesOf([7, 1], PREPARED, EXTRA_OK),
  bytesOf([7, 3], packet(1, bytesOf([0xfe, 0, 0, 2, 0])), EXTRA_OK),
  bytesOf([7, 0], packet(1, buildOk(8 | 2)), RESULT, EXTRA_OK),
  bytesOf([2, 0], packet(1, bytesOf([0xfb], 'file'))),
  bytesOf([2, 5], packet(1, bytesOf('Uptime: 1')), EXTRA_OK),
]

const RELAY: Target = {
  name: 'wire/framing relay',
  seeds: RELAY_SEEDS,
  run: bytes =>
    sameWhereverCut(bytes, (stream, cut, control, outcome) => {
      const relay = new ResponseRelay(trackerOf(control), {
        forward: (view, from, to) => taken(outcome, view.subarray(from, to)),
        finished: ok => {
          outcome.ends += 1
          if (ok !== undefined) taken(outcome, ok)
        },
        infile: () => {
          outcome.parts += 1
        },
        discards: (errorCode, held) => (errorCode & 1) === 1 && held.length > 0,
      })
      relay.begin(COMMANDS[control & 7] ?? COMMAND.query)
      inPieces(stream, cut, piece => relay.feed(piece))
      if (relay.serverEnded()) outcome.parts += 2
      demand(outcome.bytes <= stream.length, 'a relay makes no bytes')
    }),
}

const TRACKER: Target = {
  name: 'wire/response',
  seeds: RELAY_SEEDS,
  run: bytes => {
    const control = bytes[1] ?? 0
    const tracker = trackerOf(control)
    tracker.begin(COMMANDS[control & 7] ?? COMMAND.query)
    let actions = 0
    for (let at = STREAM_AT; at + 4 <= bytes.length; ) {
      const length = Math.min(bytes[at] as number, bytes.length - at - 4)
      demand(tracker.peek(length) <= Math.max(length, 3), 'no more is looked at than there is')
      const action = tracker.packet(bytes, at + 4, length)
      demand(ACTIONS.has(action), 'an action is one of the table')
      actions |= 1 << action
      at += 4 + length
    }
    return actions
  },
}

const CONNECTION_ID = 77
const REQUEST = { requestId: 5, nextSequence: 1 }
const entryOf = (type: number, content: Uint8Array): Buffer => {
  const head = Buffer.alloc(6)
  head.writeUInt16LE(type, 0)
  head.writeUInt32LE(content.length, 2)
  return Buffer.concat([head, content])
}
const framed = (
  mysql: Uint8Array,
  shape: Parameters<typeof responseFrames>[2],
): readonly Uint8Array[] =>
  responseFrames(
    responseState(CONNECTION_ID, { requestId: REQUEST.requestId, sequence: 0 }, 0),
    Buffer.from(mysql),
    shape,
  )

const OB20: Target = {
  name: 'wire/ob20',
  seeds: [
    bytesOf([5, 0], ...framed(RESULT, {})),
    bytesOf([5, 0], ...framed(RESULT, { zeroChecksums: true })),
    bytesOf([5, 0], ...framed(RESULT, { zeroChecksums: true, sliceBytes: 20 })),
    bytesOf(
      [5, 0],
      ...framed(EXTRA_OK, {
        zeroChecksums: true,
        sliceBytes: 6,
        extra: [entryOf(1001, entryOf(0, bytesOf('1'))), undefined, entryOf(2002, EXTRA_OK)],
      }),
    ),
    bytesOf([5, 0], ...framed(RESULT, { zeroChecksums: true, isLast: false })),
    bytesOf([5, 0], ...framed(NO_BYTES, { zeroChecksums: true, extra: [entryOf(9, EXTRA_OK)] })),
  ],
  run: bytes =>
    sameWhereverCut(bytes, (stream, cut, _control, outcome) => {
      const reader = new Ob20Reader(CONNECTION_ID, REQUEST)
      const sink = {
        mysql: (view: Uint8Array, from: number, to: number) =>
          taken(outcome, view.subarray(from, to)),
        extra: (type: number, view: Uint8Array) => {
          outcome.parts += 1 + view.length + (type & 1)
        },
        frameEnded: (isLast: boolean) => {
          outcome.ends += 1
          if (isLast) reader.begin()
        },
      }
      reader.begin()
      // A reader moves bytes within its chunk.
      inPieces(stream.slice(), cut, piece => reader.feed(piece, sink))
      demand(outcome.bytes <= stream.length, 'a reader makes no bytes')
    }),
}

const REQUESTS: Target = {
  name: 'session/requests',
  seeds: [
    bytesOf([3, 0], QUERY, QUERY),
    bytesOf([9, 0], packet(0, bytesOf([COMMAND.query], 'x'.repeat(200))), QUERY),
    bytesOf([9, 1], QUERY, packet(2, bytesOf('file content')), packet(3, NO_BYTES), QUERY),
    bytesOf([9, 2], packet(3, NO_BYTES), QUERY),
    bytesOf([9, 0], [0xff, 0xff, 0xff, 0], 'a long command begins'),
  ],
  run: bytes =>
    sameWhereverCut(bytes, (stream, cut, control, outcome) => {
      const requests = new Requests()
      if ((control & 2) !== 0) requests.expectAnswer()
      inPieces(stream, cut, piece => {
        requests.push(piece)
        drainRequests(requests, control, outcome)
        requests.retain()
        demand(requests.waitingBytes <= stream.length, 'requests keep what came, no more')
      })
    }),
}

function drainRequests(requests: Requests, control: number, outcome: Outcome): void {
  for (;;) {
    const isNew = !requests.isIncomplete
    const part = isNew ? requests.head({ wanted: () => 64 }) : requests.body()
    if (part === undefined) return
    demand(part.length > 0, 'a part has bytes')
    taken(outcome, part)
    if (isNew) outcome.parts += 1
    if (!requests.isRequestEnd) continue
    outcome.ends += 1
    if ((control & 1) !== 0 && outcome.ends === 1) requests.beginFile()
  }
}

const MEANING = classify(bytesOf('select ?'), 0, 8)

const STATEMENTS: Target = {
  name: 'session/statements',
  seeds: [
    bytesOf([1, 0], packet(0, bytesOf([0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 8, 0, 7, 0]))),
    bytesOf([9, 1], packet(0, bytesOf([0x17, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 6]))),
    bytesOf([0, 0], packet(0, bytesOf([0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0]))),
  ],
  run: bytes => {
    const parameterCount = (bytes[0] ?? 0) & 0x3f
    const head = bytes.subarray(STREAM_AT)
    demand(executeHeadBytes(parameterCount) >= 10, 'an EXECUTE has a head')
    const cursor = wantsCursor(head, HEADER_BYTES)
    const types = typesIn(head, parameterCount)
    const isKnown = ((bytes[1] ?? 0) & 1) === 1
    const prepared: Prepared = {
      id: 1,
      payload: NO_BYTES,
      meaning: MEANING,
      parameterCount,
      types: isKnown ? new Uint8Array(parameterCount * 2) : types?.slice(),
      digest: undefined,
      longDataOn: undefined,
      cursorOn: undefined,
      longDataError: undefined,
    }
    const sent = executeFor(head, 0x7fff_ffff, prepared, types !== undefined)
    const grown = sent === undefined ? 0 : sent.length - head.length
    demand(grown === 0 || grown === parameterCount * 2, 'an EXECUTE grows by its types')
    return (cursor ? 1 : 0) + (types === undefined ? 0 : 2) + (grown > 0 ? 4 : 0)
  },
}

let secured = 0
const CONNECTION: Connection = {
  remoteAddress: '10.0.0.9',
  remotePort: 40_000,
  write: () => true,
  pendingBytes: () => 0,
  pause: () => {},
  resume: () => {},
  startTls: ({ received }) => {
    secured += 1 + (received?.length ?? 0)
  },
  isSecure: false,
  end: () => {},
  destroy: () => {},
}
const TLS: TlsContext = { context: undefined }
const LOGIN = buildLogin({
  capabilities: CAPABILITY.protocol41 | CAPABILITY.secureConnection,
  maxPacketBytes: 0,
  collation: 45,
  user: 'root',
  authResponse: new Uint8Array(20),
  database: undefined,
  plugin: '',
  attributes: new Map(),
})
const TLS_REQUEST = packet(1, bytesOf([0, 0x0a, 0, 0], new Uint8Array(28)))
const HEADER = buildProxyHeader('proxy', 0x11, bytesOf([10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4]))

const CLIENT_ENTRY: Target = {
  name: 'session/client-entry',
  seeds: [
    bytesOf([3, 0], HEADER, packet(1, LOGIN)),
    bytesOf([3, 1], HEADER, TLS_REQUEST),
    bytesOf([3, 2], packet(1, LOGIN)),
    bytesOf([3, 1], buildProxyHeader('local', 0, NO_BYTES)),
    bytesOf([3, 0], buildProxyHeader('proxy', 0, NO_BYTES)),
  ],
  run: bytes => {
    const control = bytes[1] ?? 0
    const cut = (bytes[0] ?? 0) % 61
    const stream = bytes.subarray(STREAM_AT)
    const rules = {
      tls: () => ((control & 1) === 1 ? TLS : undefined),
      mayBringHeader: () => (control & 2) === 0,
      mayNameClient: () => true,
    }
    const entry = new ClientEntry(rules, { settings: () => ({ loginTimeoutMs: 10_000 }) })
    entry.opened(CONNECTION)
    secured = 0
    let given = 0
    let isProbe = false
    inPieces(stream, cut, piece => {
      if (isProbe) return
      const step = entry.take(piece)
      if (step.kind === 'probe') isProbe = true
      else given += step.bytes.length
    })
    demand(given + secured <= stream.length + 1, 'an entry makes no bytes')
    return (given > 0 ? 1 : 0) + (secured > 0 ? 2 : 0) + (isProbe ? 4 : 0)
  },
}

export const STREAM_TARGETS: readonly Target[] = [
  COLLECTOR,
  RELAY,
  TRACKER,
  OB20,
  REQUESTS,
  STATEMENTS,
  CLIENT_ENTRY,
]
