/**
 * What one client and its scripted server session say to each other: greeting, login, then command
 * by command an answer each. Source: proxy-protocol.md §6.1, proxy-protocol-tried.md A13–A16.
 */
import { randomBytes } from 'node:crypto'
import {
  columnPacket,
  eofPacket,
  LARGEST_PAYLOAD_BYTES,
  MalformedPacket,
  minimalOk,
  type Packet,
  textRow,
} from '../codec.ts'
import type { Seat } from '../engine.ts'
import { greetingPacket } from '../login-codec.ts'
import { FEATURE } from '../login-watch.ts'
import type { Tlv } from '../ob20-codec.ts'
import { Admittance, type Outcome } from './admittance.ts'
import { Answers, MORE_RESULTS } from './answers.ts'
import { insertOf } from './load-rows.ts'
import { parse } from './parser.ts'
import { PreparedStatements } from './prepared.ts'
import { type Outlet, PlainReply, type Reply } from './replies.ts'
import { change, run } from './run.ts'
import { PROTOCOL_TYPE } from './select.ts'
import { Session } from './session.ts'
import { SessionInfo } from './session-info.ts'
import { processList } from './shows.ts'
import { statementsIn } from './split.ts'
import { SqlError } from './sql-error.ts'
import type { Load } from './statement.ts'
import { VERSION } from './variables.ts'
import type { World } from './world.ts'

/** An OBServer's greeting, without what this engine does not do (kernel.md §2). */
const CAPABILITIES = 0x009f_f7df
const MAX_COMMAND_BYTES = 16 << 20
const MAX_FILE_BYTES = 64 << 20
const COMMAND = {
  quit: 0x01,
  initDb: 0x02,
  query: 0x03,
  fieldList: 0x04,
  statistics: 0x09,
  processInfo: 0x0a,
  processKill: 0x0c,
  debug: 0x0d,
  ping: 0x0e,
  changeUser: 0x11,
  prepare: 0x16,
  execute: 0x17,
  longData: 0x18,
  close: 0x19,
  resetStatement: 0x1a,
  setOption: 0x1b,
  fetch: 0x1c,
  resetConnection: 0x1f,
}
/** No answer, not even to say that something is wrong. */
const SILENT = [COMMAND.quit, COMMAND.longData, COMMAND.close]

type Phase =
  | { readonly kind: 'login' | 'token' | 'commands' | 'over' }
  | { readonly kind: 'file'; readonly load: Load; readonly parts: Buffer[]; bytes: number }

export class Conversation {
  /** The id of the greeting, for frames; KILL may know the session by another. */
  readonly threadId: number
  private readonly world: World
  private readonly outlet: Outlet
  private readonly session: Session
  private readonly admittance: Admittance
  private readonly scramble = Buffer.from(randomBytes(20).map(byte => (byte % 126) + 1))
  private info: SessionInfo
  private answers: Answers
  private prepared: PreparedStatements
  private phase: Phase = { kind: 'login' }
  private isMultiAllowed = true
  private parts: Buffer[] = []
  private partsBytes = 0

  constructor(world: World, outlet: Outlet, seat: Seat) {
    this.world = world
    this.outlet = outlet
    this.threadId = world.threadId()
    this.session = new Session(this.threadId, { world, seat }, () => this.over())
    this.admittance = new Admittance(world, this.session)
    this.info = new SessionInfo(this.session, 0)
    this.answers = new Answers(this.session, this.info, false)
    this.prepared = new PreparedStatements(this.session, this.answers)
  }

  /** Whether frames are spoken from here on. */
  get isOb20(): boolean {
    return (this.features & FEATURE.ob20) !== 0
  }

  private get features(): number {
    return this.admittance.entry?.capabilities ?? 0
  }

  greet(): Promise<void> {
    const { threadId, scramble } = this
    const greeting = { version: VERSION, threadId, capabilities: CAPABILITIES, scramble }
    const reply = new PlainReply(this.outlet, 0)
    reply.add(greetingPacket(greeting))
    return reply.end()
  }

  /** Takes over session state that came with a request. @throws MalformedPacket */
  inform(info: readonly Tlv[]): void {
    this.info.apply(info)
  }

  /** Whether the SELECTs of the command that comes read weakly, whatever they say. */
  readWeakly(isWeak: boolean): void {
    this.session.isToldWeak = isWeak
  }

