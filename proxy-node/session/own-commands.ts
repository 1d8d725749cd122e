/**
 * Statements that the proxy answers itself in an ordinary session: what concerns the node, and the
 * other clients of it in the ids that clients see. Source: proxy-protocol.md §6.2, §6.6, tried A15.
 */
import { Fault } from '#contract/fault'
import type { Address } from '../net/transport.ts'
import { type OwnStatement, ownStatement } from '../sql/own-statements.ts'
import { NO_SERVERS } from '../topology/tenants.ts'
import { buildOk } from '../wire/ok.ts'
import { COMMAND, DEFAULT_STATUS, HEADER_BYTES } from '../wire/protocol.ts'
import { Reader } from '../wire/reader.ts'
import { bigint, type Cell, varchar } from '../wire/resultset.ts'
import type { CourseHost } from './course.ts'
import type { SessionMemory } from './memory.ts'
import type { CourseParts } from './oceanbase-course.ts'
import type { KillOutcome, ProcessRow, Requester } from './ports.ts'

const PROCESS_COLUMNS = [
  bigint('Id'),
  ...['User', 'Host', 'db', 'Command'].map(varchar),
  bigint('Time'),
  ...['State', 'Info'].map(varchar),
]
/** The columns of a server's SHOW FULL PROCESSLIST. */
const FULL_COLUMNS = [
  bigint('Id'),
  ...['User', 'Tenant', 'Host', 'db', 'Command'].map(varchar),
  bigint('Time'),
  ...['State', 'Info'].map(varchar),
  bigint('Port'),
  bigint('Proxy_sessid'),
]
/** Of a statement's text, as servers show it without FULL. */
const SHORT_INFO = 100
/** Bits of `ob_proxy_user_privilege`. */
const SUPER = 1n << 14n
const PROCESS = 1n << 15n

/** Where commands of this session go. */
type Route = {
  /** Undefined: where they belong. */
  boundTo: Address | undefined
  readonly stay: (head: Uint8Array) => void
}

export class OwnCommands {
  private readonly host: CourseHost
  private readonly parts: CourseParts
  private readonly memory: SessionMemory
  private readonly route: Route
  private turn = 0

  constructor(host: CourseHost, parts: CourseParts, route: Route) {
    this.host = host
    this.parts = parts
    this.memory = parts.memory
    this.route = route
  }

  /** Answers the statement if it is the proxy's own. */
  takes(head: Uint8Array): boolean {
    const own = ownStatement(head, HEADER_BYTES + 1, head.length)
    if (own === undefined) return false
    return this.answer(own, head)
  }

  /** COM_PROCESS_KILL. */
  processKill(head: Uint8Array): void {
    this.kill(new Reader(head, HEADER_BYTES + 1).u32(), false, head)
  }

  processList(isFull: boolean): void {
    const by = this.requester(PROCESS)
    this.later(this.parts.deps.peers.list(by), rows =>
      this.host.answerRows(
        isFull ? FULL_COLUMNS : PROCESS_COLUMNS,
        rows.toSorted((left, right) => left.id - right.id).map(isFull ? fullCells : cells),
      ),
    )
  }

  private answer(own: OwnStatement, head: Uint8Array): boolean {
    if (own.kind === 'kill') this.kill(own.id, own.query, head)
    else if (own.kind === 'processlist') this.processList(own.full)
    else if (own.kind === 'ping') this.ping()
    else if (own.kind === 'version' || own.kind === 'status') this.ofNode(own.kind)
    else if (own.kind === 'routeAddress') this.routeAddress()
    else if (own.kind === 'setRouteAddress') this.setRouteAddress(own.address)
    else return false
    return true
  }

  private ping(): void {
    if (this.parts.identity.isDraining) this.host.giveUp(new Fault('proxy.draining'))
    else this.host.answer(this.ok())
  }

  private ofNode(what: 'version' | 'status'): void {
    const { deps, identity } = this.parts
    const sql = `SELECT proxy_${what}()`
    this.later(deps.admin.run(identity.user, sql, identity.id), answer => {
      if (answer.kind === 'rows') this.host.answerRows(answer.columns, answer.rows)
      else this.host.answerFault(new Fault('admin.unknown-statement'))
    })
  }

