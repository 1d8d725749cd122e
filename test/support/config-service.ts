/** The config service over a store, and records as the plane writes them. */
import { createHash } from 'node:crypto'
import { configServiceApp } from '../../functions/config-service/app.ts'
import type { Clock } from '../../functions/domain/clock.ts'
import type { ObClusterRecord } from '../../functions/domain/ob-cluster-record.ts'
import type { ClusterRecord, TokenRecord } from '../../functions/domain/record.ts'
import { put, type Store } from '../../functions/domain/store.ts'

export const BASE_URL = 'http://config.test:8789'

const digest = (token: string) => createHash('sha256').update(token).digest('hex')

export const tokenOf = (...live: readonly string[]): TokenRecord => ({
  secret: '/t-1',
  number: live.length,
  live: live.map(digest),
})

export function obCluster(name: string, more: Partial<ObClusterRecord> = {}): ObClusterRecord {
  return {
    name,
    revision: 1,
    createdAt: 1,
    updatedAt: 1,
    rootservice: ['10.0.0.1:2881', '10.0.0.2:2881'],
    proxyroSecret: '/ro',
    tags: {},
    linkCount: 0,
    version: 0,
    ...more,
  }
}

export function proxyCluster(
  name: string,
  links: readonly string[],
  more: Partial<ClusterRecord> = {},
): ClusterRecord {
  return {
    id: `clu_${name}`,
    name,
    revision: 1,
    generation: 1,
    createdAt: 1,
    updatedAt: 1,
    tags: {},
    spec: {
      workMode: 'CONFIG_URL',
      version: '4.3.2.0-1',
      ports: { sql: 2883, exporter: 2884 },
      install: { path: '/home/admin/obproxy' },
      links: links.map((each, index) => ({ obCluster: each, default: index === 0 })),
      parameters: {},
      sysPasswordSecret: '/sys',
      deletionProtection: false,
    },
    parameterVersion: 1,
    hold: null,
    conditions: [],
    nodeSequence: 0,
    isSysPasswordOurs: false,
    configToken: tokenOf('token-1'),
    version: 0,
    ...more,
  }
}

export async function keepProxyCluster(store: Store, cluster: ClusterRecord): Promise<void> {
  await store.commit([
    put('cluster', cluster),
    put('clusterName', { name: cluster.name, id: cluster.id, version: 0 }),
  ])
}

/** What a document may have, of those fields that suites look into. */
type Document = {
  readonly Version?: string
  readonly ObProxyDatabaseInfo?: object
  readonly ObRootServiceInfoUrlTemplate?: string
  readonly ObRootServiceInfoUrlList?: readonly {
    readonly ObRegion: string
    readonly ObRootServiceInfoUrl: string
  }[]
  readonly RsList?: readonly { readonly address: string }[]
}

/** What an answer has, with its envelope. */
export type Said<Data = Document> = {
  readonly status: number
  readonly Code: number
  readonly Message: string
  readonly Success: boolean
  readonly Data: Data
}

export function askable(store: Store, clock: Clock, log: (line: object) => void = () => {}) {
  const app = configServiceApp({
    store,
    clock,
    baseUrl: BASE_URL,
    newTraceId: () => 'trace-1',
    log,
  })
  const ask = async <Data = Document>(
    query: string,
    init: RequestInit = {},
  ): Promise<Said<Data>> => {
    const response = await app.request(`${BASE_URL}/services?${query}`, init)
    return { status: response.status, ...((await response.json()) as Omit<Said<Data>, 'status'>) }
  }
  return { app, ask }
}

export const registration = (timestamp: number, ip: string, more: object = {}) => ({
  method: 'POST',
  body: JSON.stringify({
    ObClusterId: 1,
    ObCluster: 'east',
    Type: 'PRIMARY',
    RsList: [{ address: `${ip}:2882`, role: 'LEADER', sql_port: 2881 }],
    ReadonlyRsList: [],
    timestamp,
    ...more,
  }),
})
