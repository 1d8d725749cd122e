/**
 * One client connection of a front and its server session: bytes pass both ways with back-pressure,
 * and the front's orders are carried out on statements. An answer that the front makes itself is
 * written at once: it is meant for clients that wait for one answer before they ask again.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  errorPacket,
  frame,
  LARGEST_PAYLOAD_BYTES,
  MalformedPacket,
  minimalOk,
  type Packet,
  PacketStream,
  resultPackets,
  type Table,
} from './codec.ts'
import type { Front } from './front.ts'
import { type ClientLogin, parseClientLogin } from './login-codec.ts'
import { type MetadataQuestion, metadataQuestion } from './picture.ts'

const COMMAND = { query: 0x03, prepare: 0x16, execute: 0x17 }
/** What is looked at of a statement. */
const SEEN_BYTES = 4096
/** Bytes that wait for a delay to pass; more stops the client. */
const MAX_DELAYED_BYTES = 1 << 20
const NOT_MASTER = { errno: 4038, text: 'The replica is not master' }

/** What becomes of the packets of one command: on to the engine, or swallowed and then answered. */
type Course = { readonly kind: 'pass' } | { readonly kind: 'answer'; readonly write: Answer }
type Answer = (sequence: number) => void

const PASS: Course = { kind: 'pass' }

export class Relay {
  private readonly client: Socket
  private readonly engine: Duplex
  private readonly front: Front
  private readonly fromClient = new PacketStream()
  private isProxy = false
  private isLoggedIn = false
  private isFrozen = false
  /** A statement that must be lost is on its way to the engine. */
  private isLost = false
  private readonly delayed: { readonly bytes: Buffer; readonly dueAt: number }[] = []
  private delayedBytes = 0
  private timer: NodeJS.Timeout | undefined
  /** Of the command whose packets are coming in; undefined between commands. */
  private course: Course | undefined

  constructor(client: Socket, engine: Duplex, front: Front) {
    this.client = client
    this.engine = engine
    this.front = front
  }

  start(): void {
    const { client, engine } = this
    client.setNoDelay(true)
    client.on('data', bytes => this.clientBytes(bytes as Buffer))
    engine.on('data', bytes => {
      if (!client.write(bytes as Buffer)) engine.pause()
    })
    client.on('drain', () => this.flow())
    engine.on('drain', () => this.flow())
    client.on('error', () => this.drop())
    engine.on('error', () => this.drop())
    client.on('end', () => engine.end())
    engine.on('end', () => client.end())
    client.on('close', () => this.drop())
    engine.on('close', () => client.destroySoon())
  }

  drop(): void {
    clearTimeout(this.timer)
    this.delayed.length = 0
    this.client.destroy()
    this.engine.destroy()
  }

  freeze(): void {
    this.isFrozen = true
    this.client.pause()
    this.engine.pause()
  }

  thaw(): void {
    this.isFrozen = false
    this.flow()
  }

  private flow(): void {
    if (this.isFrozen) return
    if (!this.engine.writableNeedDrain && this.delayedBytes < MAX_DELAYED_BYTES)
      this.client.resume()
    if (!this.client.writableNeedDrain) this.engine.resume()
  }

  private clientBytes(bytes: Buffer): void {
    const { order } = this.front
    const delayMs = order.kind === 'delay' ? order.delayMs : 0
    // What comes behind delayed bytes must not overtake them.
    if (delayMs === 0 && this.delayed.length === 0) {
      this.take(bytes)
      return
    }
    this.delayed.push({ bytes, dueAt: performance.now() + delayMs })
    this.delayedBytes += bytes.length
    if (this.delayedBytes >= MAX_DELAYED_BYTES) this.client.pause()
    if (this.delayed.length === 1) this.wait(delayMs)
  }

  private wait(delayMs: number): void {
    this.timer = setTimeout(() => {
      const due = this.delayed.shift()
      if (due === undefined) return
      this.delayedBytes -= due.bytes.length
      this.take(due.bytes)
      this.flow()
      const [next] = this.delayed
      if (next !== undefined) this.wait(Math.max(0, next.dueAt - performance.now()))
    }, delayMs)
  }

