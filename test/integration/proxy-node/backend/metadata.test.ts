/** The proxy's own questions over real sockets: in turn, bounded, and none after the end. */
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { parseClientLogin } from '../../../../infra/local/front/login-codec.ts'
import { stage1Of, verifyNative } from '../../../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../../../proxy-node/backend/metadata.ts'
import type { ServerTlsPort } from '../../../../proxy-node/backend/server-tls.ts'
import type { Clock } from '../../../../proxy-node/base/clock.ts'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { tlsContext } from '../../../../proxy-node/net/tls.ts'
import { startAuthority } from '../../../support/certificates.ts'
import {
  type FakeConnection,
  type FakeScript,
  type FakeServer,
  loginOk,
  startFakeServer,
} from '../../../support/fake-server.ts'
import { until } from '../../../support/until.ts'

const STAGE1 = new Uint8Array(20)
/** Of the fake server's greeting. */
const SCRAMBLE = Buffer.from('abcdefghijklmnopqrst')
const MOST = 1_000

let closers: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

/** Answers are held back until `answer`. */
async function held() {
  const waiting: FakeConnection[] = []
  const server = await startFakeServer({
    onCommand: (connection, command) => {
      if (command[0] !== 0x03) return false
      waiting.push(connection)
      return true
    },
  })
  closers.push(server.stop)
  const answer = () => waiting.shift()?.rows({ columns: ['n'], rows: [[1]] })
  return { server, waiting, answer }
}

function connections(
  clock: Clock = systemClock,
  { tls, ...more }: { readonly tls?: ServerTlsPort; readonly maxConnections?: () => number } = {},
): MetadataConnections {
  const made = new MetadataConnections(nodeTransport, clock, {
    passwords: () => [STAGE1],
    timeoutMs: 5_000,
    ...(tls === undefined ? {} : { tls: cluster => (cluster === 'c1' ? tls : undefined) }),
    ...more,
  })
  closers.push(() => made.stop())
  return made
}

const reason = (asked: Promise<unknown>) => asked.then(() => 'answered').catch(each => String(each))

describe('questions to one server', () => {
  test('go over one connection, one after the other', async () => {
    const { server, waiting, answer } = await held()
    const metadata = connections()
    const all = ['a', 'b', 'c'].map(sql => metadata.query(server, sql, 'c1'))

    for (const count of [1, 2, 3]) {
      await until('one is asked', () => waiting.length === 1 && server.statements.length === count)
      answer()
    }

    expect(await Promise.all(all)).toEqual([[{ n: '1' }], [{ n: '1' }], [{ n: '1' }]])
    expect(server.connections).toHaveLength(1)
  })

  test('are refused when a thousand wait already', async () => {
    const { server, waiting } = await held()
    const metadata = connections()
    const first = reason(metadata.query(server, 'first', 'c1'))
    await until('it is asked', () => waiting.length === 1)
    const queued = Array.from({ length: MOST }, () => reason(metadata.query(server, 'next', 'c1')))

    await expect(metadata.query(server, 'one more', 'c1')).rejects.toMatchObject({
      code: 'metadata.busy',
    })

    metadata.stop()
    const ends = await Promise.all([first, ...queued])
    expect(new Set(ends.slice(1))).toEqual(
      new Set(['QueryError: nobody wants the answer any more']),
    )
  })

  test('that waited until nobody wants the answer are not asked', async () => {
    let skew = 0
    const { server, waiting, answer } = await held()
    const metadata = connections({ ...systemClock, now: () => Date.now() + skew })
    const first = metadata.query(server, 'first', 'c1')
    await until('it is asked', () => waiting.length === 1)
    const late = reason(metadata.query(server, 'late', 'c1'))
    skew = 10_001
    const fresh = metadata.query(server, 'fresh', 'c1')

    answer()
    await until('the fresh one is asked', () => server.statements.includes('fresh'))
    answer()

    await first
    expect(await fresh).toEqual([{ n: '1' }])
    expect(await late).toContain('waited 10 s')
    expect(server.statements).toEqual(['first', 'fresh'])
  })
})

test('questions that wait for a connection fail with it, and leave their place to another server', async () => {
  const hanging = await startFakeServer({ onLogin: () => {} })
  closers.push(hanging.stop)
  const { server, waiting, answer } = await held()
  const after: Clock['after'] = (ms, act) => systemClock.after(ms / 50, act)
  const metadata = connections({ ...systemClock, after }, { maxConnections: () => 1 })

  const ends = await Promise.all(
    ['a', 'b', 'c'].map(sql => reason(metadata.query(hanging, sql, 'c1'))),
  )
  const next = metadata.query(server, 'd', 'c1')
  await until('the other one is asked', () => waiting.length === 1)
  answer()

  expect(new Set(ends)).toEqual(new Set(['QueryError: timed out']))
  expect(hanging.connections).toHaveLength(1)
  expect(await next).toEqual([{ n: '1' }])
})

