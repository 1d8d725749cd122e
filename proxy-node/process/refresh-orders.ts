/**
 * The one-shot parameters `refresh_json_config`, `refresh_rslist` and `refresh_idc_list`: taken at
 * once, then read back as off. Source: proxy-routing.md §11, proxy-admin.md §3.3.
 */
import type { Clock } from '../base/clock.ts'
import type { ConfigStore } from '../config/store.ts'
import type { ClusterDirectory, Refreshable } from '../topology/cluster-directory.ts'

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
  const { config, clock, directory } = port
  // What came with the start is done by the start.
  const given = ORDERS.filter(([name]) => config.isOn(name))
  if (given.length > 0) config.alter(given.map(([name]) => [name, 'False'] as const))
  config.onChange(names => {
    if (!ORDERS.some(([name]) => names.includes(name) && config.isOn(name))) return
    // Behind the answer to the statement, which may still fail by another assignment.
    clock.after(0, () => {
      const taken = ORDERS.filter(([name]) => config.isOn(name))
      if (taken.length === 0) return
      config.alter(taken.map(([name]) => [name, 'False'] as const))
      for (const [, what] of taken) void directory.refresh(what)
    })
  })
}
