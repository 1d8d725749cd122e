/**
 * MySQL mode: one server, the client's own login, every command relayed. State is all on that server,
 * so its loss is the end of the session. Source: decisions.md N10; proxy-protocol.md §2.9.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import { parseOk, rebuildOk } from '../wire/ok.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import { COURSE, courseOf } from './commands.ts'
import type { Course, CourseHost } from './course.ts'
import type { SessionMemory } from './memory.ts'
import type { SessionSettings } from './ports.ts'
import type { Servers } from './servers.ts'

export class MysqlCourse implements Course {
  private readonly host: CourseHost
  private readonly memory: SessionMemory
  private readonly servers: Servers
  private readonly settings: () => SessionSettings

  constructor(
    host: CourseHost,
    parts: {
      readonly memory: SessionMemory
      readonly servers: Servers
      readonly deps: { readonly settings: () => SessionSettings }
    },
  ) {
    this.host = host
    this.memory = parts.memory
    this.servers = parts.servers
    this.settings = parts.deps.settings
  }

  wanted(): number {
    return this.settings().wholeBytes
  }

  begin(head: Uint8Array): void {
    const server = this.servers.current
    if (courseOf(head[HEADER_BYTES] as number, 'mysql') !== COURSE.relay)
      this.host.answerFault(new Fault('protocol.unsupported-command'))
    else if (server === undefined) this.host.giveUp(new Fault('server.lost-reading'))
    else this.host.send(server, head)
  }

  answered(): void {}

  reached(): void {}

  unreachable(): void {
    this.host.giveUp(new Fault('server.lost-reading'))
  }

  forward(server: ServerSession, bytes: Uint8Array, from: number, to: number): void {
    this.host.forward(server, bytes, from, to)
  }

  finished(server: ServerSession, ok: Uint8Array | undefined, sequence: number): void {
    // A server of this kind tells its status in each answer.
    this.memory.status = server.tracker.status
    if (ok !== undefined) this.host.showOk(rebuildOk(parseOk(ok)), sequence)
    this.host.settle(server, false)
  }

  extra(): void {}

  infile(server: ServerSession): void {
    this.host.infile(server)
  }

  discards(): boolean {
    return false
  }

  lost(server: ServerSession): void {
    if (this.host.answering === undefined) this.host.unblocked()
    else if (!server.serverEnded()) this.host.giveUp(new Fault('server.lost-reading'))
  }

  spareLost(): void {}

  beat(): void {}

  /** A client's id is the server's own here: who kills asks the server. */
  cancelled(): void {}

  runningOn(): ServerSession | undefined {
    return this.host.answering
  }

  statement(): string | undefined {
    return undefined
  }

  userChanged(): void {}
}
