/** The part of a diagnosis that files and the kernel tell, whether the proxy answers or not. */
import { join } from 'node:path'
import type { DiagnosisFacts } from '#contract/diagnosis'
import type { DesiredNode } from '#contract/node-state'
import { bootFailure } from './boot-failure.ts'
import { reasonOf } from './durable-file.ts'
import { foreignProxies } from './foreign-processes.ts'
import { homeOf, readMarker } from './home.ts'
import type { Host } from './host.ts'
import { availableMemory, diskFacts, newestDump, processFacts, realFolder } from './host-facts.ts'
import { latestSteps } from './ledger.ts'
import { isLent } from './lent.ts'
import { listenerPid } from './listener.ts'
import { lineLevel, lineTime } from './log-lines.ts'
import { tailLines } from './log-tail.ts'
import { type Paths, PROXY_UNIT, rooted } from './paths.ts'
import { isListening } from './processes.ts'
import { redacted } from './redaction.ts'
import { unitExists } from './unit-files.ts'
import { watchdogs } from './watchdogs.ts'

const ERRORS_FOR_MS = 3_600_000
const TAIL_BYTES = 131_072
const MAX_ERRORS = 10
const MAX_TEXT = 400
const MAX_STEPS = 5
/** Where dumps of OBProxy go beside its home (management.md §2.1). */
const DUMPS = '/home/admin/logs/obproxy/minidump'

type HostPart = Pick<
  DiagnosisFacts,
  | 'process'
  | 'availableBytes'
  | 'unit'
  | 'watchdogs'
  | 'ports'
  | 'disks'
  | 'crash'
  | 'errors'
  | 'errorCount'
  | 'bootFailure'
  | 'left'
  | 'ledger'
>

/** The proxy's process: of our unit, else the first of the host; null when none runs. */
export async function proxyPid(desired: DesiredNode, host: Host): Promise<number | null> {
  const ours = await listenerPid(desired, host).catch(() => null)
  return ours ?? foreignProxies(host.settings.paths.root)[0]?.pid ?? null
}

export async function hostFacts(
  desired: DesiredNode,
  pid: number | null,
  host: Host,
): Promise<HostPart> {
  const { settings, clock } = host
  const { paths, address } = settings
  const home = proxyHome(desired, pid, paths)
  const logs = realFolder(join(home, 'log')) ?? join(home, 'log')
  const folders = [...new Set([home, logs, paths.state])]
  return {
    process: pid === null ? null : processFacts(pid, paths),
    availableBytes: availableMemory(paths),
    unit: await unitFacts(host),
    watchdogs: watchdogs(paths, desired.home).length,
    ports: [desired.ports.sql, desired.ports.exporter].map(port => ({
      port,
      isListening: isListening(address, port),
    })),
    disks: diskFacts(folders, paths),
    crash: newestDump([home, logs, join(home, 'minidump'), rooted(paths, DUMPS)], paths),
    ...latestErrors(logs, clock.now()),
    bootFailure: bootFailure(settings)?.slice(0, MAX_TEXT) ?? null,
    left: leftBehind(desired, paths).map(each => each.slice(0, MAX_TEXT)),
    ledger: latestSteps(paths, MAX_STEPS).map(({ at, result }) => ({
      verb: result.verb,
      at,
      outcome: (result.ok ? 'ok' : `${result.code}: ${result.message}`).slice(0, MAX_TEXT),
    })),
  }
}

/** Where it runs, which is where its files are; else where it should be. */
export function proxyHome(desired: DesiredNode, pid: number | null, paths: Paths): string {
  const running = foreignProxies(paths.root).find(each => each.pid === pid)?.workDir
  return running ? rooted(paths, running) : homeOf(paths, desired).folder
}

async function unitFacts({ settings, init }: Host): Promise<DiagnosisFacts['unit']> {
  if (!unitExists(settings.paths, PROXY_UNIT)) return null
  const { active, pid } = await init.status(PROXY_UNIT).catch(() => ({ active: false, pid: null }))
  return { active, pid }
}

/** Errors of the last hour: lines of that level, and requests that failed; the newest last. */
export function latestErrors(
  logs: string,
  now: number,
): Pick<DiagnosisFacts, 'errors' | 'errorCount'> {
  const of = (name: string) => tailLines(join(logs, name), TAIL_BYTES)
  const lines = [
    ...of('obproxy.log').filter(line => lineLevel(line) === 'ERROR'),
    ...of('obproxy_error.log'),
  ]
  const recent = lines
    .flatMap(line => {
      const at = lineTime(line)
      return at !== undefined && now - at < ERRORS_FOR_MS ? [{ at, line }] : []
    })
    .sort((one, other) => one.at - other.at)
  const errors = recent.slice(-MAX_ERRORS).map(({ line }) => redacted(line).slice(0, MAX_TEXT))
  return { errors, errorCount: recent.length }
}

function leftBehind(desired: DesiredNode, paths: Paths): readonly string[] {
  try {
    const moving = readMarker(homeOf(paths, desired))?.moving
    return [
      ...(moving === undefined ? [] : [`the change to version ${moving.to.version} is not over`]),
      ...(isLent(paths) ? ['times of hot restarts are not put back'] : []),
    ]
  } catch (error) {
    return [reasonOf(error)]
  }
}
