/**
 * What a pipeline and the course of its commands ask of each other. There are two courses: many
 * OBServers behind one session, or one MySQL server.
 */
import type { Fault } from '#contract/fault'
import type { ServerAnswers, ServerSession } from '../backend/server-session.ts'
import type { Cell, Column } from '../wire/resultset.ts'
import type { SessionState } from './states.ts'

export type Course = ServerAnswers & {
  /** How many bytes of a payload must have come before its command is begun; `packet` shows its first five. */
  readonly wanted: (packet: Uint8Array) => number
  /** Takes a command's beginning, header first, a view: sends it, answers it, or keeps a copy. */
  readonly begin: (head: Uint8Array) => void
  /** What the client says to `ask`. */
  readonly answered: (payload: Uint8Array) => void
  readonly reached: (server: ServerSession) => void
  readonly unreachable: (error: Uint8Array | undefined) => void
  /** The server in use is gone. */
  readonly lost: (server: ServerSession) => void
  readonly spareLost: (server: ServerSession) => void
  /** One beat a second while a command is under way; `isForClient`: its client has to read or to send more. */
  readonly beat: (isForClient: boolean) => void
  /** KILL QUERY of this client, by another one. */
  readonly cancelled: () => void
  /** The session that executes a statement of this client at this moment. */
  readonly runningOn: () => ServerSession | undefined
  /** Beginning of the statement under way, for SHOW PROCESSLIST. */
  readonly statement: () => string | undefined
  /** The client was accepted as another user. */
  readonly userChanged: () => void
}

export type CourseHost = {
  readonly state: SessionState
  readonly command: number
  /** When the command under way was begun, of `performance.now()`. */
  readonly begunMs: number
  /** When its answer was whole; the same for all who ask. */
  readonly endedMs: number
  readonly isIncomplete: boolean
  /** The bytes that began it may be kept as they came. */
  readonly isHeadWhole: boolean
  readonly answering: ServerSession | undefined
  /** Sequence number of an answer, behind the last packet of the command that has come. */
  readonly replySequence: number
  readonly send: (server: ServerSession, head: Uint8Array) => void
  /** The command goes back to where a server is chosen: the last one has not executed it. */
  readonly retries: () => void
  readonly answer: (payload: Uint8Array) => void
  readonly answerFault: (fault: Fault) => void
  readonly answerRows: (columns: readonly Column[], rows: readonly (readonly Cell[])[]) => void
  readonly answerNothing: () => void
  readonly ask: (payload: Uint8Array) => void
  readonly changesUser: () => number
  readonly giveUp: (fault: Fault) => void
  readonly infile: (server: ServerSession) => void
  readonly forward: (server: ServerSession, bytes: Uint8Array, from: number, to: number) => void
  /** The OK that ends the answer, as the client gets it. */
  readonly showOk: (payload: Uint8Array, sequence: number) => void
  readonly settle: (server: ServerSession, hasMissed: boolean) => void
  readonly endWith: (fault: Fault) => void
  readonly unblocked: () => void
  readonly goOn: () => void
}
