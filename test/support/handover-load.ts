/**
 * Clients that notice everything a hot restart may do to them: some connect anew for each query,
 * some keep a connection with transactions on it. What they count is what the suites judge.
 */
import { connect, type Socket } from 'node:net'
import { frame, type Packet, PacketStream } from '../../infra/local/front/codec.ts'
import { loginPayload } from './raw-client.ts'
import { isAlive, NODE_PATIENCE, type RunningNode, startRunningNode } from './running-node.ts'
import { until } from './until.ts'

const ANSWER_MS = 90_000
const EXIT_TIMEOUT_MS = 3_000
const BEAT_MS = 50
const QUERY = 0x03
const QUIT = 0x01

type Load = {
  /** Logins that succeeded. */
  connects: number
  /** Connection attempts that got no greeting, or were cut or refused before the login's answer. */
  readonly failedConnects: string[]
  /** When a login was ended by the deadline of a restart. */
  readonly cutLoginAt: number[]
  /** Connections that ended before the answer to their first query. */
  lostBeforeQuery: number
  transactions: number
  statements: number
  /** Connections that were closed between transactions, as a drain does. */
  closedBetween: number
  /** When a connection was lost inside a transaction. */
  readonly cutAt: number[]
  /** Answers that belong to no question, waits without end. */
  readonly strange: string[]
  /** The longest that this process, clients and server, did not come to its turn. */
  longestStallMs: number
}

/** `count` hot restarts of a node on `host` under 48 clients that come and go and 200 that stay. */
export async function judged(
  host: string,
  count: number,
): Promise<{
  readonly load: Load
  readonly pids: ReadonlySet<number>
  /** Transactions and logins cut before the deadline. */
  readonly cutEarly: readonly number[]
  readonly longestMs: number
}> {
  // The server of these suites is one busy process among others: waiting for it is not the subject.
  const options = [
    `hot_upgrade_exit_timeout=${EXIT_TIMEOUT_MS * 1000}`,
    'short_async_task_timeout=60s',
  ]
  const node = await startRunningNode(host, options.join(','))
  try {
    const { load, stop } = startLoad({ node, reconnecting: 48, pooled: 200, thinkMs: 250 })
    const restarts = await restartUnderLoad(node, count).catch((error: Error) => {
      throw new Error(`${error.message}; ${JSON.stringify(load)}`, { cause: error })
    })
    await stop()
    const cutEarly = earlyCuts(load, restarts, EXIT_TIMEOUT_MS)
    return { load, pids: new Set(restarts.pids), cutEarly, longestMs: restarts.longestMs }
  } finally {
    await node.stop()
  }
}

/** The end of a connection, as the client saw it. */
class Ended extends Error {
  readonly code: string
  constructor(code: string) {
    super(`the connection ended: ${code}`)
    this.code = code
  }
}

/** One connection; each promise ends with an answer or with `Ended`. */
class Wire {
  private readonly socket: Socket
  private readonly stream = new PacketStream()
  private readonly packets: Packet[] = []
  private end: string | undefined
  private wake: (() => void) | undefined
  /** When the end came, which the client may notice later. */
  endedAt: number | undefined

  constructor(host: string, localAddress: string) {
    this.socket = connect({ host, port: 2883, localAddress })
    this.socket.setNoDelay(true)
    this.socket.on('data', bytes => {
      for (const { sequence, payload } of this.stream.push(bytes as Buffer)) {
        this.packets.push({ sequence, payload: Buffer.from(payload) })
        if (payload[0] === 0xff) this.endedAt ??= Date.now()
      }
      this.wake?.()
    })
    this.socket.on('error', error => this.over((error as NodeJS.ErrnoException).code ?? 'error'))
    this.socket.on('close', () => this.over('closed'))
  }

  async logIn(): Promise<void> {
    await this.answer()
    this.socket.write(frame(1, loginPayload('u')))
    await this.answer()
  }

  /** @throws Ended, also for the error packet that says so. */
  async query(sql: string): Promise<void> {
    this.socket.write(frame(0, Buffer.concat([Buffer.from([QUERY]), Buffer.from(sql)])))
    const first = await this.answer()
    if (first.payload[0] === 0) return
    for (let ends = 0; ends < 2; ) {
      const { payload } = await this.answer()
      if (payload[0] === 0xfe && payload.length < 9) ends += 1
    }
  }

  /** Something came unasked: the proxy says good-bye. */
  get isToldToLeave(): boolean {
    return this.packets.length > 0 || this.end !== undefined
  }

  async quit(): Promise<void> {
    this.socket.write(frame(0, Buffer.from([QUIT])))
    while (this.end === undefined) await this.event()
  }

  destroy(): void {
    this.socket.destroy()
  }

  private async answer(): Promise<Packet> {
    for (;;) {
      const packet = this.packets.shift()
      if (packet !== undefined) {
        if (packet.payload[0] === 0xff) throw new Ended(`error ${packet.payload.readUInt16LE(1)}`)
        return packet
      }
      if (this.end !== undefined) throw new Ended(this.end)
      await this.event()
    }
  }

  private event(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.over('no answer in time'), ANSWER_MS)
      this.wake = () => {
        clearTimeout(timer)
        this.wake = undefined
        resolve()
      }
    })
  }

  private over(code: string): void {
    this.end ??= code
    this.endedAt ??= Date.now()
    this.wake?.()
  }
}

