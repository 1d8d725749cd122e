/** A MySQL client of bytes: what drivers never do, suites of bad clients must. */
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import {
  frame,
  lenenc,
  lenencText,
  type Packet,
  PacketStream,
} from '../../infra/local/front/codec.ts'

const DEADLINE_MS = 15_000
/** PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, TRANSACTIONS, MULTI_STATEMENTS and results. */
const CAPABILITIES = 0x000f_a201
const WITH_DATABASE = 0x8
const SSL = 0x800
const CONNECT_ATTRS = 0x10_0000

/** What lies around the MySQL stream; nothing, unless a suite puts something there. */
export type Wire = {
  readonly encode: (stream: Buffer) => Buffer
  readonly decode: (bytes: Buffer) => Buffer
}

export class RawClient {
  socket: Socket
  readonly packets: Packet[] = []
  isClosed = false
  wire: Wire | undefined
  private readonly stream = new PacketStream()
  private waiters: (() => void)[] = []

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect(port, host)
    this.socket.setNoDelay(true)
    this.socket.on('error', () => {})
    this.socket.on('data', this.took)
    this.socket.on('close', () => {
      this.isClosed = true
      this.wake()
    })
  }

  /**
   * Goes on under TLS behind `request`: `send` puts request and first flight on the wire, as one
   * segment when absent.
   */
  async secure(
    request: Buffer = sslRequest(),
    send: (socket: Socket, first: Buffer) => void = (socket, first) => socket.write(first),
  ): Promise<TLSSocket> {
    const plain = this.socket
    let isFirst = true
    const wire = new Duplex({
      read() {},
      write(bytes: Buffer, _encoding, done) {
        if (isFirst) {
          isFirst = false
          send(plain, Buffer.concat([request, bytes]))
          done()
        } else if (plain.write(bytes)) done()
        else plain.once('drain', () => done())
      },
      final(done) {
        plain.end()
        done()
      },
    })
    plain.off('data', this.took)
    plain.on('data', bytes => wire.push(bytes))
    plain.on('close', () => wire.push(null))
    const secure = connectTls({ socket: wire, rejectUnauthorized: false })
    secure.on('error', () => this.wake())
    secure.on('data', this.took)
    let isOver = false
    secure.once('secureConnect', () => {
      isOver = true
      this.wake()
    })
    this.socket = secure
    await this.until(() => isOver || this.isClosed, 'the handshake')
    return secure
  }

  /** The next packet. @throws Error at the deadline, or when the connection ends before it. */
  async next(): Promise<Packet> {
    await this.until(() => this.packets.length > 0 || this.isClosed, 'a packet')
    const packet = this.packets.shift()
    if (packet === undefined) throw new Error('the connection ended')
    return packet
  }

  closed(): Promise<void> {
    return this.until(() => this.isClosed, 'the end of the connection')
  }

  /** Resolves when `condition` holds after some event of this client. */
  until(condition: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), DEADLINE_MS)
      const check = () => {
        if (!condition()) {
          this.waiters.push(check)
          return
        }
        clearTimeout(timer)
        resolve()
      }
      check()
    })
  }

  private readonly took = (bytes: Buffer | string): void => {
    for (const packet of this.stream.push(this.decoded(bytes as Buffer)))
      this.packets.push({ sequence: packet.sequence, payload: Buffer.from(packet.payload) })
    this.wake()
  }

  /** Reads the greeting and logs in without a password; the packet that answers. */
  async logIn(user: string, database = ''): Promise<Packet> {
    await this.next()
    this.socket.write(frame(1, loginPayload(user, database)))
    return this.next()
  }

  command(code: number, body: string | Buffer = ''): void {
    this.send(0, Buffer.concat([Buffer.from([code]), Buffer.from(body)]))
  }

  /** One payload, numbered from `sequence` on. */
  send(sequence: number, payload: Buffer): void {
    const stream = frame(sequence, payload)
    this.socket.write(this.wire?.encode(stream) ?? stream)
  }

  private decoded(bytes: Buffer): Buffer {
    return this.wire?.decode(bytes) ?? bytes
  }

  /** Packets of a text result set of one column: the rows' first bytes and the last packet. */
  async query(sql: string): Promise<Packet[]> {
    this.command(0x03, sql)
    return this.answer()
  }

  /** One whole answer: an OK, an ERR, or a result set up to its second EOF. */
  async answer(): Promise<Packet[]> {
    const packets: Packet[] = []
    let ends = 0
    for (;;) {
      const packet = await this.next()
      packets.push(packet)
      const first = packet.payload[0]
      if (packets.length === 1 && (first === 0x00 || first === 0xff)) return packets
      if (first === 0xff) return packets
      if (first === 0xfe && packet.payload.length < 9) ends += 1
      if (ends === 2) return packets
    }
  }

  /** Looks again at what is waited for. */
  wake(): void {
    const { waiters } = this
    this.waiters = []
    for (const waiter of waiters) waiter()
  }
}

/** The head of a login with the SSL flag, as a packet. */
export function sslRequest(): Buffer {
  const head = Buffer.alloc(32)
  head.writeUInt32LE(CAPABILITIES | SSL, 0)
  head.writeUInt32LE(1 << 24, 4)
  head.writeUInt8(45, 8)
  return frame(1, head)
}

/** The same as old JDBC drivers send it: flags alone. */
export function shortSslRequest(): Buffer {
  return frame(1, sslRequest().subarray(4, 8))
}

/** A login with attributes. */
export function loginWith(user: string, attributes: Readonly<Record<string, string>>): Buffer {
  const login = loginPayload(user)
  login.writeUInt32LE(login.readUInt32LE(0) | CONNECT_ATTRS, 0)
  const pairs = Object.entries(attributes).flatMap(([key, value]) => [
    lenencText(key),
    lenencText(value),
  ])
  const block = Buffer.concat(pairs)
  return Buffer.concat([login, lenenc(block.length), block])
}

export function loginPayload(user: string, database = ''): Buffer {
  const head = Buffer.alloc(32)
  head.writeUInt32LE(CAPABILITIES | (database === '' ? 0 : WITH_DATABASE), 0)
  head.writeUInt32LE(1 << 24, 4)
  head.writeUInt8(45, 8)
  return Buffer.concat([
    head,
    Buffer.from(`${user}\0\0`),
    Buffer.from(database === '' ? '' : `${database}\0`),
    Buffer.from('mysql_native_password\0'),
  ])
}

/** Number and text of an ERR packet. */
export function errorOf(packet: Packet | undefined): { errno: number; text: string } {
  const payload = packet?.payload ?? Buffer.alloc(0)
  if (payload[0] !== 0xff)
    throw new Error(`no ERR packet: ${payload.subarray(0, 20).toString('hex')}`)
  return { errno: payload.readUInt16LE(1), text: payload.subarray(9).toString() }
}
