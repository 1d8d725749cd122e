/**
 * The commands of prepared statements, binary and text: ids are the proxy's towards the client and each
 * server's own behind it. Source: proxy-protocol.md §6.3–6.5; proxy-protocol-tried.md A14.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import { classify, type Statement } from '../sql/classify.ts'
import { explainedRouteAt } from '../sql/own-statements.ts'
import { type TextPrepared, textPrepared } from '../sql/text-prepare.ts'
import { FLAG } from '../sql/words.ts'
import { buildOk } from '../wire/ok.ts'
import { COMMAND, DEFAULT_STATUS, HEADER_BYTES, STATUS } from '../wire/protocol.ts'
import { parsePrepareOk, setStatementId, statementId, wantsCursor } from '../wire/statement.ts'
import { packet } from '../wire/writer.ts'
import { COURSE } from './commands.ts'
import type { CourseHost } from './course.ts'
import type { Errand } from './errand.ts'
import type { SessionMemory } from './memory.ts'
import type { CourseParts } from './oceanbase-course.ts'
import { PINS } from './pins.ts'
import { Routines } from './routines.ts'
import type { Servers } from './servers.ts'
import { executeFor, executeHeadBytes, type Prepared, Statements, typesIn } from './statements.ts'
import type { Source } from './way-ports.ts'

/** What a text statement under way does when it succeeds. */
type TextUnderWay = {
  readonly meaning: TextPrepared
  readonly statement: Uint8Array | undefined
}

/** What is prepared where a statement is only to be deallocated: its own text may not be valid any more. */
const STAND_IN = Buffer.from('SELECT 1')
/** Several statements, of which one executes what was prepared by text. */
const SEVERAL = FLAG.multiple | FLAG.executes
/** It belongs to the server of the statement before it, whatever else it uses. */
const BOUND = FLAG.leans | FLAG.foundRows | FLAG.locks

/** ER_SP_DOES_NOT_EXIST: nothing was called that could have prepared anything. */
const NO_ROUTINE = 1305

export class StatementCommands {
  private readonly host: CourseHost
  private readonly memory: SessionMemory
  private readonly servers: Servers
  private readonly errand: Errand
  private readonly statements: Statements
  private current: Prepared | undefined
  /** The command under way is the first answer part of PREPARE still. */
  private awaitsId = false
  private bringsTypes = false
  private wantsCursor = false
  private textUnderWay: TextUnderWay | undefined
  private readonly routines = new Routines()
  /** The text under way is one that the client prepared, or none. */
  private isKnown = true
  /** The statement under way calls routines. */
  private isCalling = false
  private readonly rewriteExecute = (server: ServerSession, head: Uint8Array) =>
    this.executeOn(server, head)
  private readonly rewriteId = (server: ServerSession, head: Uint8Array) => this.idOn(server, head)

  constructor(host: CourseHost, parts: CourseParts, errand: Errand) {
    this.host = host
    this.memory = parts.memory
    this.servers = parts.servers
    this.errand = errand
    this.statements = new Statements(parts.memory)
  }

  clear(): void {
    this.statements.clear()
    this.routines.forget()
  }

  /** As much of an EXECUTE as says which parameter types it brings, and no less than `most`. */
  wantedOfExecute(head: Uint8Array, most: number): number {
    const prepared = this.statements.get(statementId(head, HEADER_BYTES))
    return Math.max(most, executeHeadBytes(prepared?.parameterCount ?? 0))
  }

  begin(course: number, head: Uint8Array): void {
    this.dropUnanswered()
    if (course === COURSE.prepare) {
      this.prepare(head)
      return
    }
    const id = statementId(head, HEADER_BYTES)
    const prepared = this.statements.get(id)
    this.current = prepared
    if (prepared === undefined) this.unknown(course, id)
    else if (course === COURSE.execute) this.execute(head, prepared)
    else if (course === COURSE.longData) this.longData(head, prepared)
    else if (course === COURSE.close) this.close(prepared)
    else if (course === COURSE.reset) this.reset(head, prepared)
    else this.fetch(head, prepared)
  }

