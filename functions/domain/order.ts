/** What a node is told: its entry of an order, and orders of as many entries as fit one parameter (PL3). */
import {
  encodeOrder,
  ORDER_MAX_CHARS,
  ORDER_SCHEMA,
  type OrderEntry,
  type Verb,
} from '#contract/command'
import { type DesiredNode, NODE_STATE_SCHEMA } from '#contract/node-state'
import { PROXYRO_SLOTS } from '#contract/parameters'
import { probesOf } from './link.ts'
import { triedLogins } from './link-change.ts'
import { configUrlOf } from './names.ts'
import type { ObClusterRecord } from './ob-cluster-record.ts'
import type { OperationRecord } from './operation-record.ts'
import type { StepName } from './plan.ts'
import { asToldNow, proxyroOrders } from './proxyro.ts'
import type { ClusterRecord, NodeRecord } from './record.ts'
import { familyOf } from './version.ts'

/** What the orders of one cluster's nodes are made from. */
export type OrderSource = {
  readonly cluster: ClusterRecord
  /** Those that are linked, the default first. */
  readonly obClusters: readonly ObClusterRecord[]
  /** Where nodes reach the config service; null where there is none. */
  readonly configServiceUrl: string | null
}

/** Most nodes of one SendCommand by id. */
export const MAX_WAVE = 50

/** `mi-` and 17 digits. */
const LONGEST_HOST_ID = `mi-${'0'.repeat(17)}`

/** Its place in the cluster. */
export type Place = Pick<
  NodeRecord,
  'id' | 'desiredState' | 'desiredVersion' | 'sqlPort' | 'exporterPort' | 'proxyId' | 'foundHome'
>

export function desiredNode(source: OrderSource, node: Place): DesiredNode {
  const { cluster } = source
  const { spec } = cluster
  const version = node.desiredVersion ?? spec.version
  const family = familyOf(version)
  return {
    schema: NODE_STATE_SCHEMA,
    clusterId: cluster.id,
    clusterName: cluster.name,
    nodeId: node.id,
    state: node.desiredState,
    version,
    ports: { sql: node.sqlPort, exporter: node.exporterPort },
    home: node.foundHome ?? spec.install.path,
    proxyId: node.proxyId,
    link: linkOf(source, family),
    ...(family === 4 ? { proxyroRows: source.obClusters.map(rowOf) } : {}),
    sysPasswordSecret: spec.sysPasswordSecret,
    parameters: spec.parameters,
    parameterVersion: cluster.parameterVersion,
  }
}

/** How a node finds its OB clusters: by its own list, or by the config service. */
function linkOf(
  { cluster, obClusters, configServiceUrl }: OrderSource,
  family: 3 | 4,
): DesiredNode['link'] {
  const [first] = obClusters
  const [secret, other] = globalSlots(obClusters, family)
  const { configToken } = cluster
  if (configToken !== undefined && configServiceUrl !== null)
    return {
      configUrl: configUrlOf(configServiceUrl, cluster.name),
      tokenSecret: configToken.secret,
      proxyroSecrets: [secret, other].filter(each => each !== undefined),
    }
  if (first === undefined || secret === undefined)
    throw new RangeError(`${cluster.name} has no OB cluster`)
  return {
    obCluster: first.name,
    rootserviceList: first.rootservice.join(';'),
    proxyroSecret: secret,
    ...(other === undefined ? {} : { proxyroSecret1: other }),
  }
}

function rowOf(record: ObClusterRecord) {
  return { obCluster: record.name, secrets: [...slotsOf(record)] }
}

/** The password that counts, and the one that may count instead while it is being changed. */
function slotsOf({ proxyroSecret, proxyroChange }: ObClusterRecord): readonly string[] {
  const both = proxyroChange === undefined ? [] : [proxyroChange.secret]
  return [...new Set([proxyroSecret, ...both])]
}

/** For all OB clusters of a node: of family 4 the default's, the others have theirs in rows. */
function globalSlots(obClusters: readonly ObClusterRecord[], family: 3 | 4): readonly string[] {
  const all = family === 4 ? obClusters.slice(0, 1) : obClusters
  return [...new Set(all.flatMap(slotsOf))].slice(0, PROXYRO_SLOTS.length)
}

const WITH_DESIRED: readonly Verb[] = [
  'install',
  'start',
  'stop',
  'restart',
  'upgrade',
  'revert',
  'refresh',
  'uninstall',
  'take-over',
  'give-back',
  'release',
  'diagnose',
]
const WITH_PACKAGE: readonly Verb[] = ['install', 'upgrade']
const WITH_WAY: readonly Verb[] = ['restart', 'upgrade', 'revert']

