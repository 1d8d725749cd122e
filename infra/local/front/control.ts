/**
 * Orders and counters of fronts for other processes: HTTP and JSON on a loopback address, under a
 * random path that only the ready line tells.
 * GET  …/counters → `{"fronts":[{"front":1,"host","port","zone","order","logins","statements",
 *                    "connections",
 *                    "violations","lastViolation","byText":{"select t1":3}}]}`
 * GET  …/ledger?after=N → `{"fronts":[{"front":1,"last":12,"entries":[{"number":11,…}]}]}`: what
 *      reached each front behind its entry N (0 when left out), as `ledger.ts` keeps it.
 *      `touched` tells what a statement needed: `{"table","partitions":["p3"],"isWeak"}`.
 * GET  …/reached → `{"fronts":[{"front":1,"tables":{"demo.t1":{"strongHits":3,…}}}]}`.
 * POST …/faults `{"front":1,"fault":{"errno":8001,"times":2,"tenant":"app","pattern":"…"}}` adds an
 *      error to be answered (faults.ts); without `fault` all of them are cleared.
 * POST …/picture `{"change":{"kind":"server","server":"HOST:PORT","isStopped":true}}`, one of the
 *      changes of picture-changes.ts: of servers, zones, tenants, leaders.
 * POST …/orders `{"front":1,"order":{"kind":"fail-next","errno":5001}}`; `"front":"all"` orders
 *      every front → `{"ok":true}` when it has been carried out; 400 `{"ok":false,"error":"…"}`.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { endAtOnce, listenAt } from '../listening.ts'
import { parseFault } from './faults.ts'
import type { Front } from './front.ts'
import type { LedgerEntry } from './ledger.ts'
import { parseOrder } from './orders.ts'
import { applyChange, parseChange } from './picture-changes.ts'

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
  const port = await listenAt(server, address)
  return {
    url: `http://${address.host}:${port}/${secret}`,
    stop: () => endAtOnce(server),
  }
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
  if (asked === `GET ${base}/reached`)
    return { status: 200, body: { fronts: fronts.map(reachedOf) } }
  const act = POSTS.get(asked.slice(`POST ${base}/`.length))
  if (act === undefined || !asked.startsWith(`POST ${base}/`))
    return { status: 404, body: { ok: false, error: KNOWN } }
  await act(await bodyOf(request), fronts)
  return { status: 200, body: { ok: true } }
}

const KNOWN = 'known are GET counters, ledger and reached, POST orders, faults and picture'

type Act = (body: unknown, fronts: readonly Front[]) => Promise<void>

const POSTS: ReadonlyMap<string, Act> = new Map([
  ['orders', order],
  ['faults', fault],
  ['picture', change],
])

async function order(body: unknown, fronts: readonly Front[]): Promise<void> {
  const read = parseOrder(fieldOf(body, 'order'))
  if (typeof read === 'string') throw new Error(read)
  for (const front of chosenBy(body, fronts)) await front.take(read)
}

async function fault(body: unknown, fronts: readonly Front[]): Promise<void> {
  const asked = fieldOf(body, 'fault')
  const read = asked === undefined ? undefined : parseFault(asked)
  if (typeof read === 'string') throw new Error(read)
  for (const { faults } of chosenBy(body, fronts))
    if (read === undefined) faults.clear()
    else faults.add(read)
}

/** The picture is one for all fronts. */
async function change(body: unknown, fronts: readonly Front[]): Promise<void> {
  const [front] = fronts
  const read = parseChange(fieldOf(body, 'change'))
  if (typeof read === 'string') throw new Error(read)
  if (front !== undefined) await applyChange(front.picture, front.engine, read)
}

function reachedOf({ ledger }: Front, index: number) {
  return { front: index + 1, tables: Object.fromEntries(ledger.reached) }
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
    entries: ledger.after(after).map(shownEntry),
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

function fieldOf(body: unknown, name: string): unknown {
  const fields = typeof body === 'object' && body !== null ? Object.entries(body) : []
  return fields.find(([key]) => key === name)?.[1]
}

/** @throws Error */
function chosenBy(body: unknown, fronts: readonly Front[]): readonly Front[] {
  const front = fieldOf(body, 'front')
  const one = typeof front === 'number' ? fronts[front - 1] : undefined
  const chosen = front === 'all' ? fronts : [one].filter(found => found !== undefined)
  if (chosen.length === 0) throw new Error(`front must be "all" or 1 to ${fronts.length}`)
  return chosen
}

/** Partitions of a statement that are named. */
const SHOWN_PARTITIONS = 16

function shownEntry({ touched, ...entry }: LedgerEntry) {
  if (touched === undefined) return entry
  const { table, tablets, isWeak } = touched
  const partitions = tablets.slice(0, SHOWN_PARTITIONS).map(({ name }) => name)
  return { ...entry, touched: { table, partitions, isWeak } }
}
