/**
 * One command under way: through what must be restored on the server it goes to (`way.ts`), sent, and if
 * that server says it has not executed it, on to the next. A command whose bytes may have been executed is never
 * sent twice. What keeps it from an answer is in `mishaps.ts`. Source: proxy-protocol.md §4.5, §5.5, §7.5.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import type { Statement } from '../sql/classify.ts'
import type { KnownText } from '../sql/known-texts.ts'
import { FLAG } from '../sql/words.ts'
import type { FailureKind } from '../topology/failures.ts'
import { FRAME_FLAG } from '../wire/ob20.ts'
import { errorOfFault, type OkPacket } from '../wire/ok.ts'
import { COMMAND, HEADER_BYTES, STATUS } from '../wire/protocol.ts'
import { CommandText } from './command-text.ts'
import type { CourseHost } from './course.ts'
import { Learner } from './learner.ts'
import type { LossNotice } from './loss.ts'
import type { SessionMemory } from './memory.ts'
import { notRestored, timedOut, unknowable } from './mishaps.ts'
import type { CourseParts } from './oceanbase-course.ts'
import { PINS } from './pins.ts'
import type { TextUse } from './placement.ts'
import { Rerouting } from './rerouting.ts'
import { isUpToDate, type RestoreOwner, Restorer, type StepKind, stateFor } from './restore.ts'
import { COUNTED, NOT_MASTER, REROUTE, REROUTED, type Reaction, reactionTo } from './retry.ts'
import type { NamedText, Prepared } from './statements.ts'
import { Watch, type Watched } from './watch.ts'
import { Way } from './way.ts'
import type { WayOwner } from './way-ports.ts'

/** Of a statement that is shown in SHOW PROCESSLIST. */
const SHOWN_BYTES = 4096

type MutableNeeds = {
  prepared: Prepared | undefined
  texts: readonly NamedText[] | undefined
  mayLackTexts: boolean
}

export class Errand implements RestoreOwner, WayOwner, Watched {
  readonly host: CourseHost
  readonly parts: CourseParts
  readonly memory: SessionMemory
  readonly loss: LossNotice
  /** Made when something is restored: most sessions stay on one server. */
  restorer: Restorer | undefined
  readonly way: Way
  readonly trace = undefined
  readonly learner: Learner
  readonly watch: Watch
  readonly needs: MutableNeeds = {
    prepared: undefined,
    texts: undefined,
    mayLackTexts: false,
  }
  meaning: Statement | undefined
  readonly text: CommandText
  /** What it executes, when it is the EXECUTE of a known text. */
  executes: Statement | undefined
  /** COM_SET_OPTION under way. */
  option = 0
  /** Writes the command as one server takes it; the default is as it came. Undefined: it cannot. */
  rewrite: ((server: ServerSession, head: Uint8Array) => Uint8Array | undefined) | undefined
  /** The command has no answer (CLOSE, SEND_LONG_DATA): what goes wrong is told by a later one. */
  failedSilently: ((error: Uint8Array) => void) | undefined
  /** A copy of the command's beginning while it waits or may be sent again. */
  request: Uint8Array | undefined
  /** The BEGIN that was sent with it. */
  private begun: Uint8Array | undefined
  private attempts = 0
  private reaction: Reaction | undefined
  /** The last error that was kept from the client. */
  refusal: Uint8Array | undefined
  private readonly rerouting: Rerouting
  /** The server has been told that it may name another. */
  private mayBeRerouted = false
  /** A server said that the location was old, and it was asked for anew. */
  private hasLookedAgain = false
  /** The command under way may be sent once more. */
  private repeats = false
  /** When the command came, a transaction or a pin held the session on its server. */
  private isHeld = false

  constructor(host: CourseHost, parts: CourseParts, loss: LossNotice) {
    this.host = host
    this.parts = parts
    this.memory = parts.memory
    this.loss = loss
    this.text = new CommandText(parts.deps.texts)
    this.way = new Way(host, parts, this)
    this.rerouting = new Rerouting(parts, this.way)
    this.learner = new Learner(parts.memory)
    this.watch = new Watch(this, parts)
  }

  get isRestoring(): boolean {
    return this.restorer?.server !== undefined
  }

  get isRetrying(): boolean {
    return this.reaction !== undefined
  }

