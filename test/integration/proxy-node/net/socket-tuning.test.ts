/** What the system says of sockets on Bun, against the parameters of keep-alive (§9). */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import type { SocketTuning } from '../../../../proxy-node/net/socket-tuning.ts'

const ROOT = resolve(import.meta.dirname, '../../../..')

const STANDARD: SocketTuning = {
  isNoDelay: true,
  isKeptAlive: true,
  idleSeconds: 5,
  intervalSeconds: 5,
  probes: 5,
  userTimeoutSeconds: 0,
}

function optionsOf(clients: SocketTuning, servers: SocketTuning): Record<string, unknown> {
  const script = resolve(ROOT, 'test/support/socket-options-on-bun.ts')
  const told = execFileSync(resolve(ROOT, 'node_modules/.bin/bun'), [
    script,
    JSON.stringify({ clients, servers }),
  ])
  return JSON.parse(told.toString()) as Record<string, unknown>
}

test('clients and servers have each their own, all of them', () => {
  const clients = {
    ...STANDARD,
    idleSeconds: 61,
    intervalSeconds: 7,
    probes: 3,
    userTimeoutSeconds: 20,
  }

  expect(optionsOf(clients, STANDARD)).toEqual({
    clients: {
      isKeptAlive: 1,
      isNoDelay: 1,
      idleSeconds: 61,
      intervalSeconds: 7,
      probes: 3,
      userTimeoutMs: 20_000,
    },
    servers: {
      isKeptAlive: 1,
      isNoDelay: 1,
      idleSeconds: 5,
      intervalSeconds: 5,
      probes: 5,
      userTimeoutMs: 0,
    },
  })
})

/** The system's own time, as the administrator of this machine has set it. */
const ofSystem = (name: string) =>
  Number(readFileSync(`/proc/sys/net/ipv4/tcp_keepalive_${name}`, 'utf8'))

test('flags switch delay and keep-alive, 0 leaves the time to the system', () => {
  const system = { idleSeconds: 0, intervalSeconds: 0, probes: 0 }
  const answer = optionsOf(
    { ...STANDARD, ...system, isKeptAlive: false, isNoDelay: false },
    { ...STANDARD, ...system },
  )

  expect(answer).toMatchObject({
    clients: {
      isKeptAlive: 0,
      isNoDelay: 0,
      idleSeconds: ofSystem('time'),
      intervalSeconds: ofSystem('intvl'),
      probes: ofSystem('probes'),
    },
    servers: { isKeptAlive: 1, isNoDelay: 1 },
  })
})
