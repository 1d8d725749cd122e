/**
 * A scripted server for suites of the data path: greets, takes any login, hands each command to the
 * test. It speaks through the fronts' codec, which shares no code with the proxy's; with
 * `protocol: 'ob20'` in frames behind the login, as strict as the real server is.
 */
import { createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import {
  errorPacket,
  frame,
  lenenc,
  lenencText,
  minimalOk,
  type Packet,
  PacketStream,
  resultPackets,
  type Table,
} from '../../infra/local/front/codec.ts'
import { parseClientLogin } from '../../infra/local/front/login-codec.ts'
import {
  type RequestFrame,
  RequestFrames,
  type ResponseState,
  responseFrames,
  responseState,
  ServerHung,
} from './ob20-server.ts'

const SCRAMBLE = Buffer.from('abcdefghijklmnopqrst')
const CAPABILITIES = 0x809f_f7df
/** What the kernel agrees to when asked for everything. */
const KERNEL_CAPABILITIES = 16_646_127
const OB20_BIT = 0x100
const SSL = 0x800
const SSL_REQUEST_BYTES = 36

/** One connection to the server, as the test's script sees it. */
export class FakeConnection {
  socket: Socket
  /** The request for TLS, header included; empty when there was none. */
  sslRequest: Buffer = Buffer.alloc(0)
  /** Sequence number of the login. */
  loginSequence = 0
  readonly extraOk: boolean
  readonly threadId: number
  /** Payload of the login, byte for byte. */
  login: Buffer = Buffer.alloc(0)
  readonly commands: Buffer[] = []
  /** Sequence number that the answer to the last command begins with. */
  replySequence = 1
  schema = ''
  /** OB 2.0: frames of requests; undefined while packets travel plain. */
  framing: RequestFrames | undefined
  /** OB 2.0: every frame that came, and what closed the connection. */
  readonly frames: RequestFrame[] = []
  violation = ''
  /** OB 2.0: extra info for the frames of the next response, in order. */
  extra: (Buffer | undefined)[] = []
  /** OB 2.0: MySQL bytes of a response's frame. */
  sliceBytes = 13_000
  /** Of the response under way. */
  private response: ResponseState | undefined

  constructor(socket: Socket, extraOk: boolean, threadId: number) {
    this.socket = socket
    this.extraOk = extraOk
    this.threadId = threadId
  }

  get attributes(): ReadonlyMap<string, Buffer> {
    return parseClientLogin(this.login).attributes
  }

  get user(): string {
    return parseClientLogin(this.login).user
  }

  /** OB 2.0: extra info of the last command, the frames' in one. */
  get requestExtra(): Buffer {
    const id = this.frames.at(-1)?.requestId
    const own = this.frames.filter(({ requestId }) => requestId === id)
    return Buffer.concat(own.map(({ extra }) => extra ?? Buffer.alloc(0)))
  }

  /** A whole answer, or the rest of one. */
  send(...payloads: Buffer[]): void {
    this.write(this.packets(payloads), true)
  }

  /** The beginning of an answer. */
  sendPart(...payloads: Buffer[]): void {
    this.write(this.packets(payloads), false)
  }

  /** MySQL packets of an answer; in OB 2.0 framed, `isLast` ends it. */
  write(bytes: Buffer, isLast: boolean): void {
    if (this.framing === undefined) {
      this.socket.write(bytes)
      return
    }
    const { sliceBytes, extra } = this
    const request = this.frames.at(-1) ?? { requestId: 0, sequence: 0 }
    this.response ??= responseState(this.threadId, request, this.replySequence - 1)
    this.extra = []
    const frames = responseFrames(this.response, bytes, { sliceBytes, extra, isLast })
    if (isLast) this.response = undefined
    this.socket.write(Buffer.concat(frames))
  }

  private packets(payloads: readonly Buffer[]): Buffer {
    const from = this.replySequence
    this.replySequence = (from + payloads.length) & 0xff
    return Buffer.concat(payloads.map((payload, index) => frame((from + index) & 0xff, payload)))
  }

  ok(status = 0x0022, state?: Buffer): void {
    this.send(state === undefined ? minimalOk(status) : okWithState(status, state))
  }

  error(errno: number, text: string): void {
    const error = errorPacket(errno, 'HY000', text)
    this.send(...(this.extraOk ? [error, minimalOk()] : [error]))
  }

  rows(table: Table, status = 0x0022): void {
    this.write(resultPackets(table, this.extraOk, status), true)
  }
}

export type FakeServer = {
  readonly host: string
  readonly port: number
  readonly connections: FakeConnection[]
  /** SQL of every COM_QUERY on every connection, in order of arrival. */
  readonly statements: string[]
  readonly stop: () => Promise<void>
}

export type FakeScript = {
  readonly host?: string
  /** OceanBase's extra OK; false is a MySQL server. */
  readonly extraOk?: boolean
  /** PEM texts; TLS is offered. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** What the login OK says of `ob_capability_flag`; absent when undefined. */
  readonly capabilities?: number
  /** Offers OB 2.0; it is spoken where the login asks for it. */
  readonly protocol?: 'ob20'
  /** OB 2.0: extra info of the response to a command, frame by frame. */
  readonly extraOf?: (connection: FakeConnection, command: Buffer) => readonly Buffer[]
  /** Takes over a new connection; true when nothing else shall happen to it. */
  readonly onConnect?: (socket: Socket) => boolean
  /** Answers the login; the default is an OK. */
  readonly onLogin?: (connection: FakeConnection) => void
  /** Bytes of a login that is under way, after `onLogin` asked for more. */
  readonly onLoginMore?: (connection: FakeConnection, packet: Packet) => void
  /** Answers a command; the default answers rows of the server's address to any query. */
  readonly onCommand?: (connection: FakeConnection, command: Buffer, server: FakeServer) => boolean
  /** Sees raw bytes of commands first; true when they are dealt with. */
  readonly onBytes?: (connection: FakeConnection, bytes: Buffer) => boolean
}

export async function startFakeServer(script: FakeScript = {}): Promise<FakeServer> {
  const host = script.host ?? '127.0.0.1'
  const connections: FakeConnection[] = []
  const statements: string[] = []
  const sockets = new Set<Socket>()
  let threads = 5000
  const listener = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    if (script.onConnect?.(socket) === true) return
    threads += 1
    const connection = new FakeConnection(socket, script.extraOk ?? true, threads)
    connections.push(connection)
    serve(connection, script, server)
  })
  await new Promise<void>(resolve => listener.listen(0, host, resolve))
  const bound = listener.address()
  const server: FakeServer = {
    host,
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    connections,
    statements,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise(resolve => listener.close(() => resolve()))
    },
  }
  return server
}

