/** Servers of the stack's own services: beginning to listen, and ending at once. */
import type { Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'

export type ListenAddress = { readonly host: string; readonly port: number }

/** Resolves with the port; 0 asks for any. @throws Error when it cannot be had */
export function listenAt(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** Open connections end with it. */
export function endAtOnce(server: HttpServer): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()))
  server.closeAllConnections()
  return closed
}
