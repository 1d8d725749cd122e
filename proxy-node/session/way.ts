/**
 * Where one command after another of a client goes: where the session is bound, to its table's leader,
 * or to any server of the tenant. What it needs there is the errand's matter (`errand.ts`).
 * Source: proxy-protocol.md §5.3, §6.5.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import type { Address } from '../net/transport.ts'
import type { Statement } from '../sql/classify.ts'
import { FLAG } from '../sql/words.ts'
import type { CourseHost } from './course.ts'
import type { SessionMemory } from './memory.ts'
import type { CourseParts } from './oceanbase-course.ts'
import { PINS } from './pins.ts'
import { isSameAddress } from './servers.ts'

const SEQUENCE = FLAG.nextValue | FLAG.currentValue

/** Who carries the command. */
export type WayOwner = {
  /** The copy of the command under way, if one was made. */
  readonly request: Uint8Array | undefined
  readonly keep: (head: Uint8Array) => void
  readonly deliver: (server: ServerSession, head: Uint8Array) => void
}

export class Way {
  private readonly host: CourseHost
  private readonly parts: CourseParts
  private readonly memory: SessionMemory
  private readonly owner: WayOwner
  /** `SET @obproxy_route_addr`: the only server that gets commands of this session, and no second try. */
  boundTo: Address | undefined
  /** Where the last query ran. */
  private rowsOn: ServerSession | undefined
  /** Where the last value of a sequence was drawn. */
  private valueOn: ServerSession | undefined
  private database = ''
  /** Empty: the command was not routed by a table. */
  private table = ''
  /** Counts commands: an answer about an earlier one is of no interest. */
  turn = 0
  /** What the command needs of the server it was sent to and no other has; empty for nothing. */
  tie = ''

  constructor(host: CourseHost, parts: CourseParts, owner: WayOwner) {
    this.host = host
    this.parts = parts
    this.memory = parts.memory
    this.owner = owner
  }

  begin(): void {
    this.turn += 1
    this.table = ''
    this.tie = ''
  }

  get isRouted(): boolean {
    return this.table !== ''
  }

  /** By what the statement means: bound, leaning, by its table, or wherever the session is. */
  route(head: Uint8Array, meaning: Statement): void {
    const { memory, parts } = this
    const ties = meaning.flags & (FLAG.leans | FLAG.foundRows)
    if (ties === FLAG.foundRows && memory.mayMove) {
      this.goWhereRowsWere(head)
      return
    }
    if (!memory.mayMove || ties !== 0 || (meaning.flags & FLAG.locks) !== 0) {
      this.remain(head, ties !== 0)
      return
    }
    if ((meaning.flags & SEQUENCE) !== 0 && this.goWhereValueIs(head, meaning.flags)) return
    const database = meaning.database ?? memory.schema
    if (this.boundTo !== undefined) this.stay(head)
    else if (parts.deps.settings().routesAtRandom) this.goAnywhere(head)
    else if (meaning.table !== undefined && database !== undefined)
      this.goByTable(head, database, meaning.table)
    else this.stay(head)
  }

  /** To the session in use, whatever else would do; what leans on the statement before needs that one. */
  private remain(head: Uint8Array, leans: boolean): void {
    const { current } = this.parts.servers
    if (leans) this.tie = PINS.lastStatement.lost
    if (current !== undefined) this.owner.deliver(current, head)
    else if (leans) this.host.answerFault(new Fault('session.state-lost', { what: this.tie }))
    else this.goAnywhere(head)
  }

  /** FOUND_ROWS() is known where the last query ran, and nowhere else (A11). */
  private goWhereRowsWere(head: Uint8Array): void {
    const server = this.rowsOn ?? this.parts.servers.current
    if (server === undefined || server.isClosed)
      this.host.answerFault(new Fault('session.state-lost', { what: PINS.lastStatement.lost }))
    else this.goOnlyTo(server, head, PINS.lastStatement.lost)
  }

  /** False: no value was drawn yet, or it is of no interest; any server will do. */
  private goWhereValueIs(head: Uint8Array, flags: number): boolean {
    const { valueOn } = this
    if (valueOn === undefined) return false
    const tie = PINS.sequences.lost
    if (!valueOn.isClosed) this.goOnlyTo(valueOn, head, tie)
    else if ((flags & FLAG.currentValue) === 0) return false
    else this.host.answerFault(new Fault('session.state-lost', { what: tie }))
    return true
  }