describe('passwords of proxyro', () => {
  const OLD = stage1Of('old')
  const NEW = stage1Of('new')

  /** A server whose proxyro has a password that the test changes; the names of those that were tried. */
  async function guarded() {
    const known = new Map([
      ['old', OLD],
      ['new', NEW],
    ])
    const tried: string[] = []
    const state = { password: 'old' }
    const server = await startFakeServer({
      onLogin: connection => {
        const name = [...known].find(([, stage1]) =>
          verifyNative(parseClientLogin(connection.login).authResponse, SCRAMBLE, stage1),
        )?.[0]
        tried.push(name ?? 'none')
        if (name === state.password) connection.send(loginOk(connection, {}))
        else connection.error(1045, 'Access denied')
      },
      onCommand: connection => {
        connection.rows({ columns: ['n'], rows: [[1]] })
        return true
      },
    })
    closers.push(server.stop)
    return { server, tried, state }
  }

  const holding = (of: Map<string, readonly Uint8Array[]>) => {
    const made = new MetadataConnections(nodeTransport, systemClock, {
      passwords: cluster => of.get(cluster) ?? [],
      timeoutMs: 5_000,
    })
    closers.push(() => made.stop())
    return made
  }

  test('are tried in turn, and the one that was right is tried first from then on', async () => {
    const { server, tried, state } = await guarded()
    const slots = new Map([['c1', [OLD, NEW]]])
    const metadata = holding(slots)
    await metadata.query(server, 'a', 'c1')
    state.password = 'new'
    const cut = () => server.connections.at(-1)?.socket.destroy()
    const again = async () => {
      cut()
      await untilAnswered(metadata, server)
    }

    await again()
    await again()
    state.password = 'old'
    await again()

    expect(tried).toEqual(['old', 'old', 'new', 'new', 'new', 'old'])
  })

  test('are of their OB cluster, and taken anew for each login', async () => {
    const { server, tried, state } = await guarded()
    const slots = new Map([
      ['c1', [OLD]],
      ['c2', [NEW]],
    ])
    const metadata = holding(slots)

    expect(await reason(metadata.query(server, 'a', 'c1'))).toBe('answered')
    expect(await reason(metadata.query(server, 'a', 'c2'))).toContain('Access denied')
    state.password = 'new'
    expect(await reason(metadata.query(server, 'a', 'c2'))).toBe('answered')
    expect(await reason(metadata.query(server, 'a', 'c3'))).toContain('no password of proxyro')

    expect(tried).toEqual(['old', 'new', 'new'])
  })
})

async function untilAnswered(metadata: MetadataConnections, server: FakeServer): Promise<void> {
  // The connection that was cut may be noticed by the question, or before it.
  for (;;) if ((await reason(metadata.query(server, 'again', 'c1'))) === 'answered') return
}

describe('connections of one OB cluster', () => {
  const answering = async () => {
    const server = await startFakeServer({
      onCommand: connection => {
        connection.rows({ columns: ['n'], rows: [[1]] })
        return true
      },
    })
    closers.push(server.stop)
    return server
  }

  test('are closed with it, those of another one stay; what waited is rejected', async () => {
    const { server, waiting, answer } = await held()
    const metadata = connections()
    const gone = ['a', 'b'].map(sql => reason(metadata.query(server, sql, 'gone')))
    const kept = metadata.query(server, 'c', 'kept')
    await until('both are asked', () => waiting.length === 2)

    metadata.release('gone')

    expect(await Promise.all(gone)).toEqual([
      expect.stringMatching(/^QueryError/),
      'QueryError: nobody wants the answer any more',
    ])
    await until('its connection is closed', () => closedOf(server) === 1)
    answer()
    answer()
    await kept
    expect(server.statements.toSorted()).toEqual(['a', 'c'])
  })

  test('are no more than mysql_client_num: the one unused for longest makes room', async () => {
    let now = 0
    let most = 2
    const [a, b, c] = [await answering(), await answering(), await answering()]
    const clock = { ...systemClock, now: () => ++now }
    const metadata = connections(clock, { maxConnections: () => most })
    for (const server of [a, b, a, c]) await metadata.query(server, 'x', 'c1')
    await metadata.query(b, 'x', 'c2')

    await until('one is closed', () => closedOf(b) === 1)
    expect([closedOf(a), closedOf(c)]).toEqual([0, 0])
    most = 1
    await metadata.query(b, 'x', 'c1')

    await until('both are closed', () => closedOf(a) === 1 && closedOf(c) === 1)
    // Of another cluster.
    expect(closedOf(b)).toBe(1)
  })

  test('in use make no room', async () => {
    const { server, waiting, answer } = await held()
    const metadata = connections(systemClock, { maxConnections: () => 1 })
    const first = metadata.query(server, 'a', 'c1')
    await until('it is asked', () => waiting.length === 1)

    await expect(metadata.query(await answering(), 'b', 'c1')).rejects.toMatchObject({
      code: 'metadata.crowded',
    })

    answer()
    await first
  })
})

