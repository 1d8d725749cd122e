/**
 * Who logs in: `user@tenant#cluster:id` and `cluster:tenant:user` in every spelling that OBProxy
 * accepts. Nothing is lower-cased. Source: proxy-protocol.md §1.2.
 */
import { PARAMETERS } from '#contract/parameters'

export type Identity = {
  readonly user: string
  /** Undefined when the name did not say. */
  readonly tenant: string | undefined
  readonly cluster: string | undefined
  readonly clusterId: number
}

/** An identity with nothing left open: defaults have filled what the name did not say. */
export type CompleteIdentity = {
  readonly user: string
  readonly tenant: string
  /** Undefined when the name did not say and this proxy knows no cluster. */
  readonly cluster: string | undefined
  readonly clusterId: number
  readonly isClusterDefaulted: boolean
}

/** What stands in for parts that a name leaves out. */
export type IdentityDefaults = {
  /** Parameters `proxy_tenant_name` and `rootservice_cluster_name`: used together or not at all. */
  readonly tenantName: string
  readonly clusterName: string
  /** Name of the first cluster of this proxy. */
  readonly firstCluster: string | undefined
}

export type IdentityRules = {
  /** Parameter `enable_full_username`: tenant and cluster must be named. */
  readonly isFullNameRequired: boolean
  /** Parameter `skip_proxyro_check`. */
  readonly isMetadataUserAllowed: boolean
}

/** All that decides how a login name is read and completed, and whether it may try. */
export type LoginRules = IdentityRules &
  IdentityDefaults & {
    /** Parameter `username_separator`, in its order. */
    readonly separators: readonly string[]
  }

const DEFAULT_TENANT = 'sys'
const METADATA_USER = 'proxyro'
/** OBProxy's default of `rootservice_cluster_name`, meaning none. */
const UNSET_CLUSTER = 'undefined'
const CLUSTER_ID = /^\d{1,10}$/

/** The rules as parameters say them; `parameter` is a parameter's text by its name. */
export function loginRulesOf(parameter: (name: string) => string): LoginRules {
  return {
    separators: parseSeparators(parameter('username_separator')),
    tenantName: parameter('proxy_tenant_name'),
    clusterName: parameter('rootservice_cluster_name'),
    firstCluster: undefined,
    isFullNameRequired: isTrue(parameter('enable_full_username')),
    isMetadataUserAllowed: isTrue(parameter('skip_proxyro_check')),
  }
}

/** With every parameter at its default. */
export const DEFAULT_LOGIN_RULES: LoginRules = loginRulesOf(
  name => PARAMETERS.get(name)?.default ?? '',
)

/** The separators in parameter `username_separator`, `:;-;.` by default. */
export function parseSeparators(text: string): readonly string[] {
  return text.split(';').filter(separator => separator.length === 1)
}

/** Parses a login name; a name without any mark is the user alone. */
export function parseIdentity(
  name: string,
  separators: readonly string[] = DEFAULT_LOGIN_RULES.separators,
): Identity {
  if (name.includes('@') || name.includes('#')) return parseStandard(name)
  for (const separator of separators) {
    const parsed = parseSeparated(name, separator)
    if (parsed !== undefined) return parsed
  }
  return { user: name, tenant: undefined, cluster: undefined, clusterId: 0 }
}

/** Fills what the name left out. */
export function completeIdentity(identity: Identity, defaults: IdentityDefaults): CompleteIdentity {
  const { user, clusterId } = identity
  const clusterName = defaults.clusterName === UNSET_CLUSTER ? '' : defaults.clusterName
  const bothMissing = identity.tenant === undefined && identity.cluster === undefined
  if (bothMissing && defaults.tenantName !== '' && clusterName !== '')
    return {
      user,
      tenant: defaults.tenantName,
      cluster: clusterName,
      clusterId,
      isClusterDefaulted: true,
    }
  return {
    user,
    tenant: identity.tenant ?? DEFAULT_TENANT,
    cluster: identity.cluster ?? defaults.firstCluster,
    clusterId,
    isClusterDefaulted: identity.cluster === undefined,
  }
}

/** Why this name may not log in at all, whatever the password; undefined when it may try. */
export function refusalOf(
  identity: Identity,
  rules: IdentityRules,
): 'empty-user' | 'name-not-full' | 'metadata-user' | undefined {
  const { user, tenant, cluster } = identity
  if (user === '') return 'empty-user'
  if (rules.isFullNameRequired && (tenant === undefined || cluster === undefined))
    return 'name-not-full'
  const isMetadataUser = user === METADATA_USER && (tenant ?? DEFAULT_TENANT) === DEFAULT_TENANT
  return isMetadataUser && !rules.isMetadataUserAllowed ? 'metadata-user' : undefined
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
  // Only the name's own separator or a colon marks the id: `app-1` in `c:t:app-1` is a user.
  const mark = Math.max(tail.lastIndexOf(separator), tail.lastIndexOf(':'))
  const hasId = mark >= 0 && CLUSTER_ID.test(tail.slice(mark + 1))
  return {
    cluster: nonEmpty(name.slice(0, first)),
    tenant: nonEmpty(name.slice(first + 1, second)),
    user: hasId ? tail.slice(0, mark) : tail,
    clusterId: hasId ? Number(tail.slice(mark + 1)) : 0,
  }
}

function splitCluster(text: string | undefined) {
  if (text === undefined) return { cluster: undefined, clusterId: 0 }
  const colon = text.lastIndexOf(':')
  if (colon >= 0 && CLUSTER_ID.test(text.slice(colon + 1)))
    return { cluster: nonEmpty(text.slice(0, colon)), clusterId: Number(text.slice(colon + 1)) }
  return { cluster: nonEmpty(text), clusterId: 0 }
}

function isTrue(text: string): boolean {
  return text.toLowerCase() === 'true'
}

function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text
}
