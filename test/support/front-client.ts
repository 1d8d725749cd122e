/**
 * Clients that speak to a front directly: as a proxy does, with its attributes and its extra OK, or
 * as an ordinary one. Made of the fronts' codec; answers are whole, packet by packet.
 */
import { randomBytes } from 'node:crypto'
import { lenenc, lenencText, type Packet } from '../../infra/local/front/codec.ts'
import { nativeToken } from '../../infra/local/front/login-codec.ts'
import { FEATURE } from '../../infra/local/front/login-watch.ts'
import { type AnswerKind, okStatus, readAnswer } from './front-answer.ts'
import { Ob20Wire } from './front-ob20-wire.ts'
import { RawClient } from './raw-client.ts'

const CAPABILITIES = 0x000f_a201 | 0x0080_0000
const WITH_DATABASE = 0x8
const ATTRIBUTES = 0x10_0000
const STATE_CHANGED = 0x4000
/** PARTITION_TABLE, READ_WEAK, statistics' OK, PL_ROUTE, CLIENT_SESSION_ID_V2. */
export const PROXY_FEATURES = 2565 | 0x20_0000

/** The same and OB 2.0 with everything that it carries. */
export const OB20_FEATURES =
  PROXY_FEATURES |
  FEATURE.ob20 |
  FEATURE.reroute |
  FEATURE.sessionSync |
  FEATURE.newExtra |
  FEATURE.variableSync |
  FEATURE.duplicateSync |
  FEATURE.localFiles |
  FEATURE.feedback

export type FrontLogin = {
  readonly user: string
  readonly password: string
  readonly database?: string
  /** A proxy's login with this id of the client; without it the login is a direct one. */
  readonly clientSessionId?: number
  readonly cluster?: string
  readonly features?: number
  readonly plugin?: string
  /** Leaves `__proxy_scramble` out: the token is made for the constant one. */
  readonly withoutScramble?: boolean
  /** Further flags of the login. */
  readonly clientFlags?: number
}

export type Answered = {
  readonly packets: readonly Packet[]
  readonly first: Buffer
  /** The OK that only proxies get. */
  readonly last: Buffer
}

export class FrontClient {
  readonly raw: RawClient
  private readonly isProxy: boolean
  /** From the greeting. */
  threadId = 0
  serverScramble = Buffer.alloc(0)
  /** What the token was made for. */
  scramble = Buffer.alloc(0)
  version = ''
  /** Once OB 2.0 has been agreed to. */
  ob20: Ob20Wire | undefined

  constructor(at: { readonly host: string; readonly port: number }, isProxy: boolean) {
    this.raw = new RawClient(at.port, at.host)
    this.isProxy = isProxy
  }

  /** Reads the greeting and logs in; the packets that answer, an authentication switch followed. */
  async logIn(login: FrontLogin): Promise<readonly Packet[]> {
    await this.greeting()
    const own = randomBytes(20).map(byte => (byte % 126) + 1)
    const constant = Buffer.from('aaaaaaaabbbbbbbbbbbb')
    const proxied = login.withoutScramble === true ? constant : Buffer.from(own)
    const scramble = this.isProxy ? proxied : this.serverScramble
    this.scramble = scramble
    this.raw.send(1, this.loginPayload(login, scramble))
    const first = await this.raw.next()
    if (first.payload[0] !== 0xfe) return this.entered(login, await this.withExtra(first))
    const switched = first.payload.subarray(first.payload.indexOf(0) + 1, -1)
    this.raw.send(first.sequence + 1, nativeToken(login.password, switched))
    const answers = [first, ...(await this.withExtra(await this.raw.next()))]
    return this.entered(login, answers)
  }

  private entered(login: FrontLogin, answers: readonly Packet[]): readonly Packet[] {
    const isAsked = this.isProxy && ((login.features ?? 0) & FEATURE.ob20) !== 0
    if (isAsked && answers.at(-1)?.payload[0] === 0x00) {
      this.ob20 = new Ob20Wire(this.threadId)
      this.raw.wire = this.ob20
    }
    return answers
  }

  private async greeting(): Promise<void> {
    const { payload } = await this.raw.next()
    const versionEnd = payload.indexOf(0)
    this.version = payload.subarray(1, versionEnd).toString()
    this.threadId = payload.readUInt32LE(versionEnd + 1)
    const low = payload.subarray(versionEnd + 5, versionEnd + 13)
    const high = payload.subarray(versionEnd + 32, versionEnd + 44)
    this.serverScramble = Buffer.concat([low, high])
  }

  private async withExtra(first: Packet): Promise<readonly Packet[]> {
    return this.isProxy && first.payload[0] === 0xff ? [first, await this.raw.next()] : [first]
  }

