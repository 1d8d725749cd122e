/**
 * What sockets tell a session, with a guard: whatever goes wrong in it is this client's end and nobody
 * else's. What comes while a server's bytes are taken apart is guarded there (`server-session.ts`). Objects, not bundles of closures: an idle connection is paid for by the thousand.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import type { Connection, ConnectionEvents } from '../net/transport.ts'
import type { FailureKind } from '../topology/failures.ts'
import type { Greeting } from '../wire/handshake.ts'
import type { Course } from './course.ts'
import type { Pipeline } from './pipeline.ts'
import type { ClusterView, SessionSettings } from './ports.ts'
import type { ServersOwner } from './servers.ts'
import type { SignIn } from './sign-in.ts'

export type EventTarget = {
  /** While its client logs in. */
  readonly signIn: SignIn | undefined
  readonly pipeline: Pipeline | undefined
  readonly course: Course | undefined
  readonly outlook: ClusterView | undefined
  readonly settings: SessionSettings
  readonly opened: (connection: Connection) => void
  readonly received: (bytes: Uint8Array) => void
  readonly drained: () => void
  readonly leave: () => void
  readonly peerLost: () => void
  readonly loggedIn: (ok: Uint8Array, sequence: number) => void
  readonly failed: (error: unknown) => void
}

/** Of the client's connection. */
export class ClientEvents implements ConnectionEvents {
  private readonly session: EventTarget

  constructor(session: EventTarget) {
    this.session = session
  }

  opened(connection: Connection): void {
    this.session.opened(connection)
  }

  received(_connection: Connection, bytes: Uint8Array): void {
    try {
      this.session.received(bytes)
    } catch (error) {
      this.session.failed(error)
    }
  }

  drained(): void {
    try {
      this.session.drained()
    } catch (error) {
      this.session.failed(error)
    }
  }

  ended(): void {
    this.session.leave()
  }

  closed(): void {
    this.session.peerLost()
  }
}

/** Of its servers. */
export class ServerEvents implements ServersOwner {
  private readonly session: EventTarget

  constructor(session: EventTarget) {
    this.session = session
  }

  get usesTls(): boolean {
    return this.session.settings.usesServerTls
  }

  greeted(greeting: Greeting): void {
    this.guarded(() => this.session.signIn?.greetAsServer(greeting))
  }

  asked(sequence: number, payload: Uint8Array): void {
    this.session.signIn?.asked(sequence, payload)
  }

  loggedIn(ok: Uint8Array, sequence: number): void {
    this.guarded(() => this.session.loggedIn(ok, sequence))
  }

  refused(error: Uint8Array, sequence: number): void {
    const { session } = this
    // Servers are asked for a login while somebody signs in, and then only.
    if (session.signIn === undefined) session.failed(new Fault('proxy.internal'))
    else session.signIn.refused(error, sequence)
  }

  reached(server: ServerSession): void {
    this.guarded(() => this.session.course?.reached(server))
  }

  unreachable(error: Uint8Array | undefined): void {
    const { signIn, course } = this.session
    this.guarded(() => {
      if (signIn !== undefined) signIn.unreachable()
      else if (course !== undefined) course.unreachable(error)
      else throw new Fault('proxy.internal')
    })
  }

  forward(server: ServerSession, bytes: Uint8Array, from: number, to: number): void {
    this.session.course?.forward(server, bytes, from, to)
  }

  finished(
    server: ServerSession,
    ok: Uint8Array | undefined,
    sequence: number,
    swallowed: boolean,
  ): void {
    // Not by `guarded`: a closure an answer.
    try {
      this.session.course?.finished(server, ok, sequence, swallowed)
    } catch (error) {
      // The client's next command was wrong, not this server's answer.
      this.session.failed(error)
    }
  }

  extra(server: ServerSession, type: number, bytes: Uint8Array): void {
    this.session.course?.extra(server, type, bytes)
  }

  failed({ address }: ServerSession, kind: FailureKind): void {
    this.session.outlook?.failed(address, kind)
  }

  infile(server: ServerSession): void {
    this.guarded(() => this.session.course?.infile(server))
  }

  discards(server: ServerSession, errorCode: number, held: Uint8Array): boolean {
    return this.session.course?.discards(server, errorCode, held) ?? false
  }

  drained(): void {
    this.guarded(() => this.session.pipeline?.serverDrained())
  }

  lost(server: ServerSession): void {
    this.guarded(() => this.session.course?.lost(server))
  }

  spareLost(server: ServerSession): void {
    this.guarded(() => this.session.course?.spareLost(server))
  }

  private guarded(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.session.failed(error)
    }
  }
}
