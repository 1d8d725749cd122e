/** The transport over node:net, for tests in process and for tools that do not run on Bun. */
import { createServer, connect as netConnect, type Socket } from 'node:net'
import type { Address, Connection, ConnectionEvents, Listener, Transport } from './transport.ts'

/** Idle time after which a silent peer is probed (proxy-protocol.md §9). */
const KEEP_ALIVE_MS = 5_000

/** As Bun gives them: `slice` of a Buffer would be a view, and views of what arrives do not last. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

class NodeConnection implements Connection {
  private readonly socket: Socket
  private blocked = false

  constructor(socket: Socket, events: ConnectionEvents) {
    this.socket = socket
    let failure: Error | undefined
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('connect', () => events.opened(this))
    socket.on('data', bytes => events.received(this, plain(bytes as Buffer)))
    socket.on('drain', () => {
      this.blocked = false
      events.drained(this)
    })
    socket.on('end', () => events.ended(this))
    socket.on('timeout', () => socket.destroy(new Error('connect timed out')))
    socket.on('error', error => {
      failure = error
    })
    socket.on('close', () => events.closed(this, failure))
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress ?? ''
  }

  get remotePort(): number {
    return this.socket.remotePort ?? 0
  }

  write(bytes: Uint8Array): boolean {
    if (this.socket.destroyed || this.socket.writableEnded) return true
    // node keeps the view it is given; the caller's bytes are valid during the call only.
    const taken = this.socket.write(bytes.slice())
    if (!taken) this.blocked = true
    return !this.blocked
  }

  pendingBytes(): number {
    return this.socket.writableLength
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  end(): void {
    this.socket.destroySoon()
  }

  destroy(): void {
    this.socket.destroy()
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
