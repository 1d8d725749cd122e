/** Hot restart and hot upgrade of the built executable, offline mode, and what undoes a bad successor. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { childrenOf, metrics } from '../support/executable.ts'
import { errorOf, RawClient } from '../support/raw-client.ts'
import {
  fileId,
  isAlive,
  NODE_PATIENCE,
  type RunningNode,
  runningFile,
  startRunningNode,
} from '../support/running-node.ts'
import { until } from '../support/until.ts'

const BUILT = resolve(import.meta.dirname, '../../dist/obproxy')

async function loggedIn(node: RunningNode): Promise<RawClient> {
  const client = new RawClient(2883, node.host)
  expect((await client.logIn('u')).payload[0]).toBe(0)
  return client
}

const ok = async (client: RawClient, sql: string) => {
  const [first] = await client.query(sql)
  expect(first?.payload[0]).not.toBe(0xff)
}

/** Asks for a restart and waits until another process is the proxy; both pids. */
async function handedOver(node: RunningNode): Promise<{ before: number; after: number }> {
  const before = node.pid()
  await node.restart()
  try {
    await until('another process is the proxy', () => node.pid() !== before, NODE_PATIENCE)
  } catch (error) {
    // What the node says of it is worth more than that it did not happen.
    const shown = JSON.stringify([...(await node.upgrade())])
    throw new Error(`${String(error)}; ${shown}`, { cause: error })
  }
  const after = node.pid()
  await until(
    'no other process accepts clients',
    async () => isAlone(await node.upgrade(), after),
    NODE_PATIENCE,
  )
  return { before, after }
}

/** Both may accept for a moment: until the process before says how many clients it has left. */
function isAlone(shown: ReadonlyMap<string, string>, pid: number): boolean {
  return shown.get('pid') === String(pid) && shown.get('parent status') !== 'unknown'
}

describe('a hot restart', () => {
  let node: RunningNode
  beforeAll(async () => {
    node = await startRunningNode('127.16.4.1', 'hot_upgrade_exit_timeout=12000000')
  })
  afterAll(() => node?.stop())

  test('leaves an open transaction where it is until it ends, and closes its client then', async () => {
    const busy = await loggedIn(node)
    const idle = [await loggedIn(node), await loggedIn(node), await loggedIn(node)]
    await ok(busy, 'BEGIN')

    const { before, after } = await handedOver(node)
    const fresh = await loggedIn(node)
    await ok(fresh, 'SELECT 1')
    await ok(busy, 'SELECT 1')
    const shown = await node.upgrade()

    expect(shown.get('pid')).toBe(String(after))
    expect(shown.get('parent pid')).toBe(String(before))
    expect(Number(shown.get('parent clients left'))).toBeGreaterThan(0)
    expect((await node.upgrade()).get('parent reasons')).toContain('1 transaction')
    // The slope closes the idle ones first.
    const first = await Promise.race(idle.map(client => client.next()))
    expect(errorOf(first).errno).toBe(1053)
    expect(isAlive(before)).toBe(true)
    await ok(busy, 'SELECT 2')
    await ok(busy, 'COMMIT')
    expect(errorOf(await busy.next()).errno).toBe(1053)
    await Promise.all([busy, ...idle].map(client => client.closed()))
    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
    await ok(fresh, 'SELECT 3')
    expect((await node.upgrade()).get('parent status')).toBe('exited')
    fresh.socket.destroy()
  })

  test('is taken once: the parameter reads back as 0, and configuration is kept', async () => {
    // From here on clients end drains by leaving.
    await node.ask('ALTER PROXYCONFIG SET hot_upgrade_exit_timeout = 120000000')
    await node.ask("ALTER PROXYCONFIG SET slow_query_time_threshold = '123ms'")
    await node.ask(
      "REPLACE INTO proxy_config(cluster_name, name, value, config_level) VALUES ('c', 'proxy_idc_name', 'i1', 'LEVEL_CLUSTER')",
    )

    await handedOver(node)

    const [command] = await node.ask("SHOW PROXYCONFIG LIKE 'proxy_local_cmd'")
    const [kept] = await node.ask("SHOW PROXYCONFIG LIKE 'slow_query_time_threshold'")
    expect(command?.['value']).toBe('0')
    expect(kept?.['value']).toBe('123ms')
    const [row] = await node.ask('SHOW PROXYCONFIG ALL')
    expect(row).toMatchObject({ cluster_name: 'c', name: 'proxy_idc_name', value: 'i1' })
  })

  test('gives connection ids of the other generation', async () => {
    const generation = async () =>
      (Number((await node.ask('SELECT connection_id() id'))[0]?.['id']) >> 17) & 1
    const first = await generation()
    await handedOver(node)

    expect(await generation()).toBe(1 - first)
  })

  test('waits for the process before the process before', async () => {
    const busy = await loggedIn(node)
    await ok(busy, 'BEGIN')
    const { after: second } = await handedOver(node)

    await node.restart()
    expect((await node.upgrade()).get('state')).toBe('HU_STATE_FORK_NEW_PROXY')
    expect(node.pid()).toBe(second)
    await ok(busy, 'COMMIT')
    busy.socket.destroy()

    await until('the third process is the proxy', () => node.pid() !== second, NODE_PATIENCE)
  })

  test('refuses changes by the process that leaves, and cuts its probes off', async () => {
    const old = await node.admin()
    const probe = new RawClient(2883, node.host)
    await probe.logIn('root@proxysys')
    const busy = await loggedIn(node)
    await ok(busy, 'BEGIN')
    await handedOver(node)

    await expect(
      old.query("ALTER PROXYCONFIG SET slow_query_time_threshold = '1s'"),
    ).rejects.toMatchObject({ errno: 1290 })
    await expect(old.query('SELECT proxy_status()')).resolves.toMatchObject([
      [{ 'proxy_status()': 'BE_INACTIVE' }],
      expect.anything(),
    ])
    probe.command(0x03, 'PING PROXY')
    await probe.closed()
    expect(probe.packets).toEqual([])
    expect(await node.ask('SELECT proxy_status()')).toEqual([{ 'proxy_status()': 'ACTIVE' }])
    await ok(busy, 'COMMIT')
    old.destroy()
    busy.socket.destroy()
  })

  test('goes on when the process before is killed while it drains', async () => {
    const busy = await loggedIn(node)
    await ok(busy, 'BEGIN')
    const { before, after } = await handedOver(node)
    process.kill(before, 'SIGKILL')

    await until('the process before is dead', () => !isAlive(before), NODE_PATIENCE)
    await ok(busy, 'SELECT 1')
    await ok(busy, 'COMMIT')
    expect(node.pid()).toBe(after)
    await until(
      'the end is noticed',
      async () => (await node.upgrade()).get('parent status') === 'exited',
      NODE_PATIENCE,
    )
    const next = await handedOver(node)
    expect(next.before).toBe(after)
    busy.socket.destroy()
  })

  test('has the exporter move with it', async () => {
    const { before } = await handedOver(node)

    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
    await until(
      'ready again',
      async () => (await metrics(node.host, '/ready')) === 'ready\n',
      NODE_PATIENCE,
    )
  })
})

