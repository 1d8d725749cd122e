/** Verb alter-proxyro: the password of proxyro at OB clusters is the new one; the proxy here is not touched. */
import type { OrderEntry } from '#contract/command'
import { Fault } from '#contract/fault'
import type { Host } from './host.ts'
import { alterPassword } from './proxyro.ts'
import { type Facts, namesFact } from './result.ts'

/** @throws order.incomplete, proxyro.unreachable, proxyro.refused, proxyro.not-changed, secret.unreadable */
export async function alterProxyro({ proxyro }: OrderEntry, host: Host): Promise<Facts> {
  if (proxyro === undefined)
    throw new Fault('order.incomplete', { verb: 'alter-proxyro', part: 'proxyro' })
  const changed: string[] = []
  for (const order of proxyro) if (await alterPassword(order, host)) changed.push(order.obCluster)
  return { changed: namesFact(changed), clusters: proxyro.length }
}
