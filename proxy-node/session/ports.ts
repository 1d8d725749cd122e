/** What a client session needs of the rest of the node, as narrow ports the composition root fills. */
import type { ProxyLogin } from '../backend/login.ts'
import type { ServerSession } from '../backend/server-session.ts'
import type { ServerTlsPort } from '../backend/server-tls.ts'
import type { Clock } from '../base/clock.ts'
import type { Address, Transport } from '../net/transport.ts'
import type { Cell, Column } from '../wire/resultset.ts'
import type { EntryRules } from './client-entry.ts'
import type { WorkerTraffic } from './traffic.ts'

/** Where statements of one tenant can go. Both answers may be immediate or a promise. */
export type Directory = {
  /** The cluster's name as servers know it; undefined when this node has no such cluster. */
  readonly resolveCluster: (name: string | undefined) => string | undefined
  /** Servers of the tenant in the order to try; empty when the tenant is unknown. */
  readonly tenantServers: (tenant: string) => readonly Address[] | Promise<readonly Address[]>
  /** The leader of a non-partitioned table; undefined when it is unknown or has none of its own. */
  readonly leaderOf: (
    tenant: string,
    database: string,
    table: string,
  ) => Address | undefined | Promise<Address | undefined>
  /** A statement routed by that table reached a server without its leader. */
  readonly missed: (tenant: string, database: string, table: string) => void
  readonly connectFailed: (server: Address) => void
}

export type AdminAnswer =
  | { readonly kind: 'ok' }
  | {
      readonly kind: 'rows'
      readonly columns: readonly Column[]
      readonly rows: readonly (readonly Cell[])[]
    }
  | {
      readonly kind: 'error'
      readonly errno: number
      readonly state: string
      readonly message: string
    }

export type Admin = {
  /** Whether this answer to `scramble` is the password of an account of tenant proxysys. */
  readonly accepts: (user: string, token: Uint8Array, scramble: Uint8Array, from: string) => boolean
  readonly run: (user: string, sql: string, connectionId: number) => Promise<AdminAnswer>
}

export type Mode =
  | { readonly kind: 'mysql'; readonly server: Address }
  | { readonly kind: 'oceanbase'; readonly directory: Directory }

export type SessionDeps = {
  readonly transport: Transport
  readonly clock: Clock
  readonly mode: Mode
  readonly admin: Admin
  readonly serverVersion: () => string
  readonly proxyVersion: string
  readonly loginTimeoutMs: number
  readonly connectTimeoutMs: number
  /** Unique over workers, restarts and nodes (N4). */
  readonly nextConnectionId: () => number
  readonly maxSessions: () => number
  readonly traffic: WorkerTraffic
  /** Absent: no TLS is offered, nobody is believed. */
  readonly entry?: EntryRules
  /** Absent: servers are spoken to without TLS. */
  readonly serverTls?: ServerTlsPort
  /** Ends what `victim`, a server session of `login`, is executing. */
  readonly cancel: (login: ProxyLogin, victim: ServerSession) => void
}
