/** Upgrades of a node and the ways back, with clients that stay; what fails or is cut off leaves a whole version. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { OrderEntry, PackageRef, VerbResult } from '#contract/command'
import { isAlive } from '../../../../infra/local/instance/processes.ts'
import { takeCopy } from '../../../../proxy-node/control/copies.ts'
import {
  homeOf,
  type Marker,
  moveIntoPlace,
  readMarker,
  sha256Of,
  writeMarker,
} from '../../../../proxy-node/control/home.ts'
import { readMemory, writeMemory } from '../../../../proxy-node/control/node-file.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { EXECUTABLE, NodeInstance } from '../../../support/node-instance.ts'
import { until } from '../../../support/until.ts'
import {
  adminOf,
  type Built,
  dropPackage,
  Guests,
  nextVersion,
  PACKAGE_FILE,
  parameterOf,
  reference,
  resultOf,
  scripted,
  untilAlone,
  VERSION,
  VerbSuite,
} from '../../../support/verb-suite.ts'

const suite = new VerbSuite('127.15.8.102')
const next = nextVersion()
/** Of a successor that never serves, and of one that serves and is not what it says. */
const failing = scripted('4.3.2.2-1', 'sleep 0.3; exit 3')
const lying = scripted('4.3.2.3-1', `exec -a "$0" '${EXECUTABLE}' "$@"`)
const built: readonly Built[] = [next, failing, lying]
const node = new NodeInstance('127.15.8.2', suite.plane, [
  PACKAGE_FILE,
  ...built.map(({ file }) => file),
])
const paths = pathsUnder(node.root)
const home = homeOf(paths, suite.desired())
const hot = { mode: 'hot', drainSec: 600 } as const
const soon = { mode: 'hot', drainSec: 2 } as const
let packages: Record<'next' | 'failing' | 'lying', PackageRef>
let original = ''

const guests = new Guests(node)
const client = guests.come

beforeAll(async () => {
  await suite.start()
  await suite.bringUp(node)
  packages = {
    next: await reference(next),
    failing: await reference(failing),
    lying: await reference(lying),
  }
  original = await sha256Of(home.executable)
}, 120_000)
afterAll(async () => {
  await node.stop()
  await suite.stop()
  for (const each of built) dropPackage(each)
})
afterEach(() => {
  guests.leave()
})

const upgrade = (more: Partial<OrderEntry> = {}) =>
  suite.act(node, 'upgrade', { ...soon, package: packages.next, ...more })
/** As the plane orders it: with the version to go back to. */
const revert = (more: Partial<OrderEntry> = {}) => suite.act(node, 'revert', { ...soon, ...more })

async function runningVersion(): Promise<string> {
  const admin = await adminOf(node)
  const [rows] = await admin.query<RowDataPacket[]>('SHOW PROXYINFO BINARY')
  admin.destroy()
  return /\d+\.\d+\.\d+\.\d+-\d+/.exec(JSON.stringify(rows))?.[0] ?? ''
}

/** Process, files, marker and memory agree, and nothing lies about; the version. */
async function wholeVersion(): Promise<string> {
  const marker = readMarker(home)
  const version = marker?.installed?.version
  expect(marker?.moving).toBeUndefined()
  expect(await sha256Of(home.executable)).toBe(marker?.installed?.executableSha256)
  expect(readMemory(paths).desired?.version).toBe(version)
  expect(await runningVersion()).toBe(version)
  expect(readdirSync(join(home.folder, 'bin'))).toEqual(['obproxy'])
  const lib = existsSync(join(home.folder, 'lib')) ? readdirSync(join(home.folder, 'lib')) : []
  expect(lib).toEqual(version === VERSION ? [] : [`of-${version}`])
  const left = readdirSync(home.folder).filter(name => name.startsWith('.obfleet-'))
  expect(left.filter(name => !['.obfleet-node.json', '.obfleet-backup'].includes(name))).toEqual([])
  expect(existsSync(node.file('var/lib/obfleet/lent-parameters.json'))).toBe(false)
  return version ?? ''
}

