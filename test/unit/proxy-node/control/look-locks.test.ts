/** What an order waits for on its host. */
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeOrder, type Verb } from '#contract/command'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import type { Host } from '../../../../proxy-node/control/host.ts'
import { runOrder } from '../../../../proxy-node/control/order.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { hostSettings } from '../../../support/host-settings.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'obfleet-locks-'))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Names of the files that an order locks; it has expired, which is looked at behind the lock. */
async function locksOf(verb: Verb): Promise<readonly string[]> {
  const locks: string[] = []
  const never = () => Promise.reject(new Error('nothing is done'))
  const host: Host = {
    settings: hostSettings(pathsUnder(root)),
    clock: systemClock,
    log: () => {},
    init: { act: never, status: never, reload: never, isGoingDown: never },
    transport: nodeTransport,
    secrets: { read: never, credentials: never },
    tryLock: descriptor => {
      locks.push(basename(readlinkSync(`/proc/self/fd/${descriptor}`)))
      return true
    },
  }
  const entry = { operationId: 'op-1', step: 'look', attempt: 1, fence: 1 }
  const order = encodeOrder({ schema: 1, verb, expiresAt: 1, nodes: { 'i-1': entry } })
  expect(await runOrder(order, host)).toMatchObject({ ok: false, code: 'order.expired' })
  return locks
}

test('verbs that change the node wait for each other, and a look for none but its own kind', async () => {
  expect(await locksOf('start')).toEqual(await locksOf('stop'))
  const all = await Promise.all(
    (['start', 'probe', 'diagnose', 'collect-logs'] as const).map(locksOf),
  )
  expect(new Set(all.flat()).size).toBe(4)
})