  private take(bytes: Buffer): void {
    for (const packet of this.fromClient.push(bytes)) {
      if (this.isLoggedIn) this.command(packet)
      else this.login(packet)
    }
  }

  private login(packet: Packet): void {
    const login = readLogin(packet.payload)
    if (login === undefined) {
      const text = 'Bad handshake'
      this.client.end(frame(packet.sequence + 1, errorPacket(1043, '08S01', text)))
      return
    }
    this.isLoggedIn = true
    this.isProxy = login.attributes.get('__mysql_client_type')?.toString() === '__ob_proxy'
    this.front.counters.logins += 1
    const at = login.user.lastIndexOf('@')
    const tenant = at < 0 ? 'sys' : login.user.slice(at + 1)
    // An unknown tenant keeps its name: the engine itself answers 1045.
    const user =
      at >= 0 && this.front.hasTenant(tenant) ? `${login.user.slice(0, at)}@sys` : login.user
    this.pass({
      sequence: packet.sequence,
      payload: Buffer.concat([login.head, Buffer.from(user), login.tail]),
    })
  }

  /** A command of several packets is decided by its first and answered behind its last. */
  private command(packet: Packet): void {
    const course = this.course ?? this.decide(packet.payload)
    const isLast = packet.payload.length < LARGEST_PAYLOAD_BYTES
    this.course = isLast ? undefined : course
    if (course.kind === 'pass') this.pass(packet)
    else if (isLast) course.write(packet.sequence + 1)
    if (course.kind === 'pass' && isLast && this.isLost) this.drop()
  }

  private decide(payload: Buffer): Course {
    const code = payload[0]
    if (code === COMMAND.execute) return this.statement('execute', undefined)
    if (code !== COMMAND.query && code !== COMMAND.prepare) return PASS
    const sql = payload.subarray(1, SEEN_BYTES).toString()
    const question = metadataQuestion(sql)
    if (question !== undefined && code === COMMAND.query)
      return { kind: 'answer', write: () => this.tell(question) }
    const word = /^\s*(\w+)/.exec(sql)?.[1]?.toLowerCase() ?? ''
    const table = /\b(?:from|into|update)\s+`?([\w$.]+)/i.exec(sql)?.[1]?.toLowerCase()
    return code === COMMAND.query ? this.statement(word, table) : this.preparation(table)
  }

  /** Preparing is no statement yet, but a replica that does not lead refuses it, too. */
  private preparation(table: string | undefined): Course {
    const { order } = this.front
    if (order.kind !== 'not-master' || table === undefined) return PASS
    return this.failure(NOT_MASTER.errno, NOT_MASTER.text)
  }

  private statement(word: string, table: string | undefined): Course {
    this.front.count(word, table)
    const { order } = this.front
    if (order.kind === 'fail-next') {
      this.front.spent()
      return this.failure(order.errno, `injected error ${order.errno}`)
    }
    if (order.kind === 'not-master' && (table !== undefined || word === 'execute'))
      return this.failure(NOT_MASTER.errno, NOT_MASTER.text)
    if (order.kind === 'lose-next') {
      this.front.spent()
      this.isLost = true
    }
    return PASS
  }

  private failure(errno: number, text: string): Course {
    return {
      kind: 'answer',
      write: sequence => {
        this.client.write(frame(sequence, errorPacket(errno, 'HY000', text)))
        if (this.isProxy) this.client.write(frame(sequence + 1, minimalOk()))
      },
    }
  }

  private tell(question: MetadataQuestion): void {
    const write = (table: Table) => this.client.write(resultPackets(table, this.isProxy))
    this.front.answer(question).then(write, () => {
      const failed = this.failure(4012, 'the table entry cannot be read')
      if (failed.kind === 'answer') failed.write(1)
    })
  }

  private pass({ sequence, payload }: Packet): void {
    const header = Buffer.alloc(4)
    header.writeUIntLE(payload.length, 0, 3)
    header.writeUInt8(sequence, 3)
    if (!this.engine.write(Buffer.concat([header, payload]))) this.client.pause()
  }
}

function readLogin(payload: Buffer): ClientLogin | undefined {
  try {
    return parseClientLogin(payload)
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined
    throw error
  }
}
