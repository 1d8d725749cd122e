/**
 * How the proxy finds its OB clusters, as a start of it and a running one need it: the config URL with
 * its token, proxyro's passwords, and the order to look at the config service now.
 * Source: management.md §1.3, §3.12; decisions PL7, PL12.
 */
import type { DesiredNode } from '#contract/node-state'
import { askProxy } from './access.ts'
import type { Host } from './host.ts'
import type { ProxyAdmin } from './proxy-admin.ts'

const PASSWORDS = ['observer_sys_password', 'observer_sys_password1'] as const

export type LinkSecrets = {
  /** With its token; empty in RS_LIST. */
  readonly configUrl: string
  /** Of proxyro, in clear, in the order they are tried. */
  readonly proxyro: readonly string[]
}

/** @throws secret.unreadable */
export async function readLinkSecrets(desired: DesiredNode, host: Host): Promise<LinkSecrets> {
  const { link } = desired
  const { read } = host.secrets
  if (!('configUrl' in link)) return { configUrl: '', proxyro: [await read(link.proxyroSecret)] }
  const token = await read(link.tokenSecret)
  const proxyro: string[] = []
  for (const secret of link.proxyroSecrets) proxyro.push(await read(secret))
  return { configUrl: `${link.configUrl}&Token=${encodeURIComponent(token)}`, proxyro }
}

/**
 * A proxy that runs learns proxyro's passwords. Why always: they are masked where they could be
 * compared. @throws node.parameter-refused
 */
export async function givePasswords(
  admin: ProxyAdmin,
  proxyro: LinkSecrets['proxyro'],
): Promise<void> {
  for (const [index, name] of PASSWORDS.entries()) {
    const password = proxyro[index]
    if (password !== undefined) await admin.alter(name, password)
  }
}

/** Has it look for its OB clusters at once: looking twice harms nobody. In RS_LIST there is nowhere to look. */
export async function lookForClusters(admin: ProxyAdmin, { link }: DesiredNode): Promise<void> {
  if (!('configUrl' in link)) return
  await admin.alter('refresh_json_config', 'True')
  await admin.alter('refresh_rslist', 'True')
}

export async function refreshLinks(
  desired: DesiredNode,
  { proxyro }: LinkSecrets,
  host: Host,
): Promise<void> {
  await askProxy(desired, host, async admin => {
    await givePasswords(admin, proxyro)
    await lookForClusters(admin, desired)
  })
}
