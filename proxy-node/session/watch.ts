/**
 * Watches over the server that a command waits for: silence beyond its time-out, and KILL QUERY of its
 * client. Beats are seconds. Source: proxy-protocol.md §6.6, §9.
 */
import type { ServerSession } from '../backend/server-session.ts'
import type { Statement } from '../sql/classify.ts'
import type { CourseParts } from './oceanbase-course.ts'
import { queryLimitMs } from './patience.ts'

const BEAT_MS = 1_000

export type Watched = {
  /** The session that owes an answer: to the command, or to what must be restored before it. */
  readonly waitsFor: ServerSession | undefined
  /** Counts commands. */
  readonly turn: number
  /** What the command means, or what it executes. */
  readonly judged: Statement | undefined
  /** The server is as good as lost. */
  readonly timedOut: (server: ServerSession) => void
}

export class Watch {
  private readonly command: Watched
  private readonly parts: CourseParts
  /** Whole beats since anything was heard of the server that is waited for. */
  private silentBeats = 0
  private hasHeard = false
  /** KILL QUERY came for the command under way. */
  isCancelled = false

  constructor(command: Watched, parts: CourseParts) {
    this.command = command
    this.parts = parts
  }

  begin(): void {
    this.hasHeard = true
    this.isCancelled = false
  }

  heard(): void {
    this.hasHeard = true
  }

  /** A command that no server has seen yet is not sent; one that runs is killed until it ends. */
  cancelled(): void {
    this.isCancelled = true
    this.cancelOnServer()
  }

  /**
   * A server that has said nothing for as long as the statement may take, and its grace, is as good as
   * lost; what the client still owes, and what it does not read, is not the server's fault.
   */
  beat(isForClient: boolean): void {
    const { command, parts } = this
    const server = command.waitsFor
    if (server === undefined) return
    this.silentBeats = isForClient || this.hasHeard ? 0 : this.silentBeats + 1
    this.hasHeard = false
    const graceMs = parts.identity.settings.queryTimeoutDeltaMs
    const isOver =
      this.silentBeats * BEAT_MS >= queryLimitMs(parts.memory, command.judged) + graceMs
    // Once is not enough: a KILL that overtakes its statement finds nothing to end.
    if (isOver || this.isCancelled) this.cancelOnServer(isOver)
    if (isOver) command.timedOut(server)
  }

  /** `isGivenUp`: the session will get no other command. */
  private cancelOnServer(isGivenUp = false): void {
    const { command } = this
    const { turn, waitsFor: server } = command
    if (server?.login === undefined || server.isClosed) return
    // By the time of the KILL the next command may run there.
    const isWanted = () => isGivenUp || (turn === command.turn && server === command.waitsFor)
    this.parts.deps.cancel(server.login, server, isWanted)
  }
}
