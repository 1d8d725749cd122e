/**
 * How the proxy finds its OB clusters, as a start of it and a running one need it: the config URL with
 * its token, proxyro's passwords, and the order to look at the config service now.
 * Source: management.md §1.3, §2.7, §3.12; decisions PL7, PL12.
 */
import type { DesiredNode } from '#contract/node-state'
import { PROXYRO_SLOTS } from '#contract/parameters'
import { askProxy } from './access.ts'
import type { Host } from './host.ts'
import type { ProxyAdmin } from './proxy-admin.ts'

/** In clear, in the order of the slots, two at most. */
type Passwords = readonly string[]

export type LinkSecrets = {
  /** With its token; empty in RS_LIST. */
  readonly configUrl: string
  /** Of proxyro, for all OB clusters. */
  readonly proxyro: Passwords
  /** For one OB cluster instead, by name; undefined: this proxy is not asked to tell them apart. */
  readonly rows: ReadonlyMap<string, Passwords> | undefined
}

/** @throws secret.unreadable */
export async function readLinkSecrets(desired: DesiredNode, host: Host): Promise<LinkSecrets> {
  const { link, proxyroRows } = desired
  const read = readingOnce(host)
  const all = async (references: readonly string[]) => {
    const found: string[] = []
    for (const reference of references) found.push(await read(reference))
    return found
  }
  const configUrl = 'configUrl' in link ? await withToken(link, read) : ''
  const rows = new Map<string, Passwords>()
  for (const { obCluster, secrets } of proxyroRows ?? []) rows.set(obCluster, await all(secrets))
  return {
    configUrl,
    proxyro: await all(proxyroSecretsOf(link)),
    rows: proxyroRows === undefined ? undefined : rows,
  }
}

/** References, in the order of the slots. */
export function proxyroSecretsOf(link: DesiredNode['link']): readonly string[] {
  if ('configUrl' in link) return link.proxyroSecrets
  const { proxyroSecret, proxyroSecret1 } = link
  return proxyroSecret1 === undefined ? [proxyroSecret] : [proxyroSecret, proxyroSecret1]
}

async function withToken(
  { configUrl, tokenSecret }: Extract<DesiredNode['link'], { configUrl: string }>,
  read: (reference: string) => Promise<string>,
): Promise<string> {
  return `${configUrl}&Token=${encodeURIComponent(await read(tokenSecret))}`
}

/** OB clusters share their passwords as a rule: each is asked for once. */
function readingOnce(host: Host): (reference: string) => Promise<string> {
  const known = new Map<string, string>()
  return async reference => {
    const value = known.get(reference) ?? (await host.secrets.read(reference))
    known.set(reference, value)
    return value
  }
}

/**
 * A proxy that runs learns proxyro's passwords; a slot that nothing is for is emptied, after the other
 * one has what counts. Why always: they are masked where they could be compared.
 * @throws node.parameter-refused
 */
export async function givePasswords(
  admin: ProxyAdmin,
  { proxyro, rows }: Pick<LinkSecrets, 'proxyro' | 'rows'>,
): Promise<void> {
  if (proxyro.length > 0)
    for (const [index, name] of PROXYRO_SLOTS.entries())
      await admin.alter(name, proxyro[index] ?? '')
  if (rows === undefined) return
  for (const [cluster, passwords] of rows)
    for (const [index, name] of PROXYRO_SLOTS.entries())
      await admin.setForCluster(cluster, name, passwords[index] ?? '')
  for (const cluster of await admin.clustersWith(PROXYRO_SLOTS[0]))
    if (!rows.has(cluster))
      for (const name of PROXYRO_SLOTS) await admin.unsetForCluster(cluster, name)
}

/** Has it look for its OB clusters at once: looking twice harms nobody. In RS_LIST there is nowhere to look. */
export async function lookForClusters(admin: ProxyAdmin, { link }: DesiredNode): Promise<void> {
  if (!('configUrl' in link)) return
  await admin.alter('refresh_json_config', 'True')
  await admin.alter('refresh_rslist', 'True')
}

export async function refreshLinks(
  desired: DesiredNode,
  secrets: LinkSecrets,
  host: Host,
): Promise<void> {
  await askProxy(desired, host, async admin => {
    await givePasswords(admin, secrets)
    await lookForClusters(admin, desired)
  })
}