  begin(): void {
    this.way.begin()
    this.needs.prepared = undefined
    this.needs.texts = undefined
    this.needs.mayLackTexts = false
    this.meaning = undefined
    this.text.begin()
    this.executes = undefined
    this.rewrite = undefined
    this.failedSilently = undefined
    this.request = undefined
    this.begun = undefined
    this.attempts = 0
    this.reaction = undefined
    this.refusal = undefined
    this.rerouting.begin()
    this.mayBeRerouted = false
    this.hasLookedAgain = false
    this.repeats = false
    this.watch.begin()
    this.isHeld = !this.memory.mayMove
  }

  /** What the statement in `head` means. */
  understand(head: Uint8Array): Statement {
    return this.text.read(head, this.memory.lexerMode, !this.host.isIncomplete)
  }

  get known(): KnownText<TextUse> | undefined {
    return this.text.atHand
  }

  // --- to a server

  /** Keeps what must outlive the bytes that came; what else is written into is copied, so that it stays. */
  keep(head: Uint8Array): void {
    if (this.request === head) return
    const { command, isHeadWhole } = this.host
    this.request = isHeadWhole && command === COMMAND.query ? head : head.slice()
  }

  reached(server: ServerSession): void {
    this.way.arrived()
    if (this.request !== undefined) this.deliver(server, this.request)
    this.host.goOn()
  }

  /** Brings the session up to date there, then sends. */
  deliver(server: ServerSession, head: Uint8Array): void {
    const { memory, needs } = this
    if (isUpToDate(memory, server, needs)) {
      this.dispatch(server, head)
      return
    }
    const source = this.learner.sourceFor(server)
    if (source?.isClosed === true) {
      memory.user?.noMoreGuesses([])
      this.refuse(errorOfFault(new Fault('session.state-lost', { what: PINS.userValues.lost })))
      return
    }
    this.keep(head)
    this.begun = memory.heldBegin ?? this.begun
    this.restorer ??= new Restorer(memory, this.parts.identity, this)
    this.watch.heard()
    this.restorer.start(server, needs, source)
  }

  /** As it is, whatever the session lacks. */
  sendBare(server: ServerSession, head: Uint8Array): void {
    this.host.send(server, head)
  }

  private dispatch(server: ServerSession, head: Uint8Array): void {
    if (this.watch.isCancelled) {
      this.refuse(errorOfFault(new Fault('session.killed')))
      return
    }
    // A whole command may be tried again where the server says it was not executed; and is shown while it runs.
    this.repeats = this.mayRepeat(head.length - HEADER_BYTES)
    if (this.host.isIncomplete) this.request = undefined
    else this.keep(head)
    this.watch.heard()
    const bytes = this.rewrite === undefined ? head : this.rewrite(server, head)
    if (bytes === undefined)
      this.host.answerFault(new Fault('session.memory', { bytes: head.length }))
    else {
      this.bring(server, head.length)
      this.host.send(server, bytes)
    }
  }

  /** Session state that travels beside the command (§3.3.1). */
  private bring(server: ServerSession, bytes: number): void {
    this.mayBeRerouted = false
    if (!server.isOb20) return
    this.mayBeRerouted = this.repeats && this.rerouting.isAllowed(bytes)
    const weakly = this.way.readsWeakly(this.judged) ? FRAME_FLAG.weakRead : 0
    const flags = this.mayBeRerouted ? FRAME_FLAG.reroute | weakly : weakly
    server.bring(stateFor(this.memory, server, this.parts.identity.clientIp), flags)
  }

  private mayRepeat(bytes: number): boolean {
    if (this.host.isIncomplete || bytes > this.parts.deps.settings().wholeBytes) return false
    return !this.memory.inTransaction || this.begun !== undefined
  }

  // --- restoring

  forward(bytes: Uint8Array): void {
    this.restorer?.forward(bytes)
  }

  stepFinished(server: ServerSession, ok: Uint8Array | undefined): void {
    this.watch.heard()
    this.restorer?.finished(server, ok)
  }

  restored(server: ServerSession): void {
    const { request } = this
    if (request === undefined) return
    this.dispatch(server, request)
    this.host.goOn()
  }

  notRestored(server: ServerSession, step: StepKind, error: Uint8Array): void {
    notRestored(this, server, step, error)
  }

  unknowable(): void {
    unknowable(this)
  }

