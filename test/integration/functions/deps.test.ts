/** The plane's clients of AWS, before services that take a request and then say nothing. */
import { createServer, type Server, type Socket } from 'node:net'
import { SendCommandCommand } from '@aws-sdk/client-ssm'
import { afterEach, describe, expect, test } from 'vitest'
import { type DepsSettings, makeClients, makeDeps } from '../../../functions/deps.ts'
import { targetGroupMembers } from '../../../functions/remote/target-group.ts'
import { noQueue } from '../../support/scripted-fleet.ts'

const REQUEST_MS = 150
/** Three attempts and what the SDK waits between them. */
const IN_TIME_MS = 8_000

const opened: { server: Server; sockets: Set<Socket> }[] = []

/** Takes requests and answers with `bytes`, never more. */
async function silentServer(bytes = ''): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => {
      if (bytes !== '') socket.write(bytes)
    })
  })
  opened.push({ server, sockets })
  await new Promise<void>(done => {
    server.listen(0, '127.0.0.1', done)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no address')
  return `http://127.0.0.1:${address.port}`
}

function settingsOf(url: string): DepsSettings {
  return {
    region: 'local',
    table: 't',
    document: 'd',
    cursorKey: 'k',
    queue: noQueue,
    log: () => {},
    dynamodbEndpoint: url,
    ssmEndpoint: url,
    elbEndpoint: url,
    credentials: { accessKeyId: 'a', secretAccessKey: 's' },
    requestMs: REQUEST_MS,
  }
}

afterEach(() => {
  for (const { server, sockets } of opened.splice(0)) {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
})

describe.each([
  ['nothing', ''],
  ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"Parameter":'],
])('a service that answers with %s', (_name, bytes) => {
  test(
    'is given up by the table, by reads, and by a send that is not repeated',
    async () => {
      const url = await silentServer(bytes)
      const { once, elb } = makeClients(settingsOf(url))
      const { store, plane } = makeDeps(settingsOf(url))

      await expect(store.get('operation', { id: 'op_1' })).rejects.toMatchObject({
        code: 'store-unavailable',
      })
      await expect(plane.hosts.list({ limit: 5 })).rejects.toMatchObject({
        code: 'remote-unavailable',
      })
      await expect(
        targetGroupMembers(elb).members({
          kind: 'target-group',
          targetGroupArn: 'a',
          targetBy: 'ip',
        }),
      ).rejects.toMatchObject({ code: 'remote-unavailable' })
      await expect(
        once.send(new SendCommandCommand({ DocumentName: 'd', InstanceIds: ['i-1'] })),
      ).rejects.toMatchObject({ name: 'TimeoutError', $metadata: { attempts: 1 } })
    },
    3 * IN_TIME_MS,
  )
})

test(
  'an executor before a silent table ends its work, and begins it again when it is asked',
  async () => {
    const { engine } = makeDeps(settingsOf(await silentServer()))

    await expect(engine.advance('op_1')).rejects.toMatchObject({ code: 'store-unavailable' })
    await expect(engine.advance('op_1')).rejects.toMatchObject({ code: 'store-unavailable' })
    await expect(engine.sweep(10)).rejects.toMatchObject({ code: 'store-unavailable' })
  },
  3 * IN_TIME_MS,
)
