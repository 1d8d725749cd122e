/** `.obfleet/dev.json`: all that a user of the running stack needs, secrets included (0600). */

import type { BalancerAccess } from './balancer.ts'
import type { Fleet } from './fleet.ts'
import type { KeyPair } from './keys.ts'

/** Who administers a node by SQL. */
const SYS_USER = 'root@proxysys'

export type DevFile = {
  readonly apiUrl: string
  /** What proxy clusters of work mode CONFIG_URL ask. */
  readonly configServiceUrl: string
  readonly token: string
  readonly proxyClusters: readonly {
    readonly id: string
    readonly name: string
    readonly sysUser: string
    /** Null while there is none. */
    readonly sysPassword: string | null
  }[]
  readonly nodes: readonly {
    readonly id: string
    readonly name: string
    readonly cluster: string
    readonly host: string
    readonly sqlPort: number
    readonly exporterPort: number
    readonly instanceId: string
  }[]
  /** All managed instances, also those without a node. */
  readonly hosts: readonly { readonly id: string; readonly address: string }[]
  readonly obClusters: readonly {
    readonly name: string
    readonly rootservice: string
    readonly real: boolean
    readonly user: string
    readonly tenant: string
    readonly password: string
    readonly database: string
    /** Orders and counters of the OBServers. */
    readonly control: string
  }[]
  /** What a proxy cluster's load balancer can be, and where its clients connect then. */
  readonly loadBalancer: BalancerAccess
  /** Systems Manager with the keys of the plane, for `aws ssm`. */
  readonly ssm: KeyPair & { readonly url: string; readonly region: string }
}

/** @param sysPasswords by the name of their parameter. */
export function devFile(
  fleet: Fleet,
  sysPasswords: ReadonlyMap<string, string>,
  rest: Pick<
    DevFile,
    'apiUrl' | 'configServiceUrl' | 'token' | 'obClusters' | 'loadBalancer' | 'ssm'
  >,
): DevFile {
  const { apiUrl, configServiceUrl, token, obClusters, loadBalancer, ssm } = rest
  return {
    apiUrl,
    configServiceUrl,
    token,
    proxyClusters: fleet.clusters.map(({ id, name, sysPasswordSecret }) => ({
      id,
      name,
      sysUser: SYS_USER,
      sysPassword: sysPasswords.get(sysPasswordSecret) ?? null,
    })),
    nodes: fleet.nodes.map(({ id, name, cluster, host, sqlPort, exporterPort, instanceId }) => ({
      id,
      name,
      cluster,
      host,
      sqlPort,
      exporterPort,
      instanceId,
    })),
    hosts: fleet.hosts.map(({ id, address }) => ({ id, address })),
    obClusters,
    loadBalancer,
    ssm,
  }
}
