/**
 * The bytes of one client's commands, one command at a time: read, hand to its course, pass on or
 * answer, count. Where a command goes and what its answer means is the course's matter. Nothing of a
 * result is buffered; whoever is slow pauses the other side. Hot path: see the rules.
 */
import type { Fault } from '#contract/fault'
import { BYTES, OUTCOME } from '#contract/names'
import type { ServerSession } from '../backend/server-session.ts'
import type { Connection } from '../net/transport.ts'
import { buildOk, errorOfFault } from '../wire/ok.ts'
import { COMMAND, DEFAULT_STATUS, HEADER_BYTES } from '../wire/protocol.ts'
import { buildResultset, type Cell, type Column } from '../wire/resultset.ts'
import { packet } from '../wire/writer.ts'
import { isAnsweredByServers } from './commands.ts'
import type { Course, CourseHost } from './course.ts'
import type { SessionMemory } from './memory.ts'
import type { SessionSettings } from './ports.ts'
import { Requests } from './requests.ts'
import { Stall } from './stall.ts'
import { OTHERS, statementType } from './statement-type.ts'
import type { SessionEvent, SessionState } from './states.ts'
import type { RequestTimes, TenantTraffic } from './traffic.ts'

/** What a pipeline may do to the session it belongs to. */
export type PipelineHost = {
  readonly state: SessionState
  readonly move: (event: SessionEvent) => void
  readonly quit: () => void
  /** Answers the fault as the last thing this client gets. */
  readonly giveUp: (fault: Fault) => void
}

type OwnAnswer = (sequence: number) => readonly Uint8Array[]

export class Pipeline implements CourseHost, RequestTimes {
  private readonly host: PipelineHost
  readonly memory: SessionMemory
  readonly client: Connection
  private traffic: TenantTraffic
  private readonly settings: () => SessionSettings
  readonly course: Course
  readonly requests = new Requests()
  readonly stall = new Stall()
  command = 0
  /** Set while a command that no server gets is read to its end: what it is answered. */
  private ownAnswer: OwnAnswer | undefined
  /** The server whose answer to the command under way is not complete. */
  answering: ServerSession | undefined
  /** Where the rest of the command goes. */
  target: ServerSession | undefined
  /** The client does not take its answers: no command is begun until it does. */
  clientBlocked = false
  /** The server that was paused for the client's sake. */
  private paused: ServerSession | undefined
  /** The server does not take the rest of the command: nothing more of it is read. */
  serverBlocked = false
  private isPaused = false
  private isWorking = false
  statements = 0
  /** Of the command under way: how it is counted, and when it was begun and sent. */
  private type = OTHERS
  private isLarge = false
  /** Between commands of the last one, before the first of the login; of `performance.now()`. */
  begunMs = performance.now()
  sentMs = 0
  private wholeAtMs = 0
  /** Nothing has been waited for since: what is sent now is sent at `begunMs`. A reading of the clock costs 0.1 µs. */
  private isFresh = false

  constructor(
    host: PipelineHost,
    parts: {
      readonly memory: SessionMemory
      readonly client: Connection
      readonly traffic: TenantTraffic
      readonly settings: () => SessionSettings
      readonly course: (host: CourseHost) => Course
    },
  ) {
    this.host = host
    this.memory = parts.memory
    this.client = parts.client
    this.traffic = parts.traffic
    this.settings = parts.settings
    this.course = parts.course(this)
  }

  get state(): SessionState {
    return this.host.state
  }

  /** Bytes of the command under way are still to come. */
  get isIncomplete(): boolean {
    return this.requests.isIncomplete
  }

  /** The bytes that began the command are nobody else's, and are not all of a larger chunk. */
  get isHeadWhole(): boolean {
    return this.requests.isHeadWhole
  }

  /** Of an answer to the command under way, behind its last packet that has come. */
  get replySequence(): number {
    return this.requests.replySequence
  }

  /** When the answer to the command under way was whole; who asks first reads the clock. */
  get endedMs(): number {
    if (this.wholeAtMs === 0) this.wholeAtMs = performance.now()
    return this.wholeAtMs
  }

