/** What the parameters about TLS say. Pure. Source: proxy-admin.md §3.5, §6.5. */
import { SERVER_SSL_MODES } from '#contract/parameters'

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

export type SslAttributes = {
  /** Clients without TLS are refused. */
  readonly isForced: boolean
  readonly minVersion: TlsVersion
}

export type ServerSslMode = (typeof SERVER_SSL_MODES)[number]

const DEFAULT_VERSION = 'TLSv1.2'
const VERSIONS: Readonly<Record<string, TlsVersion>> = {
  NONE: DEFAULT_VERSION,
  TLSV1: 'TLSv1',
  'TLSV1.1': 'TLSv1.1',
  'TLSV1.2': 'TLSv1.2',
  'TLSV1.3': 'TLSv1.3',
}
const FORCE: Readonly<Record<string, boolean>> = { ENABLE_FORCE: true, DISABLE_FORCE: false }

/** Undefined when the text is neither empty nor such an object. */
export function parseSslAttributes(text: string): SslAttributes | undefined {
  if (text.trim() === '') return { isForced: false, minVersion: DEFAULT_VERSION }
  const parsed = objectOf(text)
  if (parsed === undefined) return undefined
  const {
    using_ssl: force = 'DISABLE_FORCE',
    min_tls_version: version = 'NONE',
    ...others
  } = parsed
  const isForced = FORCE[String(force)]
  // As SHOW PROXYINFO SSL shows it, too.
  const minVersion = VERSIONS[String(version).toUpperCase()]
  if (isForced === undefined || minVersion === undefined) return undefined
  return Object.keys(others).length === 0 ? { isForced, minVersion } : undefined
}

export function isServerSslMode(text: string): text is ServerSslMode {
  return SERVER_SSL_MODES.some(mode => mode === text)
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    return isObject ? { ...parsed } : undefined
  } catch {
    return undefined
  }
}
