/**
 * Verb check: what a rollout's gate looks at, in small numbers. It changes nothing and does not fail
 * for what it finds: that is for the gate to judge. Source: management-beyond.md §6.
 */
import type { OrderEntry } from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { stage1Of } from '../auth/scramble.ts'
import { QueryClient, QueryError } from '../backend/query-client.ts'
import type { ServerTlsPort } from '../backend/server-tls.ts'
import type { Address } from '../net/transport.ts'
import { askProxy, sqlAddress } from './access.ts'
import { reasonOf } from './durable-file.ts'
import { gateMetrics } from './gate-metrics.ts'
import type { Host } from './host.ts'
import { listenerPid } from './listener.ts'
import type { NodeMemory } from './node-file.ts'
import { askExporter, metricsText } from './observation.ts'
import { startedAt } from './processes.ts'
import type { Facts } from './result.ts'

const PROBE_TIMEOUT_MS = 5_000
const MAX_REASON_CHARS = 200
/** Eight of them and all else fit into a line. */
const MAX_NAME_CHARS = 64
const MS_UNIT = 'prometheus_cost_ms_unit'

type Probe = NonNullable<OrderEntry['probe']>[number]

/** Logins are numbered from 1 in the order of the entry: `probe1Cluster`, `probe1Ms`, `probe1Error` (null: it went well). */
export async function check(
  { desired }: NodeMemory,
  { probe = [] }: OrderEntry,
  host: Host,
): Promise<Facts> {
  if (desired === null)
    throw new Fault('order.incomplete', { verb: 'check', part: 'desired state' })
  const pid = await listenerPid(desired, host)
  const facts = pid === null ? ABSENT : await seenFacts(desired, pid, host)
  const logins: Facts = {}
  for (const [index, each] of probe.entries()) {
    const { ms, error } = await logInThrough(each, desired, host)
    logins[`probe${index + 1}Cluster`] = each.cluster.slice(0, MAX_NAME_CHARS)
    logins[`probe${index + 1}Ms`] = ms
    logins[`probe${index + 1}Error`] = error
  }
  return { ...facts, ...logins }
}

const UNKNOWN = { version: null, serving: null, clients: null } as const

const ABSENT: Facts = {
  ready: false,
  exporter: false,
  reason: 'it does not run',
  pid: null,
  startedAt: null,
  ...UNKNOWN,
  requests: null,
  errors: null,
  latencySumUs: null,
}

async function seenFacts(desired: DesiredNode, pid: number, host: Host): Promise<Facts> {
  const exporter = await askExporter(desired, host)
  const { requests, errors, cost } = gateMetrics(await metricsText(desired, host))
  const { isInMs, reason, ...said } = await byAdmin(desired, host)
  const why = exporter.kind === 'ready' ? reason : exporter.reason.slice(0, MAX_REASON_CHARS)
  return {
    ready: exporter.kind === 'ready' && reason === undefined,
    exporter: exporter.kind !== 'silent',
    ...(why === undefined ? {} : { reason: why }),
    pid,
    startedAt: startedAt(pid),
    ...said,
    requests,
    errors,
    latencySumUs: cost === null ? null : cost * (isInMs ? 1000 : 1),
  }
}

async function byAdmin(desired: DesiredNode, host: Host) {
  try {
    return await askProxy(desired, host, async admin => ({
      version: await admin.version(),
      serving: (await admin.availability()) ?? null,
      clients: await admin.clientConnections(),
      isInMs: /^(true|1)$/i.test((await admin.parameters()).get(MS_UNIT) ?? ''),
      reason: undefined,
    }))
  } catch (error) {
    return { ...UNKNOWN, isInMs: false, reason: reasonOf(error).slice(0, MAX_REASON_CHARS) }
  }
}

/** A login through the proxy to one of its OB clusters, as an application's. */
function logInThrough({ user, cluster, passwordSecret }: Probe, desired: DesiredNode, host: Host) {
  const account = { user: `${user}#${cluster}`, passwordSecret }
  return logInAt(sqlAddress(desired, host), account, host)
}

/** How long a login took; else the number of the error, the code of a fault, or 0: nobody answered. */
export type LoginTried = {
  readonly ms: number | null
  readonly error: number | string | null
}

/** A login that is closed at once. Never throws. */
export async function logInAt(
  address: Address,
  { user, passwordSecret }: { readonly user: string; readonly passwordSecret: string },
  host: Host,
  tls?: ServerTlsPort,
): Promise<LoginTried> {
  let client: QueryClient | undefined
  try {
    const stage1 = stage1Of(await host.secrets.read(passwordSecret))
    const since = performance.now()
    const options = { address, user, stage1, timeoutMs: PROBE_TIMEOUT_MS, tls }
    client = new QueryClient(options, host.clock)
    await client.open(host.transport)
    return { ms: Math.round(performance.now() - since), error: null }
  } catch (error) {
    if (error instanceof Fault) return { ms: null, error: error.code }
    return { ms: null, error: error instanceof QueryError ? error.errno : 0 }
  } finally {
    client?.close()
  }
}