describe('an upgrade', () => {
  test('is hot: a transaction goes on, new clients come to the new version', async () => {
    const guest = await client()
    await guest.query('BEGIN')
    const { pid } = await node.proxy()

    const result = await upgrade(hot)

    expect(result).toMatchObject({
      ok: true,
      facts: { version: next.version, versionBefore: VERSION, pidBefore: pid, clientsBefore: 1 },
    })
    expect(await wholeVersion()).toBe(next.version)
    expect(isAlive(pid ?? 0)).toBe(true)
    expect((await guest.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
    await (await client()).query('SELECT 1')
    expect(suite.plane.reports.at(-1)).toMatchObject({
      status: 'RUNNING',
      version: next.version,
      pid: result.facts?.['pid'],
    })
    await guest.query('COMMIT')
    guest.destroy()
    await untilAlone(node)
  })

  test('to the version that is there does nothing', async () => {
    const before = await node.proxy()

    expect(await upgrade()).toMatchObject({ ok: true, facts: { upgraded: false } })

    expect(await node.proxy()).toEqual(before)
  })

  test('is taken back hot, once', async () => {
    const guest = await client()
    await guest.query('BEGIN')

    const result = await revert(hot)

    expect(result).toMatchObject({
      ok: true,
      facts: { version: VERSION, versionBefore: next.version },
    })
    expect(await wholeVersion()).toBe(VERSION)
    expect(await sha256Of(home.executable)).toBe(original)
    await guest.query('COMMIT')
    guest.destroy()
    await untilAlone(node)
    expect(await revert()).toMatchObject({ ok: true, facts: { upgraded: false } })
    const other = suite.desired({ version: '4.3.1.9-1' })
    expect(await revert({ desired: other })).toMatchObject({ ok: false, code: 'node.no-backup' })
  })

  test('by force cuts clients; what is kept for longer than a day is not gone back to', async () => {
    const guest = await client()
    await guest.query('SELECT 1')

    expect(await upgrade({ mode: 'force' })).toMatchObject({
      ok: true,
      facts: { version: next.version },
    })

    await expect(guest.query('SELECT 1')).rejects.toThrow()
    expect(await wholeVersion()).toBe(next.version)
    const record = join(home.folder, '.obfleet-backup/copy.json')
    const kept = readFileSync(record, 'utf8')
    const old = { ...JSON.parse(kept), takenAt: Date.now() - 25 * 3_600_000 }
    writeFileSync(record, JSON.stringify(old))
    const refused = await revert({ mode: 'force' })
    expect(refused).toMatchObject({ ok: false, code: 'node.no-backup' })
    expect(refused.message).toContain('25 h ago')
    writeFileSync(record, kept)
    expect(await revert({ mode: 'force' })).toMatchObject({ ok: true })
    expect(await wholeVersion()).toBe(VERSION)
  })
})

describe('an upgrade that cannot be', () => {
  test.each([
    ['without a package', () => ({ package: undefined }), 'order.incomplete'],
    [
      'to an older version',
      () => ({ package: { ...packages.next, version: '4.3.1.9-9' } }),
      'node.not-an-upgrade',
    ],
    [
      'to another first number, hot',
      () => ({ package: { ...packages.next, version: '5.0.0.0-1' } }),
      'node.hot-refused',
    ],
    [
      'of which the package holds another version',
      () => ({ package: { ...packages.next, version: '4.3.2.7-1' } }),
      'package.mismatch',
    ],
    [
      'of which the package is another one',
      () => ({ package: { ...packages.next, sha256: '0'.repeat(64) } }),
      'package.mismatch',
    ],
    [
      'of which the package is not there',
      () => ({ package: { ...packages.next, url: 'spool:none.tar.gz' } }),
      'package.unavailable',
    ],
    [
      'that the disk has no room for',
      () => ({ package: { ...packages.next, sizeBytes: 2 ** 45 } }),
      'node.disk-full',
    ],
  ] as const)('%s changes nothing', async (_what, more, code) => {
    const before = await node.proxy()

    expect(await upgrade(more() as Partial<OrderEntry>)).toMatchObject({ ok: false, code })

    expect(await node.proxy()).toEqual(before)
    expect(await wholeVersion()).toBe(VERSION)
  })
})

describe('an upgrade that fails', () => {
  test('because the new version does not start: the old process serves on, of the old version', async () => {
    const guest = await client()
    const before = await node.proxy()
    const exit = await parameterOf(node, 'hot_upgrade_exit_timeout')

    const result = await upgrade({ package: packages.failing })

    expect(result).toMatchObject({ ok: false, code: 'node.upgrade-undone' })
    expect(result.message).toMatch(/exit code 3.*the node is as it was, version 4\.3\.2\.0-1/)
    expect(await node.proxy()).toEqual(before)
    expect(await wholeVersion()).toBe(VERSION)
    expect(existsSync(join(home.folder, '.obfleet-backup'))).toBe(false)
    await guest.query('SELECT 1')
    expect(await parameterOf(node, 'hot_upgrade_exit_timeout')).toBe(exit)
  })

  test('when the new process serves already: it is replaced once more', async () => {
    const before = await node.proxy()

    const result = await upgrade({ package: packages.lying })

    expect(result).toMatchObject({ ok: false, code: 'node.upgrade-undone' })
    expect(result.message).toContain('wanted is 4.3.2.3-1')
    const after = await node.proxy()
    expect(after.active).toBe(true)
    expect(after.pid).not.toBe(before.pid)
    expect(await wholeVersion()).toBe(VERSION)
    await untilAlone(node)
  })

  test('by force, because it does not start: the old version is started again', async () => {
    const result = await upgrade({ package: packages.failing, mode: 'force' })

    expect(result).toMatchObject({ ok: false, code: 'node.upgrade-undone' })
    expect(await wholeVersion()).toBe(VERSION)
  }, 120_000)
})

/** What a kill after a step leaves, each step on top of those before. */
const STEPS: Readonly<Record<string, () => Promise<void> | void>> = {
  'the new version was unpacked': () => {
    mkdirSync(home.unpacking)
    execFileSync('tar', ['-xzf', next.file, '-C', home.unpacking])
  },
  'a copy was taken': () => takeCopy(home, '.obfleet-backup', installed(), Date.now()),
  'the move was on record': async () => writeMarker(home, await moving()),
  'a part was moved': () => {
    mkdirSync(join(home.folder, 'lib'), { recursive: true })
    const file = `lib/of-${next.version}`
    renameSync(join(home.unpacking, file), join(home.folder, file))
  },
  'all was moved': () => moveIntoPlace(home),
  'another process served': async () => {
    const { pid } = await node.proxy()
    const admin = await adminOf(node)
    await admin.query('ALTER PROXYCONFIG SET hot_upgrade_exit_timeout = 100000')
    await admin.query('ALTER PROXYCONFIG SET proxy_local_cmd = 2')
    await until('the process before has ended', () => !isAlive(pid ?? 0))
    admin.destroy()
  },
  'the memory had the new version': () => {
    const memory = readMemory(paths)
    const { desired } = memory
    if (desired === null) throw new Error('no memory')
    writeMemory(paths, { ...memory, desired: { ...desired, version: next.version } })
  },
}
const AFTER = Object.keys(STEPS)

function installed() {
  const record = readMarker(home)?.installed
  if (record === undefined) throw new Error('nothing is installed')
  return record
}

async function moving(): Promise<Marker> {
  const executableSha256 = await sha256Of(join(home.unpacking, 'bin/obproxy'))
  const to = { version: next.version, packageSha256: packages.next.sha256, executableSha256 }
  const { pid } = await node.proxy()
  const cut = { to, undo: '.obfleet-backup', pid, mode: 'hot', drainSec: 2 } as const
  return { schema: 1, nodeId: 'nod_1', installed: installed(), moving: cut }
}

async function cutOffAfter(last: string): Promise<void> {
  for (const step of AFTER.slice(0, AFTER.indexOf(last) + 1)) await STEPS[step]?.()
}

/** As before the next case. */
async function backAtTheOldVersion(): Promise<void> {
  rmSync(home.unpacking, { recursive: true, force: true })
  if ((await wholeVersion()) !== VERSION) expect(await revert()).toMatchObject({ ok: true })
  rmSync(join(home.folder, '.obfleet-backup'), { recursive: true, force: true })
  await untilAlone(node)
}

describe('an upgrade that was killed', () => {
  afterEach(backAtTheOldVersion)
  const cameThrough = AFTER.slice(AFTER.indexOf('another process served'))

  test.each([
    'the new version was unpacked',
    'the move was on record',
    'all was moved',
    'another process served',
  ])('after %s: the same order again ends at the new version', async last => {
    await cutOffAfter(last)

    expect(await upgrade()).toMatchObject({ ok: true })

    expect(await wholeVersion()).toBe(next.version)
  })

  test.each([
    'a copy was taken',
    'a part was moved',
    'another process served',
    'the memory had the new version',
  ])('after %s: another order finds a whole version', async last => {
    await cutOffAfter(last)
    const before = await node.proxy()

    expect(await suite.act(node, 'start')).toMatchObject({ ok: true, facts: { started: false } })

    rmSync(home.unpacking, { recursive: true, force: true })
    expect(readMarker(home)?.installed?.version).toBe(
      cameThrough.includes(last) ? next.version : VERSION,
    )
    expect(readMarker(home)?.moving).toBeUndefined()
    expect(await node.proxy()).toEqual(before)
    // The order of the start named the version that it was planned with.
    expect(await upgrade()).toMatchObject({ ok: true })
  })

  test.each(['a part was moved', 'all was moved', 'another process served'])(
    'after %s, by a loss of power: the boot goes back to the whole version before',
    async last => {
      await cutOffAfter(last)

      await node.crash()

      await until('it runs again', async () => (await node.proxy()).pid !== null)
      expect(await suite.act(node, 'start')).toMatchObject({ ok: true })
      rmSync(home.unpacking, { recursive: true, force: true })
      expect(await wholeVersion()).toBe(VERSION)
      expect(await sha256Of(home.executable)).toBe(original)
    },
  )

  test('with kill -9 wherever it just is: the next order settles it', async () => {
    const versions: string[] = []
    // From the first look at the order to beyond its end, wherever that is on this machine.
    const tookMs = await timedUpgrade()
    expect(await revert()).toMatchObject({ ok: true })
    await untilAlone(node)
    for (const part of [0.3, 0.5, 0.7, 0.9]) {
      const order = node.order('upgrade', suite.entry({ ...soon, package: packages.next }))
      const { child, ended } = node.spawn(['run', order])
      await new Promise(done => setTimeout(done, tookMs * part))
      child.kill('SIGKILL')
      await ended

      const result = resultOf(await node.run('run', order)) satisfies VerbResult
      expect(result).toMatchObject({ ok: true })
      versions.push(await wholeVersion())
      expect(await revert()).toMatchObject({ ok: true })
      await untilAlone(node)
    }
    expect(new Set(versions)).toEqual(new Set([next.version]))
  }, 300_000)
})

async function timedUpgrade(): Promise<number> {
  const since = performance.now()
  expect(await upgrade()).toMatchObject({ ok: true })
  return performance.now() - since
}
