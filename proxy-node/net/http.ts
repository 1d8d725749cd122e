/** A small HTTP server for the exporter: GET, a path, an answer. Nothing is read of a body. */
import type { Server } from 'bun'
import type { Address } from './transport.ts'

export type HttpAnswer = { readonly status: number; readonly type: string; readonly body: string }

/** @throws Error when the address is taken. */
export function serveHttp(
  { host, port }: Address,
  answer: (path: string) => HttpAnswer,
): { readonly port: number; readonly stop: () => void } {
  const server: Server<undefined> = Bun.serve({
    hostname: host,
    port,
    idleTimeout: 10,
    maxRequestBodySize: 1024,
    fetch: request => {
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return new Response('method not allowed\n', { status: 405, headers: { allow: 'GET' } })
      const { status, type, body } = answer(new URL(request.url).pathname)
      return new Response(body, { status, headers: { 'content-type': type } })
    },
  })
  return { port: server.port ?? port, stop: () => void server.stop(true) }
}
