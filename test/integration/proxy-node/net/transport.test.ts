import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { TLS_CASES } from '../../../support/tls-contract.ts'
import { TRANSPORT_CASES } from '../../../support/transport-contract.ts'

/** The whole contract in one process: some 12 s of CPU, on machines that do other things too. */
const BUN_MS = 240_000
const ROOT = resolve(import.meta.dirname, '../../../..')
const CASES = [...TRANSPORT_CASES, ...TLS_CASES]
const NAMES = CASES.map(({ name }) => name)

describe('the transport over node:net', () => {
  test.each(CASES)('$name', async ({ run }) => {
    await run(nodeTransport)
  })
})

describe('the transport over Bun', () => {
  const outcome = new Map<string, string | null>()

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(
      resolve(ROOT, 'node_modules/.bin/bun'),
      [resolve(ROOT, 'test/support/transport-on-bun.ts')],
      { timeout: BUN_MS },
    )
    for (const line of stdout.trim().split('\n')) {
      const { name, error } = JSON.parse(line) as { name: string; error: string | null }
      outcome.set(name, error)
    }
  }, BUN_MS)

  test.each(NAMES)('%s', name => {
    expect(outcome.get(name)).toBeNull()
  })
})
