/**
 * Restart and upgrade of a fleet as a user has them, over HTTP, the DynamoDB API and Run Command, on real
 * proxy processes: hot, wave by wave, with clients that hold transactions open meanwhile, and back.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChangePlan } from '../../functions/domain/change-plan.ts'
import {
  DevStack,
  type NodeJson,
  type OperationJson,
  refused,
  STACK_PATIENCE,
} from '../support/dev-stack.ts'
import { PooledLoad } from '../support/pooled-load.ts'
import { spareHostsSuite } from '../support/spare-hosts-suite.ts'
import {
  cancelledAt,
  pausedAndResumed,
  refreshSuite,
  skippingSuite,
} from '../support/steering-suite.ts'
import { until } from '../support/until.ts'
import { type Built, dropPackage, nextVersion, scripted } from '../support/verb-suite.ts'

const VERSION = '4.3.2.0-1'
/** Nothing is watched: what goes wrong is in other tests. */
const QUICK = { canaryBake: '0s', bake: '0s', drain: '60s' }
const CLIENTS_A_NODE = 4
/** What operations are asked for on their way. */
const STEERED = ['pause', 'resume', 'cancel', 'retry', 'skip', 'rollback']

const stack = new DevStack(31)
const packages: Built[] = []

beforeAll(async () => {
  await stack.start()
}, 300_000)

afterAll(async () => {
  await stack.remove()
  for (const each of packages) dropPackage(each)
})

/** Hosts of the stack can fetch it, and the plane knows it. */
async function offered(built: Built): Promise<string> {
  packages.push(built)
  const { code, text } = await stack.command('package', built.file)
  if (code !== 0) throw new Error(text)
  return built.version
}

/** Clients of every node, each inside a transaction. */
async function clientsInside(): Promise<readonly Connection[]> {
  const clients: Connection[] = []
  for (const { host } of stack.dev.nodes)
    for (let count = 0; count < CLIENTS_A_NODE; count++) {
      const client = await stack.login(host)
      await client.query('begin')
      await client.query('select 1')
      clients.push(client)
    }
  return clients
}

/** Logs in at every node over and over, until it is stopped; what was refused. */
function knocking(): { readonly stop: () => Promise<{ logins: number; refused: string[] }> } {
  let isOver = false
  const seen = { logins: 0, refused: [] as string[] }
  const knock = async (host: string) => {
    while (!isOver) {
      try {
        const client = await stack.login(host)
        await client.query('select 1')
        client.destroy()
        seen.logins += 1
      } catch (error) {
        seen.refused.push(`${host}: ${String(error)}`)
      }
      await new Promise(done => setTimeout(done, 20))
    }
  }
  const all = Promise.all(stack.dev.nodes.map(({ host }) => knock(host)))
  return {
    stop: async () => {
      isOver = true
      await all
      return seen
    },
  }
}

const nodes = () => stack.nodes()
const versionsOf = (all: readonly NodeJson[]) => all.map(({ status }) => status.report?.version)
const pidsOf = (all: readonly NodeJson[]) => all.map(({ status }) => status.report?.pid)

async function reported(version: string): Promise<void> {
  await until(
    `every node reports ${version}`,
    async () => versionsOf(await nodes()).every(each => each === version),
    STACK_PATIENCE,
  )
}

async function ended(path: string, body: unknown): Promise<OperationJson> {
  return stack.ended(await stack.accepted(path, body))
}

/** Id of the operation that was begun last. */
async function newest(): Promise<string | undefined> {
  const { body } = await stack.api.get('/operations?limit=1')
  return (body as { items: { id: string }[] }).items[0]?.id
}

/** Its children were begun in the order of the plan, and went through the steps that it named. */
async function expectAsPlanned({ childIds }: OperationJson, plan: ChangePlan): Promise<void> {
  const children = await Promise.all(
    childIds.map(async id => {
      const { body: child } = await stack.api.get(`/operations/${id}`)
      const { target, startedAt } = child as { target: { name: string }; startedAt: string }
      const { body: steps } = await stack.api.get(`/operations/${id}/steps`)
      const names = (steps as { items: { name: string }[] }).items.map(({ name }) => name)
      return { name: target.name, startedAt: Date.parse(startedAt), names }
    }),
  )
  const inOrder = children.sort((left, right) => left.startedAt - right.startedAt)
  expect(inOrder.map(({ name, names }) => ({ name, names }))).toEqual(
    plan.nodes.items.map(({ name, procedure }) => ({
      name,
      names: plan.procedures.items[procedure]?.steps.map(step => step.name),
    })),
  )
}