  // --- from the client

  /** @throws protocol.malformed */
  received(bytes: Uint8Array): void {
    this.stall.moved()
    this.traffic.moved(BYTES.clientRequest, bytes.length)
    this.requests.push(bytes)
    if (this.host.state === 'working' && this.requests.isIncomplete) this.passBody()
    this.work()
    this.requests.retain()
    this.steer()
  }

  /** The client has taken everything. @throws protocol.malformed */
  clientDrained(): void {
    this.clientBlocked = false
    this.paused?.resume()
    this.paused = undefined
    this.goOn()
  }

  serverDrained(): void {
    this.serverBlocked = false
    this.steer()
  }

  /** The client was accepted as another user. */
  userChanged(traffic: TenantTraffic): void {
    this.traffic = traffic
    this.course.userChanged()
    this.goOn()
  }

  /** Takes up commands until one has to wait for its answer, or the client for its answers. */
  private work(): void {
    // What is answered at once asks to go on: the loop does, or the stack would grow with each.
    if (this.isWorking) return
    this.isWorking = true
    try {
      while (!this.clientBlocked && this.takeUp());
    } finally {
      this.isWorking = false
    }
  }

  /** False when there is nothing to take up. */
  private takeUp(): boolean {
    const { state } = this.host
    const head = state === 'idle' || state === 'asked' ? this.requests.head(this.course) : undefined
    if (head === undefined) return false
    if (state === 'asked') this.answered(head)
    else this.begin(head)
    return true
  }

  /** Takes up what waits; after each end of something. */
  goOn(): void {
    this.work()
    this.steer()
  }

  /** Reads from the client exactly while there is something to do with what comes. */
  private steer(): void {
    const wanted = this.wantsBytes()
    if (wanted !== this.isPaused) return
    this.isPaused = !wanted
    if (wanted) this.client.resume()
    else this.client.pause()
  }

  private wantsBytes(): boolean {
    const { state } = this.host
    if (state === 'closing') return true
    if (this.serverBlocked) return false
    // One chunk ahead, no further; while nothing waits the end of the client is noticed.
    if (this.requests.waitingBytes === 0) return true
    if (state === 'idle' || state === 'asked') return !this.clientBlocked
    return state === 'working' && this.requests.isIncomplete
  }

  private begin(head: Uint8Array): void {
    this.host.move('commandRead')
    const command = head[HEADER_BYTES] as number
    this.command = command
    this.statements += 1
    this.begunMs = performance.now()
    this.wholeAtMs = 0
    this.isFresh = true
    this.isLarge =
      this.requests.isIncomplete || head.length > HEADER_BYTES + this.settings().wholeBytes
    this.type = command === COMMAND.query ? statementType(head, HEADER_BYTES + 1) : OTHERS
    if (command === COMMAND.quit) this.host.quit()
    else if (command === COMMAND.ping) this.answer(buildOk(this.memory.status || DEFAULT_STATUS))
    else this.course.begin(head)
    this.isFresh = false
  }

  // --- for the course: where to

  /** Sends the beginning of the command; the rest follows as it comes. */
  send(server: ServerSession, head: Uint8Array): void {
    const { command } = this
    this.host.move('commandSent')
    if (isAnsweredByServers(command)) {
      this.answering = server
      server.begin(command)
    }
    this.target = server
    this.sentMs = this.isFresh ? this.begunMs : performance.now()
    this.traffic.moved(BYTES.serverRequest, head.length)
    if (!server.write(head, !this.requests.isIncomplete)) this.serverBlocked = true
    this.passBody()
  }

  /** The command goes back to where a server is chosen: the last one has not executed it. */
  retries(): void {
    this.answering = undefined
    this.target = undefined
    this.host.move('retried')
  }

  /** Answers without a server, once the whole command has come. */
  answer(payload: Uint8Array): void {
    this.answerWith(sequence => [packet(sequence, payload)])
  }

  answerFault(fault: Fault): void {
    this.sentMs = this.endedMs
    this.count(OUTCOME.failed)
    this.answer(errorOfFault(fault))
  }

