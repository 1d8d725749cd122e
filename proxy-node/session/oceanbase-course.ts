/**
 * The commands of one client over the OBServers of its tenant: understand → decide → restore → send →
 * settle. A statement goes where the session is bound, else to its table's leader, else it stays; the
 * server session it reaches is brought up to date first. Source: proxy-protocol.md §4–§7.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import { part } from '../net/part.ts'
import type { Statement } from '../sql/classify.ts'
import { explainedRouteAt } from '../sql/own-statements.ts'
import { quotedName } from '../sql/texts.ts'
import { FLAG } from '../sql/words.ts'
import { lengthAt } from '../wire/framing.ts'
import { buildOk, shownOk } from '../wire/ok.ts'
import {
  CAPABILITY,
  COMMAND,
  DEFAULT_STATUS,
  HEADER_BYTES,
  MAX_PAYLOAD,
  STATUS,
} from '../wire/protocol.ts'
import { COURSE, courseOf } from './commands.ts'
import type { Course, CourseHost } from './course.ts'
import { Errand } from './errand.ts'
import { RouteExplanation } from './explain-route.ts'
import { IdentityCommands, type IdentityOwner } from './identity-commands.ts'
import { LossNotice } from './loss.ts'
import type { SessionMemory } from './memory.ts'
import { lost, unreachable } from './mishaps.ts'
import { OwnCommands } from './own-commands.ts'
import { PINS } from './pins.ts'
import type { SessionDeps } from './ports.ts'
import { prescribe, refusalOf } from './prescribed.ts'
import { CLOSES_CLIENT } from './retry.ts'
import type { Servers } from './servers.ts'
import { StatementCommands } from './statement-commands.ts'
import { countByDigest } from './tally.ts'

/** Verbs of statements that the proxy may answer itself (§6.2). */
const OWN_VERBS: Readonly<Partial<Record<Statement['verb'], true>>> = {
  kill: true,
  show: true,
  set: true,
  select: true,
  other: true,
}
/** Pins of what a statement makes, if it succeeds. */
const OWN_PINS = PINS.temporaryTables.bit | PINS.tableLocks.bit
/** Servers accept options above MULTI_STATEMENTS_OFF and do nothing about them. */
const LAST_OPTION = 1
/** It may use what was prepared by text, itself or in a routine. */
const USES_TEXTS = FLAG.executes | FLAG.calls
/** No statement of the proxy's own is longer. */
const OWN_BYTES = 256

const TEXT_VERBS: Readonly<Partial<Record<Statement['verb'], true>>> = {
  prepare: true,
  execute: true,
  deallocate: true,
}

export type CourseParts = {
  readonly deps: SessionDeps
  readonly memory: SessionMemory
  readonly servers: Servers
  readonly identity: IdentityOwner
}

export class OceanbaseCourse implements Course {
  private readonly host: CourseHost
  private readonly memory: SessionMemory
  private readonly servers: Servers
  private readonly errand: Errand
  private readonly parts: CourseParts
  /** Made when they are needed: an idle session of one who only queries has none of them. */
  private statementCommands: StatementCommands | undefined
  private ownCommands: OwnCommands | undefined
  private identityCommands: IdentityCommands | undefined
  private readonly loss: LossNotice
  private readonly client: { readonly clientCapabilities: number }
  private course = 0
  /** Pins before the statement under way set its own: one that fails has locked and made nothing. */
  private pinsBefore = 0

  constructor(host: CourseHost, parts: CourseParts) {
    this.host = host
    this.memory = parts.memory
    this.servers = parts.servers
    this.client = parts.identity
    this.loss = new LossNotice(parts.memory)
    this.errand = new Errand(host, parts, this.loss)
    this.parts = parts
  }

  private get statements(): StatementCommands {
    this.statementCommands ??= new StatementCommands(this.host, this.parts, this.errand)
    return this.statementCommands
  }

  private get own(): OwnCommands {
    this.ownCommands ??= new OwnCommands(this.host, this.parts, this.errand.way)
    return this.ownCommands
  }

  private get identity(): IdentityCommands {
    this.identityCommands ??= new IdentityCommands(this.host, this.parts.identity, this.memory)
    return this.identityCommands
  }

  wanted(packet: Uint8Array): number {
    const course = courseOf(packet[HEADER_BYTES] as number, 'oceanbase')
    const { limitBytes } = this.memory
    const most = Math.min(this.parts.deps.settings().wholeBytes, limitBytes)
    if (course === COURSE.execute) return this.statements.wantedOfExecute(packet, most)
    if (course !== COURSE.prepare && course !== COURSE.changeUser) return most
    return lengthAt(packet, 0) <= limitBytes ? MAX_PAYLOAD : most
  }

