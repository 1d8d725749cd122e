/** A client that says steps and hears every packet of their answers. */
import { frame, lenencText, type Packet } from '../../infra/local/front/codec.ts'
import { nativeToken } from '../../infra/local/front/login-codec.ts'
import { type AnswerKind, readAnswer } from '../support/front-answer.ts'
import { RawClient } from '../support/raw-client.ts'
import type { Step, Value } from './steps.ts'

/** PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, TRANSACTIONS, MULTI_STATEMENTS, results, CONNECT_WITH_DB. */
const CAPABILITIES = 0x000f_a209
const COLLATION = 45
const COMMAND = {
  query: 0x03,
  fieldList: 0x04,
  statistics: 0x09,
  changeUser: 0x11,
  prepare: 0x16,
  execute: 0x17,
  longData: 0x18,
  close: 0x19,
  reset: 0x1a,
  fetch: 0x1c,
}
const TYPE = { double: 5, integer: 8, text: 253 }
/** An id that no server has given. */
const NO_STATEMENT = 9999

/** Two databases and the accounts, as this client calls them. */
export type Names = {
  readonly a: string
  readonly b: string
  readonly first: string
  readonly second: string
  readonly password: string
}

/** Packets of the answer, or how it ended. */
export type Heard = readonly Packet[] | 'closed' | 'not in time'

export class Speaker {
  private readonly raw: RawClient
  private readonly names: Names
  private scramble = Buffer.alloc(0)
  /** What PREPARE answered, by slot. */
  private readonly prepared = new Map<
    number,
    { readonly id: number; readonly parameters: number }
  >()

  constructor(at: { readonly host: string; readonly port: number }, names: Names) {
    this.raw = new RawClient(at.port, at.host)
    this.names = names
  }

  async logIn(capabilities: number): Promise<void> {
    const { payload } = await this.raw.next()
    const versionEnd = payload.indexOf(0)
    const low = payload.subarray(versionEnd + 5, versionEnd + 13)
    this.scramble = Buffer.concat([low, payload.subarray(versionEnd + 32, versionEnd + 44)])
    const { first, password, a } = this.names
    const head = Buffer.alloc(32)
    head.writeUInt32LE(CAPABILITIES | capabilities, 0)
    head.writeUInt32LE(1 << 24, 4)
    head.writeUInt8(COLLATION, 8)
    const login = [
      Buffer.from(`${first}\0`),
      lenencText(nativeToken(password, this.scramble)),
      Buffer.from(`${a}\0mysql_native_password\0`),
    ]
    this.raw.socket.write(frame(1, Buffer.concat([head, ...login])))
    const answer = await this.raw.next()
    if (answer.payload[0] !== 0x00) throw new Error(`login: ${answer.payload.toString('latin1')}`)
  }

  leave(): void {
    this.raw.socket.destroy()
  }

  /** Says the step and hears all of its answer; nothing for what has no answer. */
  async says(step: Step): Promise<Heard> {
    try {
      return await this.answerTo(step)
    } catch (error) {
      return this.raw.isClosed || String(error).includes('ended') ? 'closed' : 'not in time'
    }
  }

  private answerTo(step: Step): Promise<Heard> {
    switch (step.kind) {
      case 'query':
      case 'rival':
        return this.ask(COMMAND.query, this.text(step.sql))
      case 'prepare':
        return this.prepare(step)
      case 'execute':
        return this.ask(COMMAND.execute, this.execution(step))
      case 'longData':
        return this.tell(COMMAND.longData, [
          this.id(step.slot),
          u16(step.parameter),
          this.text(step.text),
        ])
      case 'fetch':
        return this.ask(COMMAND.fetch, Buffer.concat([this.id(step.slot), u32(step.rows)]), 'fetch')
      case 'reset':
        return this.ask(COMMAND.reset, this.id(step.slot))
      case 'close':
        return this.tell(COMMAND.close, [this.id(step.slot)])
      case 'command':
        return this.command(step.code, this.text(step.body))
      case 'changeUser':
        return this.changeUser(step)
    }
  }

