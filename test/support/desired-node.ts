/** What a node is told to be, for suites in which little of it matters. */
import type { DesiredNode } from '#contract/node-state'

export function desiredNode(more: Partial<DesiredNode> = {}): DesiredNode {
  return {
    schema: 1,
    clusterId: 'clu_1',
    clusterName: 'pc',
    nodeId: 'nod_1',
    state: 'RUNNING',
    version: '4.3.2.0-1',
    ports: { sql: 2883, exporter: 2884 },
    home: '/home/admin/obproxy',
    proxyId: 7,
    link: { obCluster: 'ob', rootserviceList: '10.0.0.1:2881', proxyroSecret: '/ro' },
    sysPasswordSecret: '/sys',
    parameters: {},
    parameterVersion: 1,
    ...more,
  }
}
