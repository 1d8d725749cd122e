/**
 * The transport over Bun's native sockets: measured at HAProxy's cost a query, where node:net costs
 * half as much again. Hot path: see the rules.
 */
import type { Socket, TCPSocketListenOptions } from 'bun'
import { systemClock } from '../base/clock.ts'
import { part } from './part.ts'
import { type SocketTuning, STANDARD_TUNING, type Tuning, tuneSocket } from './socket-tuning.ts'
import { type RawEnd, TlsLayer, type TlsSetup } from './tls.ts'
import type { Address, Connection, ConnectionEvents, Listener, Transport } from './transport.ts'

const NOTHING = new Uint8Array(0)

class BunConnection implements Connection {
  readonly events: ConnectionEvents
  private socket: Socket<BunConnection> | undefined
  /** What the kernel has not taken, from `pendingAt` on. */
  private pending: Uint8Array = NOTHING
  private pendingAt = 0
  private ending = false
  private dropping = false
  private closed = false
  private paused = false
  private tls: TlsLayer | undefined
  remoteAddress = ''
  remotePort = 0

  constructor(events: ConnectionEvents) {
    this.events = events
  }

  /** Nobody waits for this connection any more. */
  get isGivenUp(): boolean {
    return this.closed || this.dropping
  }

  attach(socket: Socket<BunConnection>, tuning: SocketTuning): void {
    this.socket = socket
    this.remoteAddress = socket.remoteAddress
    this.remotePort = socket.remotePort
    // Its type does not say that it has one.
    if ('fd' in socket && typeof socket.fd === 'number') tuneSocket(socket.fd, tuning)
    if (this.paused) socket.pause()
  }

  get isSecure(): boolean {
    return this.tls !== undefined
  }

  startTls(setup: TlsSetup): void {
    if (this.tls !== undefined || this.ending || this.closed) return
    this.tls = new TlsLayer(this.rawEnd(), setup, {
      received: bytes => this.events.received(this, bytes),
      drained: () => this.events.drained(this),
      ended: () => this.events.ended(this),
      closed: error => this.tellClosed(error),
    })
    if (this.paused) this.tls.pause()
  }

  write(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
    if (this.tls === undefined) return this.writeRaw(bytes, from, to)
    return this.tls.write(part(bytes, from, to))
  }

  private writeRaw(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.socket === undefined || this.closed || this.ending) return true
    if (this.pending.length > 0) {
      this.keep(bytes.subarray(from, to))
      return false
    }
    const taken = Math.max(0, this.socket.write(bytes, from, to - from))
    if (taken >= to - from) return true
    this.keep(bytes.subarray(from + taken, to))
    return false
  }

  pendingBytes(): number {
    return this.tls === undefined ? this.pending.length - this.pendingAt : this.tls.pendingBytes()
  }

  pause(): void {
    this.paused = true
    if (this.tls !== undefined) this.tls.pause()
    else if (!this.closed) this.socket?.pause()
  }

  resume(): void {
    this.paused = false
    if (this.tls !== undefined) this.tls.resume()
    else if (!this.closed) this.socket?.resume()
  }

  end(): void {
    if (this.tls === undefined) this.endRaw()
    else this.tls.end()
  }

  private endRaw(): void {
    this.ending = true
    if (this.socket === undefined) this.destroy()
    else if (this.pending.length === 0 && !this.closed) this.socket.end()
  }

  destroy(): void {
    if (this.dropping || this.closed) return
    this.ending = true
    this.dropping = true
    this.pending = NOTHING
    this.tls?.destroy()
    this.socket?.terminate()
    // Never from within: an owner that destroys a connection is in the middle of something.
    queueMicrotask(() => this.tellClosed(undefined))
  }

  flush(): void {
    if (this.socket === undefined || this.pending.length === 0) return
    const rest = this.pending.subarray(this.pendingAt)
    const taken = Math.max(0, this.socket.write(rest))
    if (taken < rest.length) {
      this.pendingAt += taken
      return
    }
    this.pending = NOTHING
    this.pendingAt = 0
    if (this.ending) this.socket.end()
    else if (this.tls === undefined) this.events.drained(this)
    else this.tls.rawDrained()
  }

  peerEnded(): void {
    if (this.closed || this.dropping) return
    if (this.tls === undefined) this.events.ended(this)
    else this.tls.rawEnded()
  }

  bytes(bytes: Uint8Array): void {
    if (this.dropping) return
    if (this.tls === undefined) this.events.received(this, bytes)
    else this.tls.rawReceived(bytes)
  }

  finished(error: Error | undefined): void {
    if (this.dropping) return
    if (this.tls === undefined) this.tellClosed(error)
    else this.tls.rawClosed(error)
  }

  private rawEnd(): RawEnd {
    return {
      write: bytes => this.writeRaw(bytes, 0, bytes.length),
      pendingBytes: () => this.pending.length - this.pendingAt,
      pause: () => void this.socket?.pause(),
      resume: () => void this.socket?.resume(),
      end: () => this.endRaw(),
      destroy: () => void this.socket?.terminate(),
    }
  }

  private tellClosed(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.pending = NOTHING
    this.events.closed(this, error)
  }

  private keep(bytes: Uint8Array): void {
    const left = this.pending.length - this.pendingAt
    const grown = new Uint8Array(left + bytes.length)
    grown.set(this.pending.subarray(this.pendingAt))
    grown.set(bytes, left)
    this.pending = grown
    this.pendingAt = 0
  }
}