describe('a hot restart of all nodes', () => {
  test('is rolling and as a dry run has said, and the clients inside transactions do not notice', async () => {
    const before = await nodes()
    const operationBefore = await newest()
    const wanted = { mode: 'hot', rollout: QUICK }
    const { status, body } = await stack.api.post('/clusters/demo/restart?dryRun=true', wanted)
    expect([status, await newest()]).toEqual([200, operationBefore])
    expect(pidsOf(await nodes())).toEqual(pidsOf(before))
    const clients = await clientsInside()
    const door = knocking()
    const operation = await ended('/clusters/demo/restart', wanted)
    const { logins, refused: turnedAway } = await door.stop()

    await expectAsPlanned(operation, body as ChangePlan)
    expect(operation).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(operation.progress).toMatchObject({ nodesDone: 3, waves: 3 })
    expect(turnedAway).toEqual([])
    expect(logins).toBeGreaterThan(10)
    for (const client of clients) {
      await client.query('select 1')
      await client.query('commit')
      client.destroy()
    }
    const after = await nodes()
    expect(after.map(({ status }) => status.status)).toEqual(['RUNNING', 'RUNNING', 'RUNNING'])
    for (const [at, pid] of pidsOf(after).entries()) expect(pid).not.toBe(pidsOf(before)[at])
  })

  test('of one node that is stopped is refused, forced it is not', async () => {
    await stack.ended(await stack.accepted('/nodes/demo-3/stop'))
    const hot = await refused(stack.api.post('/nodes/demo-3/restart', { mode: 'hot' }))
    expect([hot.status, hot.code]).toEqual([409, 'node-state-conflict'])
    expect(await ended('/nodes/demo-3/restart', { mode: 'auto' })).toMatchObject({
      phase: 'SUCCEEDED',
    })
    expect((await stack.node('demo-3')).status.status).toBe('RUNNING')
  })
})

let next = ''

describe('an upgrade', () => {
  let upgrade = ''

  test('of all nodes is hot and rolling, waits when it is told to, and the clients inside transactions do not notice', async () => {
    next = await offered(nextVersion())
    const clients = await clientsInside()
    const door = knocking()
    upgrade = await stack.accepted('/clusters/demo/upgrade', { version: next, rollout: QUICK })
    await pausedAndResumed(stack, upgrade)
    const operation = await stack.ended(upgrade)
    const { refused: turnedAway } = await door.stop()

    expect(operation).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(turnedAway).toEqual([])
    for (const client of clients) {
      await client.query('commit')
      client.destroy()
    }
    await reported(next)
    const { body } = await stack.api.get('/clusters/demo')
    expect((body as { spec: { version: string } }).spec.version).toBe(next)
  })

  test('survives a reboot of a node', async () => {
    const { bootId } = (await stack.node('demo-1')).status.report ?? {}
    const { code } = await stack.command('reboot', 'demo-1')
    expect(code).toBe(0)
    await until(
      'it is back',
      async () => {
        const { status } = await stack.node('demo-1')
        return status.report?.bootId !== bootId && status.status === 'RUNNING'
      },
      STACK_PATIENCE,
    )
    expect((await stack.node('demo-1')).status.report?.version).toBe(next)
  })

  test('is rolled back on request: every node runs what it ran before', async () => {
    const answer = await stack.api.post(`/operations/${upgrade}/rollback`, {})
    expect(answer.status).toBe(202)
    expect(await stack.ended(upgrade)).toMatchObject({ phase: 'ROLLED_BACK' })
    await reported(VERSION)
    expect((await nodes()).map(({ status }) => status.status)).toEqual([
      'RUNNING',
      'RUNNING',
      'RUNNING',
    ])
  })

  test('whose proxy does not come up is undone on the node, and touches no other', async () => {
    const broken = await offered(scripted('4.3.2.9-1', 'exit 1'))
    const before = pidsOf(await nodes())
    const operation = await ended('/clusters/demo/upgrade', { version: broken, rollout: QUICK })
    expect(operation.phase).toBe('ROLLED_BACK')
    expect(operation.error?.code).toBe('node-command-failed')
    await reported(VERSION)
    const after = pidsOf(await nodes())
    expect(after.slice(1)).toEqual(before.slice(1))
    for (const { host } of stack.dev.nodes) {
      const client = await stack.login(host)
      const [rows] = await client.query<RowDataPacket[]>('select 1 as one')
      client.destroy()
      expect(rows[0]?.['one']).toBe(1)
    }
  })

  test('to what is older, not there, or not there for the architecture of a host, is refused before any node is touched', async () => {
    const before = [await newest(), ...pidsOf(await nodes())]
    const other = '4.3.2.8-1'
    await stack.api.post('/packages', {
      fileName: `obproxy-${other}.linux.aarch64.tar.gz`,
      sha256: '0'.repeat(64),
      sizeBytes: 1,
      url: 'spool:none',
    })
    for (const [version, code] of [
      ['4.0.0.0-1', 'operation-not-allowed'],
      ['9.9.9.9-9', 'validation-failed'],
      [other, 'validation-failed'],
    ]) {
      const why = await refused(stack.api.post('/clusters/demo/upgrade', { version }))
      expect([version, why.status, why.code]).toEqual([version, 422, code])
      if (version === other) expect(why.message).toContain(`no package of ${other} for x86_64`)
    }
    expect([await newest(), ...pidsOf(await nodes())]).toEqual(before)
    const { items } = (await stack.api.get('/packages')).body as {
      items: { id: string; version: string }[]
    }
    const remove = (version: string) =>
      stack.api.delete(`/packages/${items.find(each => each.version === version)?.id}`)
    expect((await remove(other)).status).toBe(204)
    expect(await refused(remove(VERSION))).toMatchObject({ status: 409, code: 'in-use' })
  })
})

