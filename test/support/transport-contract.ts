/**
 * What every transport adapter must do, as cases that need no test framework: the Node adapter runs
 * them under vitest, the Bun adapter in a Bun process of its own.
 */
import { strict as assert } from 'node:assert'
import type { Connection, ConnectionEvents, Transport } from '../../proxy-node/net/transport.ts'

export const HOST = '127.0.0.1'
const DEADLINE_MS = 20_000
const MEGABYTE = 1024 * 1024

export type Pair = { client: Peer; server: Peer; stop: () => void }

/** One end of a connection that remembers what happened to it. */
export class Peer {
  connection: Connection | undefined
  received = 0
  checksum = 0
  tail: Uint8Array = new Uint8Array(0)
  drains = 0
  hasEnded = false
  isClosed = false
  error: Error | undefined
  onBytes: (bytes: Uint8Array) => void = () => {}
  onDrain: () => void = () => {}
  private waiters: (() => void)[] = []

  readonly events: ConnectionEvents = {
    opened: connection => this.note(() => (this.connection = connection)),
    received: (_connection, bytes) =>
      this.note(() => {
        assert(!Buffer.isBuffer(bytes), 'a chunk is no Buffer, whose slice would be a view')
        this.received += bytes.length
        for (const byte of bytes) this.checksum = (this.checksum * 31 + byte) >>> 0
        this.tail = bytes.slice(-16)
        this.onBytes(bytes)
      }),
    drained: () =>
      this.note(() => {
        this.drains += 1
        this.onDrain()
      }),
    ended: () => this.note(() => (this.hasEnded = true)),
    closed: (_connection, error) =>
      this.note(() => {
        this.isClosed = true
        this.error = error
      }),
  }

  get open(): Connection {
    assert(this.connection !== undefined, 'connection is open')
    return this.connection
  }