/** One object for all sockets: a callback per connection would be garbage per connection. */
const HANDLERS = {
  binaryType: 'uint8array' as const,
  data: (socket: Socket<BunConnection>, bytes: Uint8Array) => socket.data.bytes(bytes),
  drain: (socket: Socket<BunConnection>) => socket.data.flush(),
  end: (socket: Socket<BunConnection>) => socket.data.peerEnded(),
  close: (socket: Socket<BunConnection>, error?: Error) => socket.data.finished(error),
  error: (socket: Socket<BunConnection>, error: Error) => {
    socket.data.finished(error)
    socket.terminate()
  },
}

function connect(
  { host, port, timeoutMs }: Address & { timeoutMs: number },
  events: ConnectionEvents,
  tuning: () => Tuning,
): Connection {
  const connection = new BunConnection(events)
  const timer = systemClock.after(timeoutMs, () => {
    connection.finished(new Error('connect timed out'))
  })
  Bun.connect<BunConnection>({
    hostname: host,
    port,
    allowHalfOpen: true,
    data: connection,
    socket: {
      ...HANDLERS,
      open: socket => {
        timer.cancel()
        if (connection.isGivenUp) {
          socket.terminate()
          return
        }
        connection.attach(socket, tuning().servers)
        events.opened(connection)
      },
    },
  }).catch((error: Error) => {
    timer.cancel()
    connection.finished(error)
  })
  return connection
}

async function listen(
  where: Address | { readonly fd: number },
  accept: () => ConnectionEvents,
  tuning: () => Tuning,
): Promise<Listener> {
  const place = 'fd' in where ? { fd: where.fd } : { hostname: where.host, port: where.port }
  const options = {
    ...place,
    allowHalfOpen: true,
    socket: {
      ...HANDLERS,
      open: (socket: Socket<BunConnection>) => {
        const connection = new BunConnection(accept())
        socket.data = connection
        connection.attach(socket, tuning().clients)
        connection.events.opened(connection)
      },
    },
  }
  // Bun listens on an inherited descriptor, which its type of the options does not say.
  const listener = Bun.listen<BunConnection>(options as TCPSocketListenOptions<BunConnection>)
  return { port: 'fd' in where ? 0 : listener.port, stop: () => listener.stop(false) }
}

/** `tuning` is asked once a connection. */
export function tunedTransport(tuning: () => Tuning): Transport {
  return {
    connect: (address, events) => connect(address, events, tuning),
    listen: (where, accept) => listen(where, accept, tuning),
  }
}

export const bunTransport: Transport = tunedTransport(() => STANDARD_TUNING)
