/**
 * Parameters that make this node forget locations at once: `partition_location_expire_relative_time`, one
 * shot, read back as 0; and `enable_partition_table_route`, without which no partitions are asked for.
 * Source: proxy-routing.md §4.10, §11.
 */
import type { Clock } from '../base/clock.ts'
import type { ConfigStore } from '../config/store.ts'
import type { NodeClusters } from './node-clusters.ts'

const ONE_SHOT = 'partition_location_expire_relative_time'
const PRUNES = 'enable_partition_table_route'

export function takeExpiryOrders(port: {
  readonly config: ConfigStore
  readonly clock: Clock
  readonly clusters: Pick<NodeClusters, 'expire'>
}): void {
  const { config, clock, clusters } = port
  // At the start nothing is known that could be forgotten.
  if (config.number(ONE_SHOT) !== 0) config.alter([[ONE_SHOT, '0']])
  config.onChange(names => {
    if (names.includes(PRUNES)) clusters.expire(0)
    if (!names.includes(ONE_SHOT) || config.number(ONE_SHOT) === 0) return
    // Behind the answer to the statement, which may still fail by another assignment.
    clock.after(0, () => {
      const relativeMs = config.number(ONE_SHOT)
      if (relativeMs === 0) return
      config.alter([[ONE_SHOT, '0']])
      clusters.expire(relativeMs)
    })
  })
}
