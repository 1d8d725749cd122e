/** What nodes cannot be told is refused before anything is held; what grows too long later fails and frees what it held. */
import { describe, expect, test } from 'vitest'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const LONG_HOST = 'r'.repeat(200)
/** As many and as long as the registry takes. */
const LONG_LIST = Array.from({ length: 32 }, (_none, at) => `${LONG_HOST}-${at}:2881`)

async function obCluster(all: ScriptedPlane, name: string, rootservice: readonly string[]) {
  const known = await all.plane.obClusters.get(name).catch(() => null)
  const input = { rootservice, obClusterId: 1, idcRegions: [], proxyroSecret: '/ro', tags: {} }
  await all.plane.obClusters.put(ASKED, name, input, known?.revision)
}

const byConfig = (...names: string[]) => ({
  workMode: 'CONFIG_URL' as const,
  links: names.map((each, at) => ({ obCluster: each, default: at === 0 })),
})

const lastNodeOperation = (all: ScriptedPlane) =>
  all.store.all('operation').find(({ type }) => type === 'rotate-proxyro-node')

describe('what does not fit an order', () => {
  test('refuses a change of proxyro by the root services that it names, and holds nothing', async () => {
    const all = new ScriptedPlane(1)
    await all.prepare()
    const names = ['ob', 'east']
    await obCluster(all, 'east', ['east.test:2881'])
    const parts = { ...byConfig(...names), version: '3.2.9.0-1' }
    await all.plane.packages.create(ASKED, {
      fileName: 'obproxy-3.2.9.0-1.linux.x86_64.tar.gz',
      sha256: 'c'.repeat(64),
      sizeBytes: 10,
      url: 'spool:old',
    })
    await all.running('pc', [1], parts)
    for (const name of names) await obCluster(all, name, LONG_LIST)

    await expect(all.plane.obClusters.rotateProxyro(ASKED, 'ob', undefined)).rejects.toMatchObject({
      code: 'quota-exceeded',
    })

    expect(all.held()).toEqual([])
    expect(lastNodeOperation(all)).toBeUndefined()
  })

  test('refuses a cluster by its root services and its parameters, and a link by the names of secrets', async () => {
    const all = new ScriptedPlane(1)
    await all.prepare()
    await obCluster(all, 'ob', LONG_LIST)
    const names = ['pod_name', 'pod_namespace', 'domain_name', 'runtime_env', 'workspace_name']
    const parameters = Object.fromEntries(names.map(name => [name, 'v'.repeat(1_000)]))
    const create = (more: object) =>
      all.plane.clusters.create(ASKED, all.input('pc', [1], { parameters, ...more }))
    await expect(create({})).rejects.toMatchObject({ code: 'quota-exceeded' })
    await all.ended(await all.accepted(create(byConfig('ob'))))

    let refused: unknown
    for (let at = 0; at < 49 && refused === undefined; at++) {
      const name = `ob-${at}-${'n'.repeat(80)}`
      const proxyroSecret = `/${'s'.repeat(200)}/${at}`
      const input = { rootservice: ['a:1'], obClusterId: 1, idcRegions: [], tags: {} }
      await all.plane.obClusters.put(ASKED, name, { ...input, proxyroSecret })
      await all.plane.clusters
        .link(ASKED, 'pc', name, { isDefault: false })
        .catch((error: unknown) => {
          refused = error
        })
      await all.settle()
    }
    expect(refused).toMatchObject({ code: 'quota-exceeded' })
    expect(all.held()).toEqual([])
    expect(all.store.all('operation').filter(({ phase }) => phase === 'FAILED')).toEqual([])
  })

  test('fails the operation of a node whose order has grown too long since, which frees all that it held', async () => {
    const all = await ScriptedPlane.withOrders(2)
    const id = await all.accepted(all.plane.clusters.restart(ASKED, 'orders', { mode: 'force' }))
    // Behind the plane's back: what is stored may be of a version that measured otherwise.
    const record = await all.store.get('obCluster', { name: 'ob' })
    if (record === null) throw new Error('it has no OB cluster')
    const rootservice = [...LONG_LIST, ...LONG_LIST]
    await all.store.commit([{ act: 'put', kind: 'obCluster', record: { ...record, rootservice } }])

    const ended = await all.ended(id)

    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'quota-exceeded' } })
    expect(all.held()).toEqual([])
  })
})
