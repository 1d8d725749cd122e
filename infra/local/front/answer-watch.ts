/**
 * Follows the answers of an engine that cannot be told of the picture, and puts changed variables into
 * the OK that ends an answer, as a server does that has missed (proxy-routing.md §4.8). Everything else
 * passes byte for byte. Source: proxy-protocol.md §7.1–7.3, proxy-protocol-tried.md A2, A3, A18.
 */
import { LARGEST_PAYLOAD_BYTES, lenenc, lenencText, type Packet, PacketStream } from './codec.ts'
import { takeLenenc } from './login-codec.ts'
import { buildFrame, FLAG, FrameStream, type Ob20Frame } from './ob20-codec.ts'

export type Pairs = readonly (readonly [name: string, value: string])[]

/** A command that was passed on. */
export type Expected = {
  readonly code: number
  readonly requestId: number
  readonly changes: Pairs
  /** Hears of the statement that a COM_STMT_PREPARE made. */
  readonly prepared?: ((id: number, parameters: number) => void) | undefined
}

export type AnswerWatch = {
  readonly expect: (command: Expected) => void
  /** What the client gets of what the engine sent. @throws MalformedPacket */
  readonly push: (bytes: Buffer) => Buffer
}

const COMMAND = {
  quit: 0x01,
  fieldList: 0x04,
  prepare: 0x16,
  longData: 0x18,
  close: 0x19,
  fetch: 0x1c,
}
const STATISTICS = 0x09
const SILENT = [COMMAND.quit, COMMAND.longData, COMMAND.close]
/** Commands that are ahead of their answers; what is beyond it passes as it is. */
const MAX_EXPECTED = 10_000
const MORE_RESULTS = 0x0008
const CURSOR_EXISTS = 0x0040
const STATE_CHANGED = 0x4000

/** Packets go in one by one; it is done with the packet that ends the answer. */
type Walk = Generator<void, void, Buffer>
type Waiting = { readonly walk: Walk; readonly changes: Pairs }

/** Of a proxy's plain connection, whose answers come in the order of the commands. */
export class PlainAnswers implements AnswerWatch {
  private readonly stream = new PacketStream()
  private readonly waiting: Waiting[] = []
  /** The packet is continued: what comes next is no packet of its own. */
  private isContinued = false

  expect({ code, changes, prepared }: Expected): void {
    if (SILENT.includes(code) || this.waiting.length >= MAX_EXPECTED) return
    const walk = code === COMMAND.prepare ? preparation(prepared) : walkOf(code)
    walk.next()
    this.waiting.push({ walk, changes })
  }

  push(bytes: Buffer): Buffer {
    return Buffer.concat(this.stream.push(bytes).map(packet => this.packet(packet)))
  }

  private packet({ sequence, payload }: Packet): Buffer {
    const wasContinued = this.isContinued
    this.isContinued = payload.length === LARGEST_PAYLOAD_BYTES
    const [first] = this.waiting
    if (wasContinued || first === undefined) return piece(sequence, payload)
    if (first.walk.next(payload).done !== true) return piece(sequence, payload)
    this.waiting.shift()
    return piece(sequence, withChanges(payload, first.changes))
  }
}

function piece(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header.writeUInt8(sequence, 3)
  return Buffer.concat([header, payload])
}

function walkOf(code: number): Walk {
  if (code === COMMAND.fieldList) return rowsAndOk()
  if (code === COMMAND.fetch) return rowsAndOk()
  if (code === STATISTICS) return statistics()
  return answer()
}

function* statistics(): Walk {
  yield
  yield
}

/** Rows without columns in front. */
function* rowsAndOk(): Walk {
  yield* untilEnd()
  yield
}

function* untilEnd(): Generator<void, Buffer, Buffer> {
  for (;;) {
    const payload = yield
    if (isEof(payload) || payload[0] === 0xff) return payload
  }
}

function* preparation(prepared: Expected['prepared']): Walk {
  const head = yield
  if (head[0] !== 0xff) {
    prepared?.(head.readUInt32LE(1), head.readUInt16LE(7))
    for (const count of [head.readUInt16LE(7), head.readUInt16LE(5)])
      if (count > 0) yield* untilEnd()
  }
  yield
}

function* answer(): Walk {
  let after = yield* result(true)
  while (after === 'another') after = yield* result(false)
  if (after === 'extra') yield
}

/** What a result is followed by: another one, the proxy's OK, nothing. */
type After = 'another' | 'extra' | 'nothing'

function* result(isFirst: boolean): Generator<void, After, Buffer> {
  const first = yield
  if (first[0] === 0xff) return 'extra'
  if (first[0] === 0x00) return (okStatus(first) & MORE_RESULTS) === 0 ? 'nothing' : 'another'
  // A file or another authentication is asked for.
  if (isFirst && (first[0] === 0xfb || first[0] === 0xfe)) return 'nothing'
  const columns = yield* untilEnd()
  if (!isEof(columns) || (columns.readUInt16LE(3) & CURSOR_EXISTS) !== 0) return 'extra'
  const rows = yield* untilEnd()
  return isEof(rows) && (rows.readUInt16LE(3) & MORE_RESULTS) !== 0 ? 'another' : 'extra'
}

