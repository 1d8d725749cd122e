/**
 * What a request to the config service asks for, out of its query. Names come in two spellings,
 * ObCluster and the older ObRegion. Source: management.md §1.8.
 */
import { refused } from './envelope.ts'

export type Action =
  | 'GetObProxyConfig'
  | 'GetObRootServiceInfoUrlTemplate'
  | 'ObRootServiceInfo'
  | 'ObIDCRegionInfo'

const ACTIONS: readonly Action[] = [
  'GetObProxyConfig',
  'GetObRootServiceInfoUrlTemplate',
  'ObRootServiceInfo',
  'ObIDCRegionInfo',
]

export type Asked = {
  readonly action: Action
  /** Undefined: somebody else than a node of a proxy cluster. */
  readonly proxyCluster: string | undefined
  readonly token: string
  readonly isVersionOnly: boolean
  readonly obCluster: string | undefined
  /** 0: not said. */
  readonly obClusterId: number
  /** From 2 on all ids of a name are meant when none is said. */
  readonly version: number
}

const MAX_TEXT_CHARS = 256
const MAX_ID = 2 ** 32 - 1

/** @throws Refusal */
export function askedOf(query: URLSearchParams): Asked {
  const action = ACTIONS.find(one => one === textOf(query, 'Action'))
  if (action === undefined) throw refused(400, `illegal argument: Action is one of ${ACTIONS}`)
  return {
    action,
    proxyCluster: textOf(query, 'ObproxyClusterName'),
    token: textOf(query, 'Token') ?? '',
    isVersionOnly: truthOf(query, 'VersionOnly'),
    obCluster: textOf(query, 'ObCluster') ?? textOf(query, 'ObRegion'),
    obClusterId: numberOf(query, 'ObClusterId') ?? numberOf(query, 'ObRegionId') ?? 0,
    version: numberOf(query, 'version') ?? 1,
  }
}

function textOf(query: URLSearchParams, name: string): string | undefined {
  const all = new Set(query.getAll(name))
  const [text] = all
  // Proxies append to what the URL has already; two meanings are none.
  if (all.size > 1) throw refused(400, `illegal argument: ${name} is said twice`)
  if (text !== undefined && text.length > MAX_TEXT_CHARS)
    throw refused(400, `illegal argument: ${name} is too long`)
  return text === '' ? undefined : text
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  // An id that is appended counts more than one before it.
  const text = query.getAll(name).at(-1)
  if (text === undefined || text === '') return undefined
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(number <= MAX_ID)) throw refused(400, `illegal argument: ${name} is no id`)
  return number
}

function truthOf(query: URLSearchParams, name: string): boolean {
  const text = textOf(query, name)?.toLowerCase() ?? 'false'
  if (text !== 'true' && text !== 'false') throw refused(400, `illegal argument: ${name}`)
  return text === 'true'
}
