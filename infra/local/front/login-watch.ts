/**
 * Reads along while an engine greets a client and answers its login: which session it is, and whether
 * the OceanBase 2.0 protocol was agreed to. Source: proxy-protocol.md §2.3, §2.5.
 */
import { MalformedPacket, PacketStream } from './codec.ts'
import { takeLenenc } from './login-codec.ts'

/** Bits of `__proxy_capability_flag` and `ob_capability_flag`. */
export const FEATURE = {
  partitionTable: 1 << 0,
  changeUser: 1 << 1,
  readWeak: 1 << 2,
  checksum: 1 << 3,
  ob20: 1 << 8,
  statisticsOk: 1 << 9,
  plRoute: 1 << 11,
  reroute: 1 << 12,
  sessionSync: 1 << 13,
  fullTrace: 1 << 14,
  newExtra: 1 << 15,
  variableSync: 1 << 16,
  staleFeedback: 1 << 17,
  fullTraceExt: 1 << 18,
  duplicateSync: 1 << 19,
  localFiles: 1 << 20,
  clientSessionId: 1 << 21,
  ob20Compress: 1 << 22,
  feedback: 1 << 23,
} as const

const ALL_FEATURES = 0xff_ffffn
const SESSION_STATE_CHANGED = 0x4000
const SYSTEM_VARIABLES = 0

export type Agreed = {
  /** The server session id of the greeting. */
  readonly threadId: number
  readonly features: number
}

export class LoginWatch {
  private readonly packets = new PacketStream()
  private isGreeted = false
  /** The server session id, once the greeting is there. */
  threadId = 0

  /** What was agreed to, once the login's OK is there. */
  push(bytes: Buffer): Agreed | undefined {
    for (const { payload } of this.packets.push(bytes)) {
      if (!this.isGreeted) {
        this.isGreeted = true
        this.threadId = payload[0] === 10 ? payload.readUInt32LE(payload.indexOf(0) + 1) : 0
      } else if (payload[0] === 0x00) {
        return { threadId: this.threadId, features: agreedFeatures(payload) }
      }
    }
    return undefined
  }
}

/** `ob_capability_flag` of a login's OK; 0 when there is none. */
export function agreedFeatures(ok: Buffer): number {
  try {
    const entry = systemVariables(ok)
    const value = entry === undefined ? undefined : valueNamed(entry, 'ob_capability_flag')
    return featuresIn(value)
  } catch (error) {
    if (error instanceof MalformedPacket || error instanceof RangeError) return 0
    throw error
  }
}

/** The bits of a decimal number that are features; 0 for what is none. */
export function featuresIn(text: string | undefined): number {
  return text !== undefined && /^\d{1,20}$/.test(text) ? Number(BigInt(text) & ALL_FEATURES) : 0
}

function systemVariables(ok: Buffer): Buffer | undefined {
  const cursor = { at: 1 }
  takeLenenc(ok, cursor)
  takeLenenc(ok, cursor)
  const status = ok.readUInt16LE(cursor.at)
  cursor.at += 4
  if ((status & SESSION_STATE_CHANGED) === 0) return undefined
  // Not into one statement: `at` must be read behind the length.
  const messageBytes = takeLenenc(ok, cursor)
  cursor.at += messageBytes
  const end = takeLenenc(ok, cursor) + cursor.at
  while (cursor.at < end) {
    const type = ok.readUInt8(cursor.at++)
    const length = takeLenenc(ok, cursor)
    if (cursor.at + length > ok.length) return undefined
    if (type === SYSTEM_VARIABLES) return ok.subarray(cursor.at, cursor.at + length)
    cursor.at += length
  }
  return undefined
}

function valueNamed(entry: Buffer, name: string): string | undefined {
  const cursor = { at: 0 }
  const text = () => {
    const length = takeLenenc(entry, cursor)
    const part = entry.subarray(cursor.at, cursor.at + length).toString()
    cursor.at += length
    return part
  }
  while (cursor.at < entry.length) {
    const key = text()
    const value = text()
    if (key === name) return value
  }
  return undefined
}