  /** Of the sessions that are kept. */
  spareLost(server: ServerSession): void {
    this.restorer?.lostAsked(server)
  }

  /** Answers with `error`, or lets a later command tell it. */
  refuse(error: Uint8Array): void {
    if (this.failedSilently === undefined) this.host.answer(error)
    else {
      this.failedSilently(error)
      this.host.answerNothing()
    }
  }

  // --- answers

  learn(server: ServerSession, ok: Uint8Array | undefined, errno: number): OkPacket | undefined {
    if (ok === undefined) return undefined
    const learned = this.learner.learn(server, ok, this)
    if (errno === REROUTE) this.rerouting.heard(learned?.userVariables)
    const hasMissed = this.memory.missed || errno === NOT_MASTER
    if (hasMissed) this.missed(server)
    // What is tried again renews its location itself: put off as one that is wrong, it would not be.
    if (!this.isRetrying) this.way.judge(server, !this.memory.missed, errno)
    const counts = COUNTED.get(errno)
    if (counts !== undefined) this.blame(server, counts)
    return learned
  }

  private missed(server: ServerSession): void {
    this.way.hasMissed = true
    this.parts.deps.diagnosis.missed(this.parts, this, server)
  }

  /** Whether the server's refusal is kept from the client, because another server may do it. */
  discards(_server: ServerSession, errorCode: number, held: Uint8Array): boolean {
    const reaction =
      errorCode === REROUTE && this.mayBeRerouted
        ? REROUTED
        : reactionTo(errorCode, this.way.isRouted && !this.hasLookedAgain)
    const most = this.parts.deps.settings().maxAttempts
    const isFree = this.way.boundTo === undefined && !this.isTied
    const mayTry = this.repeats && isFree && !this.runsRoutine
    if (reaction === undefined || !mayTry || this.attempts + 1 >= most) return false
    this.refusal = held.slice(HEADER_BYTES)
    this.reaction = reaction
    return true
  }

  /** Its error may be one of a statement inside, or of SIGNAL, behind others that were executed. */
  get runsRoutine(): boolean {
    const { judged } = this
    return judged !== undefined && (judged.verb === 'execute' || (judged.flags & FLAG.calls) !== 0)
  }

  again(server: ServerSession): void {
    const { reaction, request, parts } = this
    this.reaction = undefined
    this.attempts += 1
    if (reaction?.says === 'server-unfit') this.blame(server, reaction.counts)
    this.beginsAnew()
    this.host.retries()
    if (this.begun !== undefined || reaction?.says === 'server-unfit') parts.servers.dropCurrent()
    const better = this.rerouting.take(server)
    if (request === undefined) return
    if (reaction?.says !== 'location-stale') {
      this.way.goOn(request, better)
      return
    }
    this.hasLookedAgain = true
    this.way.lookAgain(request, this.judged)
  }

  // --- whether it may go elsewhere

  /** The BEGIN that was sent with the command is to be sent with it again. */
  beginsAnew(): void {
    if (this.begun === undefined) return
    this.memory.heldBegin = this.begun
    this.memory.status |= STATUS.inTransaction
  }

  /** Counts an attempt that failed before anything was sent. */
  mayTryAgain(): boolean {
    this.attempts += 1
    return this.attempts < this.parts.deps.settings().maxAttempts
  }

  /** Only this server has what the command is about. */
  get isTied(): boolean {
    return this.isHeld || this.way.tie !== ''
  }

  // --- what the watch wants to know

  get waitsFor(): ServerSession | undefined {
    return this.host.answering ?? this.restorer?.waitsFor
  }

  get turn(): number {
    return this.way.turn
  }

  get judged(): Statement | undefined {
    return this.executes ?? this.meaning
  }

  timedOut(server: ServerSession): void {
    timedOut(this, server)
  }

  blame({ address }: ServerSession, how: FailureKind): void {
    this.parts.identity.outlook?.failed(address, how)
  }

  /** Beginning of the statement under way; undefined when it is no text or was not kept. */
  statement(): string | undefined {
    const { request, host } = this
    if (request === undefined || host.command !== COMMAND.query || host.state === 'idle')
      return undefined
    return Buffer.from(request.subarray(HEADER_BYTES + 1, SHOWN_BYTES)).toString('utf8')
  }
}