describe('a proxy', () => {
  test('that was started in the background is restarted as well', async () => {
    const node = await startRunningNode('127.16.4.8', '', 'in background')

    const { before, after } = await handedOver(node)

    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
    expect(runningFile(after)).toBe(fileId(node.executable))
    await node.stop()
  })

  test('is restarted while its OB cluster is away', async () => {
    const node = await startRunningNode(
      '127.16.4.9',
      'server_routing_mode=oceanbase,rootservice_list=127.16.2.9:2881,rootservice_cluster_name=c',
    )

    const { before } = await handedOver(node)

    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
    expect(await node.ask('SELECT proxy_status()')).toEqual([{ 'proxy_status()': 'ACTIVE' }])
    await node.stop()
  })
})

describe('a hot upgrade', () => {
  let node: RunningNode
  beforeAll(async () => {
    node = await startRunningNode('127.16.4.2', 'hot_upgrade_exit_timeout=1000000')
  })
  afterAll(() => node?.stop())

  test('runs the file that lies at bin/obproxy by then', async () => {
    const first = fileId(node.executable)
    expect(runningFile(node.pid())).toBe(first)
    node.replace(BUILT)

    const { before, after } = await handedOver(node)

    expect(fileId(node.executable)).not.toBe(first)
    expect(runningFile(after)).toBe(fileId(node.executable))
    for (const worker of childrenOf(after)) expect(runningFile(worker)).toBe(runningFile(after))
    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
  })

  test('before it, a lost worker comes back as the version that runs', async () => {
    const running = runningFile(node.pid())
    const [victim = 0] = node.workers()
    const broken = join(node.home, 'broken')
    writeFileSync(broken, 'no program\n', { mode: 0o755 })
    node.replace(broken)

    process.kill(victim, 'SIGKILL')

    await until(
      'another worker',
      () => node.workers().length === 2 && !node.workers().includes(victim),
      NODE_PATIENCE,
    )
    for (const worker of node.workers()) expect(runningFile(worker)).toBe(running)
    node.replace(BUILT)
  })

  test('moves to another port when one was set', async () => {
    await node.ask('ALTER PROXYCONFIG SET listen_port = 2893')
    const before = node.pid()

    await node.restart()
    await until('another process is the proxy', () => node.pid() !== before, NODE_PATIENCE)
    const there = await createConnection({
      host: node.host,
      port: 2893,
      user: 'root@proxysys',
    })

    await there.query('ALTER PROXYCONFIG SET listen_port = 2883')
    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
    const second = node.pid()
    await there.query('ALTER PROXYCONFIG SET proxy_local_cmd = 2')
    there.destroy()
    await until('back', () => node.pid() !== second, NODE_PATIENCE)
    expect(await node.ask('SELECT proxy_status()')).toHaveLength(1)
  })
})