  /** Deals with one packet; the next may come when it resolves. */
  async packet({ sequence, payload }: Packet, reply: Reply): Promise<void> {
    const { phase } = this
    if (phase.kind === 'over') return
    try {
      if (phase.kind === 'login')
        await this.admitted(this.admittance.login(payload, this.scramble, reply), reply)
      else if (phase.kind === 'token') await this.token(sequence, payload, reply)
      else if (phase.kind === 'file') await this.content(phase, payload, reply)
      else await this.part(payload, reply)
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error
      const bad = new SqlError(1043, '08S01', 'Bad handshake')
      await this.admitted(this.admittance.refuse(bad, reply), reply)
    }
  }

  /** The client is gone. */
  end(): void {
    this.phase = { kind: 'over' }
    this.session.end()
    this.world.leave(this.session)
  }

  private over(): void {
    this.end()
    this.outlet.close()
  }

  private async admitted(outcome: Outcome, reply: Reply): Promise<void> {
    if (outcome === 'entered') this.enter()
    if (outcome === 'asked') this.phase = { kind: 'token' }
    await reply.end()
    if (outcome === 'refused') this.over()
  }

  private enter(): void {
    const { session } = this
    // A change of user keeps what the other end was told.
    if (this.phase.kind === 'login' || !this.world.list().includes(session)) {
      this.info = new SessionInfo(session, this.features)
      this.answers = new Answers(session, this.info, this.admittance.isProxy)
    }
    this.prepared = new PreparedStatements(session, this.answers)
    this.world.join(session)
    this.phase = { kind: 'commands' }
  }

  /** A command in place of the token is refused. */
  private async token(sequence: number, payload: Buffer, reply: Reply): Promise<void> {
    if (sequence !== 0) {
      await this.admitted(this.admittance.token(payload, reply), reply)
      return
    }
    const wrong = new SqlError(1210, 'HY000', 'Incorrect arguments')
    await this.admitted(this.admittance.refuse(wrong, reply), reply)
  }

  /** Commands above 16 MiB are read to their end and refused. */
  private async part(payload: Buffer, reply: Reply): Promise<void> {
    this.partsBytes += payload.length
    if (this.partsBytes <= MAX_COMMAND_BYTES) this.parts.push(payload)
    if (payload.length === LARGEST_PAYLOAD_BYTES) return
    this.session.seat?.next()
    const { parts } = this
    const isTooLong = this.partsBytes > MAX_COMMAND_BYTES
    this.parts = []
    this.partsBytes = 0
    const [first] = parts
    const command = parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
    const isSilent = SILENT.includes(command[0] ?? 0)
    try {
      if (isTooLong)
        throw new SqlError(1153, '08S01', "Got a packet bigger than 'max_allowed_packet' bytes")
      await this.command(command, reply)
    } catch (error) {
      const failed = toSqlError(error)
      if (!isSilent) this.answers.fail(reply, failed)
    }
    await this.settle(reply, isSilent)
  }

  private async settle(reply: Reply, isSilent: boolean): Promise<void> {
    if (this.phase.kind === 'over') return
    if (!isSilent) await reply.end()
    if (this.session.isOver) this.over()
    this.session.mark(undefined)
  }

  private async command(command: Buffer, reply: Reply): Promise<void> {
    const body = command.subarray(1)
    switch (command[0]) {
      case COMMAND.quit:
        this.over()
        return
      case COMMAND.initDb:
        this.session.use(body.toString())
        this.answers.ok(reply)
        return
      case COMMAND.query:
        await this.query(body.toString(), reply)
        return
      case COMMAND.ping:
        this.answers.ok(reply)
        return
      case COMMAND.changeUser:
        await this.changeUser(command, reply)
        return
      case COMMAND.resetConnection:
        this.session.reset()
        this.prepared.clear()
        reply.add(minimalOk(this.session.status))
        return
      default:
        await this.statementCommand(command, reply)
    }
  }

  private async statementCommand(command: Buffer, reply: Reply): Promise<void> {
    switch (command[0]) {
      case COMMAND.prepare: {
        const sql = command.subarray(1).toString()
        if (statementsIn(sql).length > 1)
          throw new SqlError(1235, '0A000', 'several statements in one prepared statement')
        this.prepared.prepare(sql, reply)
        return
      }
      case COMMAND.execute:
        this.session.mark('EXECUTE')
        await this.prepared.execute(command, reply)
        return
      case COMMAND.fetch:
        await this.prepared.fetch(command, reply)
        return
      case COMMAND.longData:
        this.prepared.longData(command)
        return
      case COMMAND.close:
        this.prepared.close(command.readUInt32LE(1))
        return
      case COMMAND.resetStatement:
        this.prepared.reset(command.readUInt32LE(1))
        this.answers.ok(reply)
        return
      default:
        await this.rareCommand(command, reply)
    }
  }

