/**
 * Parameters that make this node forget locations at once: `partition_location_expire_relative_time`, one
 * shot; and `enable_partition_table_route`, without which no partitions are asked for.
 * Source: proxy-routing.md §4.10, §11.
 */
import type { Clock } from '../base/clock.ts'
import type { ConfigStore } from '../config/store.ts'
import type { NodeClusters } from './node-clusters.ts'
import { takeOneShots } from './one-shots.ts'

const PARAMETER = 'partition_location_expire_relative_time'
const PRUNES = 'enable_partition_table_route'

export function takeExpiryOrders(port: {
  readonly config: ConfigStore
  readonly clock: Clock
  readonly clusters: Pick<NodeClusters, 'expire'>
}): void {
  const { config, clusters } = port
  takeOneShots(port, [
    { parameter: PARAMETER, rest: '0', act: value => clusters.expire(Number(value)) },
  ])
  config.onChange(names => {
    if (names.includes(PRUNES)) clusters.expire(0)
  })
}