/** That attempt, not the one before, whose end is shown until the next begins. */
async function isGivenUp(node: RunningNode, why: RegExp): Promise<boolean> {
  const shown = await node.upgrade()
  return (
    shown.get('status') === 'failure retries too many' &&
    shown.get('state') === 'HU_STATE_WAIT_HU_CMD' &&
    why.test(shown.get('last failure') ?? '')
  )
}

describe('a successor that does not become ready', () => {
  let node: RunningNode
  beforeAll(async () => {
    node = await startRunningNode(
      '127.16.4.3',
      'hot_upgrade_failure_retries=2,hot_upgrade_exit_timeout=1000000',
    )
  })
  afterAll(() => node?.stop())

  test.each([
    ['ends at once', '#!/bin/sh\nexit 3\n', 0o755, /ended with exit code 3/],
    ['hangs', '#!/bin/sh\nexec sleep 1000\n', 0o755, /was not ready in time and was killed/],
    ['crashes', '#!/bin/sh\nkill -SEGV $$\n', 0o755, /was ended by signal SIGSEGV/],
    ['is not executable', 'text\n', 0o644, /could not be started: .*EACCES/],
    ['is no program', 'text\n', 0o755, /could not be started: .*ENOEXEC/],
  ])(
    'because it %s is undone, tried again, and given up; clients go on',
    async (_name, text, mode, why) => {
      const busy = await loggedIn(node)
      await ok(busy, 'BEGIN')
      const before = node.pid()
      const bad = join(node.home, 'bad')
      writeFileSync(bad, text)
      chmodSync(bad, mode)
      node.replace(bad)
      chmodSync(node.executable, mode)
      const isHanging = text.includes('sleep')
      const patience = isHanging ? '1s' : '120s'
      await node.ask(`ALTER PROXYCONFIG SET hot_upgrade_rollback_timeout = '${patience}'`)

      await node.restart()
      await until(`it is given up: ${why}`, () => isGivenUp(node, why), NODE_PATIENCE)

      const shown = await node.upgrade()
      expect(shown.get('state')).toBe('HU_STATE_WAIT_HU_CMD')
      expect(shown.get('failures')).toBe('2/2')
      expect(shown.get('proxy status')).toBe('ACTIVE')
      expect(node.pid()).toBe(before)
      expect(childrenOf(before)).toHaveLength(2)
      await node.ask("ALTER PROXYCONFIG SET slow_query_time_threshold = '2s'")
      await ok(busy, 'COMMIT')
      await ok(busy, 'SELECT 1')
      expect(await metrics(node.host, '/ready')).toBe('ready\n')
      busy.socket.destroy()
    },
  )

  test('because its port is taken is undone', async () => {
    const taken = createServer().listen(2894, node.host)
    await node.ask('ALTER PROXYCONFIG SET listen_port = 2894')
    node.replace(BUILT)

    await node.restart()
    await until('it is given up', () => isGivenUp(node, /^ended with exit code 4$/), NODE_PATIENCE)

    await new Promise(done => taken.close(done))
    await node.ask('ALTER PROXYCONFIG SET listen_port = 2883')
  })

  test('does not keep a good one from taking over later', async () => {
    node.replace(BUILT)
    const { before, after } = await handedOver(node)

    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
    expect(runningFile(after)).toBe(fileId(node.executable))
  })

  test('but was lost right after has the process before serve again', async () => {
    await node.ask('ALTER PROXYCONFIG SET hot_upgrade_exit_timeout = 120000000')
    const busy = await loggedIn(node)
    await ok(busy, 'BEGIN')
    const { before, after } = await handedOver(node)

    process.kill(after, 'SIGKILL')
    await until('the process before is the proxy again', () => node.pid() === before, NODE_PATIENCE)

    const fresh = await loggedIn(node)
    await ok(fresh, 'SELECT 1')
    await ok(busy, 'SELECT 1')
    const shown = await node.upgrade()
    expect(shown.get('state')).toBe('HU_STATE_WAIT_HU_CMD')
    expect(shown.get('last failure')).toBe('was ended by signal SIGKILL')
    await until(
      'ready again',
      async () => (await metrics(node.host, '/ready')) === 'ready\n',
      NODE_PATIENCE,
    )
    await node.ask("ALTER PROXYCONFIG SET slow_query_time_threshold = '3s'")
    await ok(busy, 'COMMIT')
    for (const client of [busy, fresh]) client.socket.destroy()
    await handedOver(node)
  })
})

