/** The proxy's OB 2.0 framing and the scripted server's, which share no code, over real sockets. */
import { afterEach, describe, expect, test } from 'vitest'
import { frame, minimalOk } from '../../../../infra/local/front/codec.ts'
import { framingOf } from '../../../../proxy-node/backend/framing.ts'
import { buildRequestExtra, EXTRA } from '../../../../proxy-node/wire/extra-info.ts'
import { OB20_CAPABILITIES, PROXY_CAPABILITIES } from '../../../../proxy-node/wire/protocol.ts'
import { packet } from '../../../../proxy-node/wire/writer.ts'
import { type FakeScript, type FakeServer, startFakeServer } from '../../../support/fake-server.ts'
import { FrontClient, rowsOf } from '../../../support/front-client.ts'
import { Ob20Client } from '../../../support/ob20-client.ts'
import { extraEntry, frameBytes } from '../../../support/ob20-server.ts'
import { errorOf } from '../../../support/raw-client.ts'

const stops: (() => Promise<void> | void)[] = []
const LOGIN = { user: 'demo@app', password: '' }

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function start(script: FakeScript = {}): Promise<FakeServer> {
  const server = await startFakeServer({ protocol: 'ob20', ...script })
  stops.push(server.stop)
  return server
}

async function logIn(server: FakeServer): Promise<Ob20Client> {
  const client = await Ob20Client.logIn(server, { ...LOGIN, features: OB20_CAPABILITIES })
  stops.push(() => client.close())
  return client
}

describe('the scripted server in frames', () => {
  test('answers queries, errors and OKs', async () => {
    const server = await start({
      onCommand: (connection, command) => {
        if (!command.subarray(1).equals(Buffer.from('bad'))) return false
        connection.error(1064, 'no')
        return true
      },
    })
    const client = await logIn(server)

    expect(framingOf(client.capabilities)).toBe('ob20')
    expect(rowsOf(await client.query('SELECT 1'))).toEqual([[String(server.port)]])
    const failed = await client.query('bad')
    expect(errorOf(failed.packets[0]).errno).toBe(1064)
    expect(failed.last).toEqual(minimalOk())
    expect(server.statements).toEqual(['SELECT 1', 'bad'])
  })

  test('sees a command of 17 MB that streams in, and its extra info', async () => {
    const server = await start()
    const client = await logIn(server)
    const sql = Buffer.alloc(17_000_000, 's')
    const extra = buildRequestExtra({ sessionState: [[4, Uint8Array.of(1)]] })

    await client.query(sql, { extra, pieceBytes: 4_000_000 })

    const [connection] = server.connections
    expect(connection?.commands[0]?.subarray(1).equals(sql)).toBe(true)
    expect(connection?.requestExtra).toEqual(extraEntry(2002, extraEntry(4, Buffer.from([1]))))
    expect(connection?.frames).toHaveLength(5)
  })

  test('puts extra info into the frames of a response that comes in parts', async () => {
    const server = await start({
      extraOf: () => [extraEntry(2002, 'a'), extraEntry(1001, 'b')],
      onCommand: connection => {
        connection.sliceBytes = 5
        connection.sendPart(Buffer.from('\xff\x01\x00#HY000x', 'latin1'))
        connection.send(minimalOk())
        return true
      },
    })
    const client = await logIn(server)

    const { packets, extra, frames } = await client.query('x')

    expect(packets.map(({ sequence }) => sequence)).toEqual([1, 2])
    expect(extra.map(({ type }) => type)).toEqual([EXTRA.sessionState, EXTRA.feedback])
    expect(frames).toBe(6)
  })

  test('stays plain for a proxy that does not ask for frames', async () => {
    const server = await start()
    const front = new FrontClient(server, true)
    stops.push(() => void front.raw.socket.destroy())
    await front.logIn({ ...LOGIN, features: PROXY_CAPABILITIES })

    expect(rowsOf(await front.query('SELECT 1'))).toEqual([[String(server.port)]])
  })

  test('closes on two commands in one frame, on a wrong frame, and hangs on a wrong type', async () => {
    const server = await start()
    const [two, wrong, hung] = [await logIn(server), await logIn(server), await logIn(server)]
    const fields = { connectionId: hung.front.threadId, requestId: 1, sequence: 0 }

    two.send(Buffer.concat([packet(0, Uint8Array.of(0x0e)), packet(0, Uint8Array.of(0x0e))]), {})
    wrong.front.raw.socket.write(frame(0, Buffer.alloc(60, 1)))
    const payload = Buffer.concat([
      Buffer.from([7, 0, 0, 0]),
      extraEntry(900, 'x'),
      frame(0, Buffer.from([0x0e])),
    ])
    hung.front.raw.socket.write(frameBytes({ ...fields, flags: 0x0b, payload }))

    await Promise.all([two.front.raw.closed(), wrong.front.raw.closed()])
    await expect
      .poll(() => server.connections.map(({ violation }) => violation))
      .toEqual(['two commands in one frame', 'head checksum', 'extra info of type 900'])
    expect(hung.front.raw.isClosed).toBe(false)
  })
})
