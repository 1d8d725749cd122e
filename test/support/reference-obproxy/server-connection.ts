/** A connection to an OBServer as a client of it: greeting, login, then packets as they come. */
import { connect, type Socket } from 'node:net'
import { tokenOf } from './passwords.ts'
import {
  CAPABILITY,
  loginPayload,
  type Packet,
  PacketReader,
  packet,
  parseError,
  parseGreeting,
} from './wire.ts'

const CONNECT_TIMEOUT_MS = 2_000
const SCRAMBLE_BYTES = 20
/** First byte of the protocol's only version; an error packet is none. */
const GREETING = 10

export type ServerAddress = { readonly host: string; readonly port: number }

/** What the server said no with. */
export class ServerError extends Error {
  readonly errno: number

  constructor(errno: number, text: string) {
    super(text)
    this.errno = errno
  }
}

export class ServerConnection {
  readonly address: ServerAddress
  readonly scramble: Buffer
  private readonly socket: Socket
  private readonly reader: PacketReader
  /** Gets every packet from now on. */
  received: (packet: Packet) => void = () => {}
  closed: () => void = () => {}

  private constructor(address: ServerAddress, socket: Socket, first: Greeted) {
    this.address = address
    this.socket = socket
    this.scramble = first.scramble
    this.reader = first.reader
    socket.removeAllListeners('data').removeAllListeners('close')
    socket.on('data', (bytes: Buffer) => {
      for (const next of this.reader.push(bytes)) this.received(next)
    })
    socket.on('close', () => this.closed())
  }

  /** Connects and takes the greeting. @throws ServerError, with number 0 when nobody answers */
  static open(address: ServerAddress): Promise<ServerConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(address)
      const reader = new PacketReader()
      const fail = (text: string) => {
        clearTimeout(timer)
        socket.destroy()
        reject(new ServerError(0, `${address.host}:${address.port}: ${text}`))
      }
      const timer = setTimeout(() => fail('no greeting in time'), CONNECT_TIMEOUT_MS)
      socket.on('error', error => fail(error.message))
      socket.on('close', () => fail('closed'))
      socket.on('data', (bytes: Buffer) => {
        const [greeting] = reader.push(bytes)
        if (greeting === undefined) return
        clearTimeout(timer)
        if (greeting.payload[0] !== GREETING) fail('no greeting')
        else resolve(new ServerConnection(address, socket, greetedBy(greeting, reader)))
      })
    })
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  close(): void {
    this.socket.destroy()
  }
}

type Greeted = { readonly reader: PacketReader; readonly scramble: Buffer }

function greetedBy({ payload }: Packet, reader: PacketReader): Greeted {
  return { reader, scramble: parseGreeting(payload) }
}

/** Logs in as `user` and leaves again. @throws ServerError */
export async function tryLogin(
  address: ServerAddress,
  { user, stage1 }: { readonly user: string; readonly stage1: string },
): Promise<void> {
  const server = await ServerConnection.open(address)
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new ServerError(0, 'no answer in time')),
        CONNECT_TIMEOUT_MS,
      )
      server.closed = () => reject(new ServerError(0, 'closed'))
      server.received = ({ payload, sequence }) => {
        if (payload[0] === 0xfe) {
          const other = payload.subarray(payload.indexOf(0) + 1).subarray(0, SCRAMBLE_BYTES)
          server.write(packet(sequence + 1, tokenOf(stage1, other)))
          return
        }
        clearTimeout(timer)
        if (payload[0] === 0) resolve()
        else {
          const { errno, text } = parseError(payload)
          reject(new ServerError(errno, text))
        }
      }
      server.write(packet(1, proxyroLogin(user, tokenOf(stage1, server.scramble))))
    })
  } finally {
    server.close()
  }
}

function proxyroLogin(user: string, token: Buffer): Buffer {
  const capabilities =
    CAPABILITY.protocol41 |
    CAPABILITY.secureConnection |
    CAPABILITY.pluginAuth |
    CAPABILITY.transactions |
    CAPABILITY.longPassword
  return loginPayload({ capabilities, collation: 45, user, token, database: undefined })
}
