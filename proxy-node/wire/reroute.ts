/**
 * Where a server says a statement belongs, in the user variable `ob_client_reroute_info` of the OK
 * behind error 5727. Source: proxy-protocol.md §4.4; address layout as OceanBase's ObAddr keeps it:
 * IPv4 as one number, IPv6 as two whose little-endian bytes are the address.
 */
import { malformed, Reader } from './reader.ts'

export type Reroute = {
  readonly host: string
  readonly port: number
  readonly role: 'leader' | 'follower'
  /** 0 is a full replica. */
  readonly replicaType: number
  readonly table: string
  readonly schemaVersion: number
}

const IPV4 = 4
const IPV6 = 6
const LEADER = 1
const FOLLOWER = 2
const TABLE_NAME_LIMIT_BYTES = 1024

/** @throws protocol.malformed; fields that newer servers append are skipped. */
export function parseReroute(bytes: Uint8Array): Reroute {
  const outer = new Reader(bytes)
  const reader = new Reader(outer.view(outer.lenenc()))
  const host = hostOf(reader)
  const port = reader.lenenc()
  const role = reader.lenenc()
  const replicaType = reader.lenenc()
  const nameBytes = reader.lenenc()
  if (port < 1 || port > 0xffff) throw malformed('port of a reroute')
  if (role !== LEADER && role !== FOLLOWER) throw malformed('role of a reroute')
  if (nameBytes > TABLE_NAME_LIMIT_BYTES) throw malformed('table name of a reroute')
  const table = reader.string(nameBytes)
  const schemaVersion = reader.left === 0 ? 0 : reader.lenenc()
  const roleName = role === LEADER ? 'leader' : 'follower'
  return { host, port, role: roleName, replicaType, table, schemaVersion }
}

function hostOf(reader: Reader): string {
  const version = reader.lenenc()
  if (version === IPV4) return dotted(BigInt(reader.lenencWide()))
  if (version !== IPV6) throw malformed('IP version of a reroute')
  const high = BigInt(reader.lenencWide())
  return [...groups(high), ...groups(BigInt(reader.lenencWide()))].join(':')
}

function dotted(address: bigint): string {
  return [24n, 16n, 8n, 0n].map(shift => (address >> shift) & 0xffn).join('.')
}

/** Four groups of two bytes each; the lowest byte of the number is the first of the address. */
function groups(half: bigint): string[] {
  return [0n, 16n, 32n, 48n].map(shift => {
    const low = (half >> shift) & 0xffn
    const high = (half >> (shift + 8n)) & 0xffn
    return ((low << 8n) | high).toString(16)
  })
}
