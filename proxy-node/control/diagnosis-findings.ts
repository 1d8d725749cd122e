/**
 * What the facts of a diagnosis mean: a table of rules, each with a name, a level, what was seen and what
 * to do. A rule whose facts could not be seen says nothing: that they could not be is a finding of its own. Pure.
 */
import {
  DIAGNOSIS_FINDINGS,
  type DiagnosisFacts,
  type DiagnosisFinding,
  type DiagnosisFindingId,
  type FindingLevel,
} from '#contract/diagnosis'
import { hasRoomForTwo, mebibytes } from '#contract/memory'
import type { DesiredNode } from '#contract/node-state'

/** What the node should be, and when it was looked at. */
export type Around = {
  readonly desired: Pick<DesiredNode, 'state' | 'version'>
  readonly now: number
}

type Said = readonly [level: FindingLevel, detail: string, remedy?: string]

const DAY_MS = 86_400_000
const FILES = { warn: 0.8, fail: 0.95 }
const DISK_FREE = { warn: 0.1, fail: 0.03 }
/** As the alarm about connections (management.md §5.6). */
const CLIENTS = 0.85
const CERTIFICATE_DAYS = { warn: 30, fail: 7 }
const DUMP_DAYS = 7
/** Signatures are refused from five minutes on. */
const CLOCK_MS = { warn: 5_000, fail: 120_000 }

const RULES: Readonly<
  Record<DiagnosisFindingId, (facts: DiagnosisFacts, around: Around) => Said | null>