  answerRows(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
    const status = this.memory.status || DEFAULT_STATUS
    this.answerWith(sequence => buildResultset(sequence, columns, rows, status))
  }

  /** Lets the rest of a command pass that gets no answer at all. */
  answerNothing(): void {
    this.answerWith(() => [])
  }

  /** Asks the client something in the middle of its command; `course.answered` gets what it says. */
  ask(payload: Uint8Array): void {
    this.reply(packet(this.requests.replySequence, payload))
    this.requests.expectAnswer()
    this.host.move('clientAsked')
  }

  giveUp(fault: Fault): void {
    this.host.giveUp(fault)
  }

  /** The client goes on as somebody else; its answer continues the numbers of this command. */
  changesUser(): number {
    this.host.move('userChanged')
    return this.requests.replySequence
  }

  private answered(head: Uint8Array): void {
    this.host.move('clientAnswered')
    this.course.answered(head.subarray(HEADER_BYTES))
  }

  private answerWith(answer: OwnAnswer): void {
    if (this.host.state === 'routing') this.host.move('commandSent')
    this.ownAnswer = answer
    this.target = undefined
    this.passBody()
  }

  /** Passes on, or drops, what has come of the command's body. */
  private passBody(): void {
    const server = this.target
    while (this.requests.isIncomplete) {
      const part = this.requests.body()
      if (part === undefined) return
      if (server === undefined) continue
      this.traffic.moved(BYTES.serverRequest, part.length)
      if (!server.write(part, this.requests.isRequestEnd)) this.serverBlocked = true
    }
    if (this.answering !== undefined) return
    const answer = this.ownAnswer
    this.ownAnswer = undefined
    if (answer !== undefined)
      for (const framed of answer(this.requests.replySequence)) this.reply(framed)
    this.host.move('resultEnded')
  }

  // --- from a server

  /** LOAD DATA LOCAL: what the client sends next is a file. */
  infile(server: ServerSession): void {
    this.requests.beginFile()
    server.begin(this.command)
    this.passBody()
    this.steer()
  }

  forward(server: ServerSession, bytes: Uint8Array, from: number, to: number): void {
    this.traffic.moved(BYTES.serverResponse, to - from)
    this.traffic.moved(BYTES.clientResponse, to - from)
    if (!this.client.write(bytes, from, to)) this.block(server)
  }

  showOk(payload: Uint8Array, sequence: number): void {
    this.reply(packet(sequence, payload))
  }

  settle(server: ServerSession, hasMissed: boolean): void {
    this.answering = undefined
    const hasFailed = server.tracker.errorCode !== 0 ? OUTCOME.failed : 0
    this.count(hasFailed | (hasMissed ? OUTCOME.missed : 0))
    if (!this.memory.inTransaction) this.traffic.transacted()
    // The rest of a command that was answered early still belongs to the server.
    if (this.requests.isIncomplete) return
    this.host.move('resultEnded')
    this.goOn()
  }

  /** The answer will not come from its server any more: the proxy ends it, and the client goes on. */
  endWith(fault: Fault): void {
    const shown = this.answering?.relay.nextSequence ?? 1
    this.answering = undefined
    this.target = undefined
    this.serverBlocked = false
    this.count(OUTCOME.failed)
    // Behind what was shown of an answer, else behind the command's last packet, still to come or not.
    this.ownAnswer = next => [packet(shown === 1 ? next : shown, errorOfFault(fault))]
    this.passBody()
    this.goOn()
  }

  /** The command's server is gone before anything of the command was sent there. */
  unblocked(): void {
    this.serverBlocked = false
    this.steer()
  }

  private count(outcome: number): void {
    const all = this.isLarge ? outcome | OUTCOME.large : outcome
    this.traffic.answered(this.type, all, this)
  }

  private reply(framed: Uint8Array): void {
    this.traffic.moved(BYTES.clientResponse, framed.length)
    if (!this.client.write(framed)) this.block(this.answering)
  }

  /** The client does not keep up: whoever answers it waits. */
  private block(server: ServerSession | undefined): void {
    this.clientBlocked = true
    if (server === undefined) return
    this.paused = server
    server.pause()
  }
}
