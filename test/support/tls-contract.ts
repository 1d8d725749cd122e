/**
 * What every transport adapter must do with TLS on a connection that is already open: all that it
 * does without, and the handshakes that come cut, late, wrong or never.
 */
import { strict as assert } from 'node:assert'
import { connect as connectPlain, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import {
  type TlsContext,
  type TlsSetup,
  type TlsVerification,
  tlsContext,
} from '../../proxy-node/net/tls.ts'
import type { Transport } from '../../proxy-node/net/transport.ts'
import { type Certificate, startAuthority } from './certificates.ts'
import {
  HOST,
  openPair,
  PAIR_CASES,
  type Pair,
  Peer,
  pattern,
  type TransportCase,
} from './transport-contract.ts'

const REQUEST = Buffer.from('upgrade!')
const NONE = new Uint8Array(0)

const authority = startAuthority()
const foreign = startAuthority()
const good = authority.issue('good', [`IP:${HOST}`, 'DNS:localhost'])

const contextOf = ({ cert, key }: Certificate) => tlsContext({ cert, key, minVersion: 'TLSv1.2' })
const serverContext = contextOf(good)
const clientContext = tlsContext({ ca: authority.cert, minVersion: 'TLSv1.2' })

const asServer = (peer: TlsPeer, changes: Partial<TlsSetup> = {}): TlsSetup => ({
  context: serverContext,
  received: NONE,
  timeoutMs: 5_000,
  secured: peer.secured,
  ...changes,
})

const asClient = (peer: TlsPeer, verification: TlsVerification, context = clientContext) => ({
  context,
  server: { host: HOST, verification },
  received: NONE,
  timeoutMs: 5_000,
  secured: peer.secured,
})

type TlsPeer = { readonly isSecured: () => boolean; readonly secured: () => void }

/** Notes that a peer was told. */
function noted(peer: Peer): TlsPeer {
  let told = 0
  return {
    isSecured: () => told === 1,
    secured: () => {
      told += 1
      peer.wake()
    },
  }
}

async function securePair(transport: Transport): Promise<Pair> {
  const pair = await openPair(transport)
  const { client, server } = pair
  const [clientTls, serverTls] = [noted(client), noted(server)]
  server.open.startTls(asServer(serverTls))
  client.open.startTls(asClient(clientTls, 'identity'))
  await client.until(clientTls.isSecured, 'client secured')
  await server.until(serverTls.isSecured, 'server secured')
  return pair
}

type Asked = {
  readonly server: Peer
  readonly tls: TlsPeer
  readonly port: number
  readonly stop: () => void
}

/** A server that starts TLS behind the request, with whatever came in the same segment. */
async function asked(transport: Transport): Promise<Asked> {
  const server = new Peer()
  const tls = noted(server)
  let seen = Buffer.alloc(0)
  server.onBytes = bytes => {
    if (tls.isSecured()) {
      server.open.write(bytes)
      return
    }
    seen = Buffer.concat([seen, bytes])
    if (seen.length < REQUEST.length) return
    server.open.startTls(asServer(tls, { received: seen.subarray(REQUEST.length) }))
  }
  const listener = await transport.listen({ host: HOST, port: 0 }, () => server.events)
  return {
    server,
    tls,
    port: listener.port,
    stop: () => {
      server.connection?.destroy()
      listener.stop()
    },
  }
}

/** A TLS client whose first flight leaves as `send` likes. */
function clientSending(socket: Socket, send: (hello: Buffer) => void): TLSSocket {
  let isFirst = true
  const wire = new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      if (isFirst) send(bytes)
      else socket.write(bytes)
      isFirst = false
      done()
    },
  })
  socket.on('data', bytes => wire.push(bytes))
  socket.on('close', () => wire.push(null))
  const stream = connectTls({ socket: wire, rejectUnauthorized: false })
  stream.on('error', () => {})
  return stream
}

async function echoes(stream: TLSSocket, text: string): Promise<void> {
  const answer = new Promise(done => stream.once('data', (bytes: Buffer) => done(bytes.toString())))
  stream.write(text)
  assert.equal(await answer, text)
}

async function opened(port: number): Promise<Socket> {
  const socket = connectPlain(port, HOST)
  socket.setNoDelay(true)
  socket.on('error', () => {})
  await new Promise<void>(done => socket.once('connect', () => done()))
  return socket
}

const turn = () => new Promise<void>(done => setImmediate(done))

