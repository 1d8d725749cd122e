/** Deletions of nodes and clusters: whom they spare, and what they leave to proxies that serve on. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { DeleteInput } from '../../../functions/domain/plane.ts'
import { askable } from '../../support/config-service.ts'
import { DRY } from '../../support/planned-requests.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const SECRET = '/obfleet/clusters/c/proxysys'

let all: ScriptedPlane

beforeEach(() => {
  all = new ScriptedPlane(4)
})

type Asking = Partial<DeleteInput> & { readonly isDryRun?: boolean }

async function removeNode(name: string, { isDryRun = false, ...more }: Asking = {}) {
  const { revision } = await all.plane.nodes.get(name)
  const input = { revision, skipHostWork: false, ...more }
  return all.plane.nodes.remove(isDryRun ? DRY : ASKED, name, input)
}

async function removeCluster({ isDryRun = false, ...more }: Asking = {}) {
  const { revision } = await all.plane.clusters.get('c')
  const input = { confirm: 'c', revision, skipHostWork: false, ...more }
  return all.plane.clusters.remove(isDryRun ? DRY : ASKED, 'c', input)
}

/** The node says that it has so many clients; null: it does not know. */
async function withClients(index: number, clients: number | null): Promise<void> {
  const host = all.fleet.host(index)
  host.clients = clients
  const { id } = await all.plane.nodes.get(`c-${index}`)
  await all.fleet.report(host, id, null)
}

/** For real and as a dry run, which have to agree: the problem, or the codes of its warnings. */
async function answers(ask: (more: Asking) => Promise<{ readonly kind: string }>, more: Asking) {
  const said = (isDryRun: boolean) =>
    ask({ ...more, isDryRun }).then(
      outcome => outcome,
      (error: { code: string; message: string; details: object }) => error,
    )
  const [dry, real] = [await said(true), await said(false)]
  if ('code' in real) expect(dry).toEqual(real)
  else expect(['planned', 'accepted']).toEqual([(dry as { kind: string }).kind, real.kind])
  return { dry, real }
}

const codesOf = (dry: object) =>
  'plan' in dry
    ? (dry.plan as { warnings: { code: string }[] }).warnings.map(({ code }) => code)
    : null

describe('a node that has clients', () => {
  beforeEach(async () => {
    await all.running('c', [1, 2, 3])
    await withClients(1, 7)
  })

  test('is not deleted, also not as a dry run, and nothing is told to it', async () => {
    const { real } = await answers(more => removeNode('c-1', more), {})
    expect(real).toMatchObject({ code: 'in-use', details: { remedy: /force=true/ } })
    expect('message' in real ? real.message : '').toContain('c-1 has 7')
    expect(all.held()).toEqual([])
  })

  test('is deleted by force; the dry run warns of whom it cuts', async () => {
    const { dry, real } = await answers(more => removeNode('c-1', more), { isForced: true })
    expect(codesOf(dry)).toEqual(['clients-cut'])
    expect(real).toMatchObject({ kind: 'accepted' })
    await all.settle()
    await expect(all.plane.nodes.get('c-1')).rejects.toMatchObject({ code: 'not-found' })
  })

  test('is released with them, or forgotten: nobody is cut by that', async () => {
    const released = await answers(more => removeNode('c-1', more), { mode: 'release' })
    expect(codesOf(released.dry)).toEqual([
      'serves-unmanaged',
      'password-stays',
      'server-list-stays',
    ])
    await all.settle()
    await withClients(2, 7)
    all.fleet.host(2).isOnline = false
    const forgotten = await answers(more => removeNode('c-2', more), { skipHostWork: true })
    expect(codesOf(forgotten.dry)).not.toContain('clients-cut')
  })

  test('keeps its cluster from being deleted, which force does then', async () => {
    const { real } = await answers(removeCluster, {})
    expect(real).toMatchObject({ code: 'in-use' })
    const forced = await answers(removeCluster, { isForced: true })
    expect(codesOf(forced.dry)).toContain('clients-cut')
    await all.settle()
    expect(all.store.all('cluster')).toEqual([])
  })

  test('may be deleted once it says that they are gone, or when it is stopped', async () => {
    await withClients(1, 0)
    expect((await removeNode('c-1', { isDryRun: true })).kind).toBe('planned')
    await withClients(1, 7)
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'c-1')))
    expect((await removeNode('c-1', { isDryRun: true })).kind).toBe('planned')
  })

  test('and others: all of them are named', async () => {
    await withClients(3, 2)
    await withClients(2, null)
    const { real } = await answers(removeCluster, {})
    expect('message' in real ? real.message : '').toMatch(/: c-1 has 7, c-3 has 2$/)
  })
})