  private loginPayload(login: FrontLogin, scramble: Buffer): Buffer {
    const head = Buffer.alloc(32)
    const flags =
      CAPABILITIES |
      (login.clientFlags ?? 0) |
      (login.database === undefined ? 0 : WITH_DATABASE) |
      (this.isProxy ? ATTRIBUTES : 0)
    head.writeUInt32LE(flags >>> 0, 0)
    head.writeUInt32LE(1 << 24, 4)
    head.writeUInt8(45, 8)
    const attributes = this.isProxy ? [this.attributes(login, scramble)] : []
    return Buffer.concat([
      head,
      Buffer.from(`${login.user}\0`),
      lenencText(nativeToken(login.password, scramble)),
      Buffer.from(login.database === undefined ? '' : `${login.database}\0`),
      Buffer.from(`${login.plugin ?? 'mysql_native_password'}\0`),
      ...attributes,
    ])
  }

  private attributes(login: FrontLogin, scramble: Buffer): Buffer {
    const hidden = Buffer.from(scramble.map((byte, at) => byte ^ (this.serverScramble[at] ?? 0)))
    const pairs: [string, string | Buffer][] = [
      ['__mysql_client_type', '__ob_proxy'],
      ['__proxy_capability_flag', String(login.features ?? PROXY_FEATURES)],
      ['__cluster_name', login.cluster ?? 'obcluster'],
      ['__client_ip', '127.0.0.1'],
      ['__client_session_id', String(login.clientSessionId ?? 0)],
      ['__proxy_connection_id', '7'],
      ['__proxy_version', '4.3.2.0'],
    ]
    if (login.withoutScramble !== true) pairs.push(['__proxy_scramble', hidden])
    const bytes = Buffer.concat(pairs.flat().map(lenencText))
    return Buffer.concat([lenenc(bytes.length), bytes])
  }

  query(sql: string): Promise<Answered> {
    this.raw.command(0x03, sql)
    return this.answer()
  }

  async prepare(sql: string): Promise<{ id: number; parameters: number; packets: Packet[] }> {
    this.raw.command(0x16, sql)
    const first = await this.raw.next()
    if (first.payload[0] === 0xff) {
      const extra = this.isProxy ? [await this.raw.next()] : []
      return { id: 0, parameters: 0, packets: [first, ...extra] }
    }
    const columns = first.payload.readUInt16LE(5)
    const parameters = first.payload.readUInt16LE(7)
    const definitions = (count: number) => (count === 0 ? 0 : count + 1)
    let left = definitions(columns) + definitions(parameters) + (this.isProxy ? 1 : 0)
    const packets = [first]
    for (; left > 0; left--) packets.push(await this.raw.next())
    return { id: first.payload.readUInt32LE(1), parameters, packets }
  }

  /** Executes with texts as parameters. */
  execute(id: number, texts: readonly string[]): Promise<Answered> {
    const head = Buffer.alloc(9)
    head.writeUInt32LE(id, 0)
    head.writeUInt32LE(1, 5)
    const nulls = Buffer.alloc((texts.length + 7) >> 3)
    const types = texts.length === 0 ? [] : [Buffer.from([1]), ...texts.map(() => TEXT_TYPE)]
    this.raw.command(0x17, Buffer.concat([head, nulls, ...types, ...texts.map(lenencText)]))
    return this.answer()
  }

  /** One whole answer with the OK that a proxy gets behind it. */
  async answer(kind: AnswerKind = 'other'): Promise<Answered> {
    const packets = await readAnswer(() => this.raw.next(), this.isProxy, kind)
    const [first] = packets
    return {
      packets,
      first: first?.payload ?? Buffer.alloc(0),
      last: packets.at(-1)?.payload ?? Buffer.alloc(0),
    }
  }
}

const TEXT_TYPE = Buffer.from([253, 0])

/** Status bits of an OK. */
export function statusOf(ok: Buffer): number {
  if (ok[0] !== 0x00) throw new Error(`no OK: ${ok.subarray(0, 20).toString('hex')}`)
  return okStatus(ok) & ~STATE_CHANGED
}

/** Texts of a text result set, row by row. */
export function rowsOf({ packets }: Answered): (string | null)[][] {
  const firstEof = packets.findIndex(({ payload }) => payload[0] === 0xfe && payload.length < 9)
  const rows: (string | null)[][] = []
  for (const { payload } of packets.slice(firstEof + 1)) {
    if (payload[0] === 0xfe && payload.length < 9) break
    rows.push(cellsOf(payload))
  }
  return rows
}

function cellsOf(payload: Buffer): (string | null)[] {
  const cells: (string | null)[] = []
  let at = 0
  while (at < payload.length) {
    const first = payload.readUInt8(at)
    const wide = first === 0xfc
    const length = wide ? payload.readUInt16LE(at + 1) : first
    at += wide ? 3 : 1
    if (first === 0xfb) cells.push(null)
    else {
      cells.push(payload.subarray(at, at + length).toString())
      at += length
    }
  }
  return cells
}
