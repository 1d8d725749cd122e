/**
 * Cuts what a client sends into commands without collecting them: the head of a command is shown
 * once its first bytes are there, the rest streams. Hot path: see the rules.
 */
import { lengthAt } from '../wire/framing.ts'
import { HEADER_BYTES, MAX_PAYLOAD } from '../wire/protocol.ts'
import { malformed } from '../wire/reader.ts'

/** Command byte and statement id: what tells how much more is wanted. */
const PEEK_BYTES = 5

const NOTHING = new Uint8Array(0)

/** Who says how many bytes of a payload must have come before its command is begun. */
export type Wants = { readonly wanted: (packet: Uint8Array) => number }

export class Requests {
  /**
   * Bytes that came while a command was under way, or of one that is begun when more of it is there: a
   * view of the chunk at hand or of `owned`. Bounded by a chunk, as the client is paused then, and by
   * what a command may want.
   */
  private inbox: Uint8Array = NOTHING
  /** Where bytes are kept between chunks; it grows by doubling, so that each is copied a few times at most. */
  private owned: Uint8Array = NOTHING
  /** What is in the inbox came as it is, and is no part of `owned`. */
  private isChunk = false
  private bodyLeft = 0
  private continues = false
  private sequence = 0
  private isFile = false
  /** The head handed out last is a chunk of its own: who keeps it keeps nothing else. */
  isHeadWhole = false
  /** The next packet is no command but an answer to something the client was asked. */
  private isAnswer = false

  /** Sequence number of the answer to the command under way: one more than its last packet's. */
  get replySequence(): number {
    return (this.sequence + 1) & 0xff
  }

  get waitingBytes(): number {
    return this.inbox.length
  }

  /** True while bytes of the command under way are still to come. */
  get isIncomplete(): boolean {
    return this.bodyLeft > 0 || this.continues || this.isFile
  }

  /** True when the part handed out last ended a request of its own: each packet of a file is one. */
  get isRequestEnd(): boolean {
    return this.bodyLeft === 0 && (this.isFile || !this.continues)
  }

  /** The client sends a file: packets until an empty one belong to the command under way. */
  beginFile(): void {
    this.isFile = true
    this.continues = false
  }

  /** Adds a chunk; it is copied unless it is handed out at once by `head` or `body`. */
  push(chunk: Uint8Array): void {
    const { inbox, owned } = this
    this.isChunk = inbox.length === 0
    if (this.isChunk) {
      this.inbox = chunk
      return
    }
    const end = inbox.byteOffset + inbox.length
    const isRoomy = inbox.buffer === owned.buffer && end + chunk.length <= owned.length
    if (isRoomy) owned.set(chunk, end)
    else this.take(inbox, chunk)
    const from = isRoomy ? inbox.byteOffset : 0
    this.inbox = this.owned.subarray(from, from + inbox.length + chunk.length)
  }

  /** Copies what is left of the chunk, which may be much larger. */
  retain(): void {
    const { inbox } = this
    if (inbox.length === 0) this.owned = NOTHING
    else if (inbox.buffer !== this.owned.buffer) {
      this.owned = inbox.slice()
      this.inbox = this.owned
      this.isChunk = false
    }
  }

  private take(inbox: Uint8Array, chunk: Uint8Array): void {
    const grown = new Uint8Array((inbox.length + chunk.length) * 2)
    grown.set(inbox)
    grown.set(chunk, inbox.length)
    this.owned = grown
  }

  /** The next packet is an answer: it may be empty and has a sequence number of its own. */
  expectAnswer(): void {
    this.isAnswer = true
  }

  /**
   * The first part of the next command with its header, or undefined until enough has come. `course`
   * says how much of the payload that is, of a command whose first bytes it is shown. The bytes are a
   * view. @throws protocol.malformed for a command without a command byte.
   */
  head(course: Wants): Uint8Array | undefined {
    const bytes = this.inbox
    if (bytes.length < HEADER_BYTES) return undefined
    const length = lengthAt(bytes, 0)
    if (!this.isAnswer && length === 0) throw malformed('command without a command byte')
    if (!this.isAnswer && bytes[3] !== 0) throw malformed('sequence number of a command is not 0')
    const visible = bytes.length - HEADER_BYTES
    if (visible < Math.min(length, PEEK_BYTES)) return undefined
    if (visible < length && visible < course.wanted(bytes)) return undefined
    const take = Math.min(bytes.length, HEADER_BYTES + length)
    this.bodyLeft = HEADER_BYTES + length - take
    this.continues = length === MAX_PAYLOAD
    this.sequence = bytes[3] as number
    this.isAnswer = false
    const isAll = take === bytes.length
    this.isHeadWhole = isAll && this.isChunk
    if (isAll) {
      this.inbox = NOTHING
      return bytes
    }
    this.inbox = bytes.subarray(take)
    return bytes.subarray(0, take)
  }

  /** The next part of the command under way, a view; undefined until more has come. */
  body(): Uint8Array | undefined {
    if (this.bodyLeft === 0 && !this.nextPacket()) return undefined
    const take = Math.min(this.inbox.length, this.bodyLeft)
    if (take === 0) return undefined
    const part = this.inbox.subarray(0, take)
    this.inbox = this.inbox.subarray(take)
    this.bodyLeft -= take
    return part
  }

  private nextPacket(): boolean {
    if (!(this.continues || this.isFile) || this.inbox.length < HEADER_BYTES) return false
    const length = lengthAt(this.inbox, 0)
    if (this.isFile && length === 0 && !this.continues) this.isFile = false
    this.sequence = this.inbox[3] as number
    this.bodyLeft = HEADER_BYTES + length
    this.continues = length === MAX_PAYLOAD
    return true
  }
}