describe('after the end', () => {
  test('what waited is rejected, and no connection is opened again', async () => {
    const { server, waiting } = await held()
    const metadata = connections()
    const all = ['a', 'b', 'c'].map(sql => reason(metadata.query(server, sql, 'c1')))
    await until('one is asked', () => waiting.length === 1)

    metadata.stop()
    const ends = await Promise.all(all)
    const after = await reason(metadata.query(server, 'd', 'c1'))

    expect([...ends, after].every(end => end.startsWith('QueryError'))).toBe(true)
    await until('its connection is closed', () => closedOf(server) === 1)
    expect(server.connections).toHaveLength(1)
  })

  test('a login that was under way is closed', async () => {
    let logIn = () => {}
    const server = await startFakeServer({
      onLogin: connection => {
        logIn = () => connection.send(loginOk(connection))
      },
    })
    closers.push(server.stop)
    const metadata = connections()
    const asked = reason(metadata.query(server, 'a', 'c1'))
    await until('it logs in', () => (server.connections[0]?.login.length ?? 0) > 0)

    metadata.stop()
    logIn()

    expect(await asked).toBe('QueryError: nobody wants the answer any more')
    await until('its connection is closed', () => closedOf(server) === 1)
    expect(server.statements).toEqual([])
  })
})

function closedOf(server: FakeServer): number {
  return server.connections.filter(({ socket }) => socket.destroyed).length
}

describe('questions to a server with TLS', () => {
  const authority = startAuthority()
  const tls = authority.issue('server', ['IP:127.0.0.1'])
  afterAll(() => authority.stop())

  /** A server in TLS behind a tap that keeps every byte of both sides. */
  async function tapped(script: FakeScript) {
    const server = await startFakeServer(script)
    const seen: Buffer[] = []
    const tap = createServer(client => {
      const there = connect(server.port, server.host)
      for (const [from, to] of [
        [client, there],
        [there, client],
      ] as const) {
        from.on('data', bytes => seen.push(bytes as Buffer))
        from.on('error', () => {})
        from.on('close', () => to.destroy())
        from.pipe(to)
      }
    })
    await new Promise<void>(done => tap.listen(0, '127.0.0.1', done))
    closers.push(server.stop, () => tap.close())
    const { port } = tap.address() as AddressInfo
    return { server, at: { host: '127.0.0.1', port }, seen: () => Buffer.concat(seen) }
  }

  function wanted(isRequired: boolean, failures: string[] = []): ServerTlsPort {
    const context = tlsContext({ ca: authority.cert, minVersion: 'TLSv1.2' })
    const current = () => ({ isRequired, verification: 'identity' as const, context })
    return { current, failed: (_server, reason) => failures.push(reason) }
  }

  test('travel inside it, the login too: nothing of them can be read on the way', async () => {
    const { server, at, seen } = await tapped({ tls })

    await connections(systemClock, { tls: wanted(true) }).query(
      at,
      "SELECT 'a question of the proxy'",
      'c1',
    )

    expect(server.statements).toEqual(["SELECT 'a question of the proxy'"])
    expect(server.connections[0]?.loginSequence).toBe(2)
    expect(seen().includes('proxyro')).toBe(false)
    expect(seen().includes('a question')).toBe(false)
  })

  test('are read on the way where it is off, so that the tap is known to see', async () => {
    const { at, seen } = await tapped({ tls })

    await connections().query(at, "SELECT 'a question of the proxy'", 'c1')

    expect(seen().includes('proxyro')).toBe(true)
    expect(seen().includes('a question')).toBe(true)
  })

  test('are in clear towards the servers of an OB cluster that it is off for', async () => {
    const { at, seen } = await tapped({ tls })

    await connections(systemClock, { tls: wanted(true) }).query(at, 'SELECT 2', 'c2')

    expect(seen().includes('SELECT 2')).toBe(true)
  })

  test('are not asked of a server that offers none where it is required', async () => {
    const { server, at, seen } = await tapped({})
    const failures: string[] = []

    await expect(
      connections(systemClock, { tls: wanted(true, failures) }).query(at, 'SELECT 1', 'c1'),
    ).rejects.toThrow()

    expect(failures).toHaveLength(1)
    expect(server.statements).toEqual([])
    expect(seen().includes('proxyro')).toBe(false)
  })
})