  /** Resolves when `condition` holds after some event; rejects at the deadline. */
  until(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not within the deadline: ${what}`)),
        DEADLINE_MS,
      )
      const check = () => {
        if (!condition()) return
        clearTimeout(timer)
        this.waiters = this.waiters.filter(waiter => waiter !== check)
        resolve()
      }
      this.waiters.push(check)
    })
  }

  /** Looks at what is waited for once more. */
  wake(): void {
    for (const waiter of [...this.waiters]) waiter()
  }

  private note(act: () => void): void {
    assert.equal(this.isClosed, false, 'nothing is told after closed')
    act()
    this.wake()
  }
}

export async function openPair(transport: Transport): Promise<Pair> {
  const client = new Peer()
  const server = new Peer()
  const listener = await transport.listen({ host: HOST, port: 0 }, () => server.events)
  transport.connect({ host: HOST, port: listener.port, timeoutMs: 5000 }, client.events)
  await client.until(() => client.connection !== undefined, 'client opened')
  await server.until(() => server.connection !== undefined, 'server opened')
  return {
    client,
    server,
    stop: () => {
      client.connection?.destroy()
      server.connection?.destroy()
      listener.stop()
    },
  }
}

export function pattern(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let index = 0; index < size; index++) bytes[index] = (index * 7 + seed) & 0xff
  return bytes
}

export function checksum(bytes: Uint8Array, from = 0): number {
  let sum = from
  for (const byte of bytes) sum = (sum * 31 + byte) >>> 0
  return sum
}

/** Writes chunks as fast as the kernel takes them, never more than one beyond a full socket. */
function pump(
  peer: Peer,
  chunks: number,
  chunk: Uint8Array,
): { highWaterBytes: () => number; writtenBytes: () => number } {
  let left = chunks
  let highest = 0
  const go = () => {
    while (left > 0) {
      left -= 1
      const taken = peer.open.write(chunk)
      highest = Math.max(highest, peer.open.pendingBytes())
      if (!taken) return
    }
  }
  peer.onDrain = go
  go()
  return { highWaterBytes: () => highest, writtenBytes: () => (chunks - left) * chunk.length }
}

export type TransportCase = {
  readonly name: string
  readonly run: (transport: Transport) => Promise<void>
}

/** What holds of two ends that are connected, with TLS on them or without. */
export const PAIR_CASES: readonly {
  readonly name: string
  readonly run: (pair: () => Promise<Pair>) => Promise<void>
}[] = [
  {
    name: 'carries bytes both ways and tells the peer address',
    run: async pair => {
      const { client, server, stop } = await pair()
      client.open.write(pattern(100, 1))
      await server.until(() => server.received === 100, '100 bytes at the server')
      server.open.write(pattern(50, 2))
      await client.until(() => client.received === 50, '50 bytes at the client')
      assert.equal(server.checksum, checksum(pattern(100, 1)))
      assert.equal(client.checksum, checksum(pattern(50, 2)))
      assert.equal(server.open.remoteAddress, HOST)
      assert.ok(server.open.remotePort > 0)
      stop()
    },
  },
  {
    name: 'hands out bytes of which a slice is a copy',
    run: async pair => {
      const { client, server, stop } = await pair()
      let copy: Uint8Array = new Uint8Array(0)
      server.onBytes = bytes => {
        copy = bytes.slice()
        bytes.fill(0)
      }
      client.open.write(Uint8Array.of(7))
      await server.until(() => server.received === 1, 'the byte')

      assert.deepEqual([...copy], [7])
      stop()
    },
  },
  {
    name: 'finishes a write that the kernel takes in parts, in order',
    run: async pair => {
      const { client, server, stop } = await pair()
      const bytes = pattern(12 * MEGABYTE, 3)
      server.open.pause()
      assert.equal(client.open.write(bytes), false)
      assert.equal(client.open.write(pattern(10, 9)), false)
      assert.ok(client.open.pendingBytes() > 0)
      server.open.resume()
      await server.until(() => server.received === bytes.length + 10, 'all bytes at the server')
      await client.until(() => client.drains > 0, 'a drain at the client')
      assert.equal(server.checksum, checksum(pattern(10, 9), checksum(bytes)))
      assert.equal(client.open.pendingBytes(), 0)
      stop()
    },
  },
  {
    name: 'delivers nothing while paused and everything after resume',
    run: async pair => {
      const { client, server, stop } = await pair()
      server.open.pause()
      client.open.write(pattern(1000, 1))
      server.open.write(pattern(1, 1))
      await client.until(() => client.received === 1, 'the other direction goes on')
      assert.equal(server.received, 0)
      server.open.resume()
      await server.until(() => server.received === 1000, '1000 bytes after resume')
      stop()
    },
  },
  {
    name: 'half-close: the peer is told and can still answer',
    run: async pair => {
      const { client, server, stop } = await pair()
      server.onBytes = () => server.open.end()
      client.open.write(pattern(10, 1))
      await client.until(() => client.hasEnded, 'end seen by the client')
      client.open.end()
      await server.until(() => server.isClosed, 'server closed')
      await client.until(() => client.isClosed, 'client closed')
      stop()
    },
  },
  {
    name: 'sends what is pending before it closes',
    run: async pair => {
      const { client, server, stop } = await pair()
      const bytes = pattern(8 * MEGABYTE, 5)
      server.open.pause()
      client.open.write(bytes)
      client.open.end()
      server.open.resume()
      await server.until(() => server.hasEnded, 'end seen by the server')
      assert.equal(server.received, bytes.length)
      assert.equal(server.checksum, checksum(bytes))
      stop()
    },
  },
  {
    name: 'tells a lost peer once',
    run: async pair => {
      const { client, server, stop } = await pair()
      client.open.destroy()
      await server.until(() => server.isClosed || server.hasEnded, 'the loss seen by the server')
      server.open.destroy()
      await server.until(() => server.isClosed, 'server closed')
      assert.equal(server.open.write(pattern(1, 1)), true)
      stop()
    },
  },
  {
    name: 'does not tell a close from within destroy',
    run: async pair => {
      const { client, server, stop } = await pair()
      client.open.destroy()
      assert.equal(client.isClosed, false)
      await client.until(() => client.isClosed, 'close of the destroyed end')
      await server.until(() => server.isClosed || server.hasEnded, 'the loss seen by the server')
      server.open.destroy()
      stop()
    },
  },
  {
    name: 'tells a reset, whatever was under way',
    run: async pair => {
      const { client, server, stop } = await pair()
      // Unread bytes at a closing end make the kernel answer with a reset.
      server.open.pause()
      client.open.write(pattern(100_000, 1))
      server.open.destroy()
      await client.until(() => client.isClosed || client.hasEnded, 'the reset seen by the client')
      client.open.destroy()
      await client.until(() => client.isClosed, 'client closed')
      stop()
    },
  },
  {
    name: 'keeps 20,000 small writes in order',
    run: async pair => {
      const { client, server, stop } = await pair()
      let expected = 0
      for (let index = 0; index < 20_000; index++) {
        const bytes = pattern((index % 37) + 1, index)
        expected = checksum(bytes, expected)
        client.open.write(bytes)
      }
      await server.until(() => server.checksum === expected, 'all small writes')
      stop()
    },
  },
  {
    name: 'writes the part of the bytes that is asked for, also where the kernel does not take all of it',
    run: async pair => {
      const { client, server, stop } = await pair()
      const bytes = pattern(MEGABYTE, 5)
      const parts = [
        [0, 10],
        [10, 11],
        [11, 11],
        [11, bytes.length - 7],
        [3, bytes.length],
      ] as const
      let expected = 0
      for (const [from, to] of parts) {
        expected = checksum(bytes.subarray(from, to), expected)
        client.open.write(bytes, from, to)
      }
      await server.until(() => server.checksum === expected, 'all parts')
      stop()
    },
  },
  {
    name: 'what is kept of a chunk stays as it came',
    run: async pair => {
      const { client, server, stop } = await pair()
      const kept: { readonly bytes: Uint8Array; readonly sum: number }[] = []
      server.onBytes = bytes => kept.push({ bytes, sum: checksum(bytes) })
      for (let turn = 1; turn <= 300; turn++) {
        const before = server.received
        const bytes = pattern(((turn * 7919) % 70_000) + 1, turn)
        client.open.write(bytes)
        await server.until(() => server.received === before + bytes.length, `turn ${turn}`)
      }
      for (const { bytes, sum } of kept) assert.equal(checksum(bytes), sum)
      stop()
    },
  },
  {
    name: 'carries 64 MB through a slow reader with one chunk of memory',
    run: async pair => {
      const { client, server, stop } = await pair()
      const chunk = pattern(64 * 1024, 1)
      let sincePause = 0
      server.onBytes = bytes => {
        sincePause += bytes.length
        if (sincePause < 4 * MEGABYTE) return
        sincePause = 0
        server.open.pause()
        setTimeout(() => server.open.resume(), 2)
      }
      const gauge = pump(client, 1024, chunk)
      await server.until(() => server.received === 64 * MEGABYTE, '64 MB at the server')
      // TLS keeps its own records besides the chunk.
      const most = client.open.isSecure ? 4 : 2
      assert.ok(gauge.highWaterBytes() <= most * chunk.length, `pending ${gauge.highWaterBytes()}`)
      stop()
    },
  },
  {
    name: 'a reader that has stopped stops the writer, and later gets all of it',
    run: async pair => {
      const { client, server, stop } = await pair()
      server.open.pause()
      const gauge = pump(client, 640, pattern(64 * 1024, 1))
      // The other direction tells that time passes.
      for (let turn = 1; turn <= 500; turn++) {
        server.open.write(pattern(1, 1))
        await client.until(() => client.received === turn, `byte ${turn}`)
      }
      const stoppedAt = gauge.writtenBytes()
      assert.equal(server.received, 0)
      assert.ok(stoppedAt < 32 * MEGABYTE, `${stoppedAt} bytes written to nobody`)
      server.open.resume()
      await server.until(() => server.received === 40 * MEGABYTE, 'all of it')
      stop()
    },
  },
]

const CONNECT_CASES: readonly TransportCase[] = [
  {
    name: 'reports a refused connect as an error',
    run: async transport => {
      const { stop, client } = await openPair(transport)
      const listener = await transport.listen({ host: HOST, port: 0 }, () => new Peer().events)
      const { port } = listener
      listener.stop()
      const lost = new Peer()
      transport.connect({ host: HOST, port, timeoutMs: 5000 }, lost.events)
      await lost.until(() => lost.isClosed, 'refusal')
      assert.equal(lost.connection, undefined)
      assert.ok(lost.error instanceof Error)
      assert.equal(client.isClosed, false)
      stop()
    },
  },
  {
    name: 'gives up a connect that is destroyed: closed once, never opened',
    run: async transport => {
      const accepted = new Peer()
      const listener = await transport.listen({ host: HOST, port: 0 }, () => accepted.events)
      const peer = new Peer()
      const address = { host: HOST, port: listener.port, timeoutMs: 5000 }
      const connection = transport.connect(address, peer.events)
      connection.destroy()
      assert.equal(peer.isClosed, false, 'closed is not told from within destroy')
      await peer.until(() => peer.isClosed, 'close')
      await accepted.until(
        () => accepted.connection === undefined || accepted.isClosed || accepted.hasEnded,
        'the accepting side has nothing, or its end',
      )
      assert.equal(peer.connection, undefined)
      listener.stop()
    },
  },
  {
    name: 'reports a connect that times out, and never opens it afterwards',
    run: async transport => {
      const peer = new Peer()
      // An address for documentation: packets to it are dropped or refused, never answered.
      transport.connect({ host: '192.0.2.1', port: 9, timeoutMs: 100 }, peer.events)
      await peer.until(() => peer.isClosed, 'time-out')
      assert.ok(peer.error instanceof Error)
      assert.equal(peer.connection, undefined)
    },
  },
  {
    name: 'refuses to listen on an address that is taken',
    run: async transport => {
      const listener = await transport.listen({ host: HOST, port: 0 }, () => new Peer().events)
      await assert.rejects(
        transport.listen({ host: HOST, port: listener.port }, () => new Peer().events),
      )
      listener.stop()
    },
  },
]

export const TRANSPORT_CASES: readonly TransportCase[] = [
  ...PAIR_CASES.map(({ name, run }) => ({
    name,
    run: (transport: Transport) => run(() => openPair(transport)),
  })),
  ...CONNECT_CASES,
]