  /** IPv4 address and port of the server session used last, as one number. */
  private routeAddress(): void {
    const server = this.parts.servers.current
    if (server === undefined) this.host.answerFault(new Fault('session.no-server'))
    else
      this.host.answerRows(
        [bigint('@obproxy_route_addr')],
        [[routeNumber(server.address.host, server.address.port)]],
      )
  }

  /** Binds the session to one server of its tenant, or lets it go. A transaction stays where it is. */
  private setRouteAddress(address: number): void {
    const { identity } = this.parts
    if (address === 0) {
      this.route.boundTo = undefined
      this.host.answer(this.ok())
      return
    }
    const servers = identity.outlook?.tenantServers(identity.tenant) ?? NO_SERVERS
    this.later(Promise.resolve(servers), found => {
      const server = found.replicas.find(
        ({ server: { host, port } }) => routeNumber(host, port) === address,
      )?.server
      if (server === undefined) {
        const given = address < 0 ? 'this value' : address
        throw new Fault('route.not-a-server', { address: given, tenant: identity.tenant })
      }
      this.route.boundTo = server
      this.host.answer(this.ok())
    })
  }

  private kill(id: number, onlyQuery: boolean, head: Uint8Array): void {
    const { identity, deps } = this.parts
    if (id === identity.id) {
      if (onlyQuery) this.host.answer(this.ok())
      else this.host.giveUp(new Fault('session.killed'))
      return
    }
    const kept = head.slice()
    this.later(deps.peers.kill(id, this.requester(SUPER), onlyQuery), outcome =>
      this.killed(outcome, id, kept),
    )
  }

  /** An id that no client of this node has may be another node's: the server knows those. */
  private killed(outcome: KillOutcome, id: number, head: Uint8Array): void {
    const server = this.parts.servers.current
    if (outcome === 'done') this.host.answer(this.ok())
    else if (outcome === 'not-owner') this.host.answerFault(new Fault('session.not-owner', { id }))
    else if (server === undefined || this.host.command !== COMMAND.query)
      this.host.answerFault(new Fault('session.unknown', { id }))
    else this.route.stay(head)
  }

  private ok(): Uint8Array {
    return buildOk(this.memory.status || DEFAULT_STATUS)
  }

  private requester(privilege: bigint): Requester {
    const { identity } = this.parts
    const bits = BigInt(this.memory.variable('ob_proxy_user_privilege') ?? '0')
    return {
      connectionId: identity.id,
      cluster: identity.cluster,
      tenant: identity.tenant,
      user: identity.user,
      isPrivileged: (bits & privilege) !== 0n,
    }
  }

  /** Goes on when the answer is there, if the client still waits for it. */
  private later<T>(answer: Promise<T>, act: (value: T) => void): void {
    const turn = ++this.turn
    const isWaiting = () => turn === this.turn && this.host.state === 'routing'
    const failed = (error: unknown) => {
      if (isWaiting()) this.host.answerFault(faultOf(error))
    }
    answer
      .then(value => {
        if (isWaiting()) act(value)
      })
      .catch(failed)
      // What comes next is not this command's matter: its error is the end of the session.
      .then(() => this.host.goOn())
      .catch((error: unknown) => this.host.giveUp(faultOf(error)))
  }
}

function faultOf(error: unknown): Fault {
  return error instanceof Fault ? error : new Fault('proxy.internal', {}, { cause: error })
}

function cells(row: ProcessRow): readonly Cell[] {
  const info = row.statement === null ? null : row.statement.slice(0, SHORT_INFO)
  return [row.id, row.user, row.host, row.database, row.command, row.seconds, row.state, info]
}

function fullCells(row: ProcessRow): readonly Cell[] {
  const { id, user, tenant, host, database, command, seconds, state } = row
  const shown = [id, user, tenant, host, database, command, seconds, state, row.statement]
  return [...shown, row.serverPort, id]
}

function routeNumber(host: string, port: number): number {
  const parts = host.split('.').map(Number)
  return parts.reduce((all, part) => all * 256 + part, 0) * 65_536 + port
}
