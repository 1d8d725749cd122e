/**
 * The whole system as a user has it: `npm run dev`, the API over HTTP, Run Command over its own
 * protocol, real proxy processes, a real kernel. The tests share one stack and go on from each other.
 */
import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askInit } from '../../infra/local/instance/init-client.ts'
import {
  DevStack,
  type NodeJson,
  type OperationJson,
  refused,
  STACK_PATIENCE,
} from '../support/dev-stack.ts'
import { until } from '../support/until.ts'

const stack = new DevStack(30)

beforeAll(async () => {
  await stack.start()
}, 300_000)

afterAll(() => stack.remove())

async function version(address: string): Promise<string> {
  const sql = await stack.login(address)
  try {
    const [rows] = await sql.query<RowDataPacket[]>('select version() as v')
    return String(rows[0]?.['v'])
  } finally {
    sql.destroy()
  }
}

async function answers(address: string): Promise<boolean> {
  return version(address).then(
    text => text.includes('OceanBase'),
    () => false,
  )
}

/** Deletes a cluster with all its nodes; the operation at its end. */
async function forget(name: string): Promise<OperationJson> {
  const { etag } = await stack.api.get(`/clusters/${name}`)
  const answer = await stack.api.delete(`/clusters/${name}?confirm=${name}&force=true`, {
    'if-match': etag ?? '',
  })
  return stack.ended((answer.body as OperationJson).id)
}

const statuses = async () => (await stack.nodes()).map(node => node.status.status)

const SPARE = ['i-00000000000000004', 'i-00000000000000005']

const free = async () => {
  const { items } = (await stack.api.get('/hosts')).body as {
    items: { id: string; nodeId: string | null }[]
  }
  return items.filter(host => host.nodeId === null).map(host => host.id)
}

/** Until some step of the operation or of a child is on its way by Run Command. */
async function underWay(id: string): Promise<void> {
  await until(
    'a command is out',
    async () => {
      const operation = (await stack.api.get(`/operations/${id}`)).body as OperationJson
      for (const each of [id, ...operation.childIds]) {
        const answer = await stack.api.get(`/operations/${each}/steps`).catch(() => undefined)
        const { items } = (answer?.body ?? { items: [] }) as {
          items: { phase: string; commandId: string | null }[]
        }
        if (items.some(step => step.phase === 'RUNNING' && step.commandId !== null)) return true
      }
      return undefined
    },
    STACK_PATIENCE,
  )
}

describe('one command', () => {
  test('ends with a line and a file of mode 0600 that say all a client needs', () => {
    const { dev } = stack
    expect(dev.proxyClusters).toMatchObject([{ name: 'demo' }])
    expect(dev.nodes.map(node => node.host)).toEqual(
      [1, 2, 3].map(index => `${stack.network}.1.${index}`),
    )
    expect(dev.obClusters).toMatchObject([{ name: 'obcluster', real: true, tenant: 'app' }])
    const file = join(stack.home, 'dev.json')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(dev)
  })

  test('SQL through every node is answered by the kernel', async () => {
    for (const { host } of stack.dev.nodes) expect(await version(host)).toContain('OceanBase')
    const sql = await stack.login(stack.dev.nodes[0]?.host ?? '')
    await sql.query('create table if not exists kept (id int primary key, v varchar(20))')
    await sql.query("replace into kept values (1, 'as it was')")
    sql.destroy()
  })

  test('its file has the password of admin SQL', async () => {
    const admin = await stack.adminLogin(`${stack.network}.1.1`)
    const [rows] = await admin.query<RowDataPacket[]>('show proxyinfo binary')
    admin.destroy()
    expect(rows.length).toBeGreaterThan(0)
  })

  test('no secret is in a table, a log or a command line', () => {
    const [ob] = stack.dev.obClusters
    const accounts = JSON.parse(readFileSync(join(stack.home, 'kernel/accounts.json'), 'utf8')) as {
      proxyro: string
    }
    const api = readFileSync(join(stack.home, 'log/api.log'), 'utf8')
    const table = readFileSync(join(stack.home, 'dynamodb/table.db'), 'latin1')
    for (const secret of [accounts.proxyro, ob?.password ?? '?', stack.dev.token]) {
      expect(api.includes(secret)).toBe(false)
      expect(table.includes(secret)).toBe(false)
    }
  })
})