  /** To the session in use, to any server if there is none. */
  stay(head: Uint8Array): void {
    const current = this.parts.servers.current
    if (current === undefined || this.isAstray(current)) this.goAnywhere(head)
    else this.owner.deliver(current, head)
  }

  /** The session has to go from this server to the one that it is bound to, and may. */
  private isAstray({ address }: ServerSession): boolean {
    const { boundTo } = this
    return boundTo !== undefined && this.memory.mayMove && !isSameAddress(boundTo, address)
  }

  /** To one session and no other, for the sake of `tie`, which is lost with it. */
  goOnlyTo(server: ServerSession, head: Uint8Array, tie: string): void {
    this.tie = tie
    this.parts.servers.use(server)
    this.owner.deliver(server, head)
  }

  private goByTable(head: Uint8Array, database: string, table: string): void {
    const { parts } = this
    this.database = database
    this.table = table
    const leader = parts.directory.leaderOf(parts.identity.tenant, database, table)
    if (!(leader instanceof Promise)) {
      parts.identity.traffic.located(true, leader !== undefined)
      this.goToLeader(leader, head)
      return
    }
    const { turn } = this
    this.owner.keep(head)
    const located = (found: Address | undefined) => {
      const { request } = this.owner
      if (turn !== this.turn || this.host.state !== 'routing' || request === undefined) return
      parts.identity.traffic.located(false, found !== undefined)
      this.goToLeader(found, request)
      this.host.goOn()
    }
    leader.then(located, () => located(undefined)).catch(error => this.failed(error))
  }

  private goToLeader(leader: Address | undefined, head: Uint8Array): void {
    const current = this.parts.servers.current
    if (current !== undefined && (leader === undefined || isSameAddress(leader, current.address)))
      this.owner.deliver(current, head)
    else this.goTo(head, leader, undefined)
  }

  private goAnywhere(head: Uint8Array): void {
    this.goTo(head, undefined, undefined)
  }

  /** To `first` before the others, never to `but`. */
  goTo(head: Uint8Array, first: Address | undefined, but: Address | undefined): void {
    const { parts, turn, boundTo } = this
    this.owner.keep(head)
    if (boundTo !== undefined) {
      parts.servers.goTo([boundTo])
      return
    }
    const servers = parts.directory.tenantServers(parts.identity.tenant)
    const go = (found: readonly Address[]) => {
      if (turn !== this.turn || this.host.state !== 'routing') return
      const others = this.ordered(found).filter(
        server =>
          (first === undefined || !isSameAddress(first, server)) &&
          (but === undefined || !isSameAddress(but, server)),
      )
      parts.servers.goTo(first === undefined ? others : [first, ...others])
    }
    if (servers instanceof Promise)
      servers.then(go, () => go([])).catch(error => this.failed(error))
    else go(servers)
  }

  private ordered(servers: readonly Address[]): readonly Address[] {
    const { deps } = this.parts
    if (!deps.settings().routesAtRandom) return servers
    const at = Math.floor(deps.random() * servers.length)
    return [...servers.slice(at), ...servers.slice(0, at)]
  }

  private failed(error: unknown): void {
    this.host.giveUp(
      error instanceof Fault ? error : new Fault('proxy.internal', {}, { cause: error }),
    )
  }

  /** The table was not where it was thought to be. */
  missed(): void {
    const { directory, identity } = this.parts
    directory.missed(identity.tenant, this.database, this.table)
  }

  /** The answer of a command, `meaning` if it was text, is whole. */
  answeredBy(server: ServerSession, meaning: Statement | undefined): void {
    const { hasRows, errorCode } = server.tracker
    if (((meaning?.flags ?? 0) & FLAG.nextValue) !== 0 && errorCode === 0) this.valueOn = server
    // SELECT … INTO counts its rows, too.
    if (!hasRows && (meaning?.verb !== 'select' || errorCode !== 0)) return
    const tellsOfBefore = meaning?.verb === 'show' && (meaning.flags & FLAG.leans) !== 0
    if (!tellsOfBefore) this.rowsOn = server
  }

  /** The session is another, or begins anew. */
  sessionBegins(): void {
    this.rowsOn = undefined
    this.valueOn = undefined
    this.boundTo = undefined
  }
}
