/**
 * One client from its greeting to its end. Who logs in as proxysys talks to the proxy; everybody else to
 * one server of a cluster, statement by statement, or to `LocalServer` in routing mode `mock`. Between
 * two transactions the proxy may let a client go.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { AnswerEnd } from './answer-end.ts'
import type { Resource } from './clusters.ts'
import { LocalServer } from './local-server.ts'
import { type LoginName, loginName } from './login-name.ts'
import { isPrivate, isRight } from './passwords.ts'
import { Refusal } from './refusal.ts'
import { ServerConnection } from './server-connection.ts'
import type { Settings } from './settings.ts'
import {
  authSwitchPayload,
  CAPABILITY,
  COMMAND,
  errorPayload,
  greetingPayload,
  isContinued,
  type Login,
  loginPayload,
  okPayload,
  type Packet,
  PacketReader,
  packet,
  parseLogin,
  resultSet,
  STATUS,
  type Table,
} from './wire.ts'

const OFFERED = Object.values(CAPABILITY).reduce((all, bit) => all | bit, 0) >>> 0

export type Answer =
  | { readonly kind: 'ok'; readonly affected: number }
  | { readonly kind: 'table'; readonly table: Table }
  /** The connection ends without a word. */
  | { readonly kind: 'end' }

/** What a client session asks of its proxy. */
export type Surroundings = {
  readonly settings: Settings
  readonly use: (cluster: string | undefined) => Promise<Resource>
  readonly clients: () => readonly ClientSession[]
  /** Undefined: the statement is a server's. @throws Refusal */
  readonly answer: (text: string, asking: ClientSession) => Answer | undefined
  /** Whether one that is between transactions has to go. */
  readonly mustGo: () => boolean
  readonly left: (session: ClientSession) => void
}

export type Role = 'admin' | 'inspector' | 'user'

export class ClientSession {
  readonly id: number
  readonly host: string
  readonly port: number
  /** Where it came in. */
  readonly proxy: { readonly host: string; readonly port: number }
  role: Role = 'user'
  who: LoginName = { user: '', tenant: '', cluster: undefined }
  database: string | undefined
  transactions = 0
  server: ServerConnection | undefined
  isLoggedIn = false
  private readonly around: Surroundings
  private readonly socket: Socket
  private readonly reader = new PacketReader()
  private readonly scramble: Buffer
  private readonly waiting: Packet[] = []
  private readonly end = new AnswerEnd()
  private local: LocalServer | undefined
  private next: ((packet: Packet) => void) | undefined
  private isInCommand = false
  /** More of the same command comes. */
  private isCut = false

  constructor(id: number, socket: Socket, around: Surroundings) {
    this.id = id
    this.socket = socket
    this.around = around
    this.host = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    this.port = socket.remotePort ?? 0
    this.proxy = { host: socket.localAddress ?? '', port: socket.localPort ?? 0 }
    const isRandom = around.settings.is('enable_proxy_scramble')
    this.scramble = isRandom ? randomText(20) : Buffer.from('aaaaaaaabbbbbbbbbbbb')
  }

  get isInTransaction(): boolean {
    return this.end.isInTransaction || this.local?.isInTransaction === true
  }

  start(): void {
    this.socket.setNoDelay(true)
    this.socket.on('data', bytes =>
      this.orEnd(() => {
        for (const each of this.reader.push(Buffer.from(bytes))) this.took(each)
      }),
    )
    this.socket.on('error', () => this.close())
    this.socket.on('close', () => this.close())
    const version = this.around.settings.get('mysql_version')
    const greeting = {
      version,
      connectionId: this.id,
      scramble: this.scramble,
      capabilities: OFFERED,
    }
    this.next = first => void this.logIn(first)
    this.socket.write(packet(0, greetingPayload(greeting)))
  }

  close(): void {
    this.socket.destroy()
    this.server?.close()
    this.around.left(this)
  }