> = {
  process: ({ process }, { desired }) => {
    if (process === null)
      return desired.state === 'RUNNING'
        ? ['fail', 'the proxy does not run', 'start the node']
        : ['ok', 'it does not run, and should not']
    return desired.state === 'RUNNING'
      ? ['ok', `process ${process.pid}, ${process.processes} with its workers`]
      : ['warn', `process ${process.pid} runs and should not`, 'stop the node']
  },
  executable: ({ process }) => {
    if (process === null) return null
    return process.isReplaced
      ? ['warn', `another file lies at ${process.executable}`, 'restart the node']
      : ['ok', process.executable]
  },
  descriptors: ({ process }) => {
    if (process === null || process.maxOpenFiles === null) return null
    const { openFiles, maxOpenFiles } = process
    const detail = `${openFiles} of ${maxOpenFiles} files are open`
    return above(openFiles / Math.max(1, maxOpenFiles), FILES, detail, 'raise LimitNOFILE')
  },
  memory: ({ process, availableBytes }) => {
    if (process === null || availableBytes === null) return null
    const { residentBytes } = process
    const detail = `the proxy has ${mebibytes(residentBytes)} MB, ${mebibytes(availableBytes)} MB are available`
    return hasRoomForTwo({ used: residentBytes, available: availableBytes })
      ? ['ok', detail]
      : ['warn', detail, 'a hot restart needs as much again: free memory before one']
  },
  version: ({ version }, { desired }) => {
    if (version === null) return null
    return version === desired.version
      ? ['ok', version]
      : ['warn', `it runs ${version}, wanted is ${desired.version}`, 'upgrade the node']
  },
  unit: ({ unit, process }) => {
    if (unit === null) return ['warn', 'the proxy has no unit of ours', 'take the proxy over']
    const isKept = unit.active || process === null
    return isKept
      ? ['ok', unit.active ? 'its unit keeps it running' : 'its unit is stopped']
      : ['fail', 'it runs outside of its unit', 'stop that process, then start the node']
  },
  watchdog: ({ watchdogs, unit }) => {
    if (watchdogs === 0) return ['ok', 'no other watchdog']
    const detail = `${watchdogs} watchdog scripts start a proxy here`
    return unit === null ? ['ok', detail] : ['warn', detail, 'end them: the unit is the watchdog']
  },
  boot: ({ bootFailure }) =>
    bootFailure === null
      ? ['ok', 'the last boot went well']
      : ['fail', `the last boot failed: ${bootFailure}`, 'put that right, then start the node'],
  interrupted: ({ left }) =>
    left.length === 0
      ? ['ok', 'nothing was left half done']
      : [
          'warn',
          left.join('; '),
          'send any order that changes the node: it goes on with that first',
        ],
  login: ({ process, login }) => {
    if (process === null) return null
    return login === ''
      ? ['ok', 'root@proxysys gets in']
      : [
          'fail',
          `root@proxysys does not get in: ${login}`,
          'rotate its password, or restart the node',
        ]
  },
  exporter: ({ process, exporter }) => {
    if (process === null) return null
    return exporter === ''
      ? ['ok', 'the exporter answers']
      : ['fail', `the exporter: ${exporter}`, 'look at the log of the proxy']
  },
  serving: ({ serving }) => {
    if (serving === null) return null
    return serving === 'ACTIVE'
      ? ['ok', 'it takes clients']
      : ['warn', `it is drained: ${serving}`, 'undrain the node when it is to serve']
  },
  'hot-upgrade': ({ upgrade }) => {
    if (upgrade.length === 0) return null
    const state = upgrade.find(line => /HU_STATE_\w+/.test(line)) ?? ''
    const isIdle = state === '' || state.includes('HU_STATE_WAIT_HU_CMD')
    return isIdle
      ? ['ok', 'no hot upgrade is under way']
      : ['warn', `a hot upgrade is under way: ${state}`, 'wait until it is over']
  },
  clients: ({ clientTotal, maxClients, login, process }) => {
    if (process === null || login !== '' || clientTotal === null) return null
    const { clients: count, tenants } = clientTotal
    const of = maxClients === null ? '' : ` of ${maxClients}`
    const isMany = maxClients !== null && maxClients > 0 && count > maxClients * CLIENTS
    const detail = `${count}${of} clients, of ${tenants} tenants`
    return isMany ? ['warn', detail, 'raise client_max_connections'] : ['ok', detail]
  },
  congestion: ({ avoided, login, process }) => {
    if (process === null || login !== '') return null
    return avoided.length === 0
      ? ['ok', 'no server is avoided']
      : [
          'warn',
          `${avoided.length} servers are avoided: ${avoided.join(', ')}`,
          'look at those servers',
        ]
  },
  'ob-clusters': ({ obClusters, login, process }) => {
    if (process === null || login !== '') return null
    const silent = obClusters.filter(({ error }) => error !== null)
    if (obClusters.length === 0) return ['warn', 'it knows no OB cluster', 'add a link']
    const why = silent.map(({ name, error }) => `${name}: ${error === 0 ? 'no answer' : error}`)
    return silent.length === 0
      ? ['ok', `${obClusters.length} let proxyro in`]
      : ['fail', why.join(', '), 'check those OB clusters, and the password of proxyro there']
  },
  'config-service': ({ configService }) => {
    if (configService === null) return null
    return configService === ''
      ? ['ok', 'the config service answers']
      : ['fail', `the config service: ${configService}`, 'check the way from this host to it']
  },
  certificate: ({ certificateExpiresAt: at }, { now }) => {
    if (at === null) return null
    const days = Math.floor((at - now) / DAY_MS)
    const detail = days < 0 ? 'a certificate has expired' : `a certificate expires in ${days} days`
    return below(days, CERTIFICATE_DAYS, detail, 'put a new certificate in place')
  },
  parameters: ({ differing, login, process }) => {
    if (process === null || login !== '') return null
    return differing.length === 0
      ? ['ok', 'all parameters are as wanted']
      : ['warn', `not as wanted: ${differing.join(', ')}`, 'refresh the node']
  },
  'pending-restart': ({ pendingRestart, login, process }) => {
    if (process === null || login !== '') return null
    return pendingRestart.length === 0
      ? ['ok', 'no parameter waits for a restart']
      : ['warn', `wait for a restart: ${pendingRestart.join(', ')}`, 'restart the node']
  },
  disk: ({ disks }) => {
    const shares = disks.flatMap(disk => [
      { free: shareOf(disk.freeBytes, disk.totalBytes), of: `of the bytes at ${disk.folder}` },
      { free: shareOf(disk.freeInodes, disk.totalInodes), of: `of the inodes at ${disk.folder}` },
    ])
    const [least] = shares.sort((left, right) => left.free - right.free)
    if (least === undefined) return null
    const detail = `${Math.floor(least.free * 100)} % ${least.of} are free`
    return below(least.free, DISK_FREE, detail, 'free room there, logs first')
  },
  crash: ({ crash }, { now }) => {
    if (crash === null) return ['ok', 'no core or dump']
    const days = Math.floor((now - crash.at) / DAY_MS)
    const detail = `${crash.file} is ${days} days old`
    return days < DUMP_DAYS ? ['warn', detail, 'collect the logs of that time'] : ['ok', detail]
  },
  errors: ({ errors, errorCount }) =>
    errorCount === 0
      ? ['ok', 'no errors in the last hour']
      : [
          'warn',
          `${errorCount} errors in the last hour, by the ends of the logs, the last: ${errors.at(-1)}`,
          'collect logs',
        ],
  plane: ({ plane }) =>
    plane === ''
      ? ['ok', 'the plane answers']
      : ['fail', `the plane: ${plane}`, 'check the way from this host to the API'],
  clock: ({ clockMs }) => {
    if (clockMs === null) return null
    const detail = `the clock is ${Math.abs(clockMs)} ms ${clockMs < 0 ? 'behind' : 'ahead of'} the plane's`
    return above(Math.abs(clockMs), CLOCK_MS, detail, 'synchronise the clock of this host')
  },
}

export function diagnosisFindings(
  facts: DiagnosisFacts,
  around: Around,
): readonly DiagnosisFinding[] {
  return DIAGNOSIS_FINDINGS.flatMap(id => {
    const said = RULES[id](facts, around)
    if (said === null) return []
    const [level, detail, remedy] = said
    return [{ id, level, detail: detail.slice(0, 300), remedy: remedy ?? null }]
  })
}

type Bounds = { readonly warn: number; readonly fail: number }

function above(value: number, { warn, fail }: Bounds, detail: string, remedy: string): Said {
  if (value < warn) return ['ok', detail]
  return [value < fail ? 'warn' : 'fail', detail, remedy]
}

function below(value: number, { warn, fail }: Bounds, detail: string, remedy: string): Said {
  if (value >= warn) return ['ok', detail]
  return [value >= fail ? 'warn' : 'fail', detail, remedy]
}

/** Of a file system that counts no inodes, all are free. */
function shareOf(free: number, total: number): number {
  return total === 0 ? 1 : free / total
}