  /** CLOSE and SEND_LONG_DATA of anything are taken without a word, as servers do. */
  private unknown(course: number, id: number): void {
    if (course === COURSE.close || course === COURSE.longData) this.host.answerNothing()
    else if (course === COURSE.fetch) this.host.answerFault(new Fault('cursor.unknown', { id }))
    else if (course === COURSE.reset || this.statements.hasNever)
      this.host.answerFault(new Fault('statement.none'))
    else this.host.answerFault(new Fault('statement.unknown'))
  }

  // --- PREPARE

  private prepare(head: Uint8Array): void {
    if (this.host.isIncomplete) {
      this.host.answerFault(new Fault('session.memory', { bytes: this.memory.limitBytes }))
      return
    }
    const payload = head.slice(HEADER_BYTES)
    const meaning = classify(payload, 1, payload.length, this.memory.lexerMode)
    if (explainsRoute(payload, meaning)) {
      this.host.answerFault(new Fault('route.not-prepared'))
      return
    }
    const prepared = this.statements.add(payload, meaning)
    this.current = prepared
    this.awaitsId = true
    this.errand.meaning = meaning
    this.errand.way.route(head, meaning, prepared)
  }

  /** The PREPARE before reached no server, or the server that had it was lost: it is no statement. */
  private dropUnanswered(): void {
    if (this.awaitsId && this.current !== undefined) this.statements.refused(this.current)
    this.awaitsId = false
  }

  /** The server's answer begins: its id becomes the client's. `bytes` are the server's, changed in place. */
  prepared(server: ServerSession, bytes: Uint8Array): void {
    const { current } = this
    if (!this.awaitsId || current === undefined) return
    this.awaitsId = false
    if (bytes[HEADER_BYTES] !== 0) return
    const answer = parsePrepareOk(bytes.subarray(HEADER_BYTES))
    current.parameterCount = answer.parameterCount
    this.statements.hasNever = false
    server.delivered.prepared(current.id, answer.statementId)
    setStatementId(bytes, HEADER_BYTES, current.id)
  }

  // --- EXECUTE

  private execute(head: Uint8Array, prepared: Prepared): void {
    const { errand } = this
    if (this.tellsLoss(prepared)) return
    this.wantsCursor = wantsCursor(head, HEADER_BYTES)
    this.takeTypes(head, prepared)
    errand.needs.prepared = prepared
    errand.meaning = prepared.meaning
    errand.rewrite = this.rewriteExecute
    const bound = prepared.longDataOn
    if (bound === undefined) this.route(head, prepared.meaning, prepared.meaning, prepared)
    else if (this.isElsewhere(bound)) this.host.answerFault(new Fault('statement.other-server'))
    else errand.way.goOnlyTo(bound, head, PINS.longData.lost)
  }

  /** Long data, or the prepare that it needed, is gone or was refused: told once, instead of executing without it. */
  private tellsLoss(prepared: Prepared): boolean {
    const { longDataError } = prepared
    const isLost = prepared.longDataOn?.isClosed === true
    prepared.longDataError = undefined
    if (isLost) prepared.longDataOn = undefined
    if (longDataError !== undefined) this.host.answer(longDataError)
    else if (isLost)
      this.host.answerFault(new Fault('session.state-lost', { what: PINS.longData.lost }))
    return longDataError !== undefined || isLost
  }

  private takeTypes(head: Uint8Array, prepared: Prepared): void {
    const types = typesIn(head, prepared.parameterCount)
    this.bringsTypes = types !== undefined
    if (types === undefined) return
    if (prepared.types === undefined || Buffer.compare(prepared.types, types) !== 0) {
      this.memory.keep(types.length - (prepared.types?.length ?? 0))
      prepared.types = types.slice()
    }
  }

  private executeOn(server: ServerSession, head: Uint8Array): Uint8Array | undefined {
    const { current } = this
    if (current === undefined) return head
    const serverId = server.delivered.serverStatement(current.id) ?? 0
    const hasTypes = server.delivered.typed?.has(current.id) === true
    const bytes = executeFor(head, serverId, current, hasTypes)
    if (bytes !== head) this.bringsTypes = true
    return bytes
  }

  // --- LONG_DATA, RESET, CLOSE, FETCH

  private longData(head: Uint8Array, prepared: Prepared): void {
    const { errand } = this
    errand.needs.prepared = prepared
    errand.rewrite = this.rewriteId
    errand.failedSilently = error => {
      prepared.longDataError ??= error
    }
    const bound = prepared.longDataOn
    if (bound === undefined) errand.way.route(head, prepared.meaning, prepared)
    else if (bound.isClosed || this.isElsewhere(bound)) this.host.answerNothing()
    else errand.way.goOnlyTo(bound, head, PINS.longData.lost)
  }

