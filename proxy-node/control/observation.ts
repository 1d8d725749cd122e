/** What can be seen of the proxy right now, by its unit, its admin port and its exporter (N8). */
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import type { NodeReport } from '#contract/report'
import { askProxy } from './access.ts'
import { bootFailure } from './boot-failure.ts'
import { linkChecksum, parameterChecksum } from './checksum.ts'
import { reasonOf } from './durable-file.ts'
import type { Host } from './host.ts'
import { availableMemory, proxyMemory } from './host-facts.ts'
import { pendingRestart } from './in-force.ts'
import { listenerPid } from './listener.ts'
import { PROXY_UNIT } from './paths.ts'
import { startedAt } from './processes.ts'
import { unitExists } from './unit-files.ts'

const EXPORTER_TIMEOUT_MS = 2_000
const MAX_REASON_CHARS = 300
const MAX_PENDING = 50

export type Observation = Pick<
  NodeReport,
  | 'status'
  | 'reason'
  | 'pid'
  | 'startedAt'
  | 'version'
  | 'parameterChecksum'
  | 'linkChecksum'
  | 'clientConnections'
  | 'pendingRestart'
  | 'serving'
  | 'memory'
>

const NOTHING_SEEN = {
  startedAt: null,
  version: null,
  parameterChecksum: null,
  linkChecksum: null,
  clientConnections: null,
} as const

/** Never throws: what cannot be seen is UNAVAILABLE with a reason. */
export async function observe(desired: DesiredNode | null, host: Host): Promise<Observation> {
  let pid: number | null = null
  try {
    if (desired === null || !unitExists(host.settings.paths, PROXY_UNIT))
      return absent(desired, host)
    pid = await listenerPid(desired, host)
    return pid === null ? absent(desired, host) : await running(desired, pid, host)
  } catch (error) {
    const reason = (error instanceof Fault ? error.message : reasonOf(error)).slice(
      0,
      MAX_REASON_CHARS,
    )
    const since = pid === null ? null : startedAt(pid)
    return { ...NOTHING_SEEN, status: 'UNAVAILABLE', reason, pid, startedAt: since }
  }
}

function absent(desired: DesiredNode | null, { settings }: Host): Observation {
  if (desired?.state !== 'RUNNING') return { ...NOTHING_SEEN, status: 'STOPPED', pid: null }
  const failure = bootFailure(settings)
  const why = failure === undefined ? '' : `; its start at boot failed: ${failure}`
  const reason = `the proxy does not run${why}`.slice(0, MAX_REASON_CHARS)
  return { ...NOTHING_SEEN, status: 'UNAVAILABLE', reason, pid: null }
}

async function running(desired: DesiredNode, pid: number, host: Host): Promise<Observation> {
  const exporter = await askExporter(desired, host)
  if (exporter.kind === 'silent')
    throw new Error(`the exporter does not answer: ${exporter.reason}`)
  return askProxy(desired, host, async admin => {
    const parameters = await admin.parameters()
    const of = (name: string) => parameters.get(name) ?? ''
    const serving = await admin.availability()
    const waiting = await pendingRestart(pid, admin, host.settings.paths)
    return {
      status: 'RUNNING',
      ...(exporter.kind === 'ready' ? {} : { reason: exporter.reason.slice(0, MAX_REASON_CHARS) }),
      pid,
      startedAt: startedAt(pid),
      version: await admin.version(),
      parameterChecksum: parameterChecksum(parameters),
      linkChecksum: linkChecksum(of('rootservice_cluster_name'), of('rootservice_list')),
      clientConnections: await admin.clientConnections(),
      pendingRestart: waiting.slice(0, MAX_PENDING),
      ...(serving === undefined ? {} : { serving }),
      ...memoryFact(pid, host),
    }
  })
}

function memoryFact(pid: number, { settings: { paths } }: Host): Pick<Observation, 'memory'> {
  const [used, available] = [proxyMemory(pid, paths), availableMemory(paths)]
  return used === null || available === null ? {} : { memory: { used, available } }
}

export type ExporterAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not-ready' | 'silent'; readonly reason: string }

/** `/ready` of our proxy; OceanBase's has no such page, and is ready when it shows its metrics. */
export async function askExporter(desired: DesiredNode, host: Host): Promise<ExporterAnswer> {
  try {
    const ready = await get(desired, '/ready', host)
    const answer = ready.status === 404 ? await get(desired, '/metrics', host) : ready
    if (answer.ok) return { kind: 'ready' }
    const text = (await answer.text()).trim().slice(0, MAX_REASON_CHARS)
    return { kind: 'not-ready', reason: text || `the exporter answered ${answer.status}` }
  } catch (error) {
    return { kind: 'silent', reason: reasonOf(error) }
  }
}

/** Empty when there is none. */
export async function metricsText(desired: DesiredNode, host: Host): Promise<string> {
  try {
    const answer = await get(desired, '/metrics', host)
    return answer.ok ? await answer.text() : ''
  } catch {
    return ''
  }
}

function get({ ports }: DesiredNode, path: string, host: Host): Promise<Response> {
  const base = `http://${host.settings.address ?? '127.0.0.1'}:${ports.exporter}`
  return fetch(`${base}${path}`, {
    redirect: 'manual',
    signal: AbortSignal.timeout(EXPORTER_TIMEOUT_MS),
  })
}
