/**
 * A data plane over a fixed picture of servers, on either transport: in this process over node:net,
 * or in a Bun process of its own, where it answers to lines on its standard input.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { LIMITS, type Limit } from '#contract/names'
import { SLOT } from '#contract/telemetry'
import { acceptsAdmin } from '../../proxy-node/admin/accounts.ts'
import { DEFAULT_LOGIN_RULES } from '../../proxy-node/auth/identity.ts'
import { AddressList } from '../../proxy-node/base/address.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../proxy-node/net/node.ts'
import { type TlsVerification, tlsContext } from '../../proxy-node/net/tls.ts'
import type { Address, Transport } from '../../proxy-node/net/transport.ts'
import type { EntryRules } from '../../proxy-node/session/client-entry.ts'
import { DEFAULT_SETTINGS, peersOf } from '../../proxy-node/session/peers.ts'
import type { Mode, SessionSettings } from '../../proxy-node/session/ports.ts'
import { Sessions } from '../../proxy-node/session/sessions.ts'
import { staticDirectoryOf } from './static-outlook.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export type Plan = {
  /** MySQL mode when given. */
  readonly mysql?: Address
  readonly servers?: readonly Address[]
  /** `database.table` → leader. */
  readonly leaders?: Readonly<Record<string, Address>>
  readonly loginTimeoutMs?: number
  readonly connectTimeoutMs?: number
  readonly maxSessions?: number
  readonly settings?: Partial<SessionSettings>
  /** Where it listens; 127.0.0.1 when absent. */
  readonly host?: string
  /** PEM texts; clients are offered TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly isTlsForced?: boolean
  /** Lists of networks that may claim addresses. */
  readonly proxyHeaders?: string
  readonly clientIps?: string
  readonly serverTls?: {
    readonly isRequired: boolean
    readonly verification: TlsVerification
    readonly ca?: string
  }
}

export type DataPlane = {
  readonly port: number
  readonly size: () => Promise<number>
  /** Lets `seconds` beats pass at once. */
  readonly beat: (seconds: number) => Promise<void>
  /** Clients that `limit` has refused or ended. */
  readonly limited: (limit: Limit) => Promise<number>
  /** Resident memory of the process that holds it, bytes. */
  readonly residentBytes: () => Promise<number>
  readonly drain: (force: boolean) => Promise<void>
  readonly stop: () => Promise<void>
}

export type Flavour = 'node:net' | 'Bun'

export function startDataPlane(flavour: Flavour, plan: Plan): Promise<DataPlane> {
  return flavour === 'Bun' ? startOnBun(plan) : startHere(nodeTransport, plan)
}

function modeOf(plan: Plan): Mode {
  if (plan.mysql !== undefined) return { kind: 'mysql', server: plan.mysql }
  const cluster = {
    name: 'c1',
    tenant: 'app',
    servers: plan.servers ?? [],
    leaders: plan.leaders ?? {},
  }
  return { kind: 'oceanbase', directory: staticDirectoryOf(cluster, systemClock) }
}

const ACCOUNTS = { root: '', inspector: '', allowsPublicAddresses: false }
const OLDEST = { minVersion: 'TLSv1.2' } as const

function entryOf(plan: Plan): EntryRules {
  const context = plan.tls === undefined ? undefined : tlsContext({ ...plan.tls, ...OLDEST })
  const [headers, ips] = [plan.proxyHeaders, plan.clientIps].map(list =>
    AddressList.parse(list ?? ''),
  )
  return {
    tls: () => context,
    mayBringHeader: address => headers?.contains(address) ?? false,
    mayNameClient: address => ips?.contains(address) ?? false,
  }
}

function serverTlsOf({ serverTls }: Plan) {
  if (serverTls === undefined) return {}
  const { ca } = serverTls
  const context = tlsContext(ca === undefined ? OLDEST : { ca, ...OLDEST })
  return { serverTls: { current: () => ({ ...serverTls, context }), failed: () => {} } }
}