function isEof(payload: Buffer): boolean {
  return payload[0] === 0xfe && payload.length < 9
}

/** Where the status of an OK stands: behind two numbers. */
function statusAt(ok: Buffer): number {
  const cursor = { at: 1 }
  takeLenenc(ok, cursor)
  takeLenenc(ok, cursor)
  return cursor.at
}

function okStatus(ok: Buffer): number {
  return ok.readUInt16LE(statusAt(ok))
}

const SYSTEM_VARIABLES = 0

/** An OK that tells of these variables, too; what is no OK stays as it is. */
export function withChanges(ok: Buffer, changes: Pairs): Buffer {
  if (changes.length === 0 || ok[0] !== 0x00) return ok
  const at = statusAt(ok)
  const status = ok.readUInt16LE(at)
  const pairs = Buffer.concat(changes.flat().map(text => lenencText(text)))
  const head = Buffer.from(ok.subarray(0, at + 4))
  head.writeUInt16LE(status | STATE_CHANGED, at)
  const cursor = { at: at + 4 }
  const messageBytes = cursor.at < ok.length ? takeLenenc(ok, cursor) : 0
  const message = ok.subarray(cursor.at, cursor.at + messageBytes)
  cursor.at += messageBytes
  const before = (status & STATE_CHANGED) === 0 ? Buffer.alloc(0) : taken(ok, cursor)
  const state = withPairs(before, pairs)
  return Buffer.concat([head, lenencText(message), lenenc(state.length), state])
}

function taken(bytes: Buffer, cursor: { at: number }): Buffer {
  const length = takeLenenc(bytes, cursor)
  return bytes.subarray(cursor.at, cursor.at + length)
}

/** System variables are in one entry, in front of the user's. */
function withPairs(state: Buffer, pairs: Buffer): Buffer {
  const cursor = { at: 0 }
  while (cursor.at < state.length) {
    const from = cursor.at
    const type = state.readUInt8(cursor.at++)
    const content = taken(state, cursor)
    cursor.at += content.length
    if (type !== SYSTEM_VARIABLES) continue
    const joined = entryOf(Buffer.concat([pairs, content]))
    return Buffer.concat([state.subarray(0, from), joined, state.subarray(cursor.at)])
  }
  return Buffer.concat([state, entryOf(pairs)])
}

function entryOf(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([SYSTEM_VARIABLES]), lenenc(content.length), content])
}

/** Of an OB 2.0 connection: answers carry the id of their request and say where they end. */
export class Ob20Answers implements AnswerWatch {
  private readonly frames = new FrameStream()
  private readonly changes = new Map<number, Pairs>()
  private readonly preparing = new Map<number, NonNullable<Expected['prepared']>>()
  private held: Ob20Frame[] = []

  expect({ requestId, changes, prepared }: Expected): void {
    if (prepared !== undefined && this.preparing.size < MAX_EXPECTED)
      this.preparing.set(requestId, prepared)
    if (changes.length > 0 && this.changes.size < MAX_EXPECTED) this.changes.set(requestId, changes)
  }

  push(bytes: Buffer): Buffer {
    return Buffer.concat(this.frames.push(bytes).flatMap(frame => this.frame(frame)))
  }

  /** The first frame of an answer has the first packet. */
  private head({ requestId, body }: Ob20Frame): void {
    const prepared = this.preparing.get(requestId)
    this.preparing.delete(requestId)
    const isMade = body.length >= 4 + 9 && body[4] === 0x00
    if (isMade) prepared?.(body.readUInt32LE(5), body.readUInt16LE(11))
  }

  /** Frames of an answer that is to be changed are held until the one that ends it. */
  private frame(frame: Ob20Frame): readonly Buffer[] {
    if (this.preparing.size > 0) this.head(frame)
    const changes = this.changes.get(frame.requestId)
    if (changes === undefined) return [frame.bytes]
    this.held.push(frame)
    if ((frame.flags & FLAG.last) === 0) return []
    this.changes.delete(frame.requestId)
    const { held } = this
    this.held = []
    const rest = held.slice(0, -1).map(({ bytes }) => bytes)
    return [...rest, lastWith(held, frame, changes)]
  }
}

/** The last frame with a changed OK at its end. */
function lastWith(frames: readonly Ob20Frame[], last: Ob20Frame, changes: Pairs): Buffer {
  const whole = Buffer.concat(frames.map(({ body }) => body))
  const from = whole.length - last.body.length
  let at = 0
  while (at + 4 + whole.readUIntLE(at, 3) < whole.length) at += 4 + whole.readUIntLE(at, 3)
  // An OK that is cut over two frames is left alone: it would be another frame's, too.
  if (at < from) return last.bytes
  const changed = piece(whole.readUInt8(at + 3), withChanges(whole.subarray(at + 4), changes))
  return buildFrame({ ...last, body: Buffer.concat([whole.subarray(from, at), changed]) })
}