function serve(connection: FakeConnection, script: FakeScript, server: FakeServer): void {
  const packets = new PacketStream()
  let phase: 'login' | 'more' | 'commands' = 'login'
  let parts: Buffer[] = []
  connection.socket.write(frame(0, greeting(connection.threadId, script.tls !== undefined)))
  const take = (packet: Packet) => {
    if (phase === 'login') {
      connection.loginSequence = packet.sequence
      connection.login = Buffer.from(packet.payload)
      connection.schema = databaseOf(connection)
      connection.replySequence = packet.sequence + 1
      phase = script.onLoginMore === undefined ? 'commands' : 'more'
      if (script.onLogin === undefined) connection.send(loginOk(connection, script))
      else script.onLogin(connection)
      if (phase === 'commands') beginFrames(connection, script)
      return
    }
    if (phase === 'more') {
      phase = 'commands'
      connection.replySequence = packet.sequence + 1
      script.onLoginMore?.(connection, packet)
      beginFrames(connection, script)
      return
    }
    parts.push(Buffer.from(packet.payload))
    if (packet.payload.length === 0xffffff) return
    connection.replySequence = (packet.sequence + 1) & 0xff
    const command = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
    parts = []
    answer(connection, command, script, server)
  }
  let head: Buffer | undefined = script.tls === undefined ? undefined : Buffer.alloc(0)
  /** What is behind a request for TLS belongs to TLS. */
  const takenFirst = (bytes: Buffer): Buffer | undefined => {
    head = Buffer.concat([head ?? bytes, bytes])
    if (head.length < SSL_REQUEST_BYTES) return undefined
    const whole = head
    head = undefined
    if (whole.readUIntLE(0, 3) !== SSL_REQUEST_BYTES - 4) return whole
    connection.sslRequest = whole.subarray(0, SSL_REQUEST_BYTES)
    connection.socket.removeAllListeners('data').pause()
    connection.socket.unshift(whole.subarray(SSL_REQUEST_BYTES))
    connection.socket = new TLSSocket(connection.socket, { isServer: true, ...script.tls })
    connection.socket.on('error', () => {})
    connection.socket.on('data', taken)
    return undefined
  }
  const taken = (given: Buffer | string) => {
    const bytes = head === undefined ? (given as Buffer) : takenFirst(given as Buffer)
    if (bytes === undefined) return
    if (phase === 'commands' && script.onBytes?.(connection, bytes) === true) return
    if (connection.framing === undefined) for (const one of packets.push(bytes)) take(one)
    else unframe(connection, bytes, packets, take)
  }
  connection.socket.on('data', taken)
}

