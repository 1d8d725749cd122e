import { describe, expect, test } from 'vitest'
import { changesOf } from '../../../../proxy-node/control/probe-facts.ts'

describe('parameters that a take-over changes', () => {
  const running = new Map([
    ['enable_qos', 'True'],
    ['enable_proxy_scramble', 'True'],
    ['slow_query_time_threshold', '500ms'],
    ['proxy_id', '0'],
    ['obproxy_sys_password', '***'],
    ['of_that_version_alone', '1'],
  ])

  test('are those that the cluster sets, and those that it leaves at their default', () => {
    const changed = new Map([...running].filter(([name]) => !name.startsWith('slow')))
    expect(changesOf(running, changed, { slow_query_time_threshold: '1s', no_such: '1' })).toEqual([
      { name: 'enable_qos', value: 'False' },
      { name: 'no_such', value: '1' },
      { name: 'slow_query_time_threshold', value: '1s' },
    ])
  })

  test('are none where the two are alike', () => {
    expect(changesOf(running, new Map(), { enable_qos: 'true' })).toEqual([])
  })
})
