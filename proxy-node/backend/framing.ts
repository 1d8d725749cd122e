/**
 * How MySQL bytes travel to one server: as they are, or in frames of OB 2.0. A server session speaks
 * MySQL above and one of these below; which one the login OK decides.
 * Hot path: see the rules. Source: proxy-protocol.md §2.3, §3.4.
 */
import type { RequestExtra } from '../wire/extra-info.ts'
import { type FrameScratch, Ob20Reader, type Ob20Sink, Ob20Writer } from '../wire/ob20.ts'
import { OB20_CAPABILITY } from '../wire/protocol.ts'

export type Framing = {
  /** OB 2.0: extra info can travel, and `frameEnded(true, …)` ends a response. */
  readonly isOb20: boolean
  /** Begins a command; plain framing has no place for `extra` and `flags`. */
  readonly begin: (extra?: RequestExtra, flags?: number) => void
  /** What to write for the next MySQL bytes of the command; valid until the next call on any server. */
  readonly wrap: (mysql: Uint8Array, isLast: boolean) => Uint8Array
  /** Takes what the server sent apart; its bytes may be moved. @throws protocol.malformed */
  readonly feed: (chunk: Uint8Array, sink: Ob20Sink) => void
}

/** One for all servers: it keeps nothing. */
export const PLAIN_FRAMING: Framing = {
  isOb20: false,
  begin: () => {},
  wrap: mysql => mysql,
  feed: (chunk, sink) => sink.mysql(chunk, 0, chunk.length),
}

export class Ob20Framing implements Framing {
  readonly isOb20 = true
  private readonly writer: Ob20Writer
  private readonly reader: Ob20Reader

  /** `threadId` is the one of the server's greeting. */
  constructor(threadId: number, scratch: FrameScratch) {
    this.writer = new Ob20Writer(threadId, scratch)
    this.reader = new Ob20Reader(threadId, this.writer)
  }

  begin(extra?: RequestExtra, flags = 0): void {
    this.writer.begin(extra, flags)
    this.reader.begin()
  }

  wrap(mysql: Uint8Array, isLast: boolean): Uint8Array {
    return this.writer.frames(mysql, isLast)
  }

  feed(chunk: Uint8Array, sink: Ob20Sink): void {
    this.reader.feed(chunk, sink)
  }
}

/**
 * What a server speaks behind its login OK, by the capabilities that it agreed to. Frames with the
 * old layout of extra info are not implemented: such a server is logged into again without OB 2.0.
 */
export function framingOf(agreed: number): 'plain' | 'ob20' | 'ask-for-plain' {
  if ((agreed & OB20_CAPABILITY.framing) === 0) return 'plain'
  return (agreed & OB20_CAPABILITY.newExtraInfo) === 0 ? 'ask-for-plain' : 'ob20'
}