describe('parameters', () => {
  const change = async (body: object) => {
    const { etag } = await stack.api.get('/clusters/demo')
    return stack.api.patch('/clusters/demo/parameters', body, { 'if-match': etag ?? '' })
  }
  const told = async (host: string, name: string) => {
    const admin = await stack.adminLogin(host)
    const [rows] = await admin.query<RowDataPacket[]>(`SHOW PROXYCONFIG LIKE '${name}'`)
    admin.destroy()
    return rows[0]?.['value']
  }

  test('are in force on every node at once; what needs a restart is shown until there was one, also where that is cancelled and retried', async () => {
    const set = { slow_query_time_threshold: '777ms', work_thread_num: '3' }
    const { body } = await change({ set })
    expect(await stack.ended((body as OperationJson).id)).toMatchObject({ phase: 'SUCCEEDED' })
    for (const { host } of stack.dev.nodes)
      expect(await told(host, 'slow_query_time_threshold')).toBe('777ms')
    const waiting = async () => {
      const answer = await stack.api.get('/clusters/demo/parameters?search=work_thread_num')
      const { items } = answer.body as { items: { name: string; pendingRestart: string[] }[] }
      return items.find(({ name }) => name === 'work_thread_num')?.pendingRestart
    }
    // Nodes report behind the answer of a verb.
    await until('every node waits', async () => (await waiting())?.length === 3, STACK_PATIENCE)
    const restart = await stack.accepted('/clusters/demo/restart', { mode: 'hot', rollout: QUICK })
    await cancelledAt(stack, restart, 'restart')
    await until('one waits no more', async () => (await waiting())?.length === 2, STACK_PATIENCE)
    await stack.accepted(`/operations/${restart}/retry`)
    expect(await stack.ended(restart)).toMatchObject({ phase: 'SUCCEEDED', error: null })
    await until('none waits', async () => (await waiting())?.length === 0, STACK_PATIENCE)
  })

  test('that are wrong change nothing and name the place; changes are remembered', async () => {
    const wrong = await refused(change({ set: { slow_query_time_threshold: 'much' } }))
    expect([wrong.status, wrong.code]).toEqual([422, 'validation-failed'])
    const given = await refused(change({ set: { rootservice_list: '127.0.0.1:2881' } }))
    expect([given.status, given.code]).toEqual([422, 'validation-failed'])
    expect(given.message).toContain('rootservice_list')
    const { items } = (await stack.api.get('/clusters/demo/parameters/history')).body as {
      items: { changes: { name: string; before: string | null; after: string | null }[] }[]
    }
    expect(items).toHaveLength(1)
    expect(items[0]?.changes).toContainEqual({
      name: 'slow_query_time_threshold',
      before: null,
      after: '777ms',
    })
  })
})

describe('the password of root@proxysys', () => {
  test('is replaced on all nodes without a restart, and is in no table, log or command line', async () => {
    const before = pidsOf(await nodes())
    const address = stack.dev.nodes[0]?.host ?? ''
    ;(await stack.adminLogin(address)).destroy()
    expect(await ended('/clusters/demo/rotate-sys-password', {})).toMatchObject({
      phase: 'SUCCEEDED',
    })
    await expect(stack.adminLogin(address)).rejects.toThrow()
    expect(pidsOf(await nodes())).toEqual(before)
    const old = stack.dev.proxyClusters[0]?.sysPassword ?? '?'
    for (const file of ['log/api.log', 'dynamodb/table.db'])
      expect(readFileSync(join(stack.home, file), 'latin1').includes(old)).toBe(false)
    expect(await ended('/clusters/demo/restart', { mode: 'hot', rollout: QUICK })).toMatchObject({
      phase: 'SUCCEEDED',
    })
  })
})