  begin(head: Uint8Array): void {
    const course = courseOf(head[HEADER_BYTES] as number, 'oceanbase')
    this.course = course
    this.errand.begin()
    if (this.loss.isPending && this.tellsLoss(course)) return
    const refusal =
      course === COURSE.query || course === COURSE.prepare
        ? refusalOf(this.memory, head)
        : undefined
    if (refusal !== undefined) this.host.answerFault(refusal)
    else if (course === COURSE.query) this.query(head)
    else if (course >= COURSE.prepare && course <= COURSE.fetch) this.statements.begin(course, head)
    else this.others(course, head)
  }

  answered(payload: Uint8Array): void {
    this.identity.answered(payload)
  }

  /** True when this command is answered with the loss; those without an answer, and those that leave the old session behind, go on. */
  private tellsLoss(course: number): boolean {
    if (course === COURSE.changeUser || course === COURSE.resetConnection) {
      this.loss.forget()
      return false
    }
    if (course === COURSE.longData || course === COURSE.close) return false
    this.host.answerFault(this.loss.take())
    return true
  }

  // --- text statements

  private query(head: Uint8Array): void {
    const { memory, errand } = this
    const meaning = errand.understand(head)
    if ((meaning.flags & FLAG.explainsRoute) !== 0 && this.explainsRoute(head, meaning)) return
    errand.meaning = meaning
    const mayBeOwn =
      meaning.table === undefined && OWN_VERBS[meaning.verb] === true && head.length < OWN_BYTES
    if (mayBeOwn && this.own.takes(head)) return
    if (this.mayHold(meaning)) {
      this.hold(head)
      return
    }
    const executed =
      TEXT_VERBS[meaning.verb] === true ? this.statements.text(head, memory.lexerMode) : undefined
    const says = executed ?? meaning
    this.pin(says)
    const source = executed === undefined ? 'head' : undefined
    if (usesTexts(meaning)) this.statements.route(head, meaning, says, source)
    else errand.way.route(head, says, source)
  }

  private explainsRoute(head: Uint8Array, meaning: Statement): boolean {
    const from = explainedRouteAt(head, HEADER_BYTES + 1, head.length)
    if (from < 0) return false
    new RouteExplanation(this.host, this.parts, {
      way: this.errand.way,
      mayHold: explained => this.mayHold(explained),
      homeOf: explained => this.statements.homeOf(explained),
    }).explain(head, from, meaning)
    return true
  }

  /** A first BEGIN is kept until the statement behind it says where the transaction belongs (§5.2). */
  private mayHold({ verb, flags }: Statement): boolean {
    const { memory } = this
    if (verb !== 'begin' || this.host.isIncomplete) return false
    if ((flags & (FLAG.multiple | FLAG.snapshot)) !== 0 || memory.pins !== 0) return false
    return memory.heldBegin !== undefined || !memory.inTransaction
  }

  private hold(head: Uint8Array): void {
    const { memory } = this
    memory.heldBegin = head.slice(HEADER_BYTES)
    memory.status = (memory.status || DEFAULT_STATUS) | STATUS.inTransaction
    this.host.answer(buildOk(memory.status))
  }

  private pin({ verb, flags }: Statement): void {
    this.pinsBefore = this.memory.pins
    if ((flags & FLAG.temporary) !== 0) this.memory.pin(PINS.temporaryTables.bit)
    if ((flags & FLAG.untracked) !== 0) this.memory.pin(PINS.untracked.bit)
    if (verb === 'lock') this.memory.pin(PINS.tableLocks.bit)
  }

  // --- other commands

  private others(course: number, head: Uint8Array): void {
    const { errand } = this
    if (course === COURSE.relay) errand.way.stay(head)
    else if (course === COURSE.changeUser) this.identity.changeUser(head)
    else if (course === COURSE.resetConnection) this.resetConnection(head)
    else if (course === COURSE.processList) this.own.processList(false)
    else if (course === COURSE.processKill) this.own.processKill(head)
    else if (course === COURSE.createDatabase) this.ofDatabase('CREATE', head)
    else if (course === COURSE.dropDatabase) this.ofDatabase('DROP', head)
    else if (course === COURSE.setOption) this.setOption(head)
    else if (course === COURSE.pieces) {
      this.memory.pin(PINS.pieces.bit)
      errand.way.stay(head)
    } else this.host.answerFault(new Fault('protocol.unsupported-command'))
  }

  /** A name that has not come whole is longer than any; what is to come must not follow another packet. */
  private ofDatabase(verb: string, head: Uint8Array): void {
    if (this.host.isIncomplete) this.host.answerFault(new Fault('protocol.unsupported-command'))
    else this.errand.way.stay(databaseStatement(verb, head, this.memory.lexerMode))
  }

  private setOption(head: Uint8Array): void {
    this.errand.option = (head[HEADER_BYTES + 1] ?? 0) | ((head[HEADER_BYTES + 2] ?? 0) << 8)
    this.errand.way.stay(head)
  }

  /** Without a server there is nothing to reset: the next one begins anew. */
  private resetConnection(head: Uint8Array): void {
    const server = this.servers.current
    this.memory.heldBegin = undefined
    if (server !== undefined) {
      this.errand.sendBare(server, head)
      return
    }
    this.wasReset(undefined)
    this.host.answer(buildOk(this.memory.status))
  }

