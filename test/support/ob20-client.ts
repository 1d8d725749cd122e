/**
 * Speaks OB 2.0 to a server as the proxy does: login by the fronts' codec, then the proxy's framing,
 * whose MySQL bytes the fronts' codec reads again.
 */
import { type Packet, PacketStream } from '../../infra/local/front/codec.ts'
import { Ob20Framing } from '../../proxy-node/backend/framing.ts'
import { agreedCapabilities } from '../../proxy-node/backend/login.ts'
import type { RequestExtra } from '../../proxy-node/wire/extra-info.ts'
import { FrameScratch } from '../../proxy-node/wire/ob20.ts'
import { packet } from '../../proxy-node/wire/writer.ts'
import { type Answered, FrontClient, type FrontLogin } from './front-client.ts'

export type Ob20Answer = Answered & {
  /** Entries of extra info, frame by frame, in order. */
  readonly extra: readonly { readonly type: number; readonly bytes: Buffer }[]
  readonly frames: number
}

export type Ob20Request = {
  readonly extra?: RequestExtra | undefined
  readonly flags?: number
  /** Sends the command in pieces of this size, as one that streams in. */
  readonly pieceBytes?: number
}

type Building = { packets: Packet[]; extra: { type: number; bytes: Buffer }[]; frames: number }

export class Ob20Client {
  readonly front: FrontClient
  readonly framing: Ob20Framing
  readonly capabilities: number
  private readonly stream = new PacketStream()
  private building: Building = { packets: [], extra: [], frames: 0 }
  private readonly answers: Building[] = []
  failure: Error | undefined

  private constructor(front: FrontClient, capabilities: number) {
    this.front = front
    this.capabilities = capabilities
    this.framing = new Ob20Framing(front.threadId, new FrameScratch())
    front.raw.socket.removeAllListeners('data')
    front.raw.socket.on('data', bytes => this.received(bytes as Buffer))
  }

  /** Logs in; `login.features` must have the bits of OB 2.0. */
  static async logIn(
    at: { readonly host: string; readonly port: number },
    login: FrontLogin,
  ): Promise<Ob20Client> {
    const front = new FrontClient(at, true)
    const [ok] = await front.logIn(login)
    if (ok?.payload[0] !== 0x00) throw new Error(`login refused: ${ok?.payload.toString()}`)
    return new Ob20Client(front, agreedCapabilities(ok.payload))
  }

  command(code: number, body: string | Buffer = '', request: Ob20Request = {}): void {
    this.send(packet(0, Buffer.concat([Buffer.from([code]), Buffer.from(body)])), request)
  }

  /** MySQL bytes of one request, headers and all. */
  send(bytes: Uint8Array, { extra, flags = 0, pieceBytes = bytes.length }: Ob20Request): void {
    this.framing.begin(extra, flags)
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes)
      const framed = this.framing.wrap(piece, at + pieceBytes >= bytes.length)
      this.front.raw.socket.write(Buffer.from(framed))
    }
  }

  query(sql: string | Buffer, request: Ob20Request = {}): Promise<Ob20Answer> {
    this.command(0x03, sql, request)
    return this.answer()
  }

  /** The next response, up to its LAST. @throws Error when the connection ends before it. */
  async answer(): Promise<Ob20Answer> {
    const { raw } = this.front
    await raw.until(() => this.answers.length > 0 || raw.isClosed, 'a response')
    const answer = this.answers.shift()
    if (answer === undefined) throw this.failure ?? new Error('the connection ended')
    const { packets, extra, frames } = answer
    const none = Buffer.alloc(0)
    return {
      packets,
      extra,
      frames,
      first: packets[0]?.payload ?? none,
      last: packets.at(-1)?.payload ?? none,
    }
  }

  close(): void {
    this.front.raw.socket.destroy()
  }

  private received(bytes: Buffer): void {
    try {
      this.framing.feed(bytes, this.sink)
    } catch (error) {
      this.failure = error as Error
      this.close()
    }
    this.front.raw.wake()
  }

  private readonly sink = {
    mysql: (bytes: Uint8Array, from: number, to: number) => {
      for (const { sequence, payload } of this.stream.push(Buffer.from(bytes.slice(from, to))))
        this.building.packets.push({ sequence, payload: Buffer.from(payload) })
    },
    extra: (type: number, bytes: Uint8Array) => {
      this.building.extra.push({ type, bytes: Buffer.from(bytes) })
    },
    frameEnded: (isLast: boolean) => {
      this.building.frames += 1
      if (!isLast) return
      this.answers.push(this.building)
      this.building = { packets: [], extra: [], frames: 0 }
    },
  }
}
