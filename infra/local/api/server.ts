/** HTTP servers of the local API: requests signed by instances, and bearers of the token. */
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { createApp } from '../../../functions/app.ts'
import type { Principal } from '../../../functions/domain/model.ts'
import { type Identity, verifySigV4 } from '../sigv4.ts'

type Fetch = (request: Request, env?: object) => Response | Promise<Response>

const SIGNED = 'AWS4-HMAC-SHA256 '
const MAX_SIGNED_BYTES = 262_144

/** An instance is who signed with its keys, as IAM would say it. */
export function signedFetch(
  app: ReturnType<typeof createApp>,
  lookup: (accessKeyId: string) => Identity<Principal> | undefined,
): Fetch {
  return async request => {
    if (!request.headers.get('authorization')?.startsWith(SIGNED)) return app.fetch(request)
    const length = Number(request.headers.get('content-length') ?? '0')
    if (request.headers.has('transfer-encoding') || !(length <= MAX_SIGNED_BYTES))
      return new Response(null, { status: 413 })
    const body = new Uint8Array(await request.arrayBuffer())
    const { pathname, search } = new URL(request.url)
    const verified = verifySigV4(
      {
        method: request.method,
        url: `${pathname}${search}`,
        headers: Object.fromEntries(request.headers),
        body,
      },
      { services: ['execute-api'], lookup, now: Date.now() },
    )
    const again = new Request(request.url, {
      method: request.method,
      headers: request.headers,
      ...(body.length === 0 ? {} : { body }),
    })
    // What is signed wrongly goes on as what it is: a request without valid credentials.
    return app.fetch(again, verified.ok ? { principal: verified.who } : {})
  }
}

/** Takes what the bus delivers. */
export function eventsFetch(token: string, take: (event: unknown) => Promise<unknown>): Fetch {
  const app = new Hono()
  app.use(bodyLimit({ maxSize: MAX_SIGNED_BYTES }))
  app.post('/events', async c => {
    if (c.req.header('authorization') !== `Bearer ${token}`) return c.body(null, 401)
    await take(await c.req.json())
    return c.body(null, 204)
  })
  return app.fetch
}

/** @throws Error in one line when the address cannot be had. */
export async function listen(
  fetch: Fetch,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Server> {
  const server = createAdaptorServer({ fetch: fetch as never }) as Server
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(`cannot listen on ${host}:${port}: ${error.code ?? error.message}`)),
    )
    server.listen(port, host, resolve)
  })
  return server
}
