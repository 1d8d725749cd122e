/** A password that the plane has made goes when nobody names it any more, whatever comes in between, and never before. */
import { expect, test, vi } from 'vitest'
import { Problem } from '../../../functions/domain/problem.ts'
import { sweep } from '../../../functions/jobs/sweep.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const secretOf = async (all: ScriptedPlane, name = 'ob') =>
  (await all.plane.obClusters.get(name)).proxyroSecret

async function name(all: ScriptedPlane, obCluster: string, proxyroSecret: string) {
  const known = await all.plane.obClusters.get(obCluster).catch(() => null)
  const input = { rootservice: ['a.test:2881'], obClusterId: 1, idcRegions: [], tags: {} }
  await all.plane.obClusters.put(ASKED, obCluster, { ...input, proxyroSecret }, known?.revision)
}

/** An OB cluster with a password of the plane, and no cluster that is linked to it. */
async function made() {
  const all = new ScriptedPlane(1)
  await all.running('pc', [1])
  await all.ended(await all.accepted(all.plane.obClusters.rotateProxyro(ASKED, 'ob', undefined)))
  const { revision } = await all.plane.clusters.get('pc')
  const input = { confirm: 'pc', revision, skipHostWork: false }
  await all.ended(await all.accepted(all.plane.clusters.remove(ASKED, 'pc', input)))
  const secret = await secretOf(all)
  const has = () => all.fleet.passwords.has(secret)
  expect(has()).toBe(true)
  return { all, secret, has }
}

async function removed(all: ScriptedPlane, obCluster = 'ob') {
  const { revision } = await all.plane.obClusters.get(obCluster)
  return all.plane.obClusters.remove(ASKED, obCluster, revision)
}

const fails = async () => {
  throw new Problem('remote-unavailable', 'it does not answer')
}

test('a removal that was interrupted is gone on with by the sweeper', async () => {
  const { all, has } = await made()
  vi.spyOn(all.fleet.secrets, 'remove').mockImplementationOnce(fails)
  await removed(all)
  expect(has()).toBe(true)

  await sweep(all.engine)

  expect(has()).toBe(false)
  expect(all.store.all('looseSecret')).toEqual([])
})

test('who names it while it is being removed is refused', async () => {
  const { all, secret, has } = await made()
  const { remove } = all.fleet.secrets
  let refusal: unknown
  vi.spyOn(all.fleet.secrets, 'remove').mockImplementationOnce(async each => {
    refusal = await name(all, 'late', secret).catch((error: unknown) => error)
    await remove(each)
  })
  await removed(all)

  expect(refusal).toMatchObject({ code: 'operation-not-allowed' })
  expect(has()).toBe(false)
  await expect(secretOf(all, 'late')).rejects.toMatchObject({ code: 'not-found' })
})

test('who names it before that keeps it, until it is given up there too', async () => {
  const { all, secret, has } = await made()
  const looseSecrets = all.store.looseSecrets.bind(all.store)
  vi.spyOn(all.store, 'looseSecrets').mockImplementationOnce(async request => {
    const page = await looseSecrets(request)
    await name(all, 'late', secret)
    return page
  })
  await removed(all)
  await sweep(all.engine)
  expect(has()).toBe(true)
  expect(all.store.all('looseSecret')).toEqual([])

  await removed(all, 'late')

  expect(has()).toBe(false)
})

test('a change that was left half done and is ended by a PUT leaves no password behind', async () => {
  const all = new ScriptedPlane(1)
  await all.running('pc', [1])
  all.fleet.unalterable.add('ob')
  const id = await all.accepted(all.plane.obClusters.rotateProxyro(ASKED, 'ob', undefined))
  for (let left = 600; !all.fleet.ran.some(line => line.includes('alter-proxyro')); left--) {
    if (left === 0) throw new Error('it does not come to that')
    all.clock.pass(1_000)
    await all.engine.sweep(10)
  }
  all.fleet.host(1).failing.add('refresh')
  expect(await all.ended(id)).toMatchObject({ phase: 'FAILED' })
  const { proxyroChange } = await all.plane.obClusters.get('ob')
  const secret = proxyroChange?.secret ?? ''
  expect(all.fleet.passwords.has(secret)).toBe(true)

  await name(all, 'ob', '/mine')
  await sweep(all.engine)

  expect(all.fleet.passwords.has(secret)).toBe(false)
  expect((await all.plane.obClusters.get('ob')).proxyroChange).toBeNull()
})
