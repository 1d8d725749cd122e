import { describe, expect, test } from 'vitest'
import { OUTCOME, ROUTES, SQL_TYPES } from '../../../../proxy-node/contract/names.ts'
import { countersOf } from '../../../../proxy-node/observe/counters.ts'
import { NodeTraffic } from '../../../../proxy-node/observe/metrics.ts'
import { WorkerTraffic } from '../../../../proxy-node/session/traffic.ts'
import { CONGESTED } from '../../../../proxy-node/topology/model.ts'

function counters(): ReadonlyMap<string, number> {
  const node = new NodeTraffic()
  for (const worker of [0, 1]) {
    const counted = new WorkerTraffic()
    for (const tenant of ['app', 'shop']) {
      const traffic = counted.of('c1', tenant)
      const times = { begunMs: 1, sentMs: 1, endedMs: 2 }
      traffic.answered(SQL_TYPES.indexOf('SELECT'), OUTCOME.large, times)
      traffic.answered(SQL_TYPES.indexOf('SET'), 0, times)
      traffic.located(true, true)
      traffic.located(false, false)
      traffic.loggedIn(true)
      traffic.routed(ROUTES.indexOf('leader'), false)
      traffic.routed(ROUTES.indexOf('leader'), true)
      traffic.guessed(false)
    }
    node.take(worker, counted.snapshot([]))
  }
  return new Map(
    countersOf({
      tenants: node.totals(),
      said: { error: 3, warn: 4, unexpected: 5 },
      clusters: 2,
      congestions: [0, CONGESTED.dead | CONGESTED.alive, CONGESTED.alive],
    }),
  )
}

describe('counters of the node', () => {
  test.each([
    ['total_query_count', 8],
    ['client_select_requests', 4],
    ['client_other_requests', 4],
    ['client_insert_requests', 0],
    ['client_large_requests', 4],
    ['total_client_connections', 4],
    ['get_pl_total', 8],
    ['get_pl_from_thread_cache_hit', 4],
    ['get_pl_from_remote_fail', 4],
    ['routed_to_leader', 8],
    ['routed_to_leader_missed', 4],
    ['routed_to_blind', 0],
    ['partition_guess_confirmed', 4],
    ['partition_guess_corrected', 0],
    ['dead_congested', 1],
    ['alive_congested', 2],
    ['current_cluster_resource_count', 2],
    ['total_warn_log_count', 4],
    ['unexpected_error_count', 5],
  ])('%s is the sum over workers and tenants', (name, value) => {
    expect(counters().get(name)).toBe(value)
  })

  test('are in order, each once', () => {
    const names = [...counters().keys()]

    expect(names).toEqual([...new Set(names)].sort())
  })
})
