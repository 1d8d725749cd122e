/**
 * TLS on a connection that is already open, for both adapters: raw bytes pass through a Duplex.
 * Why not Bun's own upgrade: bytes that came together with the request for TLS are lost to it and
 * the handshake hangs (tried); through the Duplex it costs the same a query.
 */
import { Duplex } from 'node:stream'
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type SecureContext,
  type SecureVersion,
  TLSSocket,
} from 'node:tls'
import { systemClock, type TimerHandle } from '../base/clock.ts'

/** PEM texts and the oldest version that is spoken. @throws Error of the library when they do not parse. */
export function tlsContext(material: TlsMaterial): TlsContext {
  return createSecureContext({ ...material })
}

export type TlsMaterial = {
  readonly cert?: string
  readonly key?: string
  /** Who may vouch for the peer; absent: the runtime's own list. */
  readonly ca?: string
  readonly minVersion: SecureVersion
}

export type TlsContext = SecureContext

/** What is demanded of the peer's certificate: nothing, a known issuer, or also the host's name. */
export type TlsVerification = 'none' | 'ca' | 'identity'

export type TlsSetup = {
  readonly context: TlsContext
  /** We open the handshake towards this host; absent: we are asked. */
  readonly server?: { readonly host: string; readonly verification: TlsVerification }
  /** What the peer sent behind its request for TLS. */
  readonly received: Uint8Array
  /** Bound of the handshake. */
  readonly timeoutMs: number
  /** From now on both directions are secret; a failure is told by `closed`. */
  readonly secured: () => void
}

/** The socket below. */
export type RawEnd = {
  readonly write: (bytes: Uint8Array) => boolean
  readonly pendingBytes: () => number
  readonly pause: () => void
  readonly resume: () => void
  readonly end: () => void
  readonly destroy: () => void
}

/** The same as of a connection without TLS. */
export type TlsEvents = {
  readonly received: (bytes: Uint8Array) => void
  readonly drained: () => void
  readonly ended: () => void
  readonly closed: (error: Error | undefined) => void
}

/** How long a peer may take to read why the handshake failed. */
const FAREWELL_MS = 1_000
/** How long the last bytes may take from the closed socket to their owner. */
const REST_MS = 5_000

type State = 'handshake' | 'open' | 'failed' | 'over'

export class TlsLayer {
  private readonly raw: RawEnd
  private readonly events: TlsEvents
  private readonly wire: Duplex
  private readonly stream: TLSSocket
  private state: State = 'handshake'
  private timer: TimerHandle
  private failure: Error | undefined
  /** The socket has not taken all; called when it has. */
  private taken: (() => void) | undefined
  private isBlocked = false
  private hasWireEnded = false
  private hasEnded = false
  private isRawClosed = false

  constructor(raw: RawEnd, setup: TlsSetup, events: TlsEvents) {
    this.raw = raw
    this.events = events
    this.wire = this.makeWire()
    this.stream = tlsStream(this.wire, setup)
    this.timer = systemClock.after(setup.timeoutMs, () =>
      this.fail(new Error('TLS handshake timed out')),
    )
    this.listen(setup)
    raw.resume()
    if (setup.received.length > 0) this.rawReceived(setup.received)
  }

  // --- the owner

  write(bytes: Uint8Array): boolean {
    if (this.state === 'failed' || this.state === 'over' || this.stream.writableEnded) return true
    // The stream keeps the view it is given; the caller's bytes are valid during the call only.
    if (!this.stream.write(bytes.slice()) || this.hasBacklog) this.isBlocked = true
    return !this.isBlocked
  }

