/**
 * One client connection of a front and its server session: bytes pass both ways with back-pressure,
 * and the front's orders are carried out on commands, in the framing that the login agreed to. An
 * answer that the front makes itself is written at once: it is meant for clients that wait for one
 * answer before they ask again, and it does not deliver session state that came with its question.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { errorPacket, frame, framePackets, MalformedPacket } from './codec.ts'
import { CommandGate, type Course, PASS } from './command-gate.ts'
import type { CommandScan } from './command-scan.ts'
import { COMMAND, readCommand, withUser } from './commands.ts'
import { decideCourse, loginFailure } from './courses.ts'
import type { Seat, Touched, Verdict } from './engine.ts'
import { Foreseeing } from './foreseeing.ts'
import type { Front } from './front.ts'
import { type Lane, ob20Lane, plainLane } from './lanes.ts'
import type { Fate, LedgerEntry } from './ledger.ts'
import { type ClientLogin, parseClientLogin } from './login-codec.ts'
import { FEATURE, featuresIn, LoginWatch } from './login-watch.ts'

/** Bytes that wait for a delay to pass; more stops the client. */
const MAX_DELAYED_BYTES = 1 << 20
/** A login is some hundred bytes; attributes may have 64 KiB. */
const MAX_LOGIN_BYTES = 1 << 20

const FATES: Readonly<Record<Course['kind'], Fate>> = {
  pass: 'passed',
  lose: 'passed',
  replace: 'passed',
  wait: 'passed',
  answer: 'answered',
  drop: 'dropped',
}

/** Entries of commands that the engine has not turned to yet; a client may send ahead. */
const MAX_AHEAD = 10_000

export class Relay implements Seat {
  private readonly client: Socket
  private readonly engine: Duplex
  private readonly front: Front
  private readonly gate: CommandGate
  private lane: Lane | undefined
  private readonly foreseeing: Foreseeing | undefined
  private loginBytes: Buffer = Buffer.alloc(0)
  /** Until the engine has answered the login. */
  private watch: LoginWatch | undefined = new LoginWatch()
  private session = 0
  private clientSession = 0
  isProxy = false
  private isFrozen = false
  /** A command that must be lost is with the engine: the connection ends when it answers. */
  private isLostWhenAnswered = false
  private readonly delayed: { readonly bytes: Buffer; readonly dueAt: number }[] = []
  private delayedBytes = 0
  private timer: NodeJS.Timeout | undefined
  tenant = ''
  private readonly ahead: LedgerEntry[] = []
  /** Of the command that the engine is at. */
  private entry: LedgerEntry | undefined

  constructor(client: Socket, front: Front) {
    this.client = client
    this.front = front
    this.engine = front.engine.connect(this)
    this.gate = new CommandGate({
      decide: command => this.decide(command),
      pass: bytes => this.pass(bytes),
      answer: bytes => this.client.write(bytes),
      drop: () => this.drop(),
      dropWhenAnswered: () => {
        this.isLostWhenAnswered = true
      },
      resume: () => {
        this.guarded(() => this.lane?.resume())
        this.flow()
      },
    })
    const { foresight } = front.engine
    if (foresight !== undefined)
      this.foreseeing = new Foreseeing(front, foresight, { gate: this.gate, party: this })
  }

  start(): void {
    const { client, engine } = this
    client.setNoDelay(true)
    client.on('data', bytes => this.clientBytes(bytes as Buffer))
    engine.on('data', bytes => this.engineBytes(bytes as Buffer))
    client.on('drain', () => this.flow())
    engine.on('drain', () => this.flow())
    client.on('error', () => this.drop())
    engine.on('error', () => this.drop())
    client.on('end', () => engine.end())
    engine.on('end', () => client.end())
    client.on('close', () => this.drop())
    engine.on('close', () => client.destroySoon())
  }

  next(): void {
    this.entry = this.ahead.shift()
  }

  judge(touched: Touched): Verdict {
    const verdict = this.front.judge(this.tenant, touched)
    this.front.ledger.touch(this.entry, touched, verdict)
    return verdict
  }

  drop(): void {
    clearTimeout(this.timer)
    this.delayed.length = 0
    this.client.destroy()
    this.engine.destroy()
  }

  freeze(): void {
    this.isFrozen = true
    this.client.pause()
    this.engine.pause()
  }

  thaw(): void {
    this.isFrozen = false
    this.flow()
  }

  private flow(): void {
    if (this.isFrozen) return
    const isFull = this.engine.writableNeedDrain || this.delayedBytes >= MAX_DELAYED_BYTES
    if (!isFull && !this.gate.isWaiting) this.client.resume()
    if (!this.client.writableNeedDrain) this.engine.resume()
  }

  private clientBytes(bytes: Buffer): void {
    const { order } = this.front
    const delayMs = order.kind === 'delay' ? order.delayMs : 0
    // What comes behind delayed bytes must not overtake them.
    if (delayMs === 0 && this.delayed.length === 0) {
      this.take(bytes)
      return
    }
    this.delayed.push({ bytes, dueAt: performance.now() + delayMs })
    this.delayedBytes += bytes.length
    if (this.delayedBytes >= MAX_DELAYED_BYTES) this.client.pause()
    if (this.delayed.length === 1) this.wait(delayMs)
  }

