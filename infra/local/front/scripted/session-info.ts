/**
 * Session state in the extra info of OB 2.0: what a session tells when it has changed, and what it
 * takes over from another. The encodings are this engine's own; user variables, FOUND_ROWS(),
 * prepared statements, temporary tables and locks are in none of them.
 * Source: proxy-protocol.md §3.3.1, proxy-protocol-tried.md A2, A6, A10, A11, C1.
 */
import { MalformedPacket } from '../codec.ts'
import { FEATURE } from '../login-watch.ts'
import { EXTRA, readTlvs, type Tlv, writeTlvs } from '../ob20-codec.ts'
import type { Session } from './session.ts'
import type { Variables } from './variables.ts'

const BLOB = {
  applicationInfo: 0,
  applicationContext: 1,
  clientIdentifier: 2,
  controlInfo: 3,
  variables: 4,
  rowCount: 7,
}
const IS_LOCK_SESSION = 0

type Codec = {
  readonly encode: (session: Session) => string
  /** @throws MalformedPacket */
  readonly apply: (session: Session, text: string) => void
}

const CODECS: ReadonlyMap<number, Codec> = new Map([
  [
    BLOB.applicationInfo,
    {
      encode: ({ context }) => JSON.stringify([context.module, context.action]),
      apply: ({ context }, text) => {
        const [module, action] = texts(text)
        context.module = module ?? ''
        context.action = action ?? ''
      },
    },
  ],
  [
    BLOB.applicationContext,
    {
      encode: ({ context }) => JSON.stringify([...context.attributes].flat()),
      apply: ({ context }, text) => {
        context.attributes.clear()
        const all = texts(text)
        for (let at = 0; at + 1 < all.length; at += 2)
          context.attributes.set(all[at] ?? '', all[at + 1] ?? '')
      },
    },
  ],
  [
    BLOB.clientIdentifier,
    {
      encode: ({ context }) => context.clientIdentifier,
      apply: ({ context }, text) => {
        context.clientIdentifier = text
      },
    },
  ],
  [
    BLOB.variables,
    {
      encode: ({ variables }) => JSON.stringify(variables.delta()),
      apply: ({ variables }, text) => variables.restore(pairs(text)),
    },
  ],
  [
    BLOB.rowCount,
    {
      encode: ({ rowCount }) => String(rowCount),
      apply: (session, text) => {
        if (!/^-?\d+$/.test(text)) throw new MalformedPacket('a malformed blob')
        session.rowCount = Number(text)
      },
    },
  ],
])

export class SessionInfo {
  private readonly session: Session
  private readonly features: number
  /** What the other end was told last, or told itself. */
  private readonly told = new Map<number, string>()
  private toldLocked = false
  private isControlDue = true
  /** Variables as they were told last: most statements change none. */
  private variables: Variables | undefined
  private revision = -1

  constructor(session: Session, features: number) {
    this.session = session
    this.features = features
    for (const [type, { encode }] of CODECS)
      if (type !== BLOB.variables) this.told.set(type, encode(session))
  }

  /** What goes with the first packet of a response of several: control info, once. */
  first(): readonly Tlv[] {
    const blobs = this.control()
    return blobs.length === 0 ? [] : [sessionBlobs(blobs)]
  }

  private control(): readonly Tlv[] {
    if (!this.isControlDue || !this.has(FEATURE.sessionSync)) return []
    this.isControlDue = false
    return [{ type: BLOB.controlInfo, value: Buffer.from('trace') }]
  }

  /** Whether the session holds locks, when that has changed. */
  feedback(): readonly Tlv[] {
    const isLocked = this.session.locksHeld > 0
    if (isLocked === this.toldLocked || !this.has(FEATURE.feedback)) return []
    this.toldLocked = isLocked
    const value = Buffer.from(isLocked ? '1' : '0')
    return [{ type: EXTRA.feedback, value: writeTlvs([{ type: IS_LOCK_SESSION, value }]) }]
  }

  /** What has changed, for the last packet; variables wait for a response without error (A10). */
  last(isError: boolean): readonly Tlv[] {
    if (!this.has(FEATURE.sessionSync)) return []
    const blobs: Tlv[] = [...this.control()]
    for (const [type, { encode }] of CODECS) {
      if (type === BLOB.variables && (isError || !this.areVariablesDue())) continue
      const text = encode(this.session)
      if (text === this.told.get(type)) continue
      this.told.set(type, text)
      blobs.push({ type, value: Buffer.from(text) })
    }
    return blobs.length === 0 ? [] : [sessionBlobs(blobs)]
  }

  private areVariablesDue(): boolean {
    const { variables } = this.session
    if (!this.has(FEATURE.variableSync)) return false
    const isDue = variables !== this.variables || variables.revision !== this.revision
    this.variables = variables
    this.revision = variables.revision
    return isDue
  }

  /** Takes over what a request brings; types that this engine has nothing of are passed by. */
  apply(info: readonly Tlv[]): void {
    for (const { type, value } of info) {
      if (type !== EXTRA.session) continue
      for (const blob of readTlvs(value)) {
        const codec = CODECS.get(blob.type)
        if (codec === undefined) continue
        const text = blob.value.toString()
        codec.apply(this.session, text)
        this.told.set(blob.type, text)
      }
    }
  }

  private has(feature: number): boolean {
    const needed = FEATURE.ob20 | FEATURE.newExtra | feature
    return (this.features & needed) === needed
  }
}

function sessionBlobs(blobs: readonly Tlv[]): Tlv {
  return { type: EXTRA.session, value: writeTlvs(blobs) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MalformedPacket('a malformed blob', { cause })
  }
}

function texts(text: string): readonly string[] {
  const value = parsed(text)
  if (!Array.isArray(value)) throw new MalformedPacket('a malformed blob')
  return value.map(String)
}

function pairs(text: string): ReadonlyMap<string, string | number> {
  const value = parsed(text)
  if (typeof value !== 'object' || value === null) throw new MalformedPacket('a malformed blob')
  return new Map(Object.entries(value as Record<string, string | number>))
}
