/** Where an answer of a server ends, packet by packet. Source: proxy-protocol.md §7.1–7.3. */
import type { Packet } from '../../infra/local/front/codec.ts'

const MORE_RESULTS = 0x0008
const CURSOR_EXISTS = 0x0040

/** A fetch has rows without columns in front. */
export type AnswerKind = 'other' | 'fetch'

type Take = () => Promise<Buffer>
/** What a result of an answer was followed by: another one, the proxy's OK, nothing. */
type After = 'another' | 'extra' | 'nothing'

/** All packets of one answer, with the OK that only a proxy gets. */
export async function readAnswer(
  next: () => Promise<Packet>,
  isProxy: boolean,
  kind: AnswerKind,
): Promise<Packet[]> {
  const packets: Packet[] = []
  const take = async () => {
    const packet = await next()
    packets.push(packet)
    return packet.payload
  }
  let after: After = 'another'
  if (kind === 'fetch') {
    await takeEnd(take)
    after = 'extra'
  }
  for (let isFirst = true; after === 'another'; isFirst = false)
    after = await readResult(take, isFirst)
  if (after === 'extra' && isProxy) await take()
  return packets
}

async function readResult(take: Take, isFirst: boolean): Promise<After> {
  const first = await take()
  if (first[0] === 0xff) return 'extra'
  if (first[0] === 0x00) return (okStatus(first) & MORE_RESULTS) === 0 ? 'nothing' : 'another'
  // A request for a file or for another authentication.
  if (isFirst && (first[0] === 0xfb || first[0] === 0xfe)) return 'nothing'
  const columns = await takeEnd(take)
  if (!isEof(columns) || (eofStatus(columns) & CURSOR_EXISTS) !== 0) return 'extra'
  const rows = await takeEnd(take)
  return isEof(rows) && (eofStatus(rows) & MORE_RESULTS) !== 0 ? 'another' : 'extra'
}

async function takeEnd(take: Take): Promise<Buffer> {
  let payload = await take()
  while (!isEof(payload) && payload[0] !== 0xff) payload = await take()
  return payload
}

function isEof(payload: Buffer): boolean {
  return payload[0] === 0xfe && payload.length < 9
}

function eofStatus(eof: Buffer): number {
  return eof.readUInt16LE(3)
}

/** The status of an OK: both counts in front of it are length-encoded. */
export function okStatus(ok: Buffer): number {
  let at = 1
  for (let field = 0; field < 2; field++) {
    const first = ok.readUInt8(at)
    at += { 252: 3, 253: 4, 254: 9 }[first] ?? 1
  }
  return ok.readUInt16LE(at)
}