describe('lifecycle over the API', () => {
  test('stop, start and restart of all nodes, each an operation', async () => {
    expect(await stack.ended(await stack.accepted('/clusters/demo/stop'))).toMatchObject({
      phase: 'SUCCEEDED',
      progress: { nodesDone: 3, nodesTotal: 3 },
    })
    expect(await statuses()).toEqual(['STOPPED', 'STOPPED', 'STOPPED'])
    expect(await answers(`${stack.network}.1.1`)).toBe(false)
    expect((await stack.api.post('/clusters/demo/stop', {})).status).toBe(200)
    expect(await stack.ended(await stack.accepted('/clusters/demo/start'))).toMatchObject({
      phase: 'SUCCEEDED',
    })
    expect(await statuses()).toEqual(['RUNNING', 'RUNNING', 'RUNNING'])
    const before = (await stack.nodes()).map(node => node.status.report?.pid)
    const id = await stack.accepted('/clusters/demo/restart', { mode: 'force' })
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    const after = (await stack.nodes()).map(node => node.status.report?.pid)
    for (const [index, pid] of after.entries()) expect(pid).not.toBe(before[index])
    for (const { host } of stack.dev.nodes) expect(await answers(host)).toBe(true)
  })

  test('a node alone, and what is refused while it is worked on', async () => {
    const id = await stack.accepted('/nodes/demo-2/restart', { mode: 'force' })
    const busy = await refused(stack.api.post('/clusters/demo/stop', {}))
    expect(busy).toMatchObject({ status: 409, code: 'node-state-conflict' })
    expect(busy.message).toContain('held')
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await stack.ended(await stack.accepted('/nodes/demo-2/stop'))).toMatchObject({
      phase: 'SUCCEEDED',
    })
    expect(await statuses()).toEqual(['RUNNING', 'STOPPED', 'RUNNING'])
    const cluster = (await stack.api.get('/clusters/demo')).body as { status: { phase: string } }
    expect(cluster.status.phase).toBe('DEGRADED')
    await stack.ended(await stack.accepted('/nodes/demo-2/start'))
    expect(await answers(`${stack.network}.1.2`)).toBe(true)
  })

  test('the same key is the same operation; with another body it is refused', async () => {
    const first = await stack.api.post('/nodes/demo-1/restart', { mode: 'force' }, 'key-1')
    const again = await stack.api.post('/nodes/demo-1/restart', { mode: 'force' }, 'key-1')
    const { id } = first.body as OperationJson
    expect((again.body as OperationJson).id).toBe(id)
    const other = stack.api.post('/nodes/demo-1/restart', { mode: 'auto' }, 'key-1')
    expect(await refused(other)).toMatchObject({ status: 422, code: 'idempotency-key-reused' })
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('what was not asked for by name, and a host that is taken, are refused', async () => {
    const spec = {
      workMode: 'RS_LIST',
      version: '4.3.2.0-1',
      nodes: [{ host: 'i-00000000000000001' }],
      links: [{ obCluster: 'obcluster' }],
    }
    const hosts = { hosts: [{ host: 'i-00000000000000004' }] }
    expect(await refused(stack.api.post('/clusters/demo/take-over', hosts))).toMatchObject({
      status: 422,
      code: 'confirmation-required',
    })
    expect(await refused(stack.api.post('/clusters', { name: 'other', spec }))).toMatchObject({
      status: 409,
      code: 'host-occupied',
    })
  })

  test('a node is deleted, its host free, and another one added', async () => {
    const { etag } = await stack.api.get('/nodes/demo-3')
    const missing = await refused(stack.api.delete('/nodes/demo-3'))
    expect(missing).toMatchObject({ status: 428, code: 'precondition-required' })
    const stale = await refused(stack.api.delete('/nodes/demo-3', { 'if-match': '"1"' }))
    expect(stale).toMatchObject({ status: 412, code: 'revision-stale' })
    const answer = await stack.api.delete('/nodes/demo-3?force=true', { 'if-match': etag ?? '' })
    expect(await stack.ended((answer.body as OperationJson).id)).toMatchObject({
      phase: 'SUCCEEDED',
    })
    expect(await free()).toEqual(['i-00000000000000003', ...SPARE])
    expect(await answers(`${stack.network}.1.3`)).toBe(false)
    const id = await stack.accepted('/clusters/demo/nodes', {
      nodes: [{ host: 'i-00000000000000003', idc: 'z3' }],
    })
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await stack.nodes()).map(node => node.name)).toEqual(['demo-1', 'demo-2', 'demo-4'])
    expect(await answers(`${stack.network}.1.3`)).toBe(true)
  })
})

