/**
 * What a cluster that is moved out leaves behind: a document by which it can be made and taken over again,
 * with references where secrets are, and the times until when the config service answers for it. Pure.
 * Source: management.md §3.13.
 */
import type { NodeOrigin } from './model.ts'
import type { ClusterExportRecord, ExportedNode } from './moved-out-record.ts'
import type { OperationRecord } from './operation-record.ts'
import type { ClusterInput, TakeOverInput } from './plane.ts'
import type { ClusterRecord, NodeRecord } from './record.ts'
import { originOf } from './status.ts'

/** Grows when a reader of the version before would misread it. */
export const MOVED_OUT_FORMAT = 1

/** As many hosts as one take-over takes. */
const MAX_HOSTS = 50

export type MovedOutDocument = {
  readonly format: 'obfleet/moved-out-cluster'
  readonly formatVersion: typeof MOVED_OUT_FORMAT
  /** Null until all nodes are let go of. */
  readonly movedOutAt: number | null
  /** How long the config service answers for its proxies; null in RS_LIST, and before that. */
  readonly configAnswersUntil: number | null
  /** What makes the cluster again, without nodes. */
  readonly create: ClusterInput
  /** What takes its nodes over again, one request each. */
  readonly takeOver: readonly TakeOverInput[]
  readonly nodes: readonly ExportedNode[]
}

/** A node as it is before it is let go of. */
export function exportedNode(
  node: NodeRecord,
  { spec }: ClusterRecord,
  isSkipped: boolean,
): ExportedNode {
  const { id, name, hostId, host, idc, sqlPort, exporterPort, foundHome, desiredVersion } = node
  return {
    id,
    name,
    hostId,
    host,
    idc,
    sqlPort,
    exporterPort,
    origin: originOf(node),
    home: foundHome ?? spec.install.path,
    version: desiredVersion ?? spec.version,
    isSkipped,
  }
}

export function documentOf(
  { cluster: { name, tags, spec }, nodes }: Omit<ClusterExportRecord, 'version'>,
  { phase, endedAt, movedOut }: Pick<OperationRecord, 'phase' | 'endedAt' | 'movedOut'>,
): MovedOutDocument {
  const at = phase === 'SUCCEEDED' ? endedAt : null
  const isAsked = spec.workMode === 'CONFIG_URL'
  return {
    format: 'obfleet/moved-out-cluster',
    formatVersion: MOVED_OUT_FORMAT,
    movedOutAt: at,
    configAnswersUntil: at === null || !isAsked ? null : at + (movedOut?.graceMs ?? 0),
    create: { name, tags, spec: { ...spec, nodes: [] } },
    takeOver: takeOversOf(nodes, spec.sysPasswordSecret),
    nodes,
  }
}

/**
 * Those that we installed are of no package and of any user, so that a take-over has to be forced. One
 * whose host was out of reach is not named: what is ours is still there, and nobody knows what runs.
 */
function takeOversOf(
  nodes: readonly ExportedNode[],
  sysPasswordSecret: string,
): readonly TakeOverInput[] {
  const origins: readonly NodeOrigin[] = ['CREATED', 'TAKEN_OVER']
  return origins.flatMap(origin => {
    const hosts = nodes
      .filter(node => node.origin === origin && !node.isSkipped)
      .map(({ hostId, sqlPort, idc }) => ({
        host: hostId,
        sqlPort,
        sysPasswordSecret,
        ...(idc === null ? {} : { idc }),
      }))
    const count = Math.ceil(hosts.length / MAX_HOSTS)
    return Array.from({ length: count }, (_none, at) => ({
      hosts: hosts.slice(at * MAX_HOSTS, (at + 1) * MAX_HOSTS),
      acceptParameterChanges: false,
      ...(origin === 'CREATED' ? { isForced: true } : {}),
    }))
  })
}