describe('offline mode', () => {
  let node: RunningNode
  const status = async () => (await node.ask('SELECT proxy_status()'))[0]?.['proxy_status()']
  beforeAll(async () => {
    node = await startRunningNode('127.16.4.4', 'hot_upgrade_exit_timeout=60000000')
  })
  afterAll(() => node?.stop())

  test('goes ACTIVE, BE_INACTIVE, INACTIVE, and back by 4', async () => {
    const client = await loggedIn(node)
    await ok(client, 'BEGIN')
    expect(await status()).toBe('ACTIVE')

    await node.ask('ALTER PROXYCONFIG SET proxy_local_cmd = 3')
    await until('being left', async () => (await status()) === 'BE_INACTIVE', NODE_PATIENCE)
    expect(await metrics(node.host, '/ready')).toMatch(/^draining/)
    const probe = new RawClient(2883, node.host)
    await probe.logIn('inspector@proxysys')
    probe.command(0x03, 'PING PROXY')
    await probe.closed()
    await ok(client, 'COMMIT')
    client.socket.destroy()
    await until('left by all', async () => (await status()) === 'INACTIVE', NODE_PATIENCE)
    await node.ask('ALTER PROXYCONFIG SET proxy_local_cmd = 4')

    await until('active again', async () => (await status()) === 'ACTIVE', NODE_PATIENCE)
    expect(await metrics(node.host, '/ready')).toBe('ready\n')
    await ok(await loggedIn(node), 'SELECT 1')
    expect((await node.ask("SHOW PROXYCONFIG LIKE 'proxy_local_cmd'"))[0]?.['value']).toBe('0')
  })

  test('closes idle clients on the slope, not administrators', async () => {
    await node.ask('ALTER PROXYCONFIG SET hot_upgrade_exit_timeout = 1000000')
    const administrator = await node.admin()
    const client = await loggedIn(node)
    await node.ask('ALTER PROXYCONFIG SET proxy_local_cmd = 3')

    expect(errorOf(await client.next()).errno).toBe(1053)
    await until('left by all', async () => (await status()) === 'INACTIVE', NODE_PATIENCE)
    await expect(administrator.query('SELECT 1')).resolves.toBeDefined()
    await node.ask('ALTER PROXYCONFIG SET proxy_local_cmd = 4')
    administrator.destroy()
  })
})

describe('the end of a proxy', () => {
  test('by command 1 gives clients delay_exit_time, takes the pid file away, and is final', async () => {
    const node = await startRunningNode('127.16.4.5', 'delay_exit_time=500ms')
    const pid = node.pid()
    const client = await loggedIn(node)
    await ok(client, 'BEGIN')

    await node.ask('ALTER PROXYCONFIG SET proxy_local_cmd = 1')

    expect(errorOf(await client.next()).errno).toBe(1053)
    await until('the proxy ends', () => !isAlive(pid), NODE_PATIENCE)
    expect(() => readFileSync(join(node.home, 'run/obproxy.pid'))).toThrow()
    await node.stop()
  })

  test('by TERM does not wait for a hand-over that is under way', async () => {
    const node = await startRunningNode('127.16.4.6', 'hot_upgrade_exit_timeout=-1')
    const client = await loggedIn(node)
    await ok(client, 'BEGIN')
    const { before, after } = await handedOver(node)
    await ok(client, 'SELECT 1')

    process.kill(before, 'SIGTERM')

    await client.closed()
    await until('the process before ends', () => !isAlive(before), NODE_PATIENCE)
    expect(isAlive(after)).toBe(true)
    await node.stop()
    expect(isAlive(after)).toBe(false)
  })

  test('HUP, USR1 and USR2 do not end it', async () => {
    const node = await startRunningNode('127.16.4.7')
    for (const name of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.kill(node.pid(), name)

    expect(await node.ask('SELECT proxy_status()')).toEqual([{ 'proxy_status()': 'ACTIVE' }])
    await node.stop()
  })
})
