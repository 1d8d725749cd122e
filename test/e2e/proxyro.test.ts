/**
 * proxyro's password replaced over HTTP, on the real kernel: two proxy clusters on one OB cluster, clients
 * that run statements and log in meanwhile, a node that stands meanwhile, and a change that the kernel refuses.
 * Before that the one of both that asks the config service has no link for a while.
 */
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DevStack, type OperationJson, refused, STACK_PATIENCE } from '../support/dev-stack.ts'
import { until } from '../support/until.ts'

const OB = '/ob-clusters/obcluster'
const ROTATE = `${OB}/rotate-proxyro-password`
const PAUSE_MS = 20

const stack = new DevStack(47)

beforeAll(async () => {
  await stack.start()
  const ended = await stack.ended(
    await stack.accepted('/clusters', {
      name: 'second',
      spec: {
        workMode: 'CONFIG_URL',
        version: '4.3.2.0-1',
        nodes: [{ host: 'i-00000000000000004' }, { host: 'i-00000000000000005' }],
        links: [{ obCluster: 'obcluster' }],
      },
    }),
  )
  expect(ended.phase, JSON.stringify(ended.error)).toBe('SUCCEEDED')
  await asOwner(client =>
    client.query('create table rotation (id bigint primary key auto_increment)'),
  )
}, 400_000)

afterAll(() => stack.remove())

type ObJson = {
  readonly proxyroSecret: string
  readonly proxyroChange: { readonly operationId: string } | null
  readonly heldBy: unknown
}

const obCluster = async () => (await stack.api.get(OB)).body as ObJson

const addresses = async () => {
  const nodes = [...(await stack.nodes('demo')), ...(await stack.nodes('second'))]
  return nodes
    .filter(({ status }) => status.status === 'RUNNING')
    .map(({ status }) => status.address)
}

/** Statements of a client that stays and logins of others, at every node, until it is stopped; what failed. */
async function busy() {
  let isOver = false
  const seen = { statements: 0, logins: 0, failures: [] as string[] }
  const work = async (host: string) => {
    const client = await stack.login(host)
    while (!isOver) {
      try {
        await client.query('insert into rotation (id) values (null)')
        await client.query('select count(*) from rotation')
        seen.statements += 1
        const other = await stack.login(host)
        await other.query('select 1')
        other.destroy()
        seen.logins += 1
      } catch (error) {
        seen.failures.push(`${host}: ${String(error)}`)
      }
      await new Promise(done => setTimeout(done, PAUSE_MS))
    }
    client.destroy()
  }
  const all = Promise.all((await addresses()).map(work))
  return async () => {
    isOver = true
    await all
    return seen
  }
}

/** Through a proxy as the user who may do anything. */
async function asOwner(act: (client: Connection) => Promise<unknown>): Promise<void> {
  const [host = ''] = await addresses()
  const client = await stack.login(host)
  try {
    await act(client)
  } finally {
    client.destroy()
  }
}

/** proxyro straight at an OBServer, with a password. */
async function enters(password: string): Promise<boolean> {
  try {
    const client = await createConnection({
      host: `${stack.network}.2.1`,
      port: 2881,
      user: 'proxyro@sys',
      password,
    })
    client.destroy()
    return true
  } catch {
    return false
  }
}

const steps = async (id: string) =>
  (
    (await stack.api.get(`/operations/${id}/steps`)).body as {
      items: { name: string; output: string | null }[]
    }
  ).items

test('a link that is deleted leaves those who are there, and lets in nobody; added again it does, without a restart', async () => {
  const [node] = await stack.nodes('second')
  const login = () => stack.login(node?.status.address ?? '')
  const client = await login()
  // Of RS_LIST, and of one OB cluster for good.
  const fixed = await refused(stack.api.delete('/clusters/demo/links/obcluster'))
  expect([fixed.status, fixed.code]).toEqual([422, 'operation-not-allowed'])

  const deleted = await stack.api.delete('/clusters/second/links/obcluster')
  expect(await stack.ended((deleted.body as OperationJson).id)).toMatchObject({
    phase: 'SUCCEEDED',
  })
  await expect(login()).rejects.toThrow()
  await client.query('select 1')
  client.destroy()
  const added = await stack.api.put('/clusters/second/links/obcluster', {})
  expect(await stack.ended((added.body as OperationJson).id)).toMatchObject({ phase: 'SUCCEEDED' })

  const again = await login()
  await again.query('select 1')
  again.destroy()
  const after = await stack.node('second-1')
  expect(after.status.report?.pid).toBe(node?.status.report?.pid)
})

