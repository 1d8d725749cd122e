/** Hot restarts of a node by its verb, with clients that stay connected meanwhile. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isAlive } from '../../../../infra/local/instance/processes.ts'
import { NodeInstance } from '../../../support/node-instance.ts'
import { until } from '../../../support/until.ts'
import {
  adminOf,
  Guests,
  PACKAGE_FILE,
  parameterOf,
  resultOf,
  untilAlone,
  VerbSuite,
} from '../../../support/verb-suite.ts'

const suite = new VerbSuite('127.15.8.101')
const node = new NodeInstance('127.15.8.1', suite.plane, [PACKAGE_FILE])

beforeAll(async () => {
  await suite.start()
  await suite.bringUp(node)
}, 120_000)
afterAll(async () => {
  await node.stop()
  await suite.stop()
})

const guests = new Guests(node)
const client = guests.come
afterEach(() => {
  guests.leave()
})

const hot = { mode: 'hot', drainSec: 600 } as const
const TIMES = [
  'hot_upgrade_exit_timeout',
  'hot_upgrade_rollback_timeout',
  'hot_upgrade_failure_retries',
]
const times = () => Promise.all(TIMES.map(name => parameterOf(node, name)))

describe('a hot restart', () => {
  test('gives the proxy to another process; a transaction goes on where it is', async () => {
    const before = await times()
    const guest = await client()
    await guest.query('BEGIN')
    const { pid } = await node.proxy()

    const result = await suite.act(node, 'restart', hot)

    expect(result).toMatchObject({
      ok: true,
      facts: { status: 'RUNNING', pidBefore: pid, clientsBefore: 1, version: '4.3.2.0-1' },
    })
    const facts = result.facts ?? {}
    expect(facts['pid']).not.toBe(pid)
    expect(facts['seconds']).toBeGreaterThan(0)
    expect((await node.proxy()).pid).toBe(facts['pid'])
    expect(isAlive(pid ?? 0)).toBe(true)
    expect((await guest.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
    await guest.query('COMMIT')
    guest.destroy()
    await untilAlone(node)
    expect(await times()).toEqual(before)
    expect(existsSync(node.file('var/lib/obfleet/lent-parameters.json'))).toBe(false)
  })

  test('is refused before anything is touched where memory for two processes is short', async () => {
    const { pid } = await node.proxy()
    const lent = node.file('var/lib/obfleet/lent-parameters.json')
    mkdirSync(node.file('proc'))
    // What this host says of itself, in place of the machine's own (N6).
    writeFileSync(node.file('proc/meminfo'), 'MemAvailable:       1024 kB\n')
    try {
      const desired = suite.desired({ parameters: { query_digest_time_threshold: '77ms' } })
      const result = await suite.act(node, 'restart', { ...hot, desired })
      expect(result).toMatchObject({ ok: false, code: 'node.memory-short' })
      expect(result.message).toMatch(/the proxy has \d+ MB and 1 MB are available/)
      expect((await node.proxy()).pid).toBe(pid)
      expect(existsSync(lent)).toBe(false)
      expect(await parameterOf(node, 'query_digest_time_threshold')).not.toBe('77ms')
    } finally {
      rmSync(node.file('proc'), { recursive: true })
    }
  })

  test('brings into force what needs a restart, for this process and for the next start', async () => {
    const parameters = { work_thread_num: '1', automatic_match_work_thread: 'False' }
    const desired = suite.desired({ parameters, parameterVersion: 2 })
    const first = await suite.act(node, 'start', { desired: suite.desired() })
    expect(first).toMatchObject({ ok: true, facts: { started: false } })

    const result = await suite.act(node, 'restart', { ...hot, desired })

    expect(result).toMatchObject({ ok: true, facts: { parametersChanged: 2, parameterVersion: 2 } })
    const admin = await adminOf(node)
    const [rows] = await admin.query("SHOW PROXYCONFIG STATE LIKE 'work_thread_num'")
    admin.destroy()
    expect(rows).toMatchObject([{ value: '1', running_value: '1' }])
    const unit = readFileSync(node.file('etc/systemd/system/obfleet-proxy.service'), 'utf8')
    expect(unit).toContain('work_thread_num=1')
    expect(suite.plane.reports.at(-1)).toMatchObject({ pendingRestart: [], serving: 'ACTIVE' })
    await untilAlone(node)
    // A start of its own, by the command line of the unit, is the same.
    const { pid } = await node.proxy()
    process.kill(pid ?? 0, 'SIGKILL')
    await until('the service manager has started another one', async () => {
      const now = (await node.proxy()).pid
      return now !== null && now !== pid
    })
    expect(await suite.act(node, 'start', { desired })).toMatchObject({ ok: true })
    expect(await parameterOf(node, 'work_thread_num')).toBe('1')
  })

  test('the same step twice is one restart', async () => {
    const step = suite.entry(hot)
    const first = resultOf(await node.run('run', node.order('restart', step)))
    const second = resultOf(await node.run('run', node.order('restart', step)))

    expect(first).toMatchObject({ ok: true })
    expect(second).toEqual({ ...first, replayed: true })
    expect((await node.proxy()).pid).toBe(first.facts?.['pid'])
    await untilAlone(node)
  })

  test.each([
    ['that cannot be started', '#!/nowhere\n', /ended|started/],
    ['that ends at once', '#!/bin/sh\nexit 3\n', /exit code 3/],
  ])('with a successor %s fails, and the old process serves on', async (_what, text, why) => {
    const before = { times: await times(), proxy: await node.proxy() }
    const guest = await client()
    const program = node.file('home/admin/obproxy/bin/obproxy')
    renameSync(program, `${program}.kept`)
    writeFileSync(program, text)
    chmodSync(program, 0o755)

    const result = await suite.act(node, 'restart', hot)

    renameSync(`${program}.kept`, program)
    expect(result).toMatchObject({ ok: false, code: 'node.hot-restart-failed' })
    expect(result.message).toMatch(why)
    expect(result.message).toContain(`process ${before.proxy.pid} serves on`)
    expect(await node.proxy()).toEqual(before.proxy)
    await guest.query('SELECT 1')
    guest.destroy()
    expect(await times()).toEqual(before.times)
    expect(await suite.act(node, 'restart', hot)).toMatchObject({ ok: true })
    await untilAlone(node)
  })

  test('that was killed after it lent the times: the next verb puts them back', async () => {
    const before = await times()
    const program = node.file('home/admin/obproxy/bin/obproxy')
    renameSync(program, `${program}.kept`)
    // A successor that hangs holds the verb where it has to be killed.
    writeFileSync(program, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 })
    const { child, ended } = node.spawn(['run', node.order('restart', suite.entry(hot))])
    const lent = node.file('var/lib/obfleet/lent-parameters.json')
    await until('it has lent them', () => existsSync(lent))
    await until('a successor hangs', async () => {
      const admin = await adminOf(node)
      const [rows] = await admin.query('SHOW PROXYINFO UPGRADE')
      admin.destroy()
      return JSON.stringify(rows).includes('WAIT_LOCAL_CR_FINISH')
    })
    child.kill('SIGKILL')
    await ended
    const hanging = await hangingPid()
    process.kill(hanging, 'SIGKILL')
    renameSync(`${program}.kept`, program)

    expect(await suite.act(node, 'restart', hot)).toMatchObject({ ok: true })

    expect(await times()).toEqual(before)
    expect(existsSync(lent)).toBe(false)
    await untilAlone(node)
  }, 120_000)

  test('a proxy that does not run is not restarted hot', async () => {
    expect(await suite.act(node, 'stop')).toMatchObject({ ok: true })

    const refused = await suite.act(node, 'restart', hot)

    expect(refused).toMatchObject({ ok: false, code: 'node.hot-refused' })
    expect((await node.proxy()).active).toBe(false)
    expect(await suite.act(node, 'restart', { mode: 'force' })).toMatchObject({ ok: true })
  })
})

async function hangingPid(): Promise<number> {
  const admin = await adminOf(node)
  const [rows] = await admin.query('SHOW PROXYINFO UPGRADE')
  admin.destroy()
  return Number(/sub pid:(\d+)/.exec(JSON.stringify(rows))?.[1])
}
