import { describe, expect, test } from 'vitest'
import { parseUpgradeState } from '../../../../proxy-node/control/upgrade-state.ts'
import { upgradeLines } from '../../../../proxy-node/process/upgrade-view.ts'

const guests = { clients: 2, ordinary: 1, longestTransactionMs: 0, reasons: {} }
const view = {
  state: 'HU_STATE_WAIT_HU_CMD',
  command: 'none',
  status: 'none',
  failures: 0,
  lastFailure: '',
  successorPid: undefined,
  pid: 7,
  attempts: 1,
  availability: 'ACTIVE',
  deadline: undefined,
  guests,
  predecessor: undefined,
} as const

describe('what SHOW PROXYINFO UPGRADE says', () => {
  test.each([
    ['of a proxy that serves', {}, { pid: 7, isIdle: true }],
    [
      'of one whose successor starts',
      { state: 'HU_STATE_WAIT_LOCAL_CR_FINISH', successorPid: 8 },
      { pid: 7, isIdle: false },
    ],
    [
      'of one that gave up',
      { status: 'failure retries too many', failures: 1, lastFailure: 'ended with exit code 3' },
      { isIdle: true, lastFailure: 'ended with exit code 3' },
    ],
    [
      'of a successor whose clients still leave the process before',
      { predecessor: { pid: 6, isGone: false, report: undefined } },
      { pid: 7, isIdle: false },
    ],
    [
      'of a successor that is alone',
      { predecessor: { pid: 6, isGone: true, report: undefined } },
      { pid: 7, isIdle: true },
    ],
  ] as const)('%s', (_what, more, expected) => {
    expect(parseUpgradeState(upgradeLines({ ...view, ...more }))).toMatchObject(expected)
  })

  test('of a proxy that tells its state only, in one line', () => {
    const busy = parseUpgradeState(['{state:"HU_STATE_WAIT_CR_FINISH", is_parent:false}'])
    const idle = parseUpgradeState(['{state:"HU_STATE_WAIT_HU_CMD", is_parent:true}'])

    expect(busy).toMatchObject({ pid: undefined, isIdle: false, isSuccessor: true })
    expect(idle).toMatchObject({ pid: undefined, isIdle: true, isSuccessor: false })
  })

  test('that says nothing is not waited for', () => {
    expect(parseUpgradeState([])).toMatchObject({ isIdle: true, shown: 'unknown state' })
  })
})