  private command(code: number, body: Buffer): Promise<Heard> {
    if (code === COMMAND.statistics) {
      this.raw.command(code, body)
      return this.next().then(packet => [packet])
    }
    return this.ask(code, body, code === COMMAND.fieldList ? 'fetch' : 'other')
  }

  private ask(code: number, body: Buffer, kind: AnswerKind = 'other'): Promise<Heard> {
    this.raw.command(code, body)
    return readAnswer(() => this.next(), false, kind)
  }

  private async tell(code: number, parts: readonly Buffer[]): Promise<Heard> {
    this.raw.command(code, Buffer.concat(parts))
    return []
  }

  private async next(): Promise<Packet> {
    return this.raw.packets.shift() ?? (await this.raw.next())
  }

  private async prepare(step: Extract<Step, { kind: 'prepare' }>): Promise<Heard> {
    this.raw.command(COMMAND.prepare, this.text(step.sql))
    const first = await this.next()
    this.prepared.delete(step.slot)
    if (first.payload[0] !== 0x00) return [first]
    this.prepared.set(step.slot, {
      id: first.payload.readUInt32LE(1),
      parameters: first.payload.readUInt16LE(7),
    })
    const definitions = (at: number) => {
      const count = first.payload.readUInt16LE(at)
      return count === 0 ? 0 : count + 1
    }
    const packets = [first]
    for (let left = definitions(5) + definitions(7); left > 0; left--)
      packets.push(await this.next())
    return packets
  }

  private execution(step: Extract<Step, { kind: 'execute' }>): Buffer {
    const { slot, types, cursor } = step
    const parameters = this.prepared.get(slot)?.parameters ?? step.values.length
    const values = Array.from({ length: parameters }, (_, at) => step.values[at] ?? null)
    const nulls = Buffer.alloc((values.length + 7) >> 3)
    values.forEach((value, index) => {
      if (value === null)
        nulls.writeUInt8(nulls.readUInt8(index >> 3) | (1 << (index & 7)), index >> 3)
    })
    const bound = types ? [Buffer.from([1]), ...values.map(typeOf)] : [Buffer.from([0])]
    return Buffer.concat([
      this.id(slot),
      Buffer.from([cursor ? 1 : 0]),
      u32(1),
      ...(values.length === 0
        ? []
        : [nulls, ...bound, ...values.map(value => this.written(value))]),
    ])
  }

  private written(value: Value): Buffer {
    if (value === null) return Buffer.alloc(0)
    if (typeof value === 'string') return lenencText(this.text(value))
    const bytes = Buffer.alloc(8)
    if (typeof value === 'number') bytes.writeBigInt64LE(BigInt(value), 0)
    else bytes.writeDoubleLE(value.double, 0)
    return bytes
  }

  private async changeUser(step: Extract<Step, { kind: 'changeUser' }>): Promise<Heard> {
    const password = step.isRight ? this.names.password : 'wrong'
    const database = this.text(step.database)
    const body = Buffer.concat([
      Buffer.from(`${this.names[step.user]}\0`),
      lenencText(nativeToken(password, this.scramble)),
      database,
      Buffer.from([0, COLLATION, 0]),
      Buffer.from('mysql_native_password\0'),
    ])
    this.raw.command(COMMAND.changeUser, body)
    const first = await this.next()
    if (first.payload[0] !== 0xfe) return [first]
    const scramble = first.payload.subarray(first.payload.indexOf(0) + 1, -1)
    this.raw.send(first.sequence + 1, nativeToken(password, scramble))
    return [await this.next()]
  }

  private text(text: string): Buffer {
    const { a, b } = this.names
    return Buffer.from(text.replaceAll('{a}', a).replaceAll('{b}', b), 'latin1')
  }

  private id(slot: number): Buffer {
    return u32(this.prepared.get(slot)?.id ?? NO_STATEMENT)
  }
}

function typeOf(value: Value): Buffer {
  if (value === null || typeof value === 'string') return u16(TYPE.text)
  return u16(typeof value === 'number' ? TYPE.integer : TYPE.double)
}

function u16(value: number): Buffer {
  return Buffer.from([value & 0xff, value >> 8])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value, 0)
  return bytes
}