describe('a look before a take-over', () => {
  test('goes over Run Command to hosts with and without a node, and holds nothing', async () => {
    const free = 'i-00000000000000004'
    const taken = 'i-00000000000000001'
    const hosts = { hosts: [{ host: free }, { host: taken }] }
    const { id } = await ended('/clusters/demo/take-over?dryRun=true', hosts)
    const { result } = (await stack.api.get(`/operations/${id}`)).body as {
      result: {
        mayTakeOver: boolean
        hosts: { hostId: string; findings: { id: string; ok: boolean; code: string }[] }[]
      }
    }
    expect(result.mayTakeOver).toBe(false)
    const codeOf = (hostId: string, finding: string) =>
      result.hosts.find(each => each.hostId === hostId)?.findings.find(each => each.id === finding)
        ?.code
    expect(codeOf(free, 'T2')).toBe('no-process')
    expect(codeOf(free, 'T7')).toBe('ok')
    expect(codeOf(taken, 'T2')).toBe('ok')
    expect(codeOf(taken, 'T7')).not.toBe('ok')
    expect((await nodes()).map(({ status }) => status.status)).toEqual(Array(3).fill('RUNNING'))
  })
})

skippingSuite(stack)
refreshSuite(stack)

describe('an upgrade behind a load balancer', () => {
  test('under 200 pooled clients loses and repeats nothing, and refuses no login', async () => {
    const { address: place, targetGroupArn, targetBy } = stack.dev.loadBalancer
    const [address = ''] = place.split(':')
    next ||= await offered(nextVersion())
    const attached = await stack.api.put(
      '/clusters/demo/load-balancer',
      { kind: 'target-group', targetGroupArn, targetBy },
      { 'if-match': '*' },
    )
    expect(await stack.ended((attached.body as OperationJson).id)).toMatchObject({
      phase: 'SUCCEEDED',
    })
    const first = await stack.login(address)
    await first.query('create table pooled (id varchar(40) primary key)')
    first.destroy()
    const load = new PooledLoad(() => stack.login(address), 'pooled')
    load.begin(200, 1_000)
    await until('all clients are at work', () => load.committed.size > 200, STACK_PATIENCE)

    const operation = await ended('/clusters/demo/upgrade', { version: next, rollout: QUICK })
    await load.end()

    expect(operation).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(load.refusedLogins).toEqual([])
    expect(load.cut).toEqual([])
    expect(load.unknown).toEqual([])
    const reader = await stack.login(address)
    const [rows] = await reader.query<RowDataPacket[]>('select id from pooled')
    reader.destroy()
    expect(rows.map(row => String(row['id'])).sort()).toEqual([...load.committed].sort())
    console.log(
      `${load.committed.size} transactions of 200 clients; closed while idle: ${load.closedIdle}, told at their next statement: ${load.toldAtNext}`,
    )
    await reported(next)
  })

  test('a node that is taken out gets no new clients, until it is taken in again; detached, all are out', async () => {
    const members = async () =>
      (
        (await stack.api.get('/clusters/demo/load-balancer')).body as {
          members: { state: string; node: { name: string } | null }[]
        }
      ).members.flatMap(({ state, node }) => (state === 'healthy' && node ? [node.name] : []))
    const before = pidsOf(await nodes())
    expect(await ended('/nodes/demo-2/offline', { reason: 'a look at its disk' })).toMatchObject({
      phase: 'SUCCEEDED',
    })
    expect((await members()).sort()).toEqual(['demo-1', 'demo-3'])
    expect(await ended('/nodes/demo-2/online', {})).toMatchObject({ phase: 'SUCCEEDED' })
    await until('all are members', async () => (await members()).length === 3, STACK_PATIENCE)
    expect(pidsOf(await nodes())).toEqual(before)
    const { etag } = await stack.api.get('/clusters/demo')
    const detached = await stack.api.delete('/clusters/demo/load-balancer', {
      'if-match': etag ?? '',
    })
    expect(await stack.ended((detached.body as OperationJson).id)).toMatchObject({
      phase: 'SUCCEEDED',
    })
    expect((await refused(stack.api.get('/clusters/demo/load-balancer'))).status).toBe(404)
  })
})

spareHostsSuite(stack, { made: VERSION, next: () => next })

describe('who did it', () => {
  test('is in the audit, the newest first', async () => {
    const { items } = (await stack.api.get('/audit-events?limit=50')).body as {
      items: { action: string; actor: string }[]
    }
    const actions = items.map(({ action }) => action)
    for (const action of ['upgrade', 'restart', 'rotate-sys-password', ...STEERED])
      expect(actions).toContain(action)
    expect(new Set(items.map(({ actor }) => actor)).size).toBe(1)
  })
})