  private async rareCommand(command: Buffer, reply: Reply): Promise<void> {
    switch (command[0]) {
      case COMMAND.fieldList:
        this.fieldList(command.subarray(1), reply)
        return
      case COMMAND.statistics:
        reply.add(Buffer.from('Active threads not support'))
        if ((this.features & FEATURE.statisticsOk) !== 0)
          this.answers.extraOk(reply, { isError: false, flags: 0 })
        return
      case COMMAND.processInfo: {
        const answer = { kind: 'rows' as const, result: processList(this.session) }
        await this.answers.write(reply, answer, { toRow: textRow, more: 0 })
        return
      }
      case COMMAND.processKill: {
        const id = command.readUInt32LE(1)
        await run(this.session, { kind: 'kill', isQuery: false, id }, { parameters: [] })
        this.answers.ok(reply)
        return
      }
      case COMMAND.debug:
        reply.add(eofPacket(0))
        return
      case COMMAND.setOption:
        this.isMultiAllowed = command.readUInt16LE(1) !== 1
        this.answers.ok(reply)
        return
      default:
        throw new SqlError(1235, '0A000', 'Not supported feature or function')
    }
  }

  private async changeUser(command: Buffer, reply: Reply): Promise<void> {
    const { entry } = this.admittance
    if (entry === undefined) throw new MalformedPacket('nobody is logged in')
    const outcome = this.admittance.changeUser(command, entry, reply)
    if (outcome === 'entered') this.enter()
    if (outcome === 'asked') this.phase = { kind: 'token' }
    if (outcome !== 'refused') return
    await reply.end()
    this.over()
  }

  /** Several statements are carried out up to the first that fails. */
  private async query(sql: string, reply: Reply): Promise<void> {
    if (sql.trim() === '') throw new SqlError(1065, '42000', 'Query was empty')
    const all = statementsIn(sql)
    if (all.length > 1 && !this.isMultiAllowed)
      throw new SqlError(1149, '42000', 'several statements are not allowed')
    for (const [at, text] of all.entries()) {
      this.session.mark(text)
      const { statement, parameters } = parse(text)
      if (parameters > 0) throw new SqlError(1064, '42000', 'a parameter outside of PREPARE')
      const answer = await run(this.session, statement, { parameters: [] })
      const more = at + 1 < all.length ? MORE_RESULTS : 0
      await this.answers.write(reply, answer, { toRow: textRow, more })
      const isWarnings = statement.kind === 'show' && statement.what === 'warnings'
      if (!isWarnings) this.session.warnings = []
      if (answer.kind !== 'file') continue
      // What stands behind it in the same text is not carried out.
      this.phase = { kind: 'file', load: answer.load, parts: [], bytes: 0 }
      return
    }
  }

  /** Content of a file that was asked for, up to its empty packet. */
  private async content(
    phase: Extract<Phase, { kind: 'file' }>,
    payload: Buffer,
    reply: Reply,
  ): Promise<void> {
    phase.bytes += payload.length
    if (payload.length > 0) {
      if (phase.bytes <= MAX_FILE_BYTES) phase.parts.push(Buffer.from(payload))
      return
    }
    this.phase = { kind: 'commands' }
    try {
      if (phase.bytes > MAX_FILE_BYTES)
        throw new SqlError(1153, '08S01', `a local file of more than ${MAX_FILE_BYTES} bytes`)
      const statement = insertOf(phase.load, Buffer.concat(phase.parts).toString())
      const answer = await change(this.session, statement, this.session.scope([]))
      await this.answers.write(reply, answer, { toRow: textRow, more: 0 })
    } catch (error) {
      this.answers.fail(reply, toSqlError(error))
    }
    await this.settle(reply, false)
  }

  private fieldList(body: Buffer, reply: Reply): void {
    const table = body.subarray(0, Math.max(0, body.indexOf(0))).toString()
    for (const { name, type } of this.session.table({ database: undefined, table }).columns)
      reply.add(Buffer.concat([columnPacket(name, PROTOCOL_TYPE[type]), Buffer.from([0xfb])]))
    reply.add(this.answers.eof(0))
    this.answers.extraOk(reply, { isError: false, flags: 0 })
  }
}

function toSqlError(error: unknown): SqlError {
  if (error instanceof SqlError) return error
  if (error instanceof RangeError || error instanceof MalformedPacket)
    return new SqlError(1210, 'HY000', 'Incorrect arguments')
  throw error
}
