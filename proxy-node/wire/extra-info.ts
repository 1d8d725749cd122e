/**
 * The extra info of OB 2.0 frames: entries of type, length and bytes. Towards a server only four
 * types can be built, because any other hangs a server for everyone; parsing takes whatever comes.
 * Source: proxy-protocol.md §3.3, proxy-protocol-tried.md A1, A2, A4.
 */
import { invariant } from '../base/invariant.ts'
import { malformed } from './reader.ts'
import { Writer } from './writer.ts'

/** Types of entries; 1001 comes from servers only. */
export const EXTRA = {
  feedback: 1001,
  traceClient: 2001,
  sessionState: 2002,
  fullTrace: 2003,
  sessionCheck: 2004,
} as const

/** Session state is a few hundred bytes a type; beyond this a server is not what it says. */
export const EXTRA_LIMIT_BYTES = 1024 * 1024
/** All types of a session together, each as large as a server may send it. */
const REQUEST_LIMIT_BYTES = 4 * 1024 * 1024

const ENTRY_HEAD_BYTES = 6
const LOCK_SESSION = 0
const ADDRESS_ENTRY = 1
const THREAD_ENTRY = 2
const PROXY_SESSION_ENTRY = 3

declare const checked: unique symbol
/** Extra info that a server survives; `isRequestExtra` alone can say so. */
export type RequestExtra = Uint8Array & { readonly [checked]: true }

/** A piece of session state: its type as the server numbers it, and bytes that nobody here reads. */
export type SessionBlob = readonly [type: number, bytes: Uint8Array]

export type RequestExtraParts = {
  /** Address of the client, said once in a client session. */
  readonly clientAddress?: string | undefined
  readonly sessionState?: Iterable<SessionBlob> | undefined
  readonly fullTrace?: Uint8Array | undefined
  readonly sessionCheck?: SessionCheck | undefined
}

/** Where this client's session was before, for a server that compares. */
export type SessionCheck = {
  /** `ip:port`. */
  readonly lastServer: string
  readonly lastThreadId: number
  readonly proxySessionId: bigint
}

/** The extra info of one request; undefined when there is none, since an empty one is refused. */
export function buildRequestExtra(parts: RequestExtraParts): RequestExtra | undefined {
  const writer = new Writer(512)
  const { clientAddress, sessionState, fullTrace, sessionCheck } = parts
  if (clientAddress !== undefined)
    entry(writer, EXTRA.traceClient, new Writer(64).text(`client_ip=${clientAddress}`).payload())
  if (sessionState !== undefined) addBlobs(writer, sessionState)
  if (fullTrace !== undefined) entry(writer, EXTRA.fullTrace, fullTrace)
  if (sessionCheck !== undefined) entry(writer, EXTRA.sessionCheck, checkBytes(sessionCheck))
  const bytes = writer.payload()
  if (bytes.length === 0) return undefined
  if (bytes.length > REQUEST_LIMIT_BYTES) throw malformed('session state too large to be sent')
  invariant(isRequestExtra(bytes), 'extra info that hangs a server')
  return bytes
}

/** Whether a server survives these bytes: whole entries of the four types, and whole blobs in 2002. */
export function isRequestExtra(bytes: Uint8Array): bytes is RequestExtra {
  return bytes.length > 0 && areEntries(bytes, 0, bytes.length, isSafeEntry)
}

/** Shows each entry of `bytes[from, to)`, in order, as a view. @throws protocol.malformed */
export function eachEntry(
  bytes: Uint8Array,
  visit: (type: number, bytes: Uint8Array) => void,
  from = 0,
  to = bytes.length,
): void {
  const isWhole = areEntries(bytes, from, to, (type, start, end) => {
    visit(type, bytes.subarray(start, end))
    return true
  })
  if (!isWhole) throw malformed('extra info cut short')
}

/**
 * What an entry of type 1001 says of user locks; undefined when it says nothing. A server says it
 * only in the response in which it changes.
 */
export function lockSessionOf(feedback: Uint8Array): boolean | undefined {
  let answer: boolean | undefined
  eachEntry(feedback, (type, bytes) => {
    if (type === LOCK_SESSION && bytes.length > 0) answer = bytes[0] === 0x31
  })
  return answer
}

function addBlobs(writer: Writer, blobs: Iterable<SessionBlob>): void {
  const inner = new Writer(512)
  for (const [type, bytes] of blobs) entry(inner, type, bytes)
  if (inner.payload().length > 0) entry(writer, EXTRA.sessionState, inner.payload())
}

function checkBytes({ lastServer, lastThreadId, proxySessionId }: SessionCheck): Uint8Array {
  const writer = new Writer(64)
  const id = BigInt.asUintN(64, proxySessionId)
  entry(writer, ADDRESS_ENTRY, new Writer(32).text(lastServer).payload())
  entry(writer, THREAD_ENTRY, new Writer(4).u32(lastThreadId).payload())
  const halves = new Writer(8).u32(Number(id & 0xffff_ffffn)).u32(Number(id >> 32n))
  entry(writer, PROXY_SESSION_ENTRY, halves.payload())
  return writer.payload()
}

function entry(writer: Writer, type: number, bytes: Uint8Array): void {
  invariant(Number.isInteger(type) && type >= 0 && type <= 0xffff, 'extra info type is 16 bits')
  writer.u16(type).u32(bytes.length).raw(bytes)
}

function isSafeEntry(type: number, from: number, to: number, bytes: Uint8Array): boolean {
  if (type === EXTRA.sessionState) return areEntries(bytes, from, to, anything)
  return type === EXTRA.traceClient || type === EXTRA.fullTrace || type === EXTRA.sessionCheck
}

function anything(): boolean {
  return true
}

type Entry = (type: number, from: number, to: number, bytes: Uint8Array) => boolean

/** Whether `bytes[from, to)` are whole entries that `accept` takes, shown one by one. */
function areEntries(bytes: Uint8Array, from: number, to: number, accept: Entry): boolean {
  let at = from
  while (at < to) {
    const start = at + ENTRY_HEAD_BYTES
    if (start > to) return false
    const end = start + lengthOf(bytes, at + 2)
    if (end > to || !accept(typeOf(bytes, at), start, end, bytes)) return false
    at = end
  }
  return true
}

function typeOf(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

function lengthOf(bytes: Uint8Array, at: number): number {
  return typeOf(bytes, at) + typeOf(bytes, at + 2) * 0x1_0000
}
