/**
 * The header of the PROXY protocol, version 2, by which a load balancer tells whose connection it
 * brings. Pure; whether the peer may be believed is for the caller to know (N9).
 * Sources: haproxy.org "The PROXY protocol", section 2.2; proxy-protocol.md §1.7.
 */
import { ipText } from '../base/address.ts'
import { malformed } from './reader.ts'
import { concat } from './writer.ts'

export type Endpoint = { readonly address: string; readonly port: number }

export type ProxyHeader = {
  /** Of the header, everything included. */
  readonly lengthBytes: number
} & (
  | {
      /** Somebody's TCP connection. */
      readonly kind: 'proxied'
      readonly source: Endpoint
      readonly destination: Endpoint
      /** Id of the private endpoint the client came through (TLV 0xEA); empty without one. */
      readonly endpointId: string
    }
  /** The load balancer's own connection, as for a health check. */
  | { readonly kind: 'local' }
  /** A connection whose source has no IP address: for a database only a probe. */
  | { readonly kind: 'other' }
)

const SIGNATURE = Uint8Array.of(
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
)
const HEAD_BYTES = 16
const COMMAND = { local: 0x20, proxy: 0x21 } as const
const FAMILY = { tcp4: 0x11, tcp6: 0x21 } as const
const ADDRESS_BYTES = { [FAMILY.tcp4]: 4, [FAMILY.tcp6]: 16 } as const
const ENDPOINT_TLV = 0xea
const TLV_HEAD_BYTES = 3
/** Load balancers send some hundred bytes; certificates in TLVs a few thousand. */
export const MAX_PROXY_HEADER_BYTES = 8 * 1024

/**
 * The header at the beginning of what has come so far: `none` when it is none, `more` when that or
 * the rest cannot be told yet. @throws protocol.malformed
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | 'none' | 'more' {
  const seen = Math.min(bytes.length, SIGNATURE.length)
  for (let at = 0; at < seen; at++) if (bytes[at] !== SIGNATURE[at]) return 'none'
  const command = bytes[12]
  const isKnown = command === undefined || command === COMMAND.local || command === COMMAND.proxy
  if (!isKnown) throw wrong('version and command')
  if (bytes.length < HEAD_BYTES) return 'more'
  const lengthBytes = HEAD_BYTES + u16(bytes, 14)
  if (lengthBytes > MAX_PROXY_HEADER_BYTES) throw wrong(`length above ${MAX_PROXY_HEADER_BYTES}`)
  if (bytes.length < lengthBytes) return 'more'
  if (command === COMMAND.local) return { kind: 'local', lengthBytes }
  const family = bytes[13]
  if (family !== FAMILY.tcp4 && family !== FAMILY.tcp6) return { kind: 'other', lengthBytes }
  return { lengthBytes, ...addresses(bytes.subarray(HEAD_BYTES, lengthBytes), family) }
}

function addresses(block: Uint8Array, family: keyof typeof ADDRESS_BYTES) {
  const size = ADDRESS_BYTES[family]
  const tlvs = size * 2 + 4
  if (block.length < tlvs) throw wrong('addresses')
  const endpoint = (index: number): Endpoint => ({
    address: ipText(block.subarray(index * size, (index + 1) * size)),
    port: u16(block, size * 2 + index * 2),
  })
  return {
    kind: 'proxied' as const,
    source: endpoint(0),
    destination: endpoint(1),
    endpointId: endpointIdOf(block.subarray(tlvs)),
  }
}

/** Walks all of them, so that a length that leaves the header is found whatever the type. */
function endpointIdOf(tlvs: Uint8Array): string {
  let found = ''
  for (let at = 0; at < tlvs.length; ) {
    if (at + TLV_HEAD_BYTES > tlvs.length) throw wrong('TLV')
    const start = at + TLV_HEAD_BYTES
    const end = start + u16(tlvs, at + 1)
    if (end > tlvs.length) throw wrong('TLV')
    // The first byte is a subtype, the rest the id.
    if (tlvs[at] === ENDPOINT_TLV && end > start)
      found = Buffer.from(tlvs.subarray(start + 1, end)).toString('latin1')
    at = end
  }
  return found
}

/** A whole header; `addressBlock` are addresses, ports and TLVs as they stand. */
export function buildProxyHeader(
  command: keyof typeof COMMAND,
  family: number,
  addressBlock: Uint8Array,
): Uint8Array {
  const { length } = addressBlock
  const head = Uint8Array.of(COMMAND[command], family, length >> 8, length & 0xff)
  return concat([SIGNATURE, head, addressBlock])
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function wrong(what: string): Error {
  return malformed(`PROXY header: ${what}`)
}