  private wait(delayMs: number): void {
    this.timer = setTimeout(() => {
      const due = this.delayed.shift()
      if (due === undefined) return
      this.delayedBytes -= due.bytes.length
      this.take(due.bytes)
      this.flow()
      const [next] = this.delayed
      if (next !== undefined) this.wait(Math.max(0, next.dueAt - performance.now()))
    }, delayMs)
  }

  private take(bytes: Buffer): void {
    if (this.client.destroyed) return
    if (this.lane === undefined) this.login(bytes)
    else this.guarded(() => this.lane?.take(bytes))
    if (this.gate.isWaiting) this.client.pause()
  }

  private guarded(what: () => void): void {
    try {
      what()
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error
      // As an OBServer: no packet, the end.
      this.front.violated(error.message)
      this.drop()
    }
  }

  private login(bytes: Buffer): void {
    this.loginBytes = Buffer.concat([this.loginBytes, bytes])
    const { loginBytes } = this
    const end = 4 + (loginBytes.length < 4 ? 0 : loginBytes.readUIntLE(0, 3))
    const isTooLong = end > MAX_LOGIN_BYTES
    if (!isTooLong && (loginBytes.length < 4 || loginBytes.length < end)) return
    const sequence = loginBytes.readUInt8(3)
    const login = isTooLong ? undefined : readLogin(loginBytes.subarray(4, end))
    this.loginBytes = Buffer.alloc(0)
    if (login === undefined) this.refuse(sequence, 1043, 'Bad handshake')
    else if (asksCompression(login)) this.refuse(sequence, 1235, 'a front reads no compression')
    else {
      this.enter(sequence, login)
      if (loginBytes.length > end) this.take(loginBytes.subarray(end))
    }
  }

  private refuse(sequence: number, errno: number, text: string): void {
    this.client.end(frame(sequence + 1, errorPacket(errno, '08S01', text)))
  }

  private enter(sequence: number, login: ClientLogin): void {
    const attribute = (name: string) => login.attributes.get(name)?.toString()
    this.lane = plainLane(this.gate)
    this.isProxy = attribute('__mysql_client_type') === '__ob_proxy'
    this.clientSession = Number(attribute('__client_session_id') ?? 0)
    this.front.counters.logins += 1
    this.tenant = tenantOf(login.user)
    const fault = this.front.faults.meet('login', this.tenant, login.user)
    if (fault !== undefined) {
      this.client.end(framePackets(loginFailure(fault, this.isProxy), sequence + 1))
      return
    }
    if (this.foreseeing !== undefined) this.foreseeing.database = login.database ?? ''
    const user = this.front.engineUser(login.user)
    this.pass(frame(sequence, Buffer.concat([login.head, Buffer.from(user), login.tail])))
  }

  /** The framing changes behind the OK of a login, in both directions at once. */
  private engineBytes(bytes: Buffer): void {
    if (this.isLostWhenAnswered) {
      this.drop()
      return
    }
    const agreed = this.watch?.push(bytes)
    this.session = this.watch?.threadId ?? this.session
    if (agreed !== undefined) {
      this.watch = undefined
      const isOb20 = this.isProxy && (agreed.features & FEATURE.ob20) !== 0
      if (isOb20) this.lane = ob20Lane(this.gate, agreed.threadId)
      this.foreseeing?.begin(isOb20)
      this.toClient(bytes)
    } else this.guarded(() => this.toClient(this.foreseeing?.push(bytes) ?? bytes))
  }

  private toClient(bytes: Buffer): void {
    if (bytes.length > 0 && !this.client.write(bytes)) this.engine.pause()
  }

  private decide({ seen, bytes, isComplete }: CommandScan): Course {
    const command = readCommand(seen, bytes)
    const course =
      command.code === COMMAND.changeUser && isComplete
        ? this.changeUser(seen)
        : decideCourse(command, this.front, this)
    const { server, ledger } = this.front
    const origin = {
      front: `${server.host}:${server.port}`,
      session: this.session,
      client: this.clientSession,
      tenant: this.tenant,
    }
    const entry = ledger.add(origin, command, FATES[course.kind])
    const isPassed = entry.fate === 'passed' && this.front.engine.insides !== undefined
    if (isPassed && this.ahead.length < MAX_AHEAD) this.ahead.push(entry)
    return this.foreseeing?.course(course, command, entry) ?? course
  }

  private changeUser(whole: Buffer): Course {
    const payload = withUser(whole, user => this.front.engineUser(user))
    return payload === undefined ? PASS : { kind: 'replace', payload }
  }

  private pass(bytes: Buffer): void {
    if (!this.engine.write(bytes)) this.client.pause()
  }
}

function tenantOf(user: string): string {
  const at = user.lastIndexOf('@')
  return at < 0 ? 'sys' : user.slice(at + 1)
}

/** Compressed framings hide commands from a front: nothing could be counted any more. */
function asksCompression({ attributes }: ClientLogin): boolean {
  const asked = featuresIn(attributes.get('__proxy_capability_flag')?.toString())
  const isOb20 = (asked & FEATURE.ob20) !== 0
  return (asked & (isOb20 ? FEATURE.ob20Compress : FEATURE.checksum)) !== 0
}

function readLogin(payload: Buffer): ClientLogin | undefined {
  try {
    return parseClientLogin(payload)
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined
    throw error
  }
}
