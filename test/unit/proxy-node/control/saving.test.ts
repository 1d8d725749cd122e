/** Which proxies are not saved, and so not taken over: by processes that are called obproxy, and nothing else of one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import type { DesiredNode } from '../../../../proxy-node/contract/node-state.ts'
import { foreignProxies } from '../../../../proxy-node/control/foreign-processes.ts'
import { foundFolder, readFound } from '../../../../proxy-node/control/found.ts'
import type { Host } from '../../../../proxy-node/control/host.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { saveAsFound } from '../../../../proxy-node/control/saving.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { desiredNode } from '../../../support/desired-node.ts'
import { hostSettings } from '../../../support/host-settings.ts'

const DESIRED = desiredNode({ home: '/o' })

let root: string
let host: Host
const children: ChildProcess[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'obfleet-saving-'))
  host = {
    settings: hostSettings(pathsUnder(root)),
    clock: systemClock,
    log: () => {},
    init: {
      act: async () => {},
      reload: async () => {},
      isGoingDown: async () => false,
      status: async () => ({ enabled: false, active: false, pid: null }),
    },
    transport: nodeTransport,
    secrets: { read: async () => '', credentials: () => Promise.reject(new Error('none')) },
    tryLock: () => true,
  }
})

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
})

/** Runs in that home until the test is over. */
async function running(home = '/o'): Promise<void> {
  const folder = join(root, home)
  const file = join(folder, 'bin/obproxy')
  const before = foreignProxies(root).length
  mkdirSync(join(folder, 'bin'), { recursive: true })
  if (!existsSync(file)) copyFileSync('/bin/sleep', file)
  children.push(spawn(file, ['60'], { cwd: folder, stdio: 'ignore' }))
  await vi.waitFor(() => expect(foreignProxies(root)).toHaveLength(before + 1))
}

async function refusal(more: Partial<DesiredNode> = {}): Promise<unknown> {
  const saved = saveAsFound({ ...DESIRED, ...more }, [], host)
  const error = await saved.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(readFound(host.settings.paths)).toBeUndefined()
  expect(existsSync(foundFolder(host.settings.paths))).toBe(false)
  return error
}

const notTakeable = (reason: string) =>
  expect.objectContaining({
    code: 'node.not-takeable',
    facts: { reason: expect.stringContaining(reason) },
  })

test('none is where none runs', async () => {
  expect(await refusal()).toEqual(notTakeable('no obproxy runs'))
})

test('not one of several', async () => {
  await running()
  await running()
  expect(await refusal()).toEqual(notTakeable('2 processes run'))
})

test('not one of another home', async () => {
  await running()
  expect(await refusal({ home: '/other' })).toEqual(notTakeable('not in /other'))
})

test('not one whose executable is another one by now', async () => {
  await running()
  const file = join(root, 'o/bin/obproxy')
  rmSync(file)
  copyFileSync('/bin/sleep', file)
  expect(await refusal()).toEqual(notTakeable('not what runs any more'))
})

test('not one that is started at a boot by what cannot be switched off', async () => {
  await running()
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc/rc.local'), 'if a\nthen\n/o/bin/obproxyd.sh -c start\nfi\n')
  expect(await refusal()).toEqual(
    expect.objectContaining({ code: 'node.start-by-hand', facts: { places: '/etc/rc.local:3' } }),
  )
})

test('not one that lets nobody in', async () => {
  await running()
  const ports = { sql: 1, exporter: 2 }
  expect(await refusal({ ports })).toEqual(notTakeable('root@proxysys cannot log in'))
})
