/**
 * A line of the log for a statement whose partition was elsewhere: where it went, why, and its digest.
 * Literals are in no line. So many lines a second; how many there were besides is said by the next.
 * Source: proxy-routing.md §12.1.
 */
import type { ServerSession } from '../backend/server-session.ts'
import type { Clock } from '../base/clock.ts'
import { Digest } from '../sql/digest.ts'
import { serverKey } from '../topology/model.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import type { Errand } from './errand.ts'
import type { CourseParts } from './oceanbase-course.ts'

const MAX_LINES_A_SECOND = 5
const DIGESTED_BYTES = 4096
const SHOWN_CHARACTERS = 512

export class RouteDiagnosis {
  private readonly clock: Clock
  private readonly say: ((line: string) => void) | undefined
  private digest: Digest | undefined
  private second = 0
  private lines = 0
  private unsaid = 0

  constructor(clock: Clock, say: ((line: string) => void) | undefined) {
    this.clock = clock
    this.say = say
  }

  /** A server says that the statement under way belonged elsewhere. */
  missed(parts: CourseParts, errand: Errand, server: ServerSession): void {
    const { say } = this
    if (say === undefined || parts.identity.settings.diagnosisLevel === 0) return
    if (!errand.way.isRouted || !this.isAdmitted()) return
    say(this.line(parts, errand, server))
    this.unsaid = 0
  }

  private isAdmitted(): boolean {
    const second = Math.floor(this.clock.now() / 1000)
    if (second !== this.second) {
      this.second = second
      this.lines = 0
    }
    this.lines += 1
    if (this.lines <= MAX_LINES_A_SECOND) return true
    this.unsaid += 1
    return false
  }

  private line({ identity, memory }: CourseParts, errand: Errand, server: ServerSession): string {
    const { place, decision } = errand.way.walk
    const where = place?.key.split('\0').slice(1).join('.') ?? ''
    const leader = place?.location.leader?.key ?? 'none'
    const facts = [
      `session=${identity.id}`,
      `tenant=${identity.tenant}`,
      `place=${where}`,
      `server=${serverKey(server.address)}`,
      `leader=${leader}`,
      `route=${decision.kind} (${decision.because})`,
      `unsaid=${this.unsaid}`,
      `statement=${this.digestOf(errand, memory.lexerMode)}`,
    ]
    return `partition missed: ${facts.join(', ')}`
  }

  private digestOf({ request, needs }: Errand, mode: number): string {
    const text = needs.prepared?.payload ?? request
    if (text === undefined) return ''
    const from = needs.prepared === undefined ? HEADER_BYTES + 1 : 1
    this.digest ??= new Digest()
    this.digest.read(text, from, Math.min(text.length, from + DIGESTED_BYTES), mode)
    return this.digest.text().slice(0, SHOWN_CHARACTERS)
  }
}
