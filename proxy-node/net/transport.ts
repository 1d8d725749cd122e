/**
 * What the proxy needs of a TCP socket, and nothing else of any runtime. `bun.ts` is the production
 * adapter, `node.ts` serves tests in process; both pass the contract suite in test/support.
 */
import type { TlsSetup } from './tls.ts'

/** Called by the adapter; never after `closed`, and `closed` never from within `destroy`. */
export type ConnectionEvents = {
  /** The connection is established; before it only `closed` can be called. */
  readonly opened: (connection: Connection) => void
  /**
   * A chunk arrived. Its memory is its own: who keeps the bytes finds them as they were, and keeps all of
   * them. They are no Buffer: `slice` makes a copy.
   */
  readonly received: (connection: Connection, bytes: Uint8Array) => void
  /** Everything written is with the kernel, after a `write` that answered false. */
  readonly drained: (connection: Connection) => void
  /** The peer will send no more; we may still write. */
  readonly ended: (connection: Connection) => void
  /** Gone, once and last. `error` when it was a reset, a refusal or a time-out. */
  readonly closed: (connection: Connection, error: Error | undefined) => void
}

export type Connection = {
  readonly remoteAddress: string
  readonly remotePort: number
  /**
   * Queues bytes; false when the kernel did not take all of them. The rest is copied and kept, so a
   * caller that gets false stops its source until `drained`: what is kept is then at most one chunk.
   * Of a part of the bytes, from `from` up to `to`: a view would cost more than the writing.
   */
  readonly write: (bytes: Uint8Array, from?: number, to?: number) => boolean
  /** Bytes accepted by `write` that the kernel has not taken. */
  readonly pendingBytes: () => number
  /** No `received` until `resume`; the peer is slowed down by TCP. */
  readonly pause: () => void
  readonly resume: () => void
  /**
   * Goes on under TLS, once; everything above then means the bytes inside. A handshake that fails or
   * takes too long ends in `closed` with an error.
   */
  readonly startTls: (setup: TlsSetup) => void
  readonly isSecure: boolean
  /** Sends what is pending, then closes. */
  readonly end: () => void
  /** Closes at once and drops what is pending; while connecting, gives up: `opened` will not come. */
  readonly destroy: () => void
}

export type Listener = {
  readonly port: number
  /** Accepts no more; open connections stay. */
  readonly stop: () => void
}

export type Address = { readonly host: string; readonly port: number }

export type Transport = {
  /** Starts connecting; the outcome is `opened` or `closed`. */
  readonly connect: (
    address: Address & { timeoutMs: number },
    events: ConnectionEvents,
  ) => Connection
  /** Accepts on an address, or on an inherited listening descriptor. @throws Error when the address is taken. */
  readonly listen: (
    where: Address | { readonly fd: number },
    accept: () => ConnectionEvents,
  ) => Promise<Listener>
}
