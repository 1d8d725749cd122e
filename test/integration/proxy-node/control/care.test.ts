/** What a running node is told and asked without being restarted: refresh, drain, check. */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { OrderEntry } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { NodeInstance } from '../../../support/node-instance.ts'
import { until } from '../../../support/until.ts'
import {
  CLUSTER,
  Guests,
  PACKAGE_FILE,
  PROXYRO,
  parameterOf,
  SYS,
  VerbSuite,
} from '../../../support/verb-suite.ts'

const suite = new VerbSuite('127.15.8.103')
const node = new NodeInstance('127.15.8.3', suite.plane, [PACKAGE_FILE])
const guests = new Guests(node)
const client = guests.come

beforeAll(async () => {
  await suite.start()
  await suite.bringUp(node)
}, 120_000)
afterAll(async () => {
  await node.stop()
  await suite.stop()
})
afterEach(() => {
  guests.leave()
})

const refresh = (desired: Partial<DesiredNode>) =>
  suite.act(node, 'refresh', { desired: suite.desired(desired) })
const reported = () => suite.plane.reports.at(-1)

describe('refresh', () => {
  const parameters = { slow_query_time_threshold: '123ms', work_thread_num: '1' }

  test('sets what differs, and says what waits for a restart', async () => {
    const before = await node.proxy()

    const result = await refresh({ parameters, parameterVersion: 2 })

    expect(result).toMatchObject({
      ok: true,
      facts: {
        changed: 'slow_query_time_threshold work_thread_num',
        parametersChanged: 2,
        pendingRestart: 'work_thread_num',
        parameterVersion: 2,
      },
    })
    expect(await node.proxy()).toEqual(before)
    expect(await parameterOf(node, 'slow_query_time_threshold')).toBe('123ms')
    expect(await parameterOf(node, 'work_thread_num')).toBe('1')
    const unit = readFileSync(node.file('etc/systemd/system/obfleet-proxy.service'), 'utf8')
    expect(unit).toContain('work_thread_num=1')
    expect(reported()).toMatchObject({ pendingRestart: ['work_thread_num'], parameterVersion: 2 })
  })

  test('again changes nothing, and what waited is in force after a restart', async () => {
    const result = await refresh({ parameters, parameterVersion: 2 })

    expect(result).toMatchObject({ ok: true, facts: { parametersChanged: 0, changed: '' } })
    const desired = suite.desired({ parameters, parameterVersion: 2 })
    expect(await suite.act(node, 'restart', { desired, mode: 'hot' })).toMatchObject({ ok: true })
    expect(reported()).toMatchObject({ pendingRestart: [] })
  })

  test('gives a parameter that is wanted no more its default', async () => {
    expect(await refresh({ parameterVersion: 3 })).toMatchObject({
      ok: true,
      facts: { changed: 'slow_query_time_threshold work_thread_num' },
    })
    expect(await parameterOf(node, 'slow_query_time_threshold')).toBe('500ms')
  })

  test('with another link stores it for the next start', async () => {
    const { link } = suite.desired()
    if (!('rootserviceList' in link)) throw new Error('another link')
    const rootserviceList = `${link.rootserviceList};127.15.8.203:2881`

    expect(await refresh({ link: { ...link, rootserviceList } })).toMatchObject({
      ok: true,
      facts: { changed: 'rootservice_list', pendingRestart: 'rootservice_list work_thread_num' },
    })
    expect(await refresh({})).toMatchObject({ ok: true, facts: { changed: 'rootservice_list' } })
  })

  test('with a value that is refused: coded, and corrected by the next one', async () => {
    const wrong = { slow_query_time_threshold: 'much' }

    const failed = await refresh({ parameters: wrong, parameterVersion: 4 })

    expect(failed).toMatchObject({ ok: false, code: 'node.parameter-refused' })
    expect(failed.message).toContain('slow_query_time_threshold')
    expect(reported()).toMatchObject({ parameterVersion: 1 })
    expect(await refresh({ parameterVersion: 5 })).toMatchObject({ ok: true })
  })
})