describe('a node that is needed', () => {
  beforeEach(async () => {
    await all.running('c', [1, 2, 3, 4])
    for (const index of [3, 4]) all.fleet.host(index).isMute = true
    all.clock.pass(200_000)
    await all.fleet.reportDue()
  })

  test('is not deleted while too few others are healthy, unless by force', async () => {
    const { real } = await answers(more => removeNode('c-1', more), {})
    expect(real).toMatchObject({ code: 'node-state-conflict', details: { remedy: /force=true/ } })
    expect('message' in real ? real.message : '').toBe(
      '1 of 4 nodes would stay healthy, at least 2 have to',
    )
    const forced = await answers(more => removeNode('c-1', more), { isForced: true })
    expect(codesOf(forced.dry)).toEqual(['too-few-healthy'])
  })

  test('does not keep those that are broken, nor one that is released', async () => {
    const broken = await removeNode('c-3', { isDryRun: true })
    expect(codesOf(broken)).not.toContain('too-few-healthy')
    expect((await removeNode('c-1', { isDryRun: true, mode: 'release' })).kind).toBe('planned')
  })

  test('goes with its cluster, whose name was repeated', async () => {
    expect((await removeCluster({ isDryRun: true })).kind).toBe('planned')
  })
})

test('the last node may be deleted, with a warning', async () => {
  await all.running('c', [1])
  expect(codesOf(await removeNode('c-1', { isDryRun: true }))).toEqual(['no-node-left'])
})

describe('deletions one after the other', () => {
  test('count on no node that another one is at work on', async () => {
    await all.running('c', [1, 2])
    const both = await Promise.allSettled([removeNode('c-1'), removeNode('c-2')])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'node-state-conflict' },
    })
    await all.settle()
    expect(all.store.all('node')).toHaveLength(1)
  })
})

