/**
 * From an installed proxy to one that serves with the right parameters; what start, restart and boot
 * have in common. What fails leaves the node as it is, and the reports tell how that is (PL2).
 */
import { join } from 'node:path'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { storedPassword } from '../auth/passwords.ts'
import { QueryError } from '../backend/query-client.ts'
import { askProxy, logIn, type Stage1 } from './access.ts'
import { reasonOf } from './durable-file.ts'
import { homeOf, readMarker } from './home.ts'
import type { Host } from './host.ts'
import { pendingRestart } from './in-force.ts'
import { giveBack } from './lent.ts'
import { type LinkSecrets, readLinkSecrets } from './links.ts'
import { listenerPid } from './listener.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import { askExporter } from './observation.ts'
import { parameterChanges } from './parameters.ts'
import { PROXY_UNIT } from './paths.ts'
import { checkPorts, checkProcesses } from './prechecks.ts'
import { type ProxyAdmin, withAdmin } from './proxy-admin.ts'
import { enableUnits, writeProxyEnvironment, writeUnits } from './unit-files.ts'

const READY_TIMEOUT_MS = 60_000
const POLL_MS = 50
/** So many starts within one verb are no accident. */
const MAX_STARTS = 5

/** @throws node.not-installed, node.other-node */
export function requireInstalled(desired: DesiredNode, host: Host): void {
  const marker = readMarker(homeOf(host.settings.paths, desired))
  if (marker?.installed === undefined) throw new Fault('node.not-installed', { home: desired.home })
  if (marker.nodeId !== desired.nodeId)
    throw new Fault('node.other-node', { found: marker.nodeId, wanted: desired.nodeId })
}

/**
 * Environment and units as they should be for the next start, and whether that differs from the last.
 * @throws secret.unreadable, node.not-written
 */
export async function prepare(
  desired: DesiredNode,
  host: Host,
): Promise<{ readonly isStartOther: boolean; readonly secrets: LinkSecrets }> {
  const secrets = await readLinkSecrets(desired, host)
  const isOther = writeProxyEnvironment(host.settings.paths, secrets.proxyro.map(storedPassword))
  const isOtherUnit = await writeUnits(desired, secrets.configUrl, host)
  await enableUnits(host)
  return { isStartOther: isOther || isOtherUnit, secrets }
}

/**
 * Has the service manager start the proxy unless it runs; false when it did. One that does not serve
 * and would now be started otherwise is started anew: that is how a wrong value is corrected.
 */
export async function launch(
  desired: DesiredNode,
  isStartOther: boolean,
  host: Host,
): Promise<boolean> {
  const { active } = await host.init.status(PROXY_UNIT)
  if (active) {
    if (!isStartOther || (await askExporter(desired, host)).kind === 'ready') return false
    await host.init.act('restart', PROXY_UNIT)
    return true
  }
  await checkProcesses(desired, host)
  await checkPorts(desired, host)
  await host.init.act('start', PROXY_UNIT)
  return true
}

/**
 * Returns when process, SQL port and exporter serve. `meet` is carried out once with each process, as soon
 * as it can be asked. @throws node.not-ready, node.crash-loop, node.admin-refused, and what `meet` throws
 */
export async function waitUntilReady(
  desired: DesiredNode,
  candidates: readonly Stage1[],
  host: Host,
  meet?: (admin: ProxyAdmin) => Promise<void>,
): Promise<void> {
  const deadline = host.clock.now() + READY_TIMEOUT_MS
  const log = join(homeOf(host.settings.paths, desired).folder, 'log/obproxy.log')
  const pids = new Set<number>()
  const greet = meeting(desired, candidates, host, meet)
  for (;;) {
    const pid = await listenerPid(desired, host)
    if (pid !== null) {
      pids.add(pid)
      await greet(pid)
    }
    const reason = pid === null ? 'its process ended' : await whyNotReady(desired, candidates, host)
    if (reason === undefined) return
    if (pids.size >= MAX_STARTS)
      throw new Fault('node.crash-loop', { times: pids.size - 1, reason, log })
    if (host.clock.now() >= deadline)
      throw new Fault('node.not-ready', { seconds: READY_TIMEOUT_MS / 1000, reason, log })
    await host.clock.sleep(POLL_MS)
  }
}

/** Once with each process; again while it cannot be asked yet, or ends under the question. */
function meeting(
  desired: DesiredNode,
  candidates: readonly Stage1[],
  host: Host,
  meet: ((admin: ProxyAdmin) => Promise<void>) | undefined,
): (pid: number) => Promise<void> {
  let met: number | null = null
  return async pid => {
    if (meet === undefined || pid === met) return
    try {
      const { admin } = await logIn(desired, candidates, host)
      await withAdmin(admin, meet)
      met = pid
    } catch (error) {
      if (error instanceof Fault && !isUnanswered(error.cause)) throw error
    }
  }
}

function isUnanswered(error: unknown): boolean {
  return error instanceof QueryError && error.errno === 0
}

async function whyNotReady(
  desired: DesiredNode,
  candidates: readonly Stage1[],
  host: Host,
): Promise<string | undefined> {
  const exporter = await askExporter(desired, host)
  if (exporter.kind !== 'ready') return exporter.reason
  try {
    const { admin } = await logIn(desired, candidates, host)
    admin.close()
    return undefined
  } catch (error) {
    if (error instanceof Fault) throw error
    return `SQL port: ${reasonOf(error)}`
  }
}

/** What the proxy has is compared with what it should have, and set; remembers it. */
export async function synchronise(
  desired: DesiredNode,
  memory: NodeMemory,
  host: Host,
): Promise<{ readonly changed: number; readonly version: string | null }> {
  return askProxy(desired, host, async admin => {
    // The first look at a process that has just been started is what it works with.
    const pid = await listenerPid(desired, host)
    if (pid !== null) await pendingRestart(pid, admin, host.settings.paths)
    await giveBack(admin, host.settings.paths)
    await verifyProxyId(desired, admin)
    const changes = parameterChanges(
      await admin.parameters(),
      desired.parameters,
      memory.parameterNames,
    )
    for (const { name, value } of changes) await admin.alter(name, value)
    const parameterNames = Object.keys(desired.parameters)
    const { parameterVersion } = desired
    writeMemory(host.settings.paths, { ...memory, desired, parameterNames, parameterVersion })
    return { changed: changes.length, version: await admin.version() }
  })
}

/** @throws node.proxy-id: ids of clients would not be unique over the cluster (N4) */
async function verifyProxyId({ proxyId }: DesiredNode, admin: ProxyAdmin): Promise<void> {
  const found = (await admin.parameters()).get('proxy_id') ?? ''
  if (found !== String(proxyId)) throw new Fault('node.proxy-id', { found, wanted: proxyId })
}
