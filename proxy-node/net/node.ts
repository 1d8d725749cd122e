/** The transport over node:net, for tests in process and for tools that do not run on Bun. */
import { createServer, connect as netConnect, type Socket } from 'node:net'
import { part } from './part.ts'
import { plainBytes, type RawEnd, TlsLayer, type TlsSetup } from './tls.ts'
import type { Address, Connection, ConnectionEvents, Listener, Transport } from './transport.ts'

/** Idle time after which a silent peer is probed (proxy-protocol.md §9). */
const KEEP_ALIVE_MS = 5_000

class NodeConnection implements Connection {
  private readonly socket: Socket
  private readonly events: ConnectionEvents
  private blocked = false
  private tls: TlsLayer | undefined
  private isDropped = false

  constructor(socket: Socket, events: ConnectionEvents) {
    this.socket = socket
    this.events = events
    let failure: Error | undefined
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('connect', () => events.opened(this))
    socket.on('data', bytes => {
      const chunk = plainBytes(bytes as Buffer)
      if (this.tls === undefined) events.received(this, chunk)
      else this.tls.rawReceived(chunk)
    })
    socket.on('drain', () => {
      this.blocked = false
      if (this.tls === undefined) events.drained(this)
      else this.tls.rawDrained()
    })
    socket.on('end', () => {
      if (this.tls === undefined) events.ended(this)
      else this.tls.rawEnded()
    })
    socket.on('timeout', () => socket.destroy(new Error('connect timed out')))
    socket.on('error', error => {
      failure = error
    })
    socket.on('close', () => {
      if (this.tls === undefined || this.isDropped) events.closed(this, failure)
      else this.tls.rawClosed(failure)
    })
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress ?? ''
  }

  get remotePort(): number {
    return this.socket.remotePort ?? 0
  }

  get isSecure(): boolean {
    return this.tls !== undefined
  }

  startTls(setup: TlsSetup): void {
    if (this.tls !== undefined || this.socket.destroyed) return
    const isPaused = this.socket.isPaused()
    this.tls = new TlsLayer(this.rawEnd(), setup, {
      received: bytes => this.events.received(this, bytes),
      drained: () => this.events.drained(this),
      ended: () => this.events.ended(this),
      closed: error => this.events.closed(this, error),
    })
    if (isPaused) this.tls.pause()
  }

  write(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
    const all = part(bytes, from, to)
    return this.tls === undefined ? this.writeRaw(all) : this.tls.write(all)
  }

  private writeRaw(bytes: Uint8Array): boolean {
    if (this.socket.destroyed || this.socket.writableEnded) return true
    // node keeps the view it is given; the caller's bytes are valid during the call only.
    const taken = this.socket.write(new Uint8Array(bytes))
    if (!taken) this.blocked = true
    return !this.blocked
  }

  pendingBytes(): number {
    return this.tls === undefined ? this.socket.writableLength : this.tls.pendingBytes()
  }

  pause(): void {
    if (this.tls === undefined) this.socket.pause()
    else this.tls.pause()
  }

  resume(): void {
    if (this.tls === undefined) this.socket.resume()
    else this.tls.resume()
  }

  end(): void {
    if (this.tls === undefined) this.socket.destroySoon()
    else this.tls.end()
  }

  destroy(): void {
    this.isDropped = true
    this.tls?.destroy()
    this.socket.destroy()
  }

  private rawEnd(): RawEnd {
    return {
      write: bytes => this.writeRaw(bytes),
      pendingBytes: () => this.socket.writableLength,
      pause: () => void this.socket.pause(),
      resume: () => void this.socket.resume(),
      end: () => void this.socket.end(),
      destroy: () => void this.socket.destroy(),
    }
  }
}

function connect(
  { host, port, timeoutMs }: Address & { timeoutMs: number },
  events: ConnectionEvents,
): Connection {
  const socket = netConnect({ host, port, allowHalfOpen: true })
  socket.setTimeout(timeoutMs)
  socket.once('connect', () => socket.setTimeout(0))
  return new NodeConnection(socket, events)
}

function listen(
  where: Address | { readonly fd: number },
  accept: () => ConnectionEvents,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    const events = accept()
    events.opened(new NodeConnection(socket, events))
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      const bound = server.address()
      const port = typeof bound === 'object' && bound !== null ? bound.port : 0
      resolve({ port, stop: () => server.close() })
    })
  })
}

export const nodeTransport: Transport = { connect, listen }