describe('failure', () => {
  test('of a script: the operation shows what the node said, the node what failed; retry goes on', async () => {
    await stack.ended(await stack.accepted('/nodes/demo-4/stop'))
    const squatter = createServer()
    await new Promise<void>(done => squatter.listen(2883, `${stack.network}.1.3`, done))
    const failed = await stack.ended(await stack.accepted('/nodes/demo-4/start'))
    expect(failed).toMatchObject({ phase: 'FAILED', error: { code: 'node-command-failed' } })
    expect(failed.error?.detail).toMatch(/2883|in use/)
    const node = await stack.node('demo-4')
    expect(node.status.conditions).toMatchObject([{ type: 'LastOperationFailed' }])
    expect(node.status.conditions[0]?.message).toContain(failed.id)
    await new Promise(done => squatter.close(done))
    expect(await stack.accepted(`/operations/${failed.id}/retry`)).toBe(failed.id)
    expect(await stack.ended(failed.id)).toMatchObject({ phase: 'SUCCEEDED', error: null })
    const after = await stack.node('demo-4')
    expect(after.status).toMatchObject({ status: 'RUNNING', conditions: [] })
    expect(await answers(`${stack.network}.1.3`)).toBe(true)
  })

  test('of an installation: the cluster is FAILED, and can be deleted', async () => {
    const { etag } = await stack.api.get('/nodes/demo-4')
    const gone = await stack.api.delete('/nodes/demo-4?force=true', { 'if-match': etag ?? '' })
    await stack.ended((gone.body as OperationJson).id)
    const { items } = (await stack.api.get('/packages')).body as {
      items: { fileName: string; sizeBytes: number; arch: string }[]
    }
    const [real] = items
    await stack.api.post('/packages', {
      fileName: `obproxy-9.9.9.9-1.linux.${real?.arch}.tar.gz`,
      sha256: '0'.repeat(64),
      sizeBytes: real?.sizeBytes,
      url: `spool:${real?.fileName}`,
    })
    const id = await stack.accepted('/clusters', {
      name: 'broken',
      spec: {
        workMode: 'RS_LIST',
        version: '9.9.9.9-1',
        nodes: [{ host: 'i-00000000000000003' }],
        links: [{ obCluster: 'obcluster' }],
      },
    })
    const failed = await stack.ended(id)
    expect(failed).toMatchObject({ phase: 'FAILED', error: { code: 'node-command-failed' } })
    expect(failed.error?.detail).toMatch(/sha256|checksum|digest/i)
    const cluster = (await stack.api.get('/clusters/broken')).body as {
      status: { phase: string; conditions: { type: string }[] }
    }
    expect(cluster.status).toMatchObject({
      phase: 'FAILED',
      conditions: [{ type: 'LastOperationFailed' }],
    })
    expect(await refused(stack.api.delete('/clusters/broken', { 'if-match': '*' }))).toMatchObject({
      code: 'confirmation-required',
    })
    expect(await forget('broken')).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await free()).toEqual(['i-00000000000000003', ...SPARE])
  })

  test('kill -9 of the API in the middle of an operation', async () => {
    const id = await stack.accepted('/clusters/demo/nodes', {
      nodes: [{ host: 'i-00000000000000003' }],
    })
    await underWay(id)
    stack.kill('api')
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await statuses()).toEqual(['RUNNING', 'RUNNING', 'RUNNING'])
  })

  test('kill -9 of the API: the next one goes on at once, not when the lease ends', async () => {
    const id = await stack.accepted('/nodes/demo-1/restart', { mode: 'force' })
    await underWay(id)
    stack.kill('api')
    await until(
      'the API is back',
      () => stack.api.get('/clusters').catch(() => undefined),
      STACK_PATIENCE,
    )
    expect(await stack.ended(id, 20_000)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('kill -9 of Run Command in the middle of an operation', async () => {
    const id = await stack.accepted('/clusters/demo/restart', { mode: 'force' })
    await underWay(id)
    stack.kill('run-command')
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await statuses()).toEqual(['RUNNING', 'RUNNING', 'RUNNING'])
  })

  test('kill -9 of the table in the middle of an operation', async () => {
    const id = await stack.accepted('/clusters/demo/restart', { mode: 'force' })
    await underWay(id)
    stack.kill('dynamodb')
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  const init = (op: string) => () =>
    askInit(join(stack.home, 'instances/i-00000000000000002/run/init.sock'), { op }, 60_000)

  test.each([
    ['a crash', init('crash')],
    ['a reboot', init('reboot')],
    ['kill -9 of the init', async () => stack.kill('instance2')],
  ])(
    '%s of an instance in the middle of an operation: its verb is sent again',
    async (...[, act]) => {
      const id = await stack.accepted('/nodes/demo-2/restart', { mode: 'force' })
      const log = join(stack.home, 'instances/i-00000000000000002/var/lib/obfleet/node.log')
      await until(
        'the verb has begun',
        () => readFileSync(log, 'utf8').includes(`restart of ${id}`),
        STACK_PATIENCE,
      )
      await act()
      expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED', error: null })
      expect(await statuses()).toEqual(['RUNNING', 'RUNNING', 'RUNNING'])
      expect(await answers(`${stack.network}.1.2`)).toBe(true)
    },
  )

  test('Run Command throttles, loses answers and events, delivers twice: the work is done once', async () => {
    const before = (await stack.nodes()).map(node => node.status.report?.pid)
    await stack.runCommandFaults({
      throttle: { operation: 'SendCommand', times: 2 },
      loseResponses: 2,
      deliverTwice: 2,
      visibilityMs: 1_000,
      events: { lose: 0.5, copies: 2, delayMs: 3_000 },
    })
    const id = await stack.accepted('/clusters/demo/restart', { mode: 'force' })
    expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    await stack.runCommandFaults({})
    const after = (await stack.nodes()).map(node => node.status.report?.pid)
    for (const [index, pid] of after.entries()) expect(pid).not.toBe(before[index])
    expect(await statuses()).toEqual(['RUNNING', 'RUNNING', 'RUNNING'])
  })

  test('kill -9 of the OBServers: the kernel ends with them, comes back with its rows', async () => {
    const kernels = () =>
      stack.processes().filter(pid => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('pylibseekdb')
        } catch {
          return false
        }
      })
    const [before] = kernels()
    expect(before).toBeDefined()
    stack.kill('observers')
    await until('the kernel has ended', () => !kernels().includes(before ?? ''), {
      ...STACK_PATIENCE,
      deadlineMs: 10_000,
    })
    await until('SQL is answered', () => answers(`${stack.network}.1.1`), {
      ...STACK_PATIENCE,
      deadlineMs: 90_000,
    })
    const sql = await stack.login(`${stack.network}.1.1`)
    const [rows] = await sql.query<RowDataPacket[]>('select v from kept where id = 1')
    sql.destroy()
    expect(rows).toEqual([{ v: 'as it was' }])
  })

  const children = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  const pidOf = ({ status }: NodeJson) => status.report?.pid ?? 0

  test('kill -9 of a worker: the node answers again at once', async () => {
    const node = await stack.node('demo-1')
    const [worker] = children(pidOf(node))
    process.kill(worker ?? 0, 'SIGKILL')
    await until('SQL is answered', () => answers(node.status.address), {
      ...STACK_PATIENCE,
      deadlineMs: 5_000,
    })
    expect(pidOf(await stack.node('demo-1'))).toBe(pidOf(node))
  })

  test('kill -9 of a supervisor: its unit starts it again', async () => {
    const node = await stack.node('demo-1')
    process.kill(pidOf(node), 'SIGKILL')
    await until(
      'another one reports',
      async () => {
        const now = await stack.node('demo-1')
        return now.status.status === 'RUNNING' && pidOf(now) !== pidOf(node)
      },
      STACK_PATIENCE,
    )
    expect(await answers(node.status.address)).toBe(true)
  })

  test('a reboot of an instance brings its proxy back, and only what was running', async () => {
    await stack.ended(await stack.accepted('/nodes/demo-2/stop'))
    const before = await Promise.all(['demo-1', 'demo-2'].map(name => stack.node(name)))
    for (const name of ['demo-1', 'demo-2'])
      expect(await stack.command('reboot', name)).toMatchObject({ code: 0 })
    await until(
      'both have reported since',
      async () => {
        const after = await Promise.all(['demo-1', 'demo-2'].map(name => stack.node(name)))
        return after.every(
          (node, index) => node.status.report?.bootId !== before[index]?.status.report?.bootId,
        )
      },
      STACK_PATIENCE,
    )
    await until('demo-1 answers', () => answers(`${stack.network}.1.1`), STACK_PATIENCE)
    expect(await answers(`${stack.network}.1.2`)).toBe(false)
    expect((await stack.node('demo-2')).status.status).toBe('STOPPED')
    expect(await stack.command('reboot', 'nobody')).toMatchObject({ code: 1 })
    const bare = await stack.command('reboot')
    expect(bare).toMatchObject({ code: 1 })
    expect(bare.text).toContain('usage:')
  })
})

