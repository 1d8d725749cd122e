/** Where each kind of record lives in the one table, and in its two indexes. Source: PL5. */
import { createHash } from 'node:crypto'
import type { KeyOf, Kind, Period, Records } from '../domain/store.ts'

/** Index of all nodes and all operations, by id. */
export const LIST_INDEX = 'list'
/** Index of open operations by the time they are due; sharded, sparse. */
export const DUE_INDEX = 'due'
export const DUE_SHARDS = 8

export type Key = { readonly pk: string; readonly sk: string }
export type Span = readonly [least: string, greatest: string]

type KeyMakers = { readonly [K in Kind]: (key: KeyOf<K>) => Key }

const META = 'META'
const DAY_CHARS = 10
const MS_PER_SEC = 1000

const KEYS: KeyMakers = {
  cluster: ({ id }) => ({ pk: clusterPartition(id), sk: META }),
  clusterName: ({ name }) => ({ pk: PARTITIONS.clusterName, sk: name }),
  node: ({ clusterId, id }) => ({ pk: clusterPartition(clusterId), sk: `NODE#${id}` }),
  report: ({ clusterId, nodeId }) => ({ pk: clusterPartition(clusterId), sk: `REPORT#${nodeId}` }),
  place: ({ nodeId }) => ({ pk: `NODE#${nodeId}`, sk: 'PLACE' }),
  proxyId: ({ proxyId }) => ({ pk: 'PROXYIDS', sk: String(proxyId).padStart(4, '0') }),
  host: ({ id }) => ({ pk: `HOST#${id}`, sk: META }),
  obCluster: ({ name }) => ({ pk: PARTITIONS.obCluster, sk: name }),
  looseSecret: ({ name }) => ({ pk: PARTITIONS.looseSecret, sk: name }),
  rootServices: ({ obCluster, obClusterId }) => ({
    pk: rootServicesPartition(obCluster),
    sk: numbered(obClusterId),
  }),
  package: ({ id }) => ({ pk: PARTITIONS.package, sk: id }),
  packageName: ({ name }) => ({ pk: 'PACKAGENAMES', sk: name }),
  operation: ({ id }) => ({ pk: operationPartition(id), sk: META }),
  step: ({ operationId, n }) => ({ pk: operationPartition(operationId), sk: STEPS + numbered(n) }),
  result: ({ operationId }) => ({ pk: operationPartition(operationId), sk: 'RESULT' }),
  diagnosis: ({ operationId }) => ({ pk: operationPartition(operationId), sk: 'DIAGNOSIS' }),
  wave: ({ operationId, n }) => ({ pk: operationPartition(operationId), sk: WAVES + numbered(n) }),
  work: ({ operationId }) => ({ pk: operationPartition(operationId), sk: 'WORK' }),
  command: ({ commandId }) => ({ pk: `COMMAND#${commandId}`, sk: META }),
  request: ({ id }) => ({ pk: `REQUEST#${id}`, sk: META }),
  audit: ({ at, id }) => ({
    pk: auditPartition(dayOf(at)),
    sk: id,
  }),
  clusterExport: ({ operationId }) => ({ pk: operationPartition(operationId), sk: 'EXPORT' }),
  // An id begins with the time of its making.
  movedOut: ({ name, id }) => ({ pk: movedOutPartition(name), sk: id }),
  parameterHistory: ({ clusterId, at, id }) => ({
    pk: historyPartition(clusterId),
    sk: `${numbered(at)}#${id}`,
  }),
}

/** Kinds that are listed from a partition of their own. */
export const PARTITIONS = {
  clusterName: 'CLUSTERS',
  obCluster: 'OBCLUSTERS',
  package: 'PACKAGES',
  looseSecret: 'LOOSESECRETS',
}
export const STEPS = 'STEP#'
export const WAVES = 'WAVE#'

export function keyOf<K extends Kind>(kind: K, key: KeyOf<K>): Key {
  return KEYS[kind](key)
}

export function clusterPartition(id: string): string {
  return `CLUSTER#${id}`
}

export function rootServicesPartition(obCluster: string): string {
  return `ROOTSERVICES#${obCluster}`
}

export function movedOutPartition(name: string): string {
  return `MOVEDOUT#${name}`
}

/** Beside the cluster's own, which is read whole. */
export function historyPartition(clusterId: string): string {
  return `PARAMETERHISTORY#${clusterId}`
}

/** Least and greatest sort key of a history's part, both included. */
export function historyPeriod({ from = 0, to = Number.MAX_SAFE_INTEGER }: Period): Span {
  return [numbered(Math.max(0, from)), `${numbered(Math.max(0, to))}~`]
}

export function operationPartition(id: string): string {
  return `OP#${id}`
}

/** Day of a time in UTC, `2026-11-24`. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, DAY_CHARS)
}

export function auditPartition(day: string): string {
  return `AUDIT#${day}`
}

/** Attributes that put a record into an index, or let the table expire it. */
export function indexed<K extends Kind>(kind: K, record: Records[K]): Record<string, unknown> {
  if (kind === 'node') return { listPk: 'NODES', listSk: (record as Records['node']).id }
  if (kind === 'operation')
    return { listPk: 'OPERATIONS', listSk: (record as Records['operation']).id }
  if (kind === 'work') {
    const { operationId, nextAt } = record as Records['work']
    return { duePk: duePartition(shardOf(operationId)), dueSk: nextAt }
  }
  if (kind === 'command' || kind === 'request') {
    const { expiresAt } = record as Records['command'] | Records['request']
    return { ttl: Math.ceil(expiresAt / MS_PER_SEC) }
  }
  return {}
}

export function duePartition(shard: number): string {
  return `DUE#${shard}`
}

function shardOf(operationId: string): number {
  return (createHash('sha256').update(operationId).digest()[0] ?? 0) % DUE_SHARDS
}

/** Sorts as text as the numbers do. */
function numbered(n: number): string {
  return String(n).padStart(16, '0')
}