/** Frames begin behind the login OK, when both sides have agreed to them. */
function beginFrames(connection: FakeConnection, script: FakeScript): void {
  if (script.protocol !== 'ob20') return
  if ((agreed(connection, script) & OB20_BIT) !== 0)
    connection.framing = new RequestFrames(connection.threadId)
}

/** What breaks the protocol closes the connection without a packet, or ends all answers of it. */
function unframe(
  connection: FakeConnection,
  bytes: Buffer,
  packets: PacketStream,
  take: (packet: Packet) => void,
): void {
  if (connection.violation !== '') return
  try {
    for (const one of connection.framing?.push(bytes) ?? []) {
      connection.frames.push(one)
      const whole = packets.push(one.mysql)
      const ends = whole.filter(({ payload }) => payload.length < 0xffffff)
      if (ends.length > 1) throw new Error('two commands in one frame')
      for (const packet of whole) take(packet)
    }
  } catch (error) {
    connection.violation = (error as Error).message
    if (!(error instanceof ServerHung)) connection.socket.destroy()
  }
}

function agreed(connection: FakeConnection, script: FakeScript): number {
  const asked = Number(connection.attributes.get('__proxy_capability_flag')?.toString() ?? 0)
  return asked & (script.capabilities ?? KERNEL_CAPABILITIES)
}

function answer(
  connection: FakeConnection,
  command: Buffer,
  script: FakeScript,
  server: FakeServer,
): void {
  connection.commands.push(command)
  connection.extra = [...(script.extraOf?.(connection, command) ?? [])]
  const code = command[0]
  if (code === 0x03) server.statements.push(command.subarray(1, 2000).toString())
  if (code === 0x01) connection.socket.end()
  else if (script.onCommand?.(connection, command, server) === true) return
  else if (code === 0x02) useDatabase(connection, command.subarray(1).toString())
  else if (code === 0x03) connection.rows({ columns: ['port'], rows: [[server.port]] })
  else if (code !== 0x18 && code !== 0x19) connection.ok()
}

function useDatabase(connection: FakeConnection, name: string): void {
  connection.schema = name
  connection.ok(0x4022, schemaState(name))
}

function greeting(threadId: number, offersTls: boolean): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(threadId)
  const low = Buffer.alloc(2)
  low.writeUInt16LE((CAPABILITIES & 0xffff & ~SSL) | (offersTls ? SSL : 0))
  const high = Buffer.alloc(2)
  high.writeUInt16LE((CAPABILITIES >>> 16) & 0xffff)
  return Buffer.concat([
    Buffer.from('\x0a5.7.25-fake\0', 'latin1'),
    bytes,
    SCRAMBLE.subarray(0, 8),
    Buffer.from([0]),
    low,
    Buffer.from([45, 2, 0]),
    high,
    Buffer.from([21]),
    Buffer.alloc(10),
    SCRAMBLE.subarray(8),
    Buffer.from('\0mysql_native_password\0'),
  ])
}

function databaseOf(connection: FakeConnection): string {
  const { tail } = parseClientLogin(connection.login)
  const withDatabase = (connection.login.readUInt32LE(0) & 0x8) !== 0
  if (!withDatabase) return ''
  const start = 2 + (tail[1] ?? 0)
  return tail.subarray(start, tail.indexOf(0, start)).toString()
}

export function loginOk(connection: FakeConnection, script: FakeScript = {}): Buffer {
  if (!connection.extraOk) return minimalOk(0x0002)
  const isOb20 = script.protocol === 'ob20'
  const capabilities = isOb20 ? agreed(connection, script) : script.capabilities
  const variables =
    capabilities === undefined
      ? []
      : [lenencText('ob_capability_flag'), lenencText(String(capabilities))]
  return okWithState(
    0x4022,
    Buffer.concat([schemaState(connection.schema), variableState(variables)]),
  )
}

export function okWithState(status: number, state: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([0, 0, 0, status & 0xff, status >> 8, 0, 0, 0]),
    lenenc(state.length),
    state,
  ])
}

export function schemaState(name: string): Buffer {
  const entry = lenencText(name)
  return Buffer.concat([Buffer.from([1]), lenenc(entry.length), entry])
}

/** OceanBase's entry: system variables, a separator, user variables. */
export function variableState(system: Buffer[], user: Buffer[] = []): Buffer {
  const separator = user.length > 0 ? [lenencText('__NULL'), lenencText('__NULL')] : []
  const entry = Buffer.concat([...system, ...separator, ...user])
  return Buffer.concat([Buffer.from([0]), lenenc(entry.length), entry])
}

/** A change of one system variable, as it stands in an OK. */
export function changed(name: string, value: string): Buffer {
  return variableState([lenencText(name), lenencText(value)])
}
