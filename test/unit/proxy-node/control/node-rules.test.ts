/** What a real node makes of orders, on a host without an installation: its verbs fail, its rules hold. */
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe } from 'vitest'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import type { Host } from '../../../../proxy-node/control/host.ts'
import { runOrder } from '../../../../proxy-node/control/order.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { hostSettings } from '../../../support/host-settings.ts'
import { nodeRulesContract } from '../../../support/node-rules-contract.ts'

const INSTANCE = 'i-1'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'obfleet-rules-'))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Locks of files as the kernel gives them: until whoever has one closes it. */
function locks(): Host['tryLock'] {
  const holders = new Map<string, number>()
  return descriptor => {
    const file = fileOf(descriptor)
    const holder = holders.get(file)
    if (holder !== undefined && holder !== descriptor && fileOf(holder) === file) return false
    holders.set(file, descriptor)
    return true
  }
}

/** Empty when it is open no more. */
function fileOf(descriptor: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return ''
  }
}

describe('a node', () =>
  nodeRulesContract(() => {
    const down = () => Promise.reject(new Error('the instance is down'))
    const host: Host = {
      settings: hostSettings(pathsUnder(root), { instanceId: INSTANCE }),
      clock: systemClock,
      log: () => {},
      init: { act: down, status: down, reload: down, isGoingDown: async () => false },
      transport: nodeTransport,
      secrets: { read: async () => 'secret', credentials: down },
      tryLock: locks(),
    }
    return { run: order => runOrder(order, host), id: INSTANCE, now: Date.now }
  }))
