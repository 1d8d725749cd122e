/**
 * Follows a client's MySQL stream command by command and keeps no more of one than what is looked
 * at, whatever its length and however it is cut.
 */
import { LARGEST_PAYLOAD_BYTES } from './codec.ts'

/** What is looked at of a command. */
export const SEEN_BYTES = 4096
const HEADER_BYTES = 4

export class CommandScan {
  private readonly header = Buffer.alloc(HEADER_BYTES)
  private headerBytes = 0
  private leftBytes = 0
  private isContinued = false
  private beginning: Buffer = Buffer.alloc(0)
  private first: number | undefined
  /** Of the packet that came last. */
  lastSequence = 0
  /** Payload bytes so far. */
  bytes = 0
  isComplete = false

  /** Takes bytes up to the end of the command; where it stopped. */
  advance(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length && !this.isComplete)
      at =
        this.headerBytes < HEADER_BYTES ? this.readHeader(bytes, at) : this.readPayload(bytes, at)
    return at
  }

  /** Forgets the command that is complete. */
  next(): void {
    this.headerBytes = 0
    this.first = undefined
    this.beginning = Buffer.alloc(0)
    this.bytes = 0
    this.isComplete = false
  }

  /** Enough is there to decide on: the beginning, or all of a short one. */
  get isSeen(): boolean {
    return this.isComplete || this.beginning.length === SEEN_BYTES
  }

  /** The first bytes, at most `SEEN_BYTES`. */
  get seen(): Buffer {
    return this.beginning
  }

  /** Of the command's first packet: 0, unless it is no command but content that was asked for. */
  get firstSequence(): number {
    return this.first ?? 0
  }

  private readHeader(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + HEADER_BYTES - this.headerBytes)
    bytes.copy(this.header, this.headerBytes, at, end)
    this.headerBytes += end - at
    if (this.headerBytes < HEADER_BYTES) return end
    this.leftBytes = this.header.readUIntLE(0, 3)
    this.isContinued = this.leftBytes === LARGEST_PAYLOAD_BYTES
    this.lastSequence = this.header.readUInt8(3)
    this.first ??= this.lastSequence
    if (this.leftBytes === 0) this.isComplete = true
    return end
  }

  private readPayload(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.leftBytes)
    this.keep(bytes.subarray(at, end))
    this.bytes += end - at
    this.leftBytes -= end - at
    if (this.leftBytes > 0) return end
    if (this.isContinued) this.headerBytes = 0
    else this.isComplete = true
    return end
  }

  private keep(part: Buffer): void {
    const room = SEEN_BYTES - this.beginning.length
    if (room > 0) this.beginning = Buffer.concat([this.beginning, part.subarray(0, room)])
  }
}
