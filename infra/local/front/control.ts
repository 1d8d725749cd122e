/**
 * Orders and counters of fronts for other processes: HTTP and JSON on a loopback address, under a
 * random path that only the ready line tells.
 * GET  …/counters → `{"fronts":[{"front":1,"host","port","zone","order","logins","statements",
 *                    "connections",
 *                    "violations","lastViolation","byText":{"select t1":3}}]}`
 * GET  …/ledger?after=N → `{"fronts":[{"front":1,"last":12,"entries":[{"number":11,…}]}]}`: what
 *      reached each front behind its entry N (0 when left out), as `ledger.ts` keeps it.
 * POST …/orders `{"front":1,"order":{"kind":"fail-next","errno":5001}}`; `"front":"all"` orders
 *      every front → `{"ok":true}` when it has been carried out; 400 `{"ok":false,"error":"…"}`.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Front } from './front.ts'
import { type Order, parseOrder } from './orders.ts'

const MAX_BODY_BYTES = 16_384
const BODY_DEADLINE_MS = 5_000

export type Control = { readonly url: string; readonly stop: () => Promise<void> }

/** Listens on a loopback address; port 0 is any. @throws Error for another address */
export async function startControl(
  fronts: readonly Front[],
  address: { readonly host: string; readonly port: number },
): Promise<Control> {
  if (!address.host.startsWith('127.'))
    throw new Error(`the control channel is for loopback addresses, not ${address.host}`)
  const secret = randomBytes(18).toString('base64url')
  const server = createServer((request, response) => {
    serve(fronts, `/${secret}`, request).then(
      ({ status, body }) => reply(response, status, body),
      (error: Error) => reply(response, 400, { ok: false, error: error.message }),
    )
  })
  server.requestTimeout = BODY_DEADLINE_MS
  await listening(server, address)
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return {
    url: `http://${address.host}:${port}/${secret}`,
    stop: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

function listening(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(`${JSON.stringify(body)}\n`)
}

type Reply = { readonly status: number; readonly body: unknown }

async function serve(
  fronts: readonly Front[],
  base: string,
  request: IncomingMessage,
): Promise<Reply> {
  const asked = `${request.method} ${request.url}`
  if (asked === `GET ${base}/counters`)
    return { status: 200, body: { fronts: fronts.map((front, index) => countersOf(front, index)) } }
  const ledger = new RegExp(`^GET ${base}/ledger(?:\\?after=(\\d{1,12}))?$`).exec(asked)
  if (ledger !== null)
    return { status: 200, body: { fronts: fronts.map(ledgerFrom(Number(ledger[1] ?? 0))) } }
  if (asked !== `POST ${base}/orders`)
    return {
      status: 404,
      body: { ok: false, error: 'known are GET counters, GET ledger and POST orders' },
    }
  const { chosen, order } = readOrder(await bodyOf(request), fronts)
  for (const front of chosen) await front.take(order)
  return { status: 200, body: { ok: true } }
}

function countersOf(front: Front, index: number) {
  const { byText, ...counters } = front.counters
  return {
    front: index + 1,
    ...front.server,
    order: front.order,
    ...counters,
    byText: Object.fromEntries(byText),
  }
}

function ledgerFrom(after: number) {
  return ({ ledger }: Front, index: number) => ({
    front: index + 1,
    last: ledger.last,
    entries: ledger.after(after),
  })
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > MAX_BODY_BYTES) throw new Error(`more than ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk as Buffer)
  }
  return JSON.parse(Buffer.concat(chunks).toString())
}

function readOrder(
  body: unknown,
  fronts: readonly Front[],
): { readonly chosen: readonly Front[]; readonly order: Order } {
  const { front, order } = (typeof body === 'object' && body !== null ? body : {}) as {
    readonly front?: unknown
    readonly order?: unknown
  }
  const one = typeof front === 'number' ? fronts[front - 1] : undefined
  const chosen = front === 'all' ? fronts : [one].filter(found => found !== undefined)
  if (chosen.length === 0) throw new Error(`front must be "all" or 1 to ${fronts.length}`)
  const read = parseOrder(order)
  if (typeof read === 'string') throw new Error(read)
  return { chosen, order: read }
}