  private idOn(server: ServerSession, head: Uint8Array): Uint8Array {
    const { current } = this
    if (current === undefined) return head
    setStatementId(head, HEADER_BYTES, server.delivered.serverStatement(current.id) ?? 0)
    if (this.host.command === COMMAND.stmtSendLongData) current.longDataOn = server
    return head
  }

  /** Sent to each server that has it; none of them answers. */
  private close(prepared: Prepared): void {
    this.statements.remove(prepared)
    for (const server of this.servers.all()) closeOn(server, prepared)
    this.host.answerNothing()
  }

  /** Where long data or a cursor is, it is dropped; elsewhere there is nothing to reset. */
  private reset(head: Uint8Array, prepared: Prepared): void {
    const bound = [prepared.longDataOn, prepared.cursorOn].find(
      server => server !== undefined && !server.isClosed,
    )
    prepared.longDataError = undefined
    prepared.longDataOn = undefined
    prepared.cursorOn = undefined
    if (bound === undefined || this.isElsewhere(bound)) {
      // What it has there goes with the statement, which is prepared again when it is needed.
      if (bound !== undefined) closeOn(bound, prepared)
      this.host.answer(buildOk(this.memory.status || DEFAULT_STATUS))
      return
    }
    this.errand.needs.prepared = prepared
    this.errand.rewrite = this.rewriteId
    this.errand.way.goOnlyTo(bound, head, PINS.longData.lost)
  }

  private fetch(head: Uint8Array, prepared: Prepared): void {
    const { errand } = this
    const bound = prepared.cursorOn
    if (bound === undefined) this.host.answerFault(new Fault('cursor.unknown', { id: prepared.id }))
    else if (bound.isClosed) {
      prepared.cursorOn = undefined
      this.host.answerFault(new Fault('session.state-lost', { what: PINS.cursor.lost }))
    } else if (this.isElsewhere(bound)) this.host.answerFault(new Fault('statement.other-server'))
    else {
      errand.needs.prepared = prepared
      errand.rewrite = this.rewriteId
      errand.way.goOnlyTo(bound, head, PINS.cursor.lost)
    }
  }

  /** The session is bound to another server than this one. */
  private isElsewhere(server: ServerSession): boolean {
    return !this.memory.mayMove && this.servers.current !== server
  }

  // --- text statements

  /** To where routines ran, if any did and the statement uses texts; `says` is what executing it means. */
  route(head: Uint8Array, { verb, flags }: Statement, says: Statement, source: Source): void {
    const { errand, routines } = this
    const { way } = errand
    this.isCalling = (says.flags & FLAG.calls) !== 0
    if (this.isCalling || (flags & SEVERAL) === SEVERAL) this.mayUseAllTexts()
    if (this.isRefused(verb)) return
    // A routine may have put another text in the place of the one that is known.
    if (verb === 'execute' && routines.home === undefined) errand.executes = says
    const home = this.isCalling || usesTexts(verb, flags) ? this.homeOf(says) : undefined
    if (home === undefined) way.route(head, says, source)
    else way.goOnlyTo(home, head, PINS.routineTexts.lost)
  }

  /** Where routines ran, if nothing else binds what executes routines or texts. */
  homeOf({ flags }: Statement): ServerSession | undefined {
    return this.memory.mayMove && (flags & BOUND) === 0 ? this.routines.home : undefined
  }

  private isRefused(verb: Statement['verb']): boolean {
    if (verb !== 'execute' && verb !== 'deallocate') return false
    const bound = this.memory.mayMove ? undefined : this.servers.current
    const refusal = this.routines.refusal(this.isKnown, bound)
    if (refusal !== undefined) this.host.answerFault(refusal)
    return refusal !== undefined
  }

  /** A routine, or a text of several statements, may execute any of them. */
  private mayUseAllTexts(): void {
    this.errand.needs.texts = this.statements.allTexts()
    this.errand.needs.mayLackTexts = true
  }

  /** The answer of a statement that may have called routines is whole. */
  settleCalls(server: ServerSession, errno: number): void {
    if (this.isCalling && errno !== NO_ROUTINE) this.routines.ranOn(server)
  }

