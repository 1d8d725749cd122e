/**
 * TLS towards OBServers for the node's own logins there: what the proxy beside it is set to. A password
 * never goes there in clear text where the proxy's own do not.
 */
import { readFileSync } from 'node:fs'
import type { DesiredNode } from '#contract/node-state'
import { isServerSslMode, parseSslAttributes } from '#contract/ssl-settings'
import { type ServerTlsPort, serverTls } from '../backend/server-tls.ts'
import { askProxy } from './access.ts'
import type { Host } from './host.ts'
import { listenerPid } from './listener.ts'

/** OBProxy has no `server_ssl_mode`: it takes TLS where a server offers it. */
const DEFAULT_MODE = 'preferred'

/**
 * Undefined: the proxy does without. One that does not run is asked for nothing: it will be set as is
 * wanted. @throws node.admin-refused
 */
export async function observerTls(
  desired: DesiredNode,
  host: Host,
): Promise<ServerTlsPort | undefined> {
  if ((await listenerPid(desired, host)) === null)
    return tlsOf(new Map(Object.entries(desired.parameters)))
  return tlsOf(await askProxy(desired, host, admin => admin.parameters()))
}

/** By the parameters of a proxy. */
export function tlsOf(parameters: ReadonlyMap<string, string>): ServerTlsPort | undefined {
  if (parameters.get('enable_server_ssl')?.toLowerCase() !== 'true') return undefined
  const mode = parameters.get('server_ssl_mode') ?? DEFAULT_MODE
  const file = parameters.get('ssl_ca_file') ?? ''
  const { minVersion = 'TLSv1.2' } =
    parseSslAttributes(parameters.get('ssl_attributes') ?? '') ?? {}
  const tls = serverTls({
    mode: isServerSslMode(mode) ? mode : DEFAULT_MODE,
    ca: file === '' ? '' : readFileSync(file, 'utf8'),
    minVersion,
  })
  return { current: () => tls, failed: () => {} }
}
