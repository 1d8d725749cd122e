/**
 * IP addresses as text and bytes, and lists of networks. An IPv4 address in IPv6 clothes
 * (`::ffff:10.0.0.1`, as dual-stack sockets tell it) is the IPv4 address everywhere.
 */

const IPV4_BYTES = 4
const IPV6_BYTES = 16
const IPV6_GROUPS = 8
/** Where the IPv4 address is in its IPv6 clothes. */
const MAPPED_AT = 12

/** 4 or 16 bytes; undefined when the text is no address. A zone (`%eth0`) is left out. */
export function parseIp(text: string): Uint8Array | undefined {
  const [bare = ''] = text.split('%', 1)
  if (!bare.includes(':')) return parseIpv4(bare)
  const bytes = parseIpv6(bare)
  return bytes !== undefined && isMapped(bytes) ? bytes.subarray(MAPPED_AT) : bytes
}

/** The one spelling of 4 or 16 bytes: lower case, the longest run of zeros left out (RFC 5952). */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === IPV4_BYTES) return bytes.join('.')
  if (isMapped(bytes)) return bytes.subarray(MAPPED_AT).join('.')
  const groups = Array.from(
    { length: IPV6_GROUPS },
    (_none, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0),
  )
  const { at, length } = longestZeros(groups)
  const hex = (part: number[]) => part.map(group => group.toString(16)).join(':')
  if (length < 2) return hex(groups)
  return `${hex(groups.slice(0, at))}::${hex(groups.slice(at + length))}`
}

/** An address as everything here spells it; what is none stays as it is. */
export function canonicalIp(text: string): string {
  const bytes = parseIp(text)
  return bytes === undefined ? text : ipText(bytes)
}

/** `10.0.0.1:2881`, `[::1]:2881`. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

type Network = { readonly bytes: Uint8Array; readonly bits: number }

/** Addresses and networks, `10.0.0.0/8;fd00::/8;192.168.1.7`; empty holds nobody. */
export class AddressList {
  private readonly networks: readonly Network[]

  private constructor(networks: readonly Network[]) {
    this.networks = networks
  }

  /** Undefined when an item is neither an address nor address/bits. Items are parted by `;` or `,`. */
  static parse(text: string): AddressList | undefined {
    const items = text.split(/[;,]/).map(item => item.trim())
    const networks: Network[] = []
    for (const item of items.filter(item => item !== '')) {
      const network = parseNetwork(item)
      if (network === undefined) return undefined
      networks.push(network)
    }
    return new AddressList(networks)
  }

  contains(address: string): boolean {
    if (this.networks.length === 0) return false
    const bytes = parseIp(address)
    return bytes !== undefined && this.networks.some(network => isWithin(bytes, network))
  }
}

function parseNetwork(item: string): Network | undefined {
  const found = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(item)
  const [, address = '', width] = found ?? []
  const bytes = parseIp(address)
  if (bytes === undefined) return undefined
  const most = bytes.length * 8
  // A width for a mapped address counts all 128 bits.
  const worn = address.includes(':') && bytes.length === IPV4_BYTES ? MAPPED_AT * 8 : 0
  const bits = width === undefined ? most : Number(width) - worn
  return bits >= 0 && bits <= most ? { bytes, bits } : undefined
}

function isWithin(bytes: Uint8Array, network: Network): boolean {
  if (bytes.length !== network.bytes.length) return false
  const whole = network.bits >> 3
  for (let at = 0; at < whole; at++) if (bytes[at] !== network.bytes[at]) return false
  const rest = network.bits & 7
  if (rest === 0) return true
  return (((bytes[whole] ?? 0) ^ (network.bytes[whole] ?? 0)) & (0xff00 >> rest) & 0xff) === 0
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  const isValid =
    parts.length === IPV4_BYTES && parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part))
  const numbers = parts.map(Number)
  return isValid && numbers.every(number => number <= 255) ? Uint8Array.from(numbers) : undefined
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half, at) => groupsOf(half, at === halves.length - 1))
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  const given = head.length + (tail?.length ?? 0)
  const isWhole = tail === undefined ? given === IPV6_BYTES : given <= IPV6_BYTES - 2
  if (!isWhole) return undefined
  const bytes = new Uint8Array(IPV6_BYTES)
  bytes.set(head)
  bytes.set(tail ?? [], IPV6_BYTES - (tail?.length ?? 0))
  return bytes
}

/** Bytes of groups without `::`; those at the very end may finish in an IPv4 address. */
function groupsOf(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    const isLast = isEnd && index === groups.length - 1
    const four = isLast && group.includes('.') ? parseIpv4(group) : undefined
    if (four !== undefined) bytes.push(...four)
    else if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined
    else bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff)
  }
  return bytes.length <= IPV6_BYTES ? bytes : undefined
}

function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === IPV6_BYTES &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff &&
    bytes.subarray(0, 10).every(byte => byte === 0)
  )
}

function longestZeros(groups: readonly number[]): { at: number; length: number } {
  let best = { at: 0, length: 0 }
  for (let at = 0; at < groups.length; at++) {
    let end = at
    while (groups[end] === 0) end += 1
    if (end - at > best.length) best = { at, length: end - at }
  }
  return best
}