  /** Before PREPARE, EXECUTE and DEALLOCATE are routed: what the server must have; the meaning to route by, if another. */
  text(head: Uint8Array, mode: number): Statement | undefined {
    this.textUnderWay = undefined
    this.isKnown = true
    if (this.host.isIncomplete) return undefined
    const meaning = textPrepared(head, HEADER_BYTES + 1, head.length, mode)
    if (meaning === undefined) return undefined
    if (meaning.verb === 'prepare') {
      const statement = this.textOf(meaning)
      if (statement !== undefined) this.textUnderWay = { meaning, statement }
      return undefined
    }
    this.textUnderWay = { meaning, statement: undefined }
    const { name } = meaning
    const entry = this.statements.text(name)
    this.isKnown = entry?.statement !== undefined
    if (entry === undefined) return undefined
    const isKnown = meaning.verb === 'deallocate' && entry.statement !== undefined
    this.errand.needs.texts = [{ name, entry: isKnown ? { ...entry, statement: STAND_IN } : entry }]
    return meaning.verb === 'execute' ? entry.meaning : undefined
  }

  /** The statement as it is now: a variable may have another value later. */
  private textOf({ source }: Extract<TextPrepared, { verb: 'prepare' }>): Uint8Array | undefined {
    if (source.kind === 'literal') return source.bytes
    return this.memory.user?.value(source.name)?.bytes
  }

  /** What another server would not know of is known here only: the session stays. */
  settleText(server: ServerSession, verb: Statement['verb'], errno: number): void {
    const done = this.textUnderWay
    this.textUnderWay = undefined
    if (done === undefined) {
      if (verb !== 'execute' && errno === 0) this.memory.pin(PINS.untracked.bit)
      return
    }
    const { meaning, statement } = done
    if (meaning.verb === 'execute' || (meaning.verb === 'deallocate' && errno !== 0)) return
    // A PREPARE that fails has taken the name from the statement before it.
    if (errno !== 0 && this.statements.text(meaning.name) === undefined) return
    const kept = errno === 0 ? statement : undefined
    const { lexerMode } = this.memory
    const says = kept === undefined ? undefined : classify(kept, 0, kept.length, lexerMode)
    const { name } = meaning
    if (kept === undefined && !this.isOnOthers(name, server)) {
      this.statements.dropText(name)
      server.delivered.texts?.delete(name)
      return
    }
    const entry = this.statements.setText(name, kept, says)
    server.delivered.tookText(name, entry.version)
  }

  private isOnOthers(name: string, server: ServerSession): boolean {
    return this.servers.all().some(one => one !== server && one.delivered.texts?.has(name) === true)
  }

  // --- after the answer

  settle(course: number, server: ServerSession, errno: number): void {
    const { current } = this
    if (current === undefined) return
    if (course === COURSE.prepare) {
      if (errno !== 0) this.statements.refused(current)
    } else if (course === COURSE.execute) this.executed(current, server, errno)
  }

  private executed(prepared: Prepared, server: ServerSession, errno: number): void {
    prepared.longDataOn = undefined
    this.settleCalls(server, errno)
    if (errno !== 0) return
    if (this.bringsTypes) server.delivered.tookTypes(prepared.id)
    const isOpen = this.wantsCursor && (server.tracker.status & STATUS.cursorExists) !== 0
    prepared.cursorOn = isOpen ? server : undefined
  }
}

/** No server knows the statement. */
function explainsRoute(payload: Uint8Array, { flags }: Statement): boolean {
  return (flags & FLAG.explainsRoute) !== 0 && explainedRouteAt(payload, 1, payload.length) >= 0
}

/** No server answers it. */
function closeOn(server: ServerSession, prepared: Prepared): void {
  const serverId = server.delivered.serverStatement(prepared.id)
  if (serverId === undefined || server.isClosed) return
  const payload = Uint8Array.of(COMMAND.stmtClose, 0, 0, 0, 0)
  setStatementId(payload, 0, serverId)
  server.write(packet(0, payload), true)
  server.delivered.forget(prepared.id)
}

function usesTexts(verb: Statement['verb'], flags: number): boolean {
  return verb === 'prepare' || verb === 'deallocate' || (flags & FLAG.executes) !== 0
}
