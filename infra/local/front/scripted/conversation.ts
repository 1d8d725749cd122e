/**
 * The bytes of one scripted server session: greeting, login, commands in turn, answers with the OK
 * that a proxy gets behind them. Results are written as the reader takes them, never gathered.
 * Source: proxy-protocol.md §7.1, proxy-protocol-tried.md A13–A16.
 */
import { randomBytes } from 'node:crypto'
import {
  columnPacket,
  eofPacket,
  errorPacket,
  frame,
  LARGEST_PAYLOAD_BYTES,
  lenenc,
  MalformedPacket,
  minimalOk,
  okPacket,
  type Packet,
  packetsOf,
  schemaChange,
  textRow,
} from '../codec.ts'
import {
  authSwitchPacket,
  type ClientLogin,
  greetingPacket,
  parseClientLogin,
} from '../login-codec.ts'
import { binaryRow, readExecution } from './binary.ts'
import { claim, type Entry, prove } from './login.ts'
import { parse } from './parser.ts'
import type { Result, ResultColumn } from './select.ts'
import { type Answer, Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { Statement } from './statement.ts'
import { VERSION } from './variables.ts'
import type { World } from './world.ts'

/** An OBServer's greeting, without what this engine does not do (kernel.md §2). */
const CAPABILITIES = 0x009f_f7df
/** Rows are gathered up to this before they are handed on. */
const BATCH_BYTES = 32 << 10
const MAX_COMMAND_BYTES = 16 << 20
const MAX_STATEMENTS = 1_000
const COMMAND = {
  quit: 0x01,
  initDb: 0x02,
  query: 0x03,
  ping: 0x0e,
  prepare: 0x16,
  execute: 0x17,
  longData: 0x18,
  close: 0x19,
  resetStatement: 0x1a,
  resetConnection: 0x1f,
}

/** Where the bytes go: resolves when more may be written. */
export type Outlet = {
  readonly send: (bytes: Buffer) => Promise<void>
  readonly close: () => void
}

type Prepared = {
  readonly statement: Statement
  readonly parameters: number
  types: readonly number[] | undefined
}

type Phase =
  | { readonly kind: 'login' }
  | { readonly kind: 'switch'; readonly login: ClientLogin; readonly entry: Entry }
  | { readonly kind: 'commands' }
  | { readonly kind: 'over' }

export class Conversation {
  private readonly world: World
  private readonly outlet: Outlet
  private readonly session: Session
  private readonly scramble = Buffer.from(randomBytes(20).map(byte => (byte % 126) + 1))
  private readonly prepared = new Map<number, Prepared>()
  private nextStatementId = 1
  private phase: Phase = { kind: 'login' }
  private isProxy = false
  private sequence = 0
  private parts: Buffer[] = []
  private partsBytes = 0

  constructor(world: World, outlet: Outlet) {
    this.world = world
    this.outlet = outlet
    this.session = new Session(world.threadId(), world, () => this.over())
  }

  greet(): Promise<void> {
    const { id: threadId } = this.session
    return this.outlet.send(
      frame(
        0,
        greetingPacket({
          version: VERSION,
          threadId,
          capabilities: CAPABILITIES,
          scramble: this.scramble,
        }),
      ),
    )
  }

  /** Deals with one packet; the next may come when it resolves. */
  async packet({ sequence, payload }: Packet): Promise<void> {
    if (this.phase.kind === 'over') return
    this.sequence = sequence + 1
    try {
      if (this.phase.kind === 'login') await this.login(payload)
      else if (this.phase.kind === 'switch') await this.enter(this.phase, payload)
      else await this.part(payload)
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error
      await this.refuse(new SqlError(1043, '08S01', 'Bad handshake'))
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

  private async login(payload: Buffer): Promise<void> {
    const login = parseClientLogin(payload)
    this.isProxy = login.attributes.get('__mysql_client_type')?.toString() === '__ob_proxy'
    try {
      const entry = claim(login, this.scramble, this.world)
      if (!entry.mustSwitch) {
        await this.enter({ login, entry }, login.authResponse)
        return
      }
      this.phase = { kind: 'switch', login, entry }
      await this.write([authSwitchPacket(entry.scramble)])
    } catch (error) {
      if (!(error instanceof SqlError)) throw error
      await this.refuse(error)
    }
  }

  private async enter(
    { login, entry }: { login: ClientLogin; entry: Entry },
    token: Buffer,
  ): Promise<void> {
    const { session } = this
    try {
      prove(entry, token, this.world)
      if (login.database !== undefined && login.database !== '') session.use(login.database)
    } catch (error) {
      if (!(error instanceof SqlError)) throw error
      await this.refuse(error)
      return
    }
    session.user = entry.user
    session.id = entry.clientSessionId ?? session.id
    session.variables.agree(entry.capabilities)
    session.isDatabaseChanged = false
    this.world.join(session)
    this.phase = { kind: 'commands' }
    const changes = [session.variables.all(), schemaChange(session.database ?? '')]
    await this.write([
      okPacket({
        affectedRows: 0,
        lastInsertId: 0,
        status: session.status,
        changes: entry.isProxy ? changes : [],
      }),
    ])
  }

  /** ERR, the proxy's OK, end. */
  private async refuse(error: SqlError): Promise<void> {
    const extra = this.isProxy ? [minimalOk()] : []
    await this.write([errorPacket(error.errno, error.state, error.message), ...extra])
    this.over()
  }

  /** Commands above 16 MiB are read to their end and refused. */
  private async part(payload: Buffer): Promise<void> {
    this.partsBytes += payload.length
    if (this.partsBytes <= MAX_COMMAND_BYTES) this.parts.push(payload)
    if (payload.length === LARGEST_PAYLOAD_BYTES) return
    const { parts } = this
    const isTooLong = this.partsBytes > MAX_COMMAND_BYTES
    this.parts = []
    this.partsBytes = 0
    const command = parts.length === 1 ? parts[0] : Buffer.concat(parts)
    try {
      if (isTooLong)
        throw new SqlError(1153, '08S01', "Got a packet bigger than 'max_allowed_packet' bytes")
      await this.command(command ?? Buffer.alloc(0))
    } catch (error) {
      if (error instanceof RangeError || error instanceof MalformedPacket)
        await this.fail(new SqlError(1210, 'HY000', 'Incorrect arguments'))
      else if (error instanceof SqlError) await this.fail(error)
      else throw error
    } finally {
      if (this.session.isOver) this.over()
      this.session.mark(undefined)
    }
  }

  private async command(command: Buffer): Promise<void> {
    const body = command.subarray(1)
    switch (command[0]) {
      case COMMAND.quit:
        this.over()
        return
      case COMMAND.initDb:
        this.session.use(body.toString())
        await this.ok({ affectedRows: 0, lastInsertId: 0 })
        return
      case COMMAND.query:
        await this.query(body.toString())
        return
      case COMMAND.prepare:
        await this.prepare(body.toString())
        return
      case COMMAND.execute:
        await this.execute(command)
        return
      case COMMAND.close:
        this.prepared.delete(body.readUInt32LE(0))
        return
      // Long parameters are not kept: the execution says so.
      case COMMAND.longData:
        this.prepared.delete(body.readUInt32LE(0))
        return
      case COMMAND.resetStatement:
        this.needStatement(body.readUInt32LE(0), 4201)
        await this.ok({ affectedRows: 0, lastInsertId: 0 })
        return
      case COMMAND.resetConnection:
        this.session.reset()
        this.prepared.clear()
        await this.write([minimalOk(this.session.status)])
        return
      case COMMAND.ping:
        await this.ok({ affectedRows: 0, lastInsertId: 0 })
        return
      default:
        throw new SqlError(1235, '0A000', 'Not supported feature or function')
    }
  }

  private async query(sql: string): Promise<void> {
    if (sql.trim() === '') throw new SqlError(1065, '42000', 'Query was empty')
    this.session.mark(sql)
    const { statement, parameters } = parse(sql)
    if (parameters > 0) throw new SqlError(1064, '42000', 'a parameter outside of PREPARE')
    await this.answer(await this.session.run(statement, []), textRow)
  }

  private async answer(
    answer: Answer,
    toRow: (row: readonly (string | number | null)[], columns: readonly ResultColumn[]) => Buffer,
  ): Promise<void> {
    if (answer.kind === 'ok') await this.ok(answer)
    else await this.rows(answer.result, toRow)
  }

  private async prepare(sql: string): Promise<void> {
    if (this.prepared.size >= MAX_STATEMENTS)
      throw new SqlError(1461, '42000', `more than ${MAX_STATEMENTS} prepared statements`)
    const { statement, parameters } = parse(sql)
    const columns = this.session.describe(statement, [])
    const id = this.nextStatementId++
    this.prepared.set(id, { statement, parameters, types: undefined })
    const head = Buffer.alloc(12)
    head.writeUInt32LE(id, 1)
    head.writeUInt16LE(columns.length, 5)
    head.writeUInt16LE(parameters, 7)
    const { status } = this.session
    const definitions = (items: Buffer[]) =>
      items.length === 0 ? [] : [...items, eofPacket(status)]
    await this.write([
      head,
      ...definitions(Array.from({ length: parameters }, () => columnPacket('?', 8))),
      ...definitions(columns.map(({ name, type }) => columnPacket(name, type))),
      ...this.extraOk(),
    ])
  }

  private async execute(command: Buffer): Promise<void> {
    const prepared = this.needStatement(command.readUInt32LE(1), 1243)
    const { types, values } = readExecution(command, prepared.parameters, prepared.types)
    prepared.types = types
    this.session.mark('EXECUTE')
    await this.answer(await this.session.run(prepared.statement, values), binaryRow)
  }

  private needStatement(id: number, errno: number): Prepared {
    const prepared = this.prepared.get(id)
    if (prepared === undefined)
      throw new SqlError(errno, 'HY000', `Unknown prepared statement handler (${id})`)
    return prepared
  }

  private async rows(
    { columns, rows }: Result,
    toRow: (row: readonly (string | number | null)[], columns: readonly ResultColumn[]) => Buffer,
  ): Promise<void> {
    const { status } = this.session
    let batch: Buffer[] = []
    let bytes = 0
    const add = (payload: Buffer) => {
      batch.push(frame(this.sequence, payload))
      this.sequence = (this.sequence + packetsOf(payload.length)) & 0xff
      bytes += payload.length
    }
    add(lenenc(columns.length))
    for (const { name, type } of columns) add(columnPacket(name, type))
    add(eofPacket(status))
    for (const row of rows) {
      add(toRow(row, columns))
      if (bytes < BATCH_BYTES) continue
      await this.outlet.send(Buffer.concat(batch))
      this.session.stayAlive()
      batch = []
      bytes = 0
    }
    for (const payload of [eofPacket(status), ...this.extraOk()]) add(payload)
    await this.outlet.send(Buffer.concat(batch))
  }

  private ok(changed: { affectedRows: number; lastInsertId: number }): Promise<void> {
    const { affectedRows, lastInsertId } = changed
    const changes = this.isProxy ? this.takeChanges() : []
    return this.write([
      okPacket({ affectedRows, lastInsertId, status: this.session.status, changes }),
    ])
  }

  private fail(error: SqlError): Promise<void> {
    return this.write([errorPacket(error.errno, error.state, error.message), ...this.extraOk()])
  }

  private extraOk(): Buffer[] {
    if (!this.isProxy) return []
    const { status } = this.session
    return [okPacket({ affectedRows: 0, lastInsertId: 0, status, changes: this.takeChanges() })]
  }

  private takeChanges(): readonly Buffer[] {
    const { session } = this
    const changes = [...session.variables.takeChanges()]
    if (session.isDatabaseChanged) changes.push(schemaChange(session.database ?? ''))
    session.isDatabaseChanged = false
    return changes
  }

  private write(payloads: readonly Buffer[]): Promise<void> {
    const frames = payloads.map(payload => {
      const framed = frame(this.sequence, payload)
      this.sequence = (this.sequence + packetsOf(payload.length)) & 0xff
      return framed
    })
    return this.outlet.send(Buffer.concat(frames))
  }
}
