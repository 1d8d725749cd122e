import { describe, expect, test } from 'vitest'
import {
  predecessorReport,
  type UpgradeView,
  upgradeLines,
} from '../../../../proxy-node/process/upgrade-view.ts'

const GUESTS = {
  clients: 12,
  ordinary: 11,
  longestTransactionMs: 2_340,
  reasons: { administrator: 1, transaction: 2, 'waiting for its turn': 9 },
}
const VIEW: UpgradeView = {
  state: 'HU_STATE_WAIT_HU_CMD',
  command: 'none',
  status: 'none',
  failures: 0,
  lastFailure: '',
  successorPid: undefined,
  pid: 4711,
  attempts: 5,
  availability: 'ACTIVE',
  deadline: undefined,
  guests: GUESTS,
  predecessor: undefined,
}

describe('SHOW PROXYINFO UPGRADE', () => {
  test('of a proxy that has nothing to do with upgrades', () => {
    expect(upgradeLines(VIEW)).toEqual([
      'state:HU_STATE_WAIT_HU_CMD',
      'last command:none',
      'status:none',
      'failures:0/5',
      'pid:4711',
      'proxy status:ACTIVE',
      'sub pid:-1',
      'clients left:12',
      'deadline:none',
      'longest transaction:2.3s',
      'reasons:9 waiting for its turn, 2 transaction, 1 administrator',
    ])
  })

  test.each([
    [null, 'deadline:never'],
    [0, 'deadline:1970-01-01T00:00:00.000Z'],
  ])('of one whose clients leave until %s', (deadline, line) => {
    expect(upgradeLines({ ...VIEW, deadline })).toContain(line)
  })

  test('tells of the process before: what it says, and when it is gone', () => {
    const report = { status: 'received commit do graceful exit', deadline: null, guests: GUESTS }
    const of = (predecessor: NonNullable<UpgradeView['predecessor']>) =>
      upgradeLines({ ...VIEW, predecessor }).slice(11)

    expect(of({ pid: 4000, isGone: false, report: undefined })).toEqual([
      'parent pid:4000',
      'parent status:unknown',
    ])
    expect(of({ pid: 4000, isGone: false, report })).toEqual([
      'parent pid:4000',
      'parent status:received commit do graceful exit',
      'parent clients left:12',
      'parent deadline:never',
      'parent longest transaction:2.3s',
      'parent reasons:9 waiting for its turn, 2 transaction, 1 administrator',
    ])
    expect(of({ pid: 4000, isGone: true, report })).toEqual([
      'parent pid:4000',
      'parent status:exited',
    ])
  })

  test('takes no report that another version might send', () => {
    expect(predecessorReport({ status: 's', deadline: 1, guests: GUESTS })).toBeDefined()
    for (const other of [undefined, 'x', {}, { status: 's', deadline: 'x', guests: GUESTS }])
      expect(predecessorReport(other)).toBeUndefined()
  })
})