describe('a proxy that is released', () => {
  const noticesOf = async (id: string) => (await all.plane.operations.get(id)).notices

  test('keeps its password when its cluster is deleted, which the answer and the plan name', async () => {
    await all.running('c', [1, 2])
    const { dry } = await answers(removeCluster, { mode: 'release' })
    expect(codesOf(dry)).toContain('password-stays')
    const [operation] = all.store.all('operation').filter(({ type }) => type === 'delete-cluster')
    expect(await all.ended(operation?.id ?? '')).toMatchObject({
      phase: 'SUCCEEDED',
      notices: [expect.stringContaining(SECRET)],
    })
    expect([...all.fleet.passwords]).toEqual([[SECRET, 1]])
  })

  test('has it still when another cluster of the name is made and deleted', async () => {
    await all.running('c', [1])
    await all.accepted(removeCluster({ mode: 'release' }))
    await all.settle()
    await all.running('c', [2])
    expect((await all.plane.clusters.get('c')).spec.sysPasswordSecret).toBe(`${SECRET}/1`)
    await all.accepted(removeCluster())
    await all.settle()
    expect([...all.fleet.passwords]).toEqual([[SECRET, 1]])
  })

  test('alone keeps it, also when its cluster gets another one and is deleted then', async () => {
    await all.running('c', [1, 2])
    const id = await all.accepted(removeNode('c-1', { mode: 'release' }))
    await all.ended(id)
    expect(await noticesOf(id)).toEqual([expect.stringContaining(SECRET)])
    const rotated = all.plane.clusters.rotateSysPassword(ASKED, 'c', undefined)
    await all.ended(await all.accepted(rotated))
    await all.accepted(removeCluster())
    await all.settle()
    expect([...all.fleet.passwords]).toEqual([[SECRET, 1]])
    await all.running('c', [2])
    expect(all.fleet.passwords.get(SECRET)).toBe(1)
  })

  test('by a move out that comes half way keeps it, whatever is done with the others', async () => {
    await all.running('c', [1, 2])
    all.fleet.host(2).failing.add('release')
    const input = { confirm: 'c', skipHostWork: [], graceMs: 0 }
    const out = await all.accepted(all.plane.clusters.moveOut(ASKED, 'c', input))
    expect((await all.ended(out)).phase).toBe('FAILED')
    expect(all.store.all('node').map(({ name }) => name)).toEqual(['c-2'])
    await all.accepted(removeCluster())
    await all.settle()
    expect([...all.fleet.passwords.keys()]).toEqual([SECRET])
    expect(all.store.all('movedOut')).toHaveLength(1)
  })

  test('keeps one that is given up by the way back of a change', async () => {
    await all.running('c', [1, 2], { sysPasswordSecret: '/mine' })
    const rotated = await all.accepted(all.plane.clusters.rotateSysPassword(ASKED, 'c', undefined))
    await all.ended(rotated)
    const made = all.fleet.host(1).sysPasswordSecret ?? ''
    await all.ended(await all.accepted(removeNode('c-1', { mode: 'release' })))
    await all.plane.operations.rollback(ASKED, rotated)
    expect((await all.ended(rotated)).phase).toBe('ROLLED_BACK')
    expect([...all.fleet.passwords.keys()]).toContain(made)
  })

  test('at the second try keeps the one that it has by then', async () => {
    await all.running('c', [1, 2])
    all.fleet.host(1).failing.add('release')
    const id = await all.accepted(removeNode('c-1', { mode: 'release' }))
    await all.ended(id)
    all.fleet.host(1).failing.clear()
    const rotated = all.plane.clusters.rotateSysPassword(ASKED, 'c', undefined)
    await all.ended(await all.accepted(rotated))
    const made = all.fleet.host(1).sysPasswordSecret ?? ''
    await all.plane.operations.retry(ASKED, id)
    expect((await all.ended(id)).phase).toBe('SUCCEEDED')
    expect(await noticesOf(id)).toEqual([expect.stringContaining(`under ${made}:`)])
    await all.accepted(removeCluster())
    await all.settle()
    expect([...all.fleet.passwords.keys()]).toContain(made)
  })

  test('has to run: one that was down may have missed its password', async () => {
    await all.running('c', [1, 2])
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'c-1')))
    for (const remove of [removeCluster, (more: Asking) => removeNode('c-1', more)]) {
      const { real } = await answers(remove, { mode: 'release' })
      expect(real).toMatchObject({
        code: 'node-state-conflict',
        message: expect.stringContaining('c-1 is STOPPED'),
      })
    }
    await all.ended(await all.accepted(all.plane.nodes.start(ASKED, 'c-1')))
    const id = await all.accepted(removeNode('c-1', { mode: 'release' }))
    expect((await all.ended(id)).phase).toBe('SUCCEEDED')
  })

  test('leaves no password behind where all are removed', async () => {
    await all.running('c', [1])
    const id = await all.accepted(removeCluster())
    await all.ended(id)
    expect(await noticesOf(id)).toBeUndefined()
    expect(all.fleet.passwords.size).toBe(0)
    expect(all.store.all('movedOut')).toEqual([])
  })

  test('is answered no more by the config service, of which the plan warns', async () => {
    await all.running('c', [1], { workMode: 'CONFIG_URL' })
    const config = `Action=GetObProxyConfig&ObproxyClusterName=c&Token=`
    const token = encodeURIComponent('/obfleet/clusters/c/config-token-1#1')
    const ask = () => askable(all.store, all.clock, () => {}).ask(`${config}${token}`)
    expect((await ask()).status).toBe(200)
    const { dry } = await answers(removeCluster, { mode: 'release' })
    expect(codesOf(dry)).toContain('config-answers-end')
    await all.settle()
    expect((await ask()).status).toBe(401)
  })

  test('of a cluster that was deleted was not moved out', async () => {
    await all.running('c', [1])
    await all.accepted(removeCluster({ mode: 'release' }))
    await all.settle()
    const input = { confirm: 'c', skipHostWork: [], graceMs: 0 }
    await expect(all.plane.clusters.moveOut(ASKED, 'c', input)).rejects.toMatchObject({
      code: 'not-found',
    })
  })
})