type LoadOptions = {
  readonly node: RunningNode
  readonly reconnecting: number
  readonly pooled: number
  /** Mean pause between two things a client does. */
  readonly thinkMs: number
}

type RunningLoad = { readonly load: Load; readonly stop: () => Promise<void> }

function startLoad({ node, reconnecting, pooled, thinkMs }: LoadOptions): RunningLoad {
  const load: Load = {
    connects: 0,
    failedConnects: [],
    cutLoginAt: [],
    lostBeforeQuery: 0,
    transactions: 0,
    statements: 0,
    closedBetween: 0,
    cutAt: [],
    strange: [],
    longestStallMs: 0,
  }
  let isOver = false
  let beatAt = Date.now()
  const beat = setInterval(() => {
    load.longestStallMs = Math.max(load.longestStallMs, Date.now() - beatAt - BEAT_MS)
    beatAt = Date.now()
  }, BEAT_MS)
  const think = () => new Promise(done => setTimeout(done, thinkMs * (0.5 + Math.random())))
  const open = async (index: number) => {
    // Addresses of their own: the ports of one would not be enough.
    const wire = new Wire(node.host, `127.1.${Math.floor(index / 200)}.${(index % 200) + 1}`)
    try {
      await wire.logIn()
    } catch (error) {
      const isCut = error instanceof Ended && error.code === 'error 1053'
      if (isCut) load.cutLoginAt.push(wire.endedAt ?? Date.now())
      else load.failedConnects.push((error as Error).message)
      wire.destroy()
      await think()
      return undefined
    }
    load.connects += 1
    return wire
  }
  const reconnect = async (index: number) => {
    while (!isOver) {
      const wire = await open(index)
      if (wire === undefined) continue
      try {
        await wire.query('SELECT 1')
        load.statements += 1
        await wire.quit()
      } catch (error) {
        judge(load, error)
        load.lostBeforeQuery += 1
      }
      wire.destroy()
      await think()
    }
  }
  const pool = async (index: number) => {
    while (!isOver) {
      const wire = await open(index)
      if (wire === undefined) continue
      while (!isOver && (await oneTransaction(wire, load, think))) await think()
      wire.destroy()
    }
  }
  const all = [
    ...Array.from({ length: reconnecting }, (_none, index) => reconnect(index)),
    ...Array.from({ length: pooled }, (_none, index) => pool(reconnecting + index)),
  ]
  return {
    load,
    stop: async () => {
      isOver = true
      await Promise.all(all)
      clearInterval(beat)
    },
  }
}

/** False when the connection is gone. */
async function oneTransaction(
  wire: Wire,
  load: Load,
  think: () => Promise<unknown>,
): Promise<boolean> {
  if (wire.isToldToLeave) {
    load.closedBetween += 1
    return false
  }
  let isInside = false
  try {
    await wire.query('BEGIN')
    isInside = true
    for (let statement = 0; statement < 3; statement++) {
      await wire.query('SELECT 1')
      load.statements += 1
      await think()
    }
    await wire.query('COMMIT')
    load.transactions += 1
    return true
  } catch (error) {
    judge(load, error)
    if (isInside) load.cutAt.push(wire.endedAt ?? Date.now())
    else load.closedBetween += 1
    return false
  }
}

/** Of the ways a connection may end, 1053 and a plain close are what a drain does. */
function judge(load: Load, error: unknown): void {
  const code = error instanceof Ended ? error.code : String(error)
  if (code !== 'error 1053' && code !== 'closed') load.strange.push(code)
}

type Restarts = {
  readonly pids: readonly number[]
  /** Epoch milliseconds of each order, in turn. */
  readonly askedAt: readonly number[]
  readonly longestMs: number
}

/** `count` hot restarts one after another, each until the process before is gone. */
async function restartUnderLoad(node: RunningNode, count: number): Promise<Restarts> {
  const pids = [node.pid()]
  const askedAt: number[] = []
  let longestMs = 0
  for (let round = 0; round < count; round++) {
    const before = node.pid()
    const startedAt = Date.now()
    askedAt.push(startedAt)
    await node.restart()
    await until(`restart ${round + 1}`, () => node.pid() !== before, {
      ...NODE_PATIENCE,
      deadlineMs: 180_000,
    })
    await until(`the end of process ${round + 1}`, () => !isAlive(before), {
      ...NODE_PATIENCE,
      deadlineMs: 180_000,
    })
    longestMs = Math.max(longestMs, Date.now() - startedAt)
    pids.push(node.pid())
    // Clients must have been told of the end that came last before the next is ordered.
    await new Promise(done => setTimeout(done, 250))
  }
  return { pids, askedAt, longestMs }
}

/**
 * Transactions and logins cut before the deadline of the restart they fall into. Clients begin to leave when the
 * successor is ready, and that is never before it was asked for.
 */
function earlyCuts(load: Load, { askedAt }: Restarts, exitTimeoutMs: number): readonly number[] {
  return [...load.cutAt, ...load.cutLoginAt].filter(at => {
    const asked = askedAt.findLast(time => time <= at)
    return asked === undefined || at < asked + exitTimeoutMs
  })
}
