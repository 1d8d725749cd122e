/**
 * Judges the statements of one connection before they go to an engine that knows nothing of the
 * picture: refuses those that another server leads when it must, and lets the answers of the others
 * say what a server would have said (L4: injected feedback).
 */
import { type AnswerWatch, Ob20Answers, type Pairs, PlainAnswers } from './answer-watch.ts'
import { MalformedPacket } from './codec.ts'
import { type CommandGate, type Course, type Decided, PASS } from './command-gate.ts'
import {
  COMMAND,
  type Command,
  databaseIn,
  isDefinition,
  isOfRows,
  readCommand,
} from './commands.ts'
import { type Party, refuseRemote } from './courses.ts'
import type { Foresight, Verdict } from './engine.ts'
import type { Front } from './front.ts'
import type { LedgerEntry } from './ledger.ts'
import { PreparedTexts } from './prepared-texts.ts'
import { SqlError } from './scripted/sql-error.ts'

const NOTHING: Pairs = []
const MISS: Pairs = [['ob_proxy_partition_hit', 'OFF']]

export class Foreseeing {
  private readonly foresight: Foresight
  private readonly front: Front
  private readonly gate: CommandGate
  private readonly party: Party
  private answers: AnswerWatch | undefined
  private readonly prepared = new PreparedTexts()
  /** What the session reads, as far as SET said so in words. */
  private isWeak = false
  database = ''

  constructor(front: Front, foresight: Foresight, at: { gate: CommandGate; party: Party }) {
    this.front = front
    this.foresight = foresight
    this.gate = at.gate
    this.party = at.party
  }

  /** The login is done: from here on there are answers, in one of the framings. */
  begin(isOb20: boolean): void {
    if (this.party.isProxy) this.answers = isOb20 ? new Ob20Answers() : new PlainAnswers()
  }

  /** What the client gets of what the engine sent. @throws MalformedPacket */
  push(bytes: Buffer): Buffer {
    return this.answers?.push(bytes) ?? bytes
  }

  course(course: Course, command: Command, entry: LedgerEntry): Course {
    if (course.kind === 'wait') return course
    const judged = course.kind === 'pass' ? this.writtenOut(command) : undefined
    if (judged !== undefined) return { kind: 'wait', course: this.judged(command, judged, entry) }
    if (isDefinition(command)) this.foresight.forget()
    this.database = databaseIn(command) ?? this.database
    this.isWeak = consistencyIn(command) ?? this.isWeak
    this.passed(course, command, NOTHING)
    return course
  }

  /** The command as a statement about rows, when it is one and wholly there. */
  private writtenOut(command: Command): Command | undefined {
    const { scan } = this.gate
    if (!scan.isComplete || scan.bytes > scan.seen.length) return undefined
    if (command.code !== COMMAND.execute) return isOfRows(command) ? command : undefined
    const sql = this.textOf(scan.seen)
    if (sql === undefined) return undefined
    const bytes = Buffer.from(`${String.fromCharCode(COMMAND.query)}${sql}`)
    const written = readCommand(bytes, bytes.length)
    return isOfRows(written) ? written : undefined
  }

  private textOf(execution: Buffer): string | undefined {
    try {
      return this.prepared.textOf(execution)
    } catch (error) {
      if (error instanceof SqlError || error instanceof MalformedPacket) return undefined
      if (error instanceof RangeError) return undefined
      throw error
    }
  }

  private async judged(command: Command, judged: Command, entry: LedgerEntry): Promise<Decided> {
    const { sql, table = '' } = judged
    const found = await this.foresight.touched(this.database, sql, table)
    if (found === undefined) {
      this.passed(PASS, command, NOTHING)
      return PASS
    }
    const isWeak = judged.word === 'select' && (found.isWeak || this.isWeak || this.gate.isWeak)
    const touched = { ...found, isWeak }
    const verdict = this.front.judge(this.party.tenant, touched)
    this.front.ledger.touch(entry, touched, verdict)
    if (verdict.isRefused) return refuseRemote(this.party)
    this.passed(PASS, command, told(verdict))
    return PASS
  }

  private passed(course: Decided, { code, sql }: Command, changes: Pairs): void {
    if (course.kind === 'answer' || course.kind === 'drop') return
    const prepared =
      code === COMMAND.prepare
        ? (id: number, parameters: number) => this.prepared.prepared(id, sql, parameters)
        : undefined
    this.answers?.expect({ code, requestId: this.gate.requestId, changes, prepared })
  }
}

const CONSISTENCY = /\bob_read_consistency\s*=\s*'?(weak|frozen|strong|[123])\b/i

/** Whether a SET lets the session read weakly; undefined when it says nothing of it. */
function consistencyIn({ code, word, sql }: Command): boolean | undefined {
  if (code !== COMMAND.query || word !== 'set') return undefined
  const value = CONSISTENCY.exec(sql)?.[1]?.toLowerCase()
  return value === undefined ? undefined : value !== 'strong' && value !== '3'
}

/** The kernel has no weak-read feedback (A5). */
function told({ isHit }: Verdict): Pairs {
  return isHit ? NOTHING : MISS
}
