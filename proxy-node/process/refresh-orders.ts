/** The one-shot parameters that make this node ask its config server now. */
import type { Clock } from '../base/clock.ts'
import type { ConfigStore } from '../config/store.ts'
import type { ClusterDirectory, Refreshable } from '../topology/cluster-directory.ts'
import { takeOneShots } from './one-shots.ts'

const ORDERS: readonly (readonly [parameter: string, what: Refreshable])[] = [
  ['refresh_json_config', 'cluster-list'],
  ['refresh_rslist', 'root-services'],
  ['refresh_idc_list', 'idcs'],
]

export function takeRefreshOrders(port: {
  readonly config: ConfigStore
  readonly clock: Clock
  readonly directory: Pick<ClusterDirectory, 'refresh'>
}): void {
  takeOneShots(
    port,
    ORDERS.map(([parameter, what]) => ({
      parameter,
      rest: 'False',
      act: () => void port.directory.refresh(what),
    })),
  )
}
