/**
 * Addresses that nothing is fetched from on somebody's word: this host, and where clouds keep
 * instance metadata. Private networks stay open: packages may well be kept there.
 */
import { BlockList, isIPv6 } from 'node:net'

const FORBIDDEN_4 = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
  // Metadata of another cloud, within the range of carriers' networks.
  ['100.100.100.200', 32],
] as const

const FORBIDDEN_6 = [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::', 32],
] as const

export function isForbiddenAddress(address: string): boolean {
  const forbidden = new BlockList()
  for (const [net, bits] of FORBIDDEN_4) {
    forbidden.addSubnet(net, bits, 'ipv4')
    // The same address in IPv6 clothes.
    forbidden.addSubnet(`::ffff:${net}`, 96 + bits, 'ipv6')
  }
  for (const [net, bits] of FORBIDDEN_6) forbidden.addSubnet(net, bits, 'ipv6')
  return forbidden.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