/** @param step key of the node's ledger: the step's name, for a repeated question with its number. */
export function orderEntry(
  verb: Verb,
  { step, attempt }: { readonly step: string; readonly attempt: number },
  operation: OperationRecord,
  { source: given, node }: { readonly source: OrderSource; readonly node: NodeRecord | null },
): OrderEntry {
  const source = asToldNow(given, operation)
  const proxyro = proxyroOrders(given, operation)
  const entry: OrderEntry = {
    operationId: operation.id,
    step,
    attempt,
    fence: operation.fence ?? 1,
    ...(verb === 'probe' ? foreignParts(operation, source) : {}),
    ...(verb === 'take-over' ? foundAt(operation) : {}),
    ...(node !== null && WITH_DESIRED.includes(verb)
      ? { desired: desiredBy(verb, operation, { source, node }) }
      : {}),
    ...(WITH_PACKAGE.includes(verb) && operation.package !== null
      ? { package: operation.package }
      : {}),
    ...(WITH_WAY.includes(verb) ? wayOf(operation) : {}),
    ...(proxyro.length === 0 ? {} : { proxyro: [...proxyro] }),
    ...(verb === 'collect-logs' ? logsOf(operation) : {}),
    ...(verb === 'check' ? { probe: probesOf(source.cluster.spec.links) } : {}),
  }
  return withLogins(verb, entry, triedLogins(given, operation))
}

/** With as many of the logins as find room beside what has to be told, which was measured without them. */
function withLogins(
  verb: Verb,
  entry: OrderEntry,
  logins: ReturnType<typeof triedLogins>,
): OrderEntry {
  for (let count = logins.length; count > 0; count -= 1) {
    const fuller = { ...entry, proxyro: logins.slice(0, count) }
    if (fitsOneOrder(verb, fuller)) return fuller
  }
  return entry
}

/** For a proxy that is no node yet: where it is, and what this cluster would make of it. */
function foreignParts(
  operation: OperationRecord,
  source: OrderSource,
): Pick<OrderEntry, 'desired' | 'sqlPort' | 'sysPasswordSecret'> {
  const { sql, exporter } = source.cluster.spec.ports
  const place: Place = {
    id: operation.tasks[0]?.nodeId ?? '',
    desiredState: 'RUNNING',
    sqlPort: sql,
    exporterPort: exporter,
    proxyId: 0,
  }
  return { ...foundAt(operation), desired: desiredNode(source, place) }
}

function foundAt({
  id,
  tasks: [task],
}: OperationRecord): Pick<OrderEntry, 'sqlPort' | 'sysPasswordSecret'> {
  if (task?.foreign === undefined) throw new RangeError(`${id} has no node`)
  const { sqlPort, sysPasswordSecret } = task.foreign
  return { sqlPort, ...(sysPasswordSecret === undefined ? {} : { sysPasswordSecret }) }
}

/** A node is told the version that it gets; it is written down when the node has it. */
function desiredBy(
  verb: Verb,
  { package: wanted, tasks: [task] }: OperationRecord,
  { source, node }: { readonly source: OrderSource; readonly node: NodeRecord },
): DesiredNode {
  const desired = desiredNode(source, node)
  if (verb === 'upgrade' && wanted !== null) return { ...desired, version: wanted.version }
  const before = task?.versionBefore
  return verb === 'revert' && before !== undefined ? { ...desired, version: before } : desired
}

function logsOf({ tasks: [task] }: OperationRecord): Pick<OrderEntry, 'logs'> {
  return task?.logs === undefined ? {} : { logs: task.logs }
}

function wayOf({ tasks: [task] }: OperationRecord): Pick<OrderEntry, 'mode' | 'drainSec'> {
  const { mode, drainSec } = task?.way ?? { mode: 'force', drainSec: null }
  return drainSec === null ? { mode } : { mode, drainSec }
}

export type Addressed = {
  readonly hostId: string
  readonly entry: OrderEntry
  /** Deadline of the step: the node may not begin after it, its lock may be another's then. */
  readonly expiresAt: number
}

/** Encodes as many of the first entries as one order carries, at least one; how many. */
export function packOrder(
  verb: Verb,
  entries: readonly Addressed[],
): { readonly order: string; readonly count: number } {
  for (let count = Math.min(entries.length, MAX_WAVE); count > 1; count -= 1) {
    const order = tryEncode(verb, entries.slice(0, count))
    if (order !== null) return { order, count }
  }
  const order = tryEncode(verb, entries.slice(0, 1))
  if (order === null) throw new RangeError(`an order for one node exceeds ${ORDER_MAX_CHARS}`)
  return { order, count: 1 }
}

/** Whether an order can carry it, alone. */
export function fitsOneOrder(verb: Verb, entry: OrderEntry): boolean {
  const expiresAt = Number.MAX_SAFE_INTEGER
  const hostId = LONGEST_HOST_ID
  return tryEncode(verb, [{ hostId, entry: { ...entry, expiresAt }, expiresAt }]) !== null
}

function tryEncode(verb: Verb, entries: readonly Addressed[]): string | null {
  const latest = Math.max(...entries.map(({ expiresAt }) => expiresAt))
  const nodes = Object.fromEntries(
    entries.map(({ hostId, entry, expiresAt }) => [
      hostId,
      expiresAt < latest ? { ...entry, expiresAt } : entry,
    ]),
  )
  try {
    return encodeOrder({ schema: ORDER_SCHEMA, verb, expiresAt: latest, nodes })
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Key of the node's ledger: a question that is asked again is a new one, anything else is not. */
export function ledgerStep(name: StepName, verb: Verb, sends: number): string {
  return verb === 'status' ? `${name}.${sends}` : name
}
