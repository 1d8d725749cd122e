/** From parameters and certificates to what workers are told, and from there to TLS contexts. */

import { isServerSslMode, parseSslAttributes } from '#contract/ssl-settings'
import { type ServerTls, serverTls } from '../backend/server-tls.ts'
import type { CertificateSettings } from '../config/certificate-watch.ts'
import type { Certificates } from '../config/certificates.ts'
import { type TlsContext, tlsContext } from '../net/tls.ts'
import type { WorkerSettings } from './channel.ts'

type SslSettings = WorkerSettings['ssl']

export function sslSettings(config: CertificateSettings, certificates: Certificates): SslSettings {
  const attributes = parseSslAttributes(config.get('ssl_attributes'))
  const mode = config.get('server_ssl_mode')
  const isServerOn = config.isOn('enable_server_ssl') && isServerSslMode(mode)
  return {
    cert: config.isOn('enable_client_ssl') ? certificates.cert : '',
    key: config.isOn('enable_client_ssl') ? certificates.key : '',
    minVersion: attributes?.minVersion ?? 'TLSv1.2',
    server: isServerOn ? { mode, ca: certificates.ca } : null,
  }
}

/** @throws Error when the library refuses one of them */
export function tryCertificates({ cert, key, ca }: Certificates): void {
  if (cert !== '') tlsContext({ cert, key, minVersion: 'TLSv1.2' })
  if (ca !== '') tlsContext({ ca, minVersion: 'TLSv1.2' })
}

/** What clients are offered; undefined: nothing. */
export function clientTlsOf({ cert, key, minVersion }: SslSettings): TlsContext | undefined {
  return cert === '' ? undefined : tlsContext({ cert, key, minVersion })
}

/** What servers are asked for; undefined: nothing. */
export function serverTlsOf({ server, minVersion }: SslSettings): ServerTls | undefined {
  if (server === null) return undefined
  return serverTls({ ...server, minVersion })
}
