/** What a verb's failure means while the machine shuts down: nothing that may be kept or believed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeOrder, type OrderEntry } from '#contract/command'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import type { Host } from '../../../../proxy-node/control/host.ts'
import { runOrder } from '../../../../proxy-node/control/order.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { desiredNode } from '../../../support/desired-node.ts'
import { hostSettings } from '../../../support/host-settings.ts'

const INSTANCE = 'i-1'
const ENTRY: OrderEntry = {
  operationId: 'op-1',
  step: 'restart',
  attempt: 1,
  fence: 1,
  desired: desiredNode(),
}

let root: string
let isGoingDown: boolean

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'obfleet-shutdown-'))
  isGoingDown = false
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** A host without an installation: a restart fails, whatever the machine does. */
function host(): Host {
  const down = () => Promise.reject(new Error('the instance is down'))
  return {
    settings: hostSettings(pathsUnder(root), { instanceId: INSTANCE }),
    clock: systemClock,
    log: () => {},
    init: { act: down, status: down, reload: down, isGoingDown: async () => isGoingDown },
    transport: nodeTransport,
    secrets: { read: async () => 'secret', credentials: down },
    tryLock: () => true,
  }
}

function restart() {
  const nodes = { [INSTANCE]: ENTRY }
  const expiresAt = Date.now() + 60_000
  return runOrder(encodeOrder({ schema: 1, verb: 'restart', expiresAt, nodes }), host())
}

test('a failure is the answer to its order from then on', async () => {
  const first = await restart()
  expect(first).toMatchObject({ ok: false, code: 'node.not-installed' })
  expect(await restart()).toEqual({ ...first, replayed: true })
})

test('a failure while the machine shuts down is not: the same order is carried out after the boot', async () => {
  isGoingDown = true
  expect(await restart()).toMatchObject({ ok: false, code: 'node.going-down' })

  isGoingDown = false
  const after = await restart()

  expect(after).toMatchObject({ code: 'node.not-installed' })
  expect(after.replayed).toBeUndefined()
})
