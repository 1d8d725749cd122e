/**
 * Fingerprints of what a proxy runs with, equal on nodes that are configured alike, so that the plane
 * sees drift by comparing texts. Pure; passwords never enter.
 */
import { createHash } from 'node:crypto'
import { isSecret } from '#contract/secret-names'
import { canonicalValue } from './parameters.ts'

/** Differ between the nodes of one cluster by nature. */
const OF_ONE_NODE: ReadonlySet<string> = new Set(['proxy_id', 'local_bound_ip'])

/** SHA-256 hex of all parameters by name. */
export function parameterChecksum(parameters: ReadonlyMap<string, string>): string {
  const rows = [...parameters]
    .filter(([name]) => !isSecret(name) && !OF_ONE_NODE.has(name))
    .map(([name, value]) => [name, canonicalValue(name, value)] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return sha256(rows)
}

/** SHA-256 hex of the OB cluster's name and its root services, in any order. */
export function linkChecksum(obCluster: string, rootserviceList: string): string {
  const servers = rootserviceList.split(/[;,]/).map(server => server.trim())
  return sha256([obCluster, servers.filter(server => server !== '').sort()])
}

function sha256(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}