  private wasReset(server: ServerSession | undefined): void {
    this.memory.reset()
    this.errand.way.sessionBegins()
    this.statementCommands?.clear()
    if (server !== undefined) {
      server.delivered.wasReset(this.memory.resets)
      if (server.baseline === this.memory.baseline) this.memory.delivered(server.delivered)
    }
    prescribe(this.memory, this.parts.identity.settings)
  }

  private get tracksSession(): boolean {
    return (this.client.clientCapabilities & CAPABILITY.sessionTrack) !== 0
  }

  // --- from servers

  reached(server: ServerSession): void {
    this.errand.reached(server)
  }

  unreachable(error: Uint8Array | undefined): void {
    unreachable(this.errand, error)
  }

  forward(server: ServerSession, bytes: Uint8Array, from: number, to: number): void {
    this.errand.watch.heard()
    if (this.errand.isRestoring) this.errand.forward(part(bytes, from, to))
    else {
      if (this.course === COURSE.prepare) this.statements.prepared(server, part(bytes, from, to))
      this.host.forward(server, bytes, from, to)
    }
  }

  finished(
    server: ServerSession,
    ok: Uint8Array | undefined,
    sequence: number,
    swallowed: boolean,
  ): void {
    const { errand, memory } = this
    if (errand.isRestoring) {
      errand.stepFinished(server, ok)
      return
    }
    const errno = server.tracker.errorCode
    const learned = errand.learn(server, ok, errno)
    if (errand.isRetrying) {
      errand.again(server)
      return
    }
    errand.way.answeredBy(server, errand.meaning)
    countByDigest(this.parts, errand, this.host, errno)
    this.settle(server, errno)
    if (ok !== undefined && !swallowed)
      this.host.showOk(shownOk(ok, learned, this.tracksSession), sequence)
    if (server.isClosed) this.loss.note()
    if (CLOSES_CLIENT.has(errno) && !errand.runsRoutine)
      this.host.giveUp(new Fault('session.killed'))
    else this.host.settle(server, errand.way.isRouted && memory.missed)
  }

  extra(server: ServerSession, type: number, bytes: Uint8Array): void {
    if (!this.errand.isRestoring) this.errand.learner.extra(server, type, bytes)
  }

  infile(server: ServerSession): void {
    this.host.infile(server)
  }

  discards(server: ServerSession, errorCode: number, held: Uint8Array): boolean {
    return !this.errand.isRestoring && this.errand.discards(server, errorCode, held)
  }

  lost(server: ServerSession): void {
    lost(this.errand, server)
  }

  /** What was bound to it finds it closed when it is needed (`statement-commands.ts`). */
  spareLost(server: ServerSession): void {
    this.errand.spareLost(server)
  }

  beat(isForClient: boolean): void {
    this.errand.watch.beat(isForClient)
  }

  cancelled(): void {
    this.errand.watch.cancelled()
  }

  runningOn(): ServerSession | undefined {
    return this.host.answering
  }

  statement(): string | undefined {
    return this.errand.statement()
  }

  userChanged(): void {
    this.errand.way.sessionBegins()
    this.statementCommands?.clear()
    this.loss.forget()
  }

  /** What the command means for the session beyond its OK. */
  private settle(server: ServerSession, errno: number): void {
    const { course, errand } = this
    if (course >= COURSE.prepare && course <= COURSE.fetch)
      this.statements.settle(course, server, errno)
    if (course === COURSE.query) this.settleText(server, errno)
    if (errno !== 0) return
    if (course === COURSE.resetConnection) this.wasReset(server)
    else if (course === COURSE.setOption && errand.option <= LAST_OPTION) {
      this.memory.option = errand.option
      server.delivered.option = errand.option
    }
  }

  private settleText(server: ServerSession, errno: number): void {
    const { meaning } = this.errand
    if (meaning === undefined) return
    if (usesTexts(meaning)) this.statements.settleCalls(server, errno)
    if (errno !== 0) this.memory.pins &= this.pinsBefore | ~OWN_PINS
    if (TEXT_VERBS[meaning.verb] === true) this.statements.settleText(server, meaning.verb, errno)
    else if (meaning.verb === 'unlock' && errno === 0)
      this.memory.setPin(PINS.tableLocks.bit, false)
  }
}

function usesTexts({ verb, flags }: Statement): boolean {
  return TEXT_VERBS[verb] === true || (flags & USES_TEXTS) !== 0
}

/** CREATE_DB and DROP_DB are refused by servers; SQL says the same (A16). */
function databaseStatement(verb: string, head: Uint8Array, mode: number): Uint8Array {
  const name = quotedName(head.subarray(HEADER_BYTES + 1), mode)
  const sql = Buffer.concat([Buffer.from(`${verb} DATABASE `), name])
  const length = sql.length + 1
  return Buffer.concat([
    Buffer.from([length & 0xff, (length >>> 8) & 0xff, length >>> 16, 0, COMMAND.query]),
    sql,
  ])
}