describe('Ctrl-C', () => {
  test('a second stack on the same home is told so', async () => {
    const second = await stack.command('--json')
    expect(second).toMatchObject({ code: 1 })
    expect(second.text).toMatch(/running already/)
  })

  test('leaves nothing running; started again, everything is as it was', async () => {
    const before = await stack.nodes()
    const { dev } = stack
    expect(await stack.interrupt()).toBe(0)
    expect(stack.processes()).toEqual([])
    const again = await stack.start()
    expect(again.proxyClusters).toEqual(dev.proxyClusters)
    expect(again.token).toBe(dev.token)
    const after = await stack.nodes()
    expect(after.map(({ id, spec }) => ({ id, spec }))).toEqual(
      before.map(({ id, spec }) => ({ id, spec })),
    )
    expect(await statuses()).toEqual(['RUNNING', 'STOPPED', 'RUNNING'])
    const sql = await stack.login(`${stack.network}.1.1`)
    const [rows] = await sql.query<RowDataPacket[]>('select v from kept where id = 1')
    sql.destroy()
    expect(rows).toEqual([{ v: 'as it was' }])
  }, 180_000)

  test('a closed terminal is as good as Ctrl-C', async () => {
    expect(await forget('demo')).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await stack.hangUp()).toBe(0)
    expect(stack.processes()).toEqual([])
  })

  test('what was deleted stays deleted: an empty fleet is ready like any other', async () => {
    const { proxyClusters, nodes, hosts } = await stack.start()
    expect([proxyClusters, nodes]).toEqual([[], []])
    expect(hosts).toHaveLength(5)
    const { code, text } = await stack.command('--help')
    expect(code).toBe(0)
    expect(text).toContain('reboot NODE')
  }, 180_000)
})