export async function startHere(transport: Transport, plan: Plan): Promise<DataPlane> {
  let id = 1000
  const sessions: Sessions = new Sessions({
    transport,
    clock: systemClock,
    mode: modeOf(plan),
    entry: entryOf(plan),
    ...serverTlsOf(plan),
    admin: {
      accepts: (user, token, scramble, from) =>
        acceptsAdmin(ACCOUNTS, { user, token, scramble, from }),
      run: (_user, sql) =>
        Promise.resolve({
          kind: 'rows',
          columns: [{ name: 'sql', type: 253 }],
          rows: [[sql]],
        }),
    },
    serverVersion: () => '5.7.25',
    proxyVersion: '4.3.2.0',
    settings: () => ({
      ...DEFAULT_SETTINGS,
      loginTimeoutMs: plan.loginTimeoutMs ?? 10_000,
      connectTimeoutMs: plan.connectTimeoutMs ?? 2_000,
      isTlsForced: plan.isTlsForced ?? false,
      usesServerTls: plan.serverTls !== undefined,
      ...plan.settings,
    }),
    loginRules: () => DEFAULT_LOGIN_RULES,
    peers: peersOf(() => sessions),
    // Leaves every list in its order.
    random: () => 0.999,
    nextConnectionId: () => id++,
    maxSessions: () => plan.maxSessions ?? 8192,
  })
  const listener = await transport.listen({ host: plan.host ?? '127.0.0.1', port: 0 }, () =>
    sessions.accept(),
  )
  return {
    port: listener.port,
    size: () => Promise.resolve(sessions.size),
    beat: seconds => {
      for (let second = 0; second < seconds; second++)
        for (const session of sessions.list()) session.beat()
      return Promise.resolve()
    },
    limited: limit => Promise.resolve(limitedBy(sessions, limit)),
    residentBytes: () => Promise.resolve(process.memoryUsage().rss),
    drain: force => {
      sessions.drain({ paceMs: 0, deadlineMs: force ? 0 : Number.POSITIVE_INFINITY })
      return Promise.resolve()
    },
    stop: () => {
      listener.stop()
      sessions.drain({ paceMs: 0, deadlineMs: 0 })
      return Promise.resolve()
    },
  }
}

function limitedBy(sessions: Sessions, limit: Limit): number {
  const slot = SLOT.limits + LIMITS.indexOf(limit)
  return sessions.traffic
    .snapshot([])
    .flatMap(({ filled }) => filled.filter((_value, at) => at % 2 === 1 && filled[at - 1] === slot))
    .reduce((sum, count) => sum + count, 0)
}

type Asked = {
  readonly ask: 'size' | 'beat' | 'limited' | 'resident' | 'drain' | 'stop'
  readonly value?: number
}

async function startOnBun(plan: Plan): Promise<DataPlane> {
  const child = spawn(
    resolve(ROOT, 'node_modules/.bin/bun'),
    [resolve(ROOT, 'test/support/data-plane-on-bun.ts'), JSON.stringify(plan)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: child.stdout })
  const waiting: ((value: number) => void)[] = []
  lines.on('line', line => waiting.shift()?.(Number(line)))
  const answer = () => new Promise<number>(done => waiting.push(done))
  const ask = (question: Asked) => {
    child.stdin.write(`${JSON.stringify(question)}\n`)
    return answer()
  }
  const port = await answer()
  return {
    port,
    size: () => ask({ ask: 'size' }),
    beat: async seconds => void (await ask({ ask: 'beat', value: seconds })),
    limited: limit => ask({ ask: 'limited', value: LIMITS.indexOf(limit) }),
    residentBytes: () => ask({ ask: 'resident' }),
    drain: async force => void (await ask({ ask: 'drain', value: force ? 1 : 0 })),
    stop: () => ended(child),
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise(done => {
    child.once('exit', () => done())
    child.stdin?.end()
    child.kill('SIGKILL')
  })
}

/** Serves the lines of a plane that runs in this process. */
export async function serveLines(transport: Transport, plan: Plan): Promise<void> {
  const plane = await startHere(transport, plan)
  const say = (value: number) => void process.stdout.write(`${value}\n`)
  say(plane.port)
  for await (const line of createInterface({ input: process.stdin }))
    say(await answerTo(plane, JSON.parse(line) as Asked))
}

async function answerTo(plane: DataPlane, { ask, value = 0 }: Asked): Promise<number> {
  if (ask === 'beat') await plane.beat(value)
  if (ask === 'drain') await plane.drain(value === 1)
  if (ask === 'size') return plane.size()
  if (ask === 'resident') return plane.residentBytes()
  const limit = ask === 'limited' ? LIMITS[value] : undefined
  return limit === undefined ? 0 : plane.limited(limit)
}
