/**
 * What one answer after another teaches about the session: its OK, the blobs that came beside it, and
 * where the values of user variables are. Source: proxy-protocol.md §3.3, §4.6.
 */
import type { ServerSession } from '../backend/server-session.ts'
import type { Statement } from '../sql/classify.ts'
import { setsPlainValues } from '../sql/plain-set.ts'
import { FLAG } from '../sql/words.ts'
import { EXTRA, eachEntry, lockSessionOf } from '../wire/extra-info.ts'
import type { OkPacket } from '../wire/ok.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import type { SessionMemory } from './memory.ts'
import { PINS } from './pins.ts'

const NO_BLOBS: [number, Uint8Array][] = []

/** The command that was answered, as far as it was kept. */
type Answered = {
  readonly meaning: Statement | undefined
  readonly request: Uint8Array | undefined
}

export class Learner {
  private readonly memory: SessionMemory
  private blobs: [number, Uint8Array][] = NO_BLOBS
  /** Where user variables last changed. */
  private valuesOn: ServerSession | undefined
  /** Of the answer that is learned from; one for all of them. */
  private readonly context = { afterError: false, isPlain: false, blobs: NO_BLOBS }

  constructor(memory: SessionMemory) {
    this.memory = memory
  }

  /** Extra info of the answer under way: a view, so what is of interest is copied. */
  extra(server: ServerSession, type: number, bytes: Uint8Array): void {
    if (type === EXTRA.sessionState) {
      eachEntry(bytes, (kind, blob) => {
        if (this.blobs === NO_BLOBS) this.blobs = []
        this.blobs.push([kind, blob.slice()])
      })
    } else if (type === EXTRA.fullTrace) {
      // For the servers that the session goes to next; this one has it.
      this.memory.fullTrace = bytes.slice()
      server.delivered.fullTrace = this.memory.fullTrace
    } else if (type === EXTRA.feedback) {
      const holds = lockSessionOf(bytes)
      if (holds !== undefined) this.memory.setPin(PINS.userLocks.bit, holds)
    }
  }

  /** Takes in the OK that ended an answer; undefined when it says nothing but its status. @throws session.memory */
  learn(server: ServerSession, ok: Uint8Array, answered: Answered): OkPacket | undefined {
    const { context } = this
    context.afterError = server.tracker.errorCode !== 0
    context.isPlain = this.isPlainSet(answered)
    context.blobs = this.blobs
    const learned = this.memory.learn(ok, server.delivered, context)
    if (learned !== undefined && learned.userVariables.size > 0) this.valuesOn = server
    this.blobs = NO_BLOBS
    context.blobs = NO_BLOBS
    return learned
  }

  /** Where user variables can be asked about that `server` needs to be told. */
  sourceFor(server: ServerSession): ServerSession | undefined {
    const { memory, valuesOn } = this
    return memory.user?.hasGuesses === true && server !== valuesOn ? valuesOn : undefined
  }

  private isPlainSet({ meaning, request }: Answered): boolean {
    if (meaning?.verb !== 'set' || (meaning.flags & FLAG.variables) === 0) return false
    return (
      request !== undefined && setsPlainValues(request, HEADER_BYTES + 1, this.memory.lexerMode)
    )
  }
}
