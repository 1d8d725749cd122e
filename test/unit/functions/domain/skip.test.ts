import { describe, expect, test } from 'vitest'
import { CHILD_TYPES, type ClusterOperationType } from '../../../../functions/domain/plan.ts'
import { whyUnskippable } from '../../../../functions/domain/skip.ts'

const TYPES = Object.keys(CHILD_TYPES) as ClusterOperationType[]

describe('what may be left out', () => {
  test('is a node of these operations and of no other', () => {
    expect(TYPES.filter(type => whyUnskippable(type) === null).sort()).toEqual([
      'attach-balancer',
      'change-parameters',
      'online',
      'refresh',
      'restart',
      'start',
      'stop',
      'upgrade',
    ])
  })

  test.each([
    [/half made/, ['create-cluster', 'add-nodes', 'take-over']],
    [/to leave/, ['delete-cluster', 'delete-nodes', 'move-out']],
    [/password/, ['rotate-sys-password', 'rotate-proxyro-password']],
    [/links/, ['change-links']],
    [/clients would be sent/, ['detach-balancer', 'offline']],
    [/looked at/, ['precheck-take-over', 'diagnose', 'collect-logs']],
  ] as const)('says what would be wrong, and what to do instead: %s', (reason, types) => {
    for (const type of types) {
      expect(whyUnskippable(type)?.reason, type).toMatch(reason)
      expect(whyUnskippable(type)?.remedy, type).not.toBe('')
    }
  })
})