  pendingBytes(): number {
    return this.stream.writableLength + this.wire.writableLength + this.raw.pendingBytes()
  }

  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }

  end(): void {
    // Before the handshake is over nothing can be sent.
    if (this.state === 'handshake') this.fail(undefined)
    else this.stream.end()
  }

  /** Nothing is told any more. */
  destroy(): void {
    if (this.state === 'over') return
    this.state = 'over'
    this.timer.cancel()
    this.taken = undefined
    this.stream.destroy()
    this.wire.destroy()
  }

  // --- the socket below

  rawReceived(bytes: Uint8Array): void {
    if (this.hasWireEnded || this.state === 'failed' || this.state === 'over') return
    if (!this.wire.push(Buffer.from(bytes))) this.raw.pause()
  }

  rawDrained(): void {
    const { taken } = this
    this.taken = undefined
    taken?.()
    this.drained()
  }

  rawEnded(): void {
    if (this.hasWireEnded || this.state === 'over') return
    this.hasWireEnded = true
    this.wire.push(null)
  }

  rawClosed(error: Error | undefined): void {
    if (this.state === 'over') return
    this.isRawClosed = true
    if (error !== undefined || this.state !== 'open' || this.hasEnded) {
      this.close(error)
      return
    }
    this.timer = systemClock.after(REST_MS, () => this.close(undefined))
    this.rawEnded()
  }

  // --- within

  private makeWire(): Duplex {
    return new Duplex({
      read: () => this.raw.resume(),
      write: (bytes: Uint8Array, _encoding, done) => {
        if (this.raw.write(bytes)) done()
        else this.taken = done
      },
      final: done => {
        // Bun ends here before it says why a handshake failed.
        if (this.state !== 'handshake') this.raw.end()
        done()
      },
    })
  }

  private listen({ server, secured }: TlsSetup): void {
    const { stream } = this
    stream.on('error', error => this.fail(error))
    // Of a server's stream without a `tls.Server` this is all that Node tells after the handshake.
    stream.on('_tlsError', (error: Error) => this.fail(error))
    this.wire.on('error', error => this.fail(error))
    stream.on('close', () => this.streamClosed())
    stream.on(server === undefined ? 'secure' : 'secureConnect', () => {
      if (this.state !== 'handshake') return
      const doubt = server === undefined ? undefined : doubtOf(stream, server)
      if (doubt !== undefined) {
        this.fail(doubt)
        return
      }
      this.state = 'open'
      this.timer.cancel()
      secured()
    })
    stream.on('data', (bytes: Buffer) => {
      if (this.state === 'open') this.events.received(plainBytes(bytes))
    })
    stream.on('drain', () => this.drained())
    this.wire.on('drain', () => this.drained())
    stream.on('end', () => this.streamEnded())
  }

  /** Bun's stream goes on writing whatever the socket takes, so what waits below counts too. */
  private get hasBacklog(): boolean {
    return this.taken !== undefined || this.wire.writableNeedDrain
  }

  private drained(): void {
    if (!this.isBlocked || this.hasBacklog || this.stream.writableNeedDrain) return
    this.isBlocked = false
    if (this.state === 'open') this.events.drained()
  }

  private streamEnded(): void {
    if (this.state === 'handshake') {
      this.fail(new Error('the peer left during the TLS handshake'))
      return
    }
    if (this.state !== 'open' || this.hasEnded) return
    this.hasEnded = true
    this.events.ended()
    if (this.isRawClosed) this.close(undefined)
  }

  private streamClosed(): void {
    if (this.state === 'handshake') this.fail(new Error('TLS handshake failed'))
    else if (this.isRawClosed) this.close(undefined)
  }

  /** Lets the peer read the alert, then closes; the owner is told by `closed`. */
  private fail(error: Error | undefined): void {
    if (this.state === 'failed' || this.state === 'over') return
    this.state = 'failed'
    this.failure = error
    this.timer.cancel()
    this.timer = systemClock.after(FAREWELL_MS, () => this.raw.destroy())
    this.raw.resume()
    this.raw.end()
  }

  private close(error: Error | undefined): void {
    if (this.state === 'over') return
    const reason = this.failure ?? error
    const lost =
      this.state === 'handshake' ? new Error('the peer left during the TLS handshake') : undefined
    this.destroy()
    this.events.closed(reason ?? lost)
  }
}

function tlsStream(wire: Duplex, { context, server }: TlsSetup): TLSSocket {
  const options = { secureContext: context, rejectUnauthorized: false }
  if (server !== undefined)
    return connect({
      ...options,
      socket: wire,
      // Names are checked in `doubtOf`, where both runtimes do the same.
      checkServerIdentity: () => undefined,
      ...(isName(server.host) ? { servername: server.host } : {}),
    })
  // Any Duplex will do, which the type of this constructor does not say.
  return new TLSSocket(wire as ConstructorParameters<typeof TLSSocket>[0], {
    ...options,
    isServer: true,
  })
}

function doubtOf(
  stream: TLSSocket,
  { host, verification }: { readonly host: string; readonly verification: TlsVerification },
): Error | undefined {
  if (verification === 'none') return undefined
  if (!stream.authorized)
    return new Error(`certificate of ${host} is not trusted: ${String(stream.authorizationError)}`)
  return verification === 'identity'
    ? checkServerIdentity(host, stream.getPeerCertificate())
    : undefined
}

function isName(host: string): boolean {
  return !/^[\d.]+$/.test(host) && !host.includes(':')
}

/** A chunk as the port promises it: a Buffer's `slice` is a view, and who keeps a copy must get one. */
export function plainBytes(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