test('a change reaches every node while clients work, and one that stands when it starts', async () => {
  const { proxyroSecret: before } = await obCluster()
  const [owned] = stack.dev.obClusters
  expect(owned?.name).toBe('obcluster')
  expect(await stack.ended(await stack.accepted('/nodes/second-2/stop'))).toMatchObject({
    phase: 'SUCCEEDED',
  })
  const stop = await busy()

  const id = await stack.accepted(ROTATE)
  expect(await refused(stack.api.post('/clusters/demo/stop', {}))).toMatchObject({
    status: 409,
    code: 'password-change-in-progress',
  })
  const ended = await stack.ended(id)
  expect(ended.phase, JSON.stringify(ended.error)).toBe('SUCCEEDED')
  expect((await steps(id)).find(({ name }) => name === 'children')?.output).toContain('second-2')

  const started = await stack.ended(await stack.accepted('/nodes/second-2/start'))
  expect(started.phase, JSON.stringify(started.error)).toBe('SUCCEEDED')
  const seen = await stop()
  console.log(
    `${seen.statements} statements and ${seen.logins} logins, ${seen.failures.length} failed`,
  )

  expect(seen.failures).toEqual([])
  expect(seen.statements).toBeGreaterThan(50)
  const after = await obCluster()
  expect(after).toMatchObject({ proxyroChange: null, heldBy: null })
  expect(after.proxyroSecret).not.toBe(before)
  // Processes that log in anew as proxyro, and serve only once that has worked.
  for (const [path, body] of [
    ['/nodes/demo-1/restart', { mode: 'hot', rollout: { bake: '0s' } }],
    ['/nodes/second-1/restart', { mode: 'hot', rollout: { bake: '0s' } }],
  ] as const) {
    const again = await stack.ended(await stack.accepted(path, body))
    expect(again.phase, JSON.stringify(again.error)).toBe('SUCCEEDED')
  }
  const late = (await stack.node('second-2')).status.address
  await until(
    'the late node serves',
    async () => {
      const client = await stack.login(late).catch(() => undefined)
      await client?.query('select 1')
      client?.destroy()
      return client !== undefined
    },
    STACK_PATIENCE,
  )
}, 300_000)

test('a change that the kernel refuses goes back on all nodes, and can be tried again', async () => {
  const before = await obCluster()
  await asOwner(client => client.query('SET GLOBAL validate_password_length = 60'))
  const stop = await busy()

  const id = await stack.accepted(ROTATE)
  const ended: OperationJson = await stack.ended(id)

  expect(ended.phase).toBe('ROLLED_BACK')
  expect(ended.error?.detail).toContain('proxyro.not-changed')
  expect(await obCluster()).toMatchObject({
    proxyroSecret: before.proxyroSecret,
    proxyroChange: null,
  })
  expect((await stop()).failures).toEqual([])
  const restarted = await stack.ended(
    await stack.accepted('/nodes/demo-2/restart', {
      mode: 'hot',
      rollout: { bake: '0s' },
    }),
  )
  expect(restarted.phase, JSON.stringify(restarted.error)).toBe('SUCCEEDED')

  await asOwner(client => client.query('SET GLOBAL validate_password_length = 0'))
  await stack.api.post(`/operations/${id}/retry`, {})
  expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  expect((await obCluster()).proxyroSecret).not.toBe(before.proxyroSecret)
  expect(await enters('')).toBe(false)
}, 300_000)

test('a node whose host was off meanwhile is repaired by a restart', async () => {
  const { id: nodeId } = await stack.node('second-2')
  expect(nodeId).toMatch(/^nod_/)
  expect(await stack.ended(await stack.accepted('/nodes/second-2/stop'))).toMatchObject({
    phase: 'SUCCEEDED',
  })
  expect(await stack.ended(await stack.accepted(ROTATE))).toMatchObject({ phase: 'SUCCEEDED' })
  const repaired = await stack.ended(
    await stack.accepted('/nodes/second-2/restart', { mode: 'force' }),
  )
  expect(repaired.phase, JSON.stringify(repaired.error)).toBe('SUCCEEDED')
  const client = await stack.login((await stack.node('second-2')).status.address)
  await client.query('select 1')
  client.destroy()
}, 200_000)
