/** A client's bytes on their way to the gate, in the two framings of a connection. */
import { MalformedPacket } from './codec.ts'
import type { CommandGate } from './command-gate.ts'
import {
  answerFrames,
  buildFrame,
  FLAG,
  FrameStream,
  type Ob20Frame,
  requestExtra,
} from './ob20-codec.ts'

export type Lane = {
  /** @throws MalformedPacket for what a server closes the connection for */
  readonly take: (bytes: Buffer) => void
  /** Goes on with what was left while the gate waited. @throws MalformedPacket */
  readonly resume: () => void
}

export function plainLane(gate: CommandGate): Lane {
  const framing = () => ({ answer: same, request: same })
  let left: Buffer = NOTHING
  const go = (bytes: Buffer) => {
    let at = 0
    while (at < bytes.length && !gate.isOver && !gate.isWaiting) {
      const end = gate.scan.advance(bytes, at)
      gate.forward(bytes.subarray(at, end), framing)
      at = end
    }
    left = at < bytes.length ? bytes.subarray(at) : NOTHING
  }
  return {
    take: bytes => {
      if (gate.isWaiting || left.length > 0) left = Buffer.concat([left, bytes])
      else go(bytes)
    },
    resume: () => go(left),
  }
}

const NOTHING = Buffer.alloc(0)

function same(stream: Buffer): Buffer {
  return stream
}

/** Frames pass whole and unchanged; `connectionId` is the one of the engine's greeting. */
export function ob20Lane(gate: CommandGate, connectionId: number): Lane {
  const frames = new FrameStream()
  let isInside = false
  let expected = 0
  /** The first of the request: the one that a server believes. */
  let extra: Buffer | undefined
  const framingOf = (frame: Ob20Frame) => () => {
    const to = {
      connectionId,
      requestId: frame.requestId,
      lastSequence: gate.scan.lastSequence,
      lastPacketSequence: frame.packetSequence,
    }
    const flags = frame.flags | (extra === undefined ? 0 : FLAG.newExtra)
    const first = extra
    return {
      answer: (stream: Buffer) => answerFrames(stream, to),
      // The answer goes on from the last frame's number: the only one has it now.
      request: (stream: Buffer) => buildFrame({ ...frame, flags, extra: first, body: stream }),
    }
  }
  const takeFrame = (frame: Ob20Frame) => {
    if (frame.connectionId !== connectionId) throw new MalformedPacket('wrong connection id')
    if (isInside && frame.packetSequence !== expected)
      throw new MalformedPacket('a frame of the request is missing')
    requestExtra(frame)
    if (gate.scan.advance(frame.body, 0) < frame.body.length)
      throw new MalformedPacket('two commands in one frame')
    extra = isInside ? (extra ?? frame.extra) : frame.extra
    isInside = !gate.scan.isComplete
    expected = (frame.packetSequence + 1) & 0xff
    gate.requestId = frame.requestId
    gate.isWeak = (frame.flags & FLAG.weakRead) !== 0
    gate.forward(frame.bytes, framingOf(frame))
  }
  const left: Ob20Frame[] = []
  const resume = () => {
    while (!gate.isOver && !gate.isWaiting) {
      const frame = left.shift()
      if (frame === undefined) return
      takeFrame(frame)
    }
  }
  return {
    take: bytes => {
      left.push(...frames.push(bytes))
      resume()
    },
    resume,
  }
}
