/**
 * Where the commands of a client pass to the engine, or do not: each is held until enough of it has
 * been seen to decide its course, and then its bytes go on as they come, unchanged.
 */
import { frame, framePackets } from './codec.ts'
import { CommandScan } from './command-scan.ts'

/** What becomes of a command. */
export type Course =
  | { readonly kind: 'pass' }
  /** Another payload goes on in its place. */
  | { readonly kind: 'replace'; readonly payload: Buffer }
  /** The front answers with these payloads, the engine never sees it. */
  | { readonly kind: 'answer'; readonly payloads: () => Payloads }
  /** It is decided later, of a command that is complete. */
  | { readonly kind: 'wait'; readonly course: Promise<Decided> }
  /** The connection ends instead: the engine never sees it. */
  | { readonly kind: 'drop' }
  /** The connection ends when it has been passed on, or when the engine has carried it out. */
  | { readonly kind: 'lose'; readonly when: 'passed' | 'answered' }

/** A course that can be taken at once. */
export type Decided = Exclude<Course, { kind: 'wait' }>

export type Payloads = readonly Buffer[] | Promise<readonly Buffer[]>

export const PASS: Decided = { kind: 'pass' }

export type GatePorts = {
  readonly decide: (command: CommandScan) => Course
  readonly pass: (bytes: Buffer) => void
  readonly answer: (bytes: Buffer) => void
  readonly drop: () => void
  readonly dropWhenAnswered: () => void
  /** What was decided later has been done: the next command may come. */
  readonly resume: () => void
}

/** Puts MySQL packets on the wire, for the command that is complete. */
export type Framing = {
  readonly answer: (stream: Buffer) => Buffer
  readonly request: (stream: Buffer) => Buffer
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first] = parts
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
}

export class CommandGate {
  readonly scan = new CommandScan()
  private readonly ports: GatePorts
  private held: Buffer[] = []
  private course: Decided | undefined
  /** The sequence that content goes on with; undefined when no content is coming. */
  private contentSequence: number | undefined
  isOver = false
  /** A course is not known yet: nothing more may come. */
  isWaiting = false
  /** Of the frame that comes next, in OB 2.0. */
  requestId = 0
  /** What the frame that brings the command says: its SELECTs read weakly. */
  isWeak = false

  constructor(ports: GatePorts) {
    this.ports = ports
  }

  /** `bytes` brought the scan to where it is; `framing` is asked for when the command is complete. */
  forward(bytes: Buffer, framing: () => Framing): void {
    this.held.push(bytes)
    if (this.course === undefined && this.scan.isSeen) {
      const course = this.decide()
      if (course.kind === 'wait') {
        this.wait(course.course, framing)
        return
      }
      this.course = course
    }
    if (this.course !== undefined) this.act(this.course, framing)
  }

  private wait(course: Promise<Decided>, framing: () => Framing): void {
    this.isWaiting = true
    const decided = (found: Decided) => {
      this.isWaiting = false
      if (this.isOver) return
      this.course = found
      this.act(found, framing)
      this.ports.resume()
    }
    course.then(decided, () => this.end())
  }

  private act(course: Decided, framing: () => Framing): void {
    const { held, ports } = this
    this.held = []
    if (course.kind === 'drop') this.end()
    else if (course.kind === 'pass' || course.kind === 'lose') ports.pass(joined(held))
    if (this.isOver || !this.scan.isComplete) return
    this.complete(course, framing)
  }

  private end(): void {
    this.isOver = true
    this.ports.drop()
  }

  private complete(course: Decided, framing: () => Framing): void {
    if (course.kind === 'answer') this.answer(course.payloads(), framing())
    if (course.kind === 'replace')
      this.ports.pass(framing().request(frame(this.scan.firstSequence, course.payload)))
    if (course.kind === 'lose' && course.when === 'passed') this.end()
    if (course.kind === 'lose' && course.when === 'answered') this.ports.dropWhenAnswered()
    this.course = undefined
    this.scan.next()
  }

  private answer(payloads: Payloads, framing: Framing): void {
    const sequence = this.scan.lastSequence + 1
    const write = (all: readonly Buffer[]) =>
      this.ports.answer(framing.answer(framePackets(all, sequence)))
    if (payloads instanceof Promise) payloads.then(write, () => this.end())
    else write(payloads)
  }

  private decide(): Course {
    if (!this.isContent()) return this.ports.decide(this.scan)
    return PASS
  }

  /**
   * The answer to an authentication switch and the content of a local file are numbered on from what
   * asked for them: their first bytes are no command. Numbers start again at 0 after 255; an empty
   * packet ends a file.
   */
  private isContent(): boolean {
    const { firstSequence, seen } = this.scan
    const isContent = firstSequence !== 0 || this.contentSequence === 0
    const isOpen = isContent && seen.length > 0
    this.contentSequence = isOpen ? (this.scan.lastSequence + 1) & 0xff : undefined
    return isContent
  }
}
