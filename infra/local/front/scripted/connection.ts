/**
 * One connection to the scripted engine as a stream of bytes: commands come out of the framing that
 * its login agreed to and are dealt with one after the other, so that a slow reader slows the writer.
 */
import { Duplex } from 'node:stream'
import { MalformedPacket, PacketStream } from '../codec.ts'
import type { Seat } from '../engine.ts'
import { FLAG, FrameStream, type Ob20Frame, requestExtra } from '../ob20-codec.ts'
import { Conversation } from './conversation.ts'
import { Ob20Reply, type Outlet, PlainReply } from './replies.ts'
import type { World } from './world.ts'

/** Bytes of answers that wait for their reader before a session stops making more. */
const WAITING_BYTES = 64 << 10

export function connectTo(world: World, seat: Seat): Duplex {
  let isClosed = false
  let wake: (() => void) | undefined
  const reading = () => {
    const waiter = wake
    wake = undefined
    waiter?.()
  }
  const outlet = {
    send: (bytes: Buffer) => {
      if (isClosed || stream.destroyed || stream.push(bytes)) return Promise.resolve()
      return new Promise<void>(resolve => {
        wake = resolve
      })
    },
    close: () => {
      if (!isClosed) stream.push(null)
      isClosed = true
    },
  }
  const intake = new Intake(world, outlet, seat)
  const stream = new Duplex({
    readableHighWaterMark: WAITING_BYTES,
    writableHighWaterMark: WAITING_BYTES,
    read: reading,
    write: (chunk: Buffer, _encoding, done) => {
      intake.take(chunk).then(() => done(), done)
    },
    destroy: (error, done) => {
      intake.conversation.end()
      reading()
      done(error)
    },
  })
  intake.conversation.greet().catch(error => stream.destroy(error as Error))
  return stream
}

class Intake {
  readonly conversation: Conversation
  private readonly outlet: Outlet
  private readonly packets = new PacketStream()
  private readonly frames = new FrameStream()
  private isInside = false
  private isInformed = false

  constructor(world: World, outlet: Outlet, seat: Seat) {
    this.outlet = outlet
    this.conversation = new Conversation(world, outlet, seat)
  }

  /** @throws MalformedPacket for a frame that ends the connection without a packet */
  async take(chunk: Buffer): Promise<void> {
    if (this.conversation.isOb20) {
      for (const frame of this.frames.push(chunk)) await this.takeFrame(frame)
      return
    }
    for (const packet of this.packets.push(chunk))
      await this.conversation.packet(packet, new PlainReply(this.outlet, packet.sequence + 1))
  }

  private async takeFrame(frame: Ob20Frame): Promise<void> {
    const { threadId: connectionId } = this.conversation
    if (frame.connectionId !== connectionId) throw new MalformedPacket('wrong connection id')
    if (!this.isInside) this.isInformed = false
    const info = requestExtra(frame)
    // The first of a request is the one that counts, whichever frame it is in.
    if (info.length > 0 && !this.isInformed) this.conversation.inform(info)
    this.isInformed ||= info.length > 0
    this.isInside = (frame.flags & FLAG.last) === 0
    this.conversation.readWeakly((frame.flags & FLAG.weakRead) !== 0)
    for (const packet of this.packets.push(frame.body)) {
      const to = {
        connectionId,
        requestId: frame.requestId,
        lastSequence: packet.sequence,
        lastPacketSequence: frame.packetSequence,
      }
      await this.conversation.packet(packet, new Ob20Reply(this.outlet, to))
    }
  }
}
