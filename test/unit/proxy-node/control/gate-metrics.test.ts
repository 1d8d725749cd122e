import { describe, expect, test } from 'vitest'
import { gateMetrics } from '../../../../proxy-node/control/gate-metrics.ts'

const REQUESTS = 'odp_sql_request_total'
const COST = 'odp_sql_cost_total'

describe('what a gate takes from an exporter', () => {
  test('are sums over tenants, types and results', () => {
    const text = [
      `# TYPE ${REQUESTS} counter`,
      `${REQUESTS}{ip="1",tenant="a",sqlType="SELECT",sqlResult="success"} 7`,
      `${REQUESTS}{ip="1",tenant="a",sqlType="SELECT",sqlResult="fail"} 2`,
      `${REQUESTS}{sqlResult="fail",tenant="b",sqlType="INSERT"} 1 1700000000000`,
      `${COST}{tenant="a",timeType="total"} 1500.5`,
      `${COST}{tenant="a",timeType="server"} 1000`,
      `${COST}{tenant="b",timeType="total"} 500`,
      'odp_current_session{sessionType="client"} 9',
    ].join('\n')

    expect(gateMetrics(text)).toEqual({ requests: 10, errors: 3, cost: 2000.5 })
  })

  test.each([
    ['nothing', '', { requests: null, errors: null, cost: null }],
    [
      'its own requests only',
      'exposer_scrapes_total 3',
      { requests: null, errors: null, cost: null },
    ],
    [
      'zeros before the first request',
      `${REQUESTS}{sqlResult="success"} 0\n${COST}{timeType="total"} 0`,
      { requests: 0, errors: 0, cost: 0 },
    ],
    [
      'what is no number',
      `${REQUESTS}{sqlResult="success"} NaN`,
      { requests: null, errors: null, cost: null },
    ],
  ])('of one that shows %s', (_what, text, expected) => {
    expect(gateMetrics(text)).toEqual(expected)
  })
})
