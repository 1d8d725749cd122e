/** A MySQL client of bytes: what drivers never do, suites of bad clients must. */
import { connect, type Socket } from 'node:net'
import { frame, type Packet, PacketStream } from '../../infra/local/front/codec.ts'

const DEADLINE_MS = 15_000
/** PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, TRANSACTIONS, MULTI_STATEMENTS and results. */
const CAPABILITIES = 0x000f_a201
const WITH_DATABASE = 0x8

/** What lies around the MySQL stream; nothing, unless a suite puts something there. */
export type Wire = {
  readonly encode: (stream: Buffer) => Buffer
  readonly decode: (bytes: Buffer) => Buffer
}

export class RawClient {
  readonly socket: Socket
  readonly packets: Packet[] = []
  isClosed = false
  wire: Wire | undefined
  private readonly stream = new PacketStream()
  private waiters: (() => void)[] = []

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect(port, host)
    this.socket.setNoDelay(true)
    this.socket.on('error', () => {})
    this.socket.on('data', bytes => {
      for (const packet of this.stream.push(this.decoded(bytes as Buffer)))
        this.packets.push({ sequence: packet.sequence, payload: Buffer.from(packet.payload) })
      this.wake()
    })
    this.socket.on('close', () => {
      this.isClosed = true
      this.wake()
    })
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