async function cutAt(transport: Transport, at: (length: number) => number): Promise<number> {
  const { server, port, stop } = await asked(transport)
  const socket = await opened(port)
  let length = 0
  const stream = clientSending(socket, hello => {
    const whole = Buffer.concat([REQUEST, hello])
    length = whole.length
    const head = whole.subarray(0, at(length))
    const rest = whole.subarray(head.length)
    socket.write(head)
    const seen = () => server.received >= Math.min(head.length, REQUEST.length)
    void server
      .until(seen, 'the first part')
      .then(turn)
      .then(() => socket.write(rest))
  })
  await echoes(stream, 'inside')
  socket.destroy()
  stop()
  return length
}

/** What the client says of a server with this certificate: nothing when it is content. */
async function verdict(
  transport: Transport,
  certificate: Certificate,
  verification: TlsVerification,
): Promise<string> {
  const { client, server, stop } = await openPair(transport)
  const [clientTls, serverTls] = [noted(client), noted(server)]
  server.open.startTls(asServer(serverTls, { context: contextOf(certificate) }))
  client.open.startTls(asClient(clientTls, verification))
  await client.until(() => clientTls.isSecured() || client.isClosed, 'a verdict')
  const error = client.error?.message ?? ''
  assert.equal(clientTls.isSecured(), error === '')
  stop()
  return error
}

async function handshakeFails(
  transport: Transport,
  bytes: Uint8Array,
  changes: Partial<TlsSetup> = {},
): Promise<{ readonly error: string; readonly alert: Buffer }> {
  const { server, tls, port, stop } = await asked(transport)
  server.onBytes = () => server.open.startTls(asServer(tls, changes))
  const socket = await opened(port)
  const parts: Buffer[] = []
  socket.on('data', part => parts.push(part as Buffer))
  socket.write(REQUEST)
  await server.until(() => server.received > 0, 'the request')
  if (bytes.length > 0) socket.write(bytes)
  await server.until(() => server.isClosed, 'the end')
  assert.equal(tls.isSecured(), false)
  assert.ok(server.error instanceof Error, 'closed with an error')
  if (!socket.closed) await new Promise(done => socket.once('close', done))
  stop()
  return { error: server.error.message, alert: Buffer.concat(parts) }
}

const VERDICTS: readonly {
  readonly name: string
  readonly certificate: Certificate
  readonly none: RegExp
  readonly ca: RegExp
  readonly identity: RegExp
}[] = [
  { name: 'a good', certificate: good, none: /^$/, ca: /^$/, identity: /^$/ },
  {
    name: 'an expired',
    certificate: authority.issue('expired', [`IP:${HOST}`], -1),
    none: /^$/,
    ca: /not trusted.*expired/i,
    identity: /not trusted.*expired/i,
  },
  {
    name: 'a self-signed',
    certificate: foreign,
    none: /^$/,
    ca: /not trusted.*self.?signed/i,
    identity: /not trusted.*self.?signed/i,
  },
  {
    name: "another authority's",
    certificate: foreign.issue('foreign', [`IP:${HOST}`]),
    none: /^$/,
    ca: /not trusted/,
    identity: /not trusted/,
  },
  {
    name: "another host's",
    certificate: authority.issue('other', ['DNS:elsewhere.test', 'IP:127.9.9.9']),
    none: /^$/,
    ca: /^$/,
    identity: /does not match|altname/i,
  },
]

