/**
 * The least that a proxy on this runtime can cost: each chunk goes on as it came, nothing is looked at.
 * `bun forwarder.ts HOST:PORT SERVER:PORT`. What `npm run bench` shows beyond it is the proxy's own.
 */
import type { Socket } from 'bun'

type End = { other: Socket<End> | undefined; readonly early: Uint8Array[] }

const [own, server] = process.argv.slice(2).map(place => {
  const [hostname = '', port = ''] = place.split(':')
  return { hostname, port: Number(port) }
})
if (own === undefined || server === undefined) throw new Error('HOST:PORT SERVER:PORT')

const HANDLERS = {
  binaryType: 'uint8array' as const,
  data: (socket: Socket<End>, bytes: Uint8Array) => {
    const { other, early } = socket.data
    // Answers of a point select fit into any socket's buffer: what is not taken is not kept.
    if (other === undefined) early.push(bytes)
    else other.write(bytes)
  },
  close: (socket: Socket<End>) => void socket.data.other?.end(),
  error: (socket: Socket<End>) => void socket.terminate(),
}

Bun.listen<End>({
  ...own,
  socket: {
    ...HANDLERS,
    open: client => {
      client.data = { other: undefined, early: [] }
      client.setNoDelay(true)
      Bun.connect<End>({
        ...server,
        data: { other: client, early: [] },
        socket: {
          ...HANDLERS,
          open: connection => {
            connection.setNoDelay(true)
            client.data.other = connection
            for (const bytes of client.data.early) connection.write(bytes)
          },
        },
      }).catch(() => client.terminate())
    },
  },
})
