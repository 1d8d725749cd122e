/**
 * proxyro at an OB cluster itself, past the proxy: whether a password lets it in, and a new one. A user
 * may change its own password by name without any privilege (tried on the kernel), so nobody else's is
 * needed; where an administrator has changed it already there is nothing left to do.
 * Source: management.md §2.7, §3.17.
 */
import type { ProxyroOrder } from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { stage1Of } from '../auth/scramble.ts'
import { QueryClient, QueryError } from '../backend/query-client.ts'
import type { ServerTlsPort } from '../backend/server-tls.ts'
import { reasonOf } from './durable-file.ts'
import type { Host } from './host.ts'
import { readMemory } from './node-file.ts'
import { observerTls } from './observer-tls.ts'
import { isDenied } from './proxy-admin.ts'
import type { Facts } from './result.ts'

const TIMEOUT_MS = 5_000
/** `OceanBase_CE 4.3.5.1 (r…)`. */
const VERSION_COMMENT = /^OceanBase\S*\s+(\d+(?:\.\d+){1,3})/
/** With all else in a line of an answer. */
const MAX_FACT_CHARS = 600

/** What OB clusters say of themselves, `name=version` each, a line each. @throws proxyro.unreachable, proxyro.refused, secret.unreadable */
export async function requireLogins(
  orders: readonly ProxyroOrder[],
  desired: DesiredNode,
  host: Host,
): Promise<Facts> {
  if (orders.length === 0) return {}
  const versions: string[] = []
  const tls = await observerTls(desired, host)
  for (const order of orders) {
    const client = await logIn(order, await host.secrets.read(order.to), { host, tls })
    if (client === null) throw refused(order)
    const version = await versionAt(client)
    if (version !== undefined) versions.push(`${order.obCluster}=${version}`)
    client.close()
  }
  return versions.length === 0 ? {} : { obVersions: versions.join('\n').slice(0, MAX_FACT_CHARS) }
}

/** Undefined where it is not told: the login is what counts. */
async function versionAt(client: QueryClient): Promise<string | undefined> {
  try {
    const { rows } = await client.query("SHOW VARIABLES LIKE 'version_comment'")
    return VERSION_COMMENT.exec(rows[0]?.[1] ?? '')?.[1]
  } catch {
    return undefined
  }
}

/** Whether the password was changed here; false: it was the new one before. @throws node.not-installed, proxyro.*, secret.unreadable */
export async function alterPassword(order: ProxyroOrder, host: Host): Promise<boolean> {
  const wanted = await host.secrets.read(order.to)
  const { desired } = readMemory(host.settings.paths)
  if (desired === null) throw new Fault('node.not-installed')
  const from = { host, tls: await observerTls(desired, host) }
  const there = await logIn(order, wanted, from)
  there?.close()
  if (there !== null) return false
  const known = order.from === undefined ? null : await host.secrets.read(order.from)
  const client = known === null ? null : await logIn(order, known, from)
  if (client === null) throw refused(order)
  try {
    await client.query(`ALTER USER proxyro IDENTIFIED BY '${escaped(wanted)}'`)
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    // Without a number its answer was lost; whether it was carried out the next login shows.
    if (error.errno !== 0) throw notChanged(order, error.errno)
  } finally {
    client.close()
  }
  const proof = await logIn(order, wanted, from)
  if (proof === null) throw notChanged(order, 0)
  proof.close()
  return true
}

type From = { readonly host: Host; readonly tls: ServerTlsPort | undefined }

/** By the first root service that answers; null: the password is another one. @throws proxyro.unreachable */
async function logIn(
  { rootservice, obCluster }: ProxyroOrder,
  password: string,
  { host, tls }: From,
): Promise<QueryClient | null> {
  let reason = 'it has none'
  for (const text of rootservice) {
    const client = new QueryClient(
      {
        address: addressOf(text),
        user: 'proxyro@sys',
        stage1: password === '' ? null : stage1Of(password),
        timeoutMs: TIMEOUT_MS,
        tls,
      },
      host.clock,
    )
    try {
      await client.open(host.transport)
      return client
    } catch (error) {
      client.close()
      if (isDenied(error)) return null
      reason = reasonOf(error)
    }
  }
  throw new Fault('proxyro.unreachable', { cluster: obCluster, reason: reason.slice(0, 200) })
}

function addressOf(text: string) {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) }
}

function escaped(password: string): string {
  return password.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
}

function refused({ obCluster, to }: ProxyroOrder): Fault {
  return new Fault('proxyro.refused', { cluster: obCluster, reference: to })
}

function notChanged({ obCluster, to }: ProxyroOrder, errno: number): Fault {
  return new Fault('proxyro.not-changed', { cluster: obCluster, reference: to, errno })
}