const HANDSHAKE_CASES: readonly TransportCase[] = [
  {
    name: 'request and ClientHello in one segment',
    run: async transport => void (await cutAt(transport, length => length)),
  },
  {
    name: 'request and ClientHello in two segments',
    run: async transport => void (await cutAt(transport, () => REQUEST.length)),
  },
  {
    name: 'request and ClientHello cut at every byte',
    run: async transport => {
      const length = await cutAt(transport, () => 1)
      for (let at = 2; at < length; at++) await cutAt(transport, () => at)
    },
  },
  {
    name: 'what is written before the handshake is over arrives behind it',
    run: async transport => {
      const { client, server, stop } = await openPair(transport)
      const [clientTls, serverTls] = [noted(client), noted(server)]
      client.open.startTls(asClient(clientTls, 'identity'))
      client.open.write(pattern(10, 1))
      server.open.pause()
      server.open.startTls(asServer(serverTls))
      await server.until(serverTls.isSecured, 'server secured while paused')
      assert.equal(server.received, 0)
      assert.equal(client.open.isSecure && server.open.isSecure, true)
      server.open.resume()
      await server.until(() => server.received === 10, 'the early bytes')
      stop()
    },
  },
  {
    name: 'a client that never begins the handshake is closed at the deadline',
    run: async transport => {
      const { error } = await handshakeFails(transport, NONE, { timeoutMs: 50 })
      assert.match(error, /timed out/)
    },
  },
  {
    name: 'a client that stops in the middle of its ClientHello is closed at the deadline',
    run: async transport => {
      const half = Buffer.from('160301020001', 'hex')
      assert.match((await handshakeFails(transport, half, { timeoutMs: 50 })).error, /timed out/)
    },
  },
  {
    name: 'a server that never answers the ClientHello is given up at the deadline',
    run: async transport => {
      const { client, stop } = await openPair(transport)
      const tls = noted(client)
      client.open.startTls({ ...asClient(tls, 'none'), timeoutMs: 50 })
      await client.until(() => client.isClosed, 'the end')
      assert.match(client.error?.message ?? '', /timed out/)
      assert.equal(tls.isSecured(), false)
      stop()
    },
  },
  {
    name: 'garbage instead of a ClientHello closes with an error',
    run: async transport => {
      for (const bytes of [Buffer.alloc(600, 0x41), Buffer.from('GET / HTTP/1.1\r\n\r\n')])
        assert.notEqual((await handshakeFails(transport, bytes)).error, '')
    },
  },
  {
    name: 'a version that is too old gets the alert that says so',
    run: async transport => {
      // A ClientHello of TLS 1.0 with one suite and nothing else.
      const hello = Buffer.concat([
        Buffer.from('160301002d010000290301', 'hex'),
        Buffer.alloc(32, 7),
        Buffer.from('000002002f0100', 'hex'),
      ])
      const { alert } = await handshakeFails(transport, hello)
      assert.equal(alert.subarray(-7).toString('hex'), '15030100020246')
    },
  },
  {
    name: 'a peer that leaves during the handshake is told once, as an error',
    run: async transport => {
      const { client, server, stop } = await openPair(transport)
      server.open.startTls(asServer(noted(server)))
      client.open.end()
      await server.until(() => server.isClosed, 'the end')
      assert.ok(server.error instanceof Error)
      assert.equal(server.hasEnded, false)
      stop()
    },
  },
  {
    name: 'a peer that closes without saying so in TLS has ended',
    run: async transport => {
      const { server, port, stop } = await asked(transport)
      const socket = await opened(port)
      const stream = clientSending(socket, hello => socket.write(Buffer.concat([REQUEST, hello])))
      await echoes(stream, 'inside')
      socket.end()
      await server.until(() => server.hasEnded, 'the end of the peer')
      server.open.end()
      await server.until(() => server.isClosed, 'closed')
      stop()
    },
  },
  {
    name: 'bytes that are no TLS after the handshake close with an error',
    run: async transport => {
      const { server, port, stop } = await asked(transport)
      const socket = await opened(port)
      const stream = clientSending(socket, hello => socket.write(Buffer.concat([REQUEST, hello])))
      await echoes(stream, 'inside')
      socket.write(Buffer.alloc(100, 0x41))
      await server.until(() => server.isClosed, 'closed')
      assert.ok(server.error instanceof Error)
      stop()
    },
  },
  {
    name: 'destroyed during the handshake: closed once, nothing secured',
    run: async transport => {
      const { client, server, stop } = await openPair(transport)
      const tls = noted(client)
      server.open.startTls(asServer(noted(server)))
      client.open.startTls(asClient(tls, 'none'))
      client.open.destroy()
      assert.equal(client.isClosed, false)
      await client.until(() => client.isClosed, 'closed')
      await server.until(() => server.isClosed, 'the loss seen by the server')
      assert.equal(tls.isSecured(), false)
      stop()
    },
  },
  ...VERDICTS.map(({ name, certificate, ...expected }) => ({
    name: `${name} certificate is judged as each mode asks`,
    run: async (transport: Transport) => {
      for (const mode of ['none', 'ca', 'identity'] as const)
        assert.match(await verdict(transport, certificate, mode), expected[mode])
    },
  })),
  {
    name: 'a certificate cannot be replaced by text that is none',
    run: () => {
      const wrong = (): TlsContext =>
        tlsContext({ cert: 'no certificate', key: good.key, minVersion: 'TLSv1.2' })
      assert.throws(wrong)
      return Promise.resolve()
    },
  },
]

export const TLS_CASES: readonly TransportCase[] = [
  ...PAIR_CASES.map(({ name, run }) => ({
    name: `over TLS, ${name}`,
    run: (transport: Transport) => run(() => securePair(transport)),
  })),
  ...HANDSHAKE_CASES,
]
