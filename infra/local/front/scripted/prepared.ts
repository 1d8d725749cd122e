/**
 * Binary prepared statements of one session with their types, long parameters and cursors: none of
 * it is known to any other session. Source: proxy-protocol.md §6.3, §6.4, proxy-protocol-tried.md A14.
 */
import { type Cell, columnPacket } from '../codec.ts'
import { type Answers, CURSOR_EXISTS, LAST_ROW_SENT } from './answers.ts'
import { binaryRow, readExecution } from './binary.ts'
import { parse } from './parser.ts'
import type { Reply } from './replies.ts'
import { describe, run } from './run.ts'
import type { ResultColumn } from './select.ts'
import type { Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { Statement } from './statement.ts'

const MAX_STATEMENTS = 1_000
/** Of all long parameters of a session together. */
const MAX_LONG_BYTES = 64 << 20
const PARAMETER_TYPE = 8
const READ_ONLY_CURSOR = 1

type Cursor = {
  readonly columns: readonly ResultColumn[]
  readonly rows: Iterator<readonly Cell[]>
  /** The row behind the last one that was sent. */
  next: IteratorResult<readonly Cell[]>
}

type Prepared = {
  readonly statement: Statement
  readonly parameters: number
  types: readonly number[] | undefined
  readonly long: Map<number, Buffer[]>
  cursor: Cursor | undefined
}

export class PreparedStatements {
  private readonly session: Session
  private readonly answers: Answers
  private readonly all = new Map<number, Prepared>()
  private nextId = 1
  private longBytes = 0

  constructor(session: Session, answers: Answers) {
    this.session = session
    this.answers = answers
  }

  clear(): void {
    this.all.clear()
    this.longBytes = 0
  }

  prepare(sql: string, reply: Reply): void {
    if (sql.trim() === '') throw new SqlError(1065, '42000', 'Query was empty')
    if (this.all.size >= MAX_STATEMENTS)
      throw new SqlError(1461, '42000', `more than ${MAX_STATEMENTS} prepared statements`)
    const { statement, parameters } = parse(sql)
    const columns = describe(this.session, statement)
    const id = this.nextId++
    this.all.set(id, {
      statement,
      parameters,
      types: undefined,
      long: new Map(),
      cursor: undefined,
    })
    const head = Buffer.alloc(12)
    head.writeUInt32LE(id, 1)
    head.writeUInt16LE(columns.length, 5)
    head.writeUInt16LE(parameters, 7)
    reply.add(head)
    const definitions = (items: readonly Buffer[]) => {
      for (const item of items) reply.add(item)
      if (items.length > 0) reply.add(this.answers.eof(0))
    }
    definitions(Array.from({ length: parameters }, () => columnPacket('?', PARAMETER_TYPE)))
    definitions(columns.map(({ name, type }) => columnPacket(name, type)))
    this.answers.extraOk(reply, { isError: false, flags: 0 })
  }

  async execute(command: Buffer, reply: Reply): Promise<void> {
    const prepared = this.need(command.readUInt32LE(1), 1243)
    prepared.cursor = undefined
    const long = new Map([...prepared.long].map(([at, parts]) => [at, textOf(parts)]))
    const { types, values } = readExecution(command, prepared.parameters, {
      types: prepared.types,
      long,
    })
    prepared.types = types
    this.forgetLong(prepared)
    const answer = await run(this.session, prepared.statement, { parameters: values })
    const isCursor = (command.readUInt8(5) & READ_ONLY_CURSOR) !== 0
    if (!isCursor || answer.kind !== 'rows') {
      await this.answers.write(reply, answer, { toRow: binaryRow, more: 0 })
      return
    }
    const rows = answer.result.rows[Symbol.iterator]()
    prepared.cursor = { columns: answer.result.columns, rows, next: rows.next() }
    this.answers.definitions(reply, answer.result.columns, CURSOR_EXISTS)
    this.answers.extraOk(reply, { isError: false, flags: CURSOR_EXISTS })
  }

  /** Behind the last row every further fetch says so once more. */
  async fetch(command: Buffer, reply: Reply): Promise<void> {
    const cursor = this.all.get(command.readUInt32LE(1))?.cursor
    if (cursor === undefined) throw new SqlError(5931, 'HY000', 'cursor is not open')
    for (let left = command.readUInt32LE(5); left > 0 && !cursor.next.done; left--) {
      reply.add(binaryRow(cursor.next.value, cursor.columns))
      cursor.next = cursor.rows.next()
      if (reply.isFull) await reply.flush()
    }
    const flags = cursor.next.done === true ? LAST_ROW_SENT : CURSOR_EXISTS
    reply.add(this.answers.eof(flags))
    this.answers.extraOk(reply, { isError: false, flags })
  }

  /** What is wrong with it is said by the execution. */
  longData(command: Buffer): void {
    const prepared = this.all.get(command.readUInt32LE(1))
    const at = command.readUInt16LE(5)
    const part = command.subarray(7)
    if (prepared === undefined || this.longBytes + part.length > MAX_LONG_BYTES) return
    this.longBytes += part.length
    const parts = prepared.long.get(at) ?? []
    prepared.long.set(at, parts)
    parts.push(Buffer.from(part))
  }

  close(id: number): void {
    const prepared = this.all.get(id)
    if (prepared !== undefined) this.forgetLong(prepared)
    this.all.delete(id)
  }

  /** Long parameters and the cursor are gone, the statement stays. @throws SqlError 4201 */
  reset(id: number): void {
    const prepared = this.need(id, 4201)
    this.forgetLong(prepared)
    prepared.cursor = undefined
  }

  private forgetLong(prepared: Prepared): void {
    for (const parts of prepared.long.values())
      for (const part of parts) this.longBytes -= part.length
    prepared.long.clear()
  }

  private need(id: number, errno: number): Prepared {
    const prepared = this.all.get(id)
    if (prepared === undefined)
      throw new SqlError(errno, 'HY000', `Unknown prepared statement handler (${id})`)
    return prepared
  }
}

function textOf(parts: readonly Buffer[]): string {
  return Buffer.concat(parts).toString()
}
