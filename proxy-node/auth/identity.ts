/**
 * Who logs in: `user@tenant#cluster:id` and `cluster:tenant:user` in every spelling that OBProxy
 * accepts. Nothing is lower-cased. Source: proxy-protocol.md §1.2.
 */

export type Identity = {
  readonly user: string
  /** Undefined when the name did not say. */
  readonly tenant: string | undefined
  readonly cluster: string | undefined
  readonly clusterId: number
}

const DEFAULT_SEPARATORS = [':', '-', '.'] as const

/** Parses a login name; a name without any mark is the user alone. */
export function parseIdentity(
  name: string,
  separators: readonly string[] = DEFAULT_SEPARATORS,
): Identity {
  if (name.includes('@') || name.includes('#')) return parseStandard(name)
  for (const separator of separators) {
    const parsed = parseSeparated(name, separator)
    if (parsed !== undefined) return parsed
  }
  return { user: name, tenant: undefined, cluster: undefined, clusterId: 0 }
}

function parseStandard(name: string): Identity {
  const at = name.indexOf('@')
  const hash = name.indexOf('#', at + 1)
  const clusterText = hash < 0 ? undefined : name.slice(hash + 1)
  const head = hash < 0 ? name : name.slice(0, hash)
  const { cluster, clusterId } = splitCluster(clusterText)
  return {
    user: at < 0 ? head : head.slice(0, at),
    tenant: at < 0 ? undefined : nonEmpty(head.slice(at + 1)),
    cluster,
    clusterId,
  }
}

function parseSeparated(name: string, separator: string): Identity | undefined {
  const first = name.indexOf(separator)
  const second = first < 0 ? -1 : name.indexOf(separator, first + 1)
  if (second < 0) return undefined
  const tail = name.slice(second + 1)
  const id = /^(.*)[:.-](\d+)$/.exec(tail)
  return {
    cluster: nonEmpty(name.slice(0, first)),
    tenant: nonEmpty(name.slice(first + 1, second)),
    user: id?.[1] ?? tail,
    clusterId: id === null ? 0 : Number(id[2]),
  }
}

function splitCluster(text: string | undefined) {
  if (text === undefined) return { cluster: undefined, clusterId: 0 }
  const colon = text.lastIndexOf(':')
  if (colon >= 0 && /^\d{1,10}$/.test(text.slice(colon + 1)))
    return { cluster: nonEmpty(text.slice(0, colon)), clusterId: Number(text.slice(colon + 1)) }
  return { cluster: nonEmpty(text), clusterId: 0 }
}

function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text
}