  /** Bytes that are not of the protocol end this connection, and nothing else. */
  private orEnd(act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.close()
    }
  }

  /** Ends the connection when what was written is out. */
  private finish(): void {
    this.socket.end(() => this.close())
  }

  private took(each: Packet): void {
    const { next } = this
    if (next !== undefined) {
      this.next = undefined
      next(each)
    } else if (!this.isLoggedIn || this.isInCommand) this.waiting.push(each)
    else this.command(each)
  }

  private async logIn(first: Packet): Promise<void> {
    try {
      const login = parseLogin(first.payload)
      this.database = login.database
      this.who = loginName(login.user, this.around.settings.get('proxy_tenant_name') || 'sys')
      if (this.who.tenant === 'proxysys') this.logInHere(login)
      else await this.logInThere(first.sequence, login)
    } catch (error) {
      this.refuse(first.sequence + 1, error)
      this.finish()
    }
  }

  /** @throws Refusal */
  private logInHere({ token }: Login): void {
    const { settings } = this.around
    const { user } = this.who
    const kept = ACCOUNTS.find(account => account.user === user)
    const mayCome = isPrivate(this.host) || settings.is('skip_proxy_sys_private_check')
    const isKnown =
      kept !== undefined && isRight(settings.get(kept.parameter), token, this.scramble)
    if (kept === undefined || !isKnown || !mayCome) throw this.denied(token)
    this.role = kept.role
    this.write(2, okPayload(STATUS.autocommit))
    this.admitted()
  }

  private denied(token: Buffer): Refusal {
    const using = token.length > 0 ? 'YES' : 'NO'
    const { user, tenant } = this.who
    return new Refusal(
      'denied',
      `Access denied for user '${user}@${tenant}'@'${this.host}' (using password: ${using})`,
    )
  }

  /** The client answers the server's own scramble, so that the server judges its password. @throws Refusal */
  private async logInThere(sequence: number, login: Login): Promise<void> {
    const { settings } = this.around
    if (this.who.user === 'proxyro' && !settings.is('skip_proxyro_check'))
      throw new Refusal('proxyro-user')
    const limit = settings.number('client_max_connections')
    const users = this.around.clients().filter(({ role }) => role === 'user')
    if (limit > 0 && users.length > limit) throw new Refusal('too-many-sessions')
    if (settings.get('server_routing_mode') === 'mock') {
      this.local = new LocalServer(this.id)
      this.write(sequence + 1, okPayload(STATUS.autocommit))
      this.admitted()
      return
    }
    const server = await this.connected(await this.around.use(this.who.cluster))
    this.write(sequence + 1, authSwitchPayload(server.scramble))
    this.next = answer => this.passLogin(server, login, answer)
  }

  /** @throws Refusal when no server of the cluster answers */
  private async connected({ cluster }: Resource): Promise<ServerConnection> {
    for (const address of cluster.servers) {
      const server = await ServerConnection.open(address).catch(() => undefined)
      if (server === undefined) continue
      this.server = server
      this.who = { ...this.who, cluster: cluster.name }
      server.closed = () => this.socket.destroy()
      return server
    }
    throw new Refusal('not-connected')
  }

  private passLogin(server: ServerConnection, login: Login, answer: Packet): void {
    let fromClient = answer
    server.received = ({ payload, sequence }) => {
      this.write(fromClient.sequence + 1, payload)
      if (payload[0] === 0xfe)
        this.next = again => {
          fromClient = again
          server.write(packet(sequence + 1, again.payload))
        }
      else if (payload[0] === 0) {
        server.received = each => this.orEnd(() => this.fromServer(each))
        this.admitted()
      } else this.finish()
    }
    const user = `${this.who.user}@${this.who.tenant}`
    const unsaid =
      CAPABILITY.connectAttributes | (login.database === undefined ? CAPABILITY.connectWithDb : 0)
    const capabilities = login.capabilities & OFFERED & ~unsaid
    server.write(packet(1, loginPayload({ ...login, capabilities, user, token: answer.payload })))
  }

  private admitted(): void {
    this.isLoggedIn = true
    this.takeWaiting()
  }

  private takeWaiting(): void {
    while (!this.isInCommand) {
      const each = this.waiting.shift()
      if (each === undefined) return
      this.command(each)
    }
  }

  private command(each: Packet): void {
    const [code] = each.payload
    if (this.isCut) {
      this.toServer(each)
      return
    }
    if (code === COMMAND.quit) {
      this.finish()
      return
    }
    if (code === COMMAND.query && this.answered(each.payload.toString('utf8', 1))) return
    if (this.role !== 'user') this.adminCommand(code)
    else if (this.local !== undefined) {
      this.socket.write(this.local.answer(each.payload))
      this.settled()
    } else this.toServer(each)
  }

  /** Whether the proxy itself has answered. */
  private answered(text: string): boolean {
    try {
      const answer = this.around.answer(text, this)
      if (answer === undefined) return false
      this.say(answer)
    } catch (error) {
      this.refuse(1, error)
      if (error instanceof Refusal && error.isLast) this.finish()
    }
    this.settled()
    return true
  }

  private say(answer: Answer): void {
    const status = STATUS.autocommit | (this.isInTransaction ? STATUS.inTransaction : 0)
    if (answer.kind === 'end') this.finish()
    else if (answer.kind === 'table') this.socket.write(resultSet(answer.table, 1, status))
    else this.write(1, okPayload(status, answer.affected))
  }

  private adminCommand(code: number | undefined): void {
    const isFine = [COMMAND.ping, COMMAND.initDb, COMMAND.resetConnection].some(one => one === code)
    if (isFine) this.write(1, okPayload(STATUS.autocommit))
    else this.refuse(1, new Refusal('unknown-command'))
    this.settled()
  }

  private toServer(each: Packet): void {
    if (!this.isCut) this.end.asked(each.payload[0] ?? 0)
    this.isCut = isContinued(each)
    this.isInCommand = this.end.isOpen && !this.isCut
    this.server?.write(each.raw)
  }

  private fromServer(each: Packet): void {
    this.socket.write(each.raw)
    if (!this.end.took(each.payload)) return
    if (!this.isInTransaction) this.transactions += 1
    this.isInCommand = false
    this.settled()
    this.takeWaiting()
  }

  private settled(): void {
    if (!this.isInTransaction && this.around.mustGo()) this.finish()
  }

  private refuse(sequence: number, error: unknown): void {
    const refusal = error instanceof Refusal ? error : new Refusal('internal', String(error))
    this.write(sequence, errorPayload(refusal.errno, refusal.state, refusal.message))
  }

  private write(sequence: number, payload: Buffer): void {
    this.socket.write(packet(sequence, payload))
  }
}

const ACCOUNTS = [
  { user: 'root', parameter: 'obproxy_sys_password', role: 'admin' },
  { user: 'inspector', parameter: 'inspector_password', role: 'inspector' },
] as const

/** Without the bytes that would end a text. */
function randomText(length: number): Buffer {
  return Buffer.from(randomBytes(length).map(byte => (byte % 94) + 33))
}
