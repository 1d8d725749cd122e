/** Checks of what a new cluster or new nodes ask for, each wrong place by its pointer. */
import type { PackageRef } from '#contract/command'
import { newId } from '../domain/ids.ts'
import type { ClusterSpec } from '../domain/model.ts'
import { nextSysSecretOf, sysSecretOf } from '../domain/names.ts'
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import type { NodeTask } from '../domain/operation-record.ts'
import { wrongParameters } from '../domain/parameters.ts'
import type { ClusterInput, NodeInput } from '../domain/plane.ts'
import { Problem, type Wrong } from '../domain/problem.ts'
import type { HostFacts, Hosts } from '../domain/remote.ts'
import type { Store } from '../domain/store.ts'
import { requireGroup } from './balancing.ts'
import type { PlaneDeps } from './context.ts'
import { packagesOf, refOf } from './packages.ts'
import { requireUnchanging } from './proxyro-reach.ts'

export type CheckedSpec = {
  readonly spec: ClusterSpec
  readonly obClusters: readonly ObClusterRecord[]
  readonly package: PackageRef
}

/** @throws Problem validation-failed, operation-not-allowed */
export async function specOf(
  deps: PlaneDeps,
  { name, spec }: Pick<ClusterInput, 'name' | 'spec'>,
): Promise<CheckedSpec> {
  const { store, configServiceUrl } = deps
  if (spec.workMode === 'CONFIG_URL' && configServiceUrl === null)
    throw new Problem('operation-not-allowed', 'there is no config service here', {
      errors: [{ pointer: '/spec/workMode', code: 'operation-not-allowed', detail: 'use RS_LIST' }],
    })
  const wrong: Wrong[] = [
    ...wrongParameters(spec.parameters, ['spec', 'parameters']),
    ...wrongLinks(spec),
  ]
  const obClusters = await store.getMany(
    'obCluster',
    [...new Set(spec.links.map(link => link.obCluster))].map(obCluster => ({ name: obCluster })),
  )
  for (const [index, { obCluster }] of spec.links.entries())
    if (!obClusters.some(each => each.name === obCluster))
      wrong.push(at(`/spec/links/${index}/obCluster`, 'not-found', `no OB cluster ${obCluster}`))
  const [found] = await packagesOf(store, spec.version)
  if (found === undefined)
    wrong.push(at('/spec/version', 'not-found', `no package of version ${spec.version}`))
  if (spec.ports.sql === spec.ports.exporter)
    wrong.push(at('/spec/ports/exporter', 'port-conflict', 'it is the SQL port'))
  if (wrong.length > 0 || found === undefined)
    throw new Problem('validation-failed', 'the specification is not valid', { errors: wrong })
  for (const record of obClusters) requireUnchanging(record)
  if (spec.loadBalancer !== undefined)
    await requireGroup(deps, spec.loadBalancer, '/spec/loadBalancer')
  return {
    spec: {
      workMode: spec.workMode,
      version: spec.version,
      ports: spec.ports,
      install: spec.install,
      links: withOneDefault(spec.links),
      parameters: spec.parameters,
      sysPasswordSecret: spec.sysPasswordSecret ?? (await freeSysSecret(store, name)),
      deletionProtection: spec.deletionProtection,
      ...(spec.loadBalancer === undefined ? {} : { loadBalancer: spec.loadBalancer }),
    },
    obClusters,
    package: refOf(found),
  }
}

/** One of the name whose proxies serve on has left its password there, and they have it. */
async function freeSysSecret(store: Store, name: string): Promise<string> {
  const left = await store.movedOut(name)
  return left.length === 0 ? sysSecretOf(name) : nextSysSecretOf(name, String(left.length))
}

function wrongLinks({ workMode, links }: ClusterInput['spec']): readonly Wrong[] {
  if (workMode === 'RS_LIST' && links.length !== 1)
    return [at('/spec/links', 'link-count', 'RS_LIST has exactly one OB cluster')]
  const names = links.map(({ obCluster }) => obCluster)
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [at(`/spec/links/${index}/obCluster`, 'duplicate-link', `${name} is linked twice`)],
  )
}

/** The first that says so, else the first. */
function withOneDefault(links: ClusterSpec['links']): ClusterSpec['links'] {
  const chosen = Math.max(
    0,
    links.findIndex(link => link.default),
  )
  return links.map((link, index) => ({ ...link, default: index === chosen }))
}

/** @throws Problem validation-failed, host-occupied, host-offline */
export async function newNodes(
  { store, hosts, clock }: PlaneDeps,
  nodes: readonly NodeInput[],
  { firstNumber, pointer }: { readonly firstNumber: number; readonly pointer: string },
): Promise<readonly NodeTask[]> {
  const [facts, records] = await Promise.all([
    knownHosts(hosts, nodes, pointer),
    store.getMany(
      'host',
      [...new Set(nodes.map(({ host }) => host))].map(id => ({ id })),
    ),
  ])
  const occupied = errorsAt(nodes, pointer, 'host-occupied', host => {
    const nodeId = records.find(({ id }) => id === host)?.nodeId ?? null
    return nodeId === null ? null : `${host} carries ${nodeId}`
  })
  refuse('host-occupied', occupied)
  requireOnline(facts, nodes, pointer)
  return nodes.map(({ host, idc, desiredState }, index) => ({
    nodeId: newId('node', clock.now()),
    hostId: host,
    host: facts.find(({ id }) => id === host)?.address ?? '',
    idc: idc ?? null,
    desiredState: desiredState ?? 'RUNNING',
    name: null,
    number: firstNumber + index,
    skipHostWork: false,
  }))
}

type Named = { readonly host: string }

/** Each once, and known to Systems Manager. @throws Problem validation-failed */
export async function knownHosts(
  hosts: Hosts,
  named: readonly Named[],
  pointer: string,
): Promise<readonly HostFacts[]> {
  const ids = named.map(({ host }) => host)
  const facts = await hosts.some([...new Set(ids)])
  const wrong = ids.flatMap((host, index) => {
    const place = `${pointer}/${index}/host`
    if (ids.indexOf(host) !== index) return [at(place, 'duplicate-host', `${host} is named twice`)]
    return facts.some(({ id }) => id === host) ? [] : [at(place, 'not-found', `no host ${host}`)]
  })
  if (wrong.length > 0)
    throw new Problem('validation-failed', 'some hosts are not valid', { errors: wrong })
  return facts
}

/** @throws Problem host-offline */
export function requireOnline(
  facts: readonly HostFacts[],
  named: readonly Named[],
  pointer: string,
): void {
  const offline = errorsAt(named, pointer, 'host-offline', host =>
    facts.some(({ id, pingStatus }) => id === host && pingStatus === 'Online')
      ? null
      : `${host} is not online`,
  )
  refuse('host-offline', offline)
}

function errorsAt(
  nodes: readonly Named[],
  pointer: string,
  code: string,
  detailOf: (host: string) => string | null,
): readonly Wrong[] {
  return nodes.flatMap(({ host }, index) => {
    const detail = detailOf(host)
    return detail === null ? [] : [at(`${pointer}/${index}/host`, code, detail)]
  })
}

function refuse(code: 'host-occupied' | 'host-offline', errors: readonly Wrong[]): void {
  const [first] = errors
  if (first !== undefined) throw new Problem(code, first.detail, { errors })
}

function at(pointer: string, code: string, detail: string): Wrong {
  return { pointer, code, detail }
}
