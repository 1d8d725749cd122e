/**
 * The login to a server, inside TLS where the configuration and the server's greeting want it: our
 * own request for TLS is the head of the login with the SSL flag, then the whole login follows.
 * Source: proxy-protocol.md §1.6, §2.
 */
import type { ServerSslMode, TlsVersion } from '#contract/ssl-settings'
import { canonicalIp } from '../base/address.ts'
import { type TlsContext, type TlsVerification, tlsContext } from '../net/tls.ts'
import type { Address, Connection } from '../net/transport.ts'
import type { Greeting } from '../wire/handshake.ts'
import { CAPABILITY } from '../wire/protocol.ts'
import { packet } from '../wire/writer.ts'

export type ServerTls = {
  /** Without TLS no server is good enough. */
  readonly isRequired: boolean
  readonly verification: TlsVerification
  readonly context: TlsContext
}

/** What a server session needs to know; `current` is asked at each login. */
export type ServerTlsPort = {
  readonly current: () => ServerTls | undefined
  /** TLS that is wanted could not be had from this server. */
  readonly failed: (server: Address, reason: string) => void
  /** A handshake succeeded. */
  readonly secured?: (() => void) | undefined
}

const VERIFICATION: Readonly<Record<ServerSslMode, TlsVerification>> = {
  preferred: 'none',
  required: 'none',
  verify_ca: 'ca',
  verify_identity: 'identity',
}

/** By `server_ssl_mode`; `ca` in PEM, empty for what the system trusts. @throws Error when the library refuses it */
export function serverTls({
  mode,
  ca,
  minVersion,
}: {
  readonly mode: ServerSslMode
  readonly ca: string
  readonly minVersion: TlsVersion
}): ServerTls {
  return {
    isRequired: mode !== 'preferred',
    verification: VERIFICATION[mode],
    context: tlsContext(ca === '' ? { minVersion } : { ca, minVersion }),
  }
}

export type LoginPlace = {
  readonly connection: Connection
  readonly server: Address
  readonly greeting: Greeting
  readonly tls: ServerTls | undefined
  readonly secured: (() => void) | undefined
  /** Bound of the handshake. */
  readonly timeoutMs: number
}

export const NO_TLS_OFFERED = 'it offers no TLS'

const NOTHING = new Uint8Array(0)
/** Capabilities, packet size, collation, filler. */
const HEAD_BYTES = 32

/**
 * Sends a login payload as first packet of ours. `refused`: the server has no TLS and must have;
 * nothing was sent. A failed handshake closes the connection.
 */
export function sendLogin(payload: Uint8Array, place: LoginPlace): 'sent' | 'refused' {
  const { connection, greeting, server, tls, timeoutMs } = place
  if (tls === undefined || (greeting.capabilities & CAPABILITY.ssl) === 0) {
    if (tls?.isRequired === true) return 'refused'
    connection.write(packet(1, payload))
    return 'sent'
  }
  const login = payload.slice()
  login[1] = (login[1] ?? 0) | (CAPABILITY.ssl >> 8)
  connection.write(packet(1, login.subarray(0, HEAD_BYTES)))
  connection.startTls({
    context: tls.context,
    server: { host: canonicalIp(server.host), verification: tls.verification },
    received: NOTHING,
    timeoutMs,
    secured: () => {
      place.secured?.()
      connection.write(packet(2, login))
    },
  })
  return 'sent'
}
