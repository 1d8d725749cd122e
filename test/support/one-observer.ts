/** A server of a scripted cluster that is taken out of this process and put into one of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Flavour, FrontServer } from '../../infra/local/front/picture.ts'
import type { KernelAccounts } from '../../infra/local/kernel.ts'
import type { RoutingCluster, Which } from './routing-cluster.ts'

export type ObserverPlan = {
  readonly cluster: string
  readonly version: string
  readonly flavour: Flavour
  readonly tenants: readonly string[]
  readonly servers: readonly FrontServer[]
  readonly accounts: KernelAccounts
  /** `host:port` of the one that it is. */
  readonly key: string
}

const PROGRAM = resolve(import.meta.dirname, 'observer-process.ts')

/** The process listens where the server did; tables have to be made in it, too. */
export async function moveOut(cluster: RoutingCluster, which: Which): Promise<ChildProcess> {
  const { picture, accounts } = cluster
  await cluster.order(which, { kind: 'stop' })
  const plan: ObserverPlan = {
    cluster: picture.cluster,
    version: picture.version,
    flavour: picture.flavour,
    tenants: [...picture.tenants.keys()],
    servers: picture.servers.map(({ host, port, zone }) => ({ host, port, zone })),
    accounts,
    key: cluster.key(which),
  }
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}