describe('drain', () => {
  const drain = (more: Partial<OrderEntry>) => suite.act(node, 'drain', more)
  const EXIT = 'hot_upgrade_exit_timeout'

  test('lets clients go, and undrain takes them again', async () => {
    const guest = await client()
    await guest.query('SELECT 1')
    const exit = await parameterOf(node, EXIT)

    const result = await drain({ drainSec: 2 })

    expect(result).toMatchObject({
      ok: true,
      facts: { serving: 'INACTIVE', clientsBefore: 1, clients: 0 },
    })
    expect(await parameterOf(node, EXIT)).toBe(exit)
    expect(reported()).toMatchObject({ serving: 'INACTIVE', status: 'RUNNING' })
    expect(reported()?.reason).toContain('draining')
    await expect(guest.query('SELECT 1')).rejects.toThrow()
    expect(await refresh({ parameterVersion: 6 })).toMatchObject({ ok: true })
    expect(reported()).toMatchObject({ serving: 'INACTIVE' })

    expect(await suite.act(node, 'undrain')).toMatchObject({
      ok: true,
      facts: { serving: 'ACTIVE', undrained: true },
    })

    expect(reported()).toMatchObject({ serving: 'ACTIVE' })
    expect(await suite.act(node, 'undrain')).toMatchObject({
      ok: true,
      facts: { undrained: false },
    })
  })

  test('is done when few enough are left, and waits on when it is asked again', async () => {
    const guest = await client()
    await guest.query('BEGIN')

    expect(await drain({ drainSec: 600, maxClients: 1 })).toMatchObject({
      ok: true,
      facts: { serving: 'BE_INACTIVE', clients: 1 },
    })
    const late = await drain({ drainSec: 0, maxClients: 0 })
    expect(late).toMatchObject({ ok: false, code: 'node.not-drained' })
    expect(late.message).toMatch(/^1 clients are left/)

    expect(reported()).toMatchObject({ serving: 'BE_INACTIVE' })
    expect((await guest.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
    await guest.query('COMMIT')
    guest.destroy()
    expect(await drain({ drainSec: 600 })).toMatchObject({ ok: true, facts: { clients: 0 } })
  })

  test('ends with the process', async () => {
    expect(await suite.act(node, 'restart', { mode: 'hot' })).toMatchObject({ ok: true })

    expect(reported()).toMatchObject({ serving: 'ACTIVE' })
  })
})

describe('check', () => {
  const probe = [
    { user: 'u@app', passwordSecret: '/obfleet/ob-clusters/obcluster/probe', cluster: CLUSTER },
    { user: 'u@app', passwordSecret: '/obfleet/clusters/suite/proxysys', cluster: CLUSTER },
    { user: 'u@app', passwordSecret: '/obfleet/none', cluster: CLUSTER },
    { user: 'u@app', passwordSecret: '/obfleet/ob-clusters/obcluster/probe', cluster: 'elsewhere' },
  ]
  const check = () => suite.act(node, 'check', { probe })

  test('tells what a gate looks at', async () => {
    const guest = await client()
    const numbers = async () => {
      const { facts = {} } = await check()
      return [facts['requests'], facts['errors'], facts['latencySumUs']].map(Number)
    }
    const [requests = 0, errors = 0, latency = 0] = await numbers()
    await guest.query('SELECT 1')
    await expect(guest.query('SELECT nothing FROM nowhere')).rejects.toThrow()

    await until('the exporter has counted them', async () => (await numbers())[0] === requests + 2)

    const [, failed = 0, later = 0] = await numbers()
    expect(failed).toBe(errors + 1)
    expect(later).toBeGreaterThan(latency)
    const { pid } = await node.proxy()
    const result = await check()
    expect(result).toMatchObject({
      ok: true,
      facts: {
        ready: true,
        exporter: true,
        pid,
        version: '4.3.2.0-1',
        serving: 'ACTIVE',
        clients: 1,
        probe1Error: null,
        probe2Error: 1045,
        probe3Error: 'secret.unreadable',
      },
    })
    expect(result.facts?.['probe1Ms']).toBeGreaterThanOrEqual(0)
    expect(result.facts?.['probe4Error']).not.toBeNull()
    for (const secret of [SYS, PROXYRO]) expect(JSON.stringify(result)).not.toContain(secret)
  })

  test('of a node that is drained: it is not ready, and its logins work', async () => {
    await suite.act(node, 'drain', { drainSec: 1 })

    expect(await check()).toMatchObject({
      ok: true,
      facts: { ready: false, exporter: true, serving: 'INACTIVE', probe1Error: null },
    })

    await suite.act(node, 'undrain')
  })

  test('of a proxy that does not run tells so; it can be neither refreshed nor drained', async () => {
    expect(await suite.act(node, 'stop')).toMatchObject({ ok: true })

    expect(await check()).toMatchObject({
      ok: true,
      facts: { ready: false, exporter: false, pid: null, requests: null, probe1Error: 0 },
    })
    for (const verb of ['refresh', 'drain', 'undrain'] as const)
      expect(await suite.act(node, verb)).toMatchObject({ ok: false, code: 'node.not-running' })
    expect((await node.proxy()).active).toBe(false)
    expect(reported()).toMatchObject({ status: 'STOPPED', desiredState: 'STOPPED' })
  })

  test('changes nothing, not even what the node has seen of orders', async () => {
    expect(await suite.act(node, 'start', { fence: 5 })).toMatchObject({ ok: true })
    const memory = () => readFileSync(node.file('var/lib/obfleet/node.json'), 'utf8')
    const before = memory()

    await suite.act(node, 'check', { fence: 9 })

    expect(memory()).toBe(before)
  })
})
