import { beforeEach, describe, expect, test } from 'vitest'
import type { ClusterInput } from '../../../functions/domain/plane.ts'
import { askable } from '../../support/config-service.ts'
import { DRY } from '../../support/planned-requests.ts'
import { ASKED, CONFIG_SERVICE, ScriptedPlane, VERSION } from '../../support/scripted-plane.ts'

let all: ScriptedPlane

beforeEach(async () => {
  all = new ScriptedPlane(3)
  await all.prepare()
  for (const [name, proxyroSecret] of [
    ['west', '/ro'],
    ['north', '/ro-north'],
    ['south', '/ro-south'],
  ] as const)
    await all.plane.obClusters.put(ASKED, name, {
      rootservice: ['127.0.3.1:2881'],
      obClusterId: 1,
      idcRegions: [],
      proxyroSecret,
      tags: {},
    })
})

const input = (hosts: readonly number[], links: readonly string[]): ClusterInput => {
  const base = all.input('pc', hosts)
  return {
    ...base,
    spec: {
      ...base.spec,
      workMode: 'CONFIG_URL',
      links: links.map((obCluster, index) => ({ obCluster, default: index === 0 })),
    },
  }
}
const made = async (hosts: readonly number[], links: readonly string[]) => {
  const id = await all.accepted(all.plane.clusters.create(ASKED, input(hosts, links)))
  expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
}
const linksOf = async () => (await all.plane.clusters.get('pc')).spec.links
const counts = () =>
  Object.fromEntries(all.store.all('obCluster').map(({ name, linkCount }) => [name, linkCount]))
const code = (asked: Promise<unknown>) =>
  asked.then(
    () => 'done',
    (error: { readonly code: string }) => error.code,
  )
/** What the service answers with the newest token, or with the `back`-th before. */
const served = async (back = 0) => {
  const [cluster] = all.store.all('cluster')
  const number = (cluster?.configToken?.number ?? 0) - back
  const { ask } = askable(all.store, all.clock)
  // As the scripted fleet makes them.
  const token = encodeURIComponent(`/obfleet/clusters/pc/config-token-${number}#1`)
  const said = await ask(`Action=GetObProxyConfig&ObproxyClusterName=pc&Token=${token}`)
  if (!said.Success) return said.status
  return said.Data.ObRootServiceInfoUrlList?.map(({ ObRegion }) => ObRegion)
}

describe('a cluster of work mode CONFIG_URL', () => {
  test('has nodes that are told a URL and where its token is, never the token', async () => {
    await made([1], ['ob', 'north'])

    expect(all.fleet.host(1).slots?.of).toEqual(
      new Map([
        ['', ['/ro']],
        ['ob', ['/ro']],
        ['north', ['/ro-north']],
      ]),
    )
    expect(all.fleet.told.at(-1)).toEqual({
      configUrl: `${CONFIG_SERVICE}/services?Action=GetObProxyConfig&ObproxyClusterName=pc`,
      tokenSecret: '/obfleet/clusters/pc/config-token-1',
      proxyroSecrets: ['/ro'],
    })
    expect((await all.plane.clusters.get('pc')).config).toEqual({
      url: `${CONFIG_SERVICE}/services?Action=GetObProxyConfig&ObproxyClusterName=pc`,
      tokenSecret: '/obfleet/clusters/pc/config-token-1',
    })
  })

  test('is not made where proxyro is not let in by an OB cluster; nothing is started', async () => {
    all.fleet.proxyro.set('north', '/another')
    const id = await all.accepted(all.plane.clusters.create(ASKED, input([1, 2], ['ob', 'north'])))

    const { phase, error } = await all.ended(id)
    expect([phase, error?.code]).toEqual(['FAILED', 'link-check-failed'])
    expect([1, 2].map(index => all.fleet.host(index).status)).toEqual(['STOPPED', 'STOPPED'])

    all.fleet.proxyro.set('north', '/ro-north')
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('may begin without links and nodes, and is answered for', async () => {
    await made([], [])

    expect(await served()).toEqual([])
  })

  test('is answered with its links, the default first', async () => {
    await made([1], ['west', 'ob'])

    expect(await served()).toEqual(['west', 'ob'])
    expect(counts()).toEqual({ ob: 1, west: 1, north: 0, south: 0 })
  })

  test('goes with its tokens and its links', async () => {
    await made([], ['ob', 'west'])
    const { revision } = await all.plane.clusters.get('pc')
    await all.ended(
      await all.accepted(
        all.plane.clusters.remove(ASKED, 'pc', { confirm: 'pc', revision, skipHostWork: false }),
      ),
    )

    expect(counts()).toEqual({ ob: 0, west: 0, north: 0, south: 0 })
    expect([...all.fleet.passwords.keys()].filter(name => name.includes('config-token'))).toEqual(
      [],
    )
  })

  test('has a password of proxyro for each OB cluster', async () => {
    expect(await code(all.plane.clusters.create(ASKED, input([], ['ob', 'north', 'south'])))).toBe(
      'done',
    )
  })
})

describe('a link', () => {
  test('is added while nodes run: tried on one, then answered, then each node told, none restarted', async () => {
    await made([1, 2], ['ob'])
    all.fleet.ran.length = 0
    const answered: unknown[] = []
    all.fleet.obeyed = (_verb, { step, proxyro = [] }) => {
      const cluster = all.store.all('cluster').find(({ name }) => name === 'pc')
      const links = cluster?.linksServed ?? cluster?.spec.links ?? []
      answered.push([step, proxyro.map(({ obCluster, to }) => [obCluster, to]), links.length])
    }

    const id = await all.accepted(
      all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false }),
    )
    expect(await served()).toEqual(['ob'])
    expect(await all.ended(id)).toMatchObject({ type: 'change-links', phase: 'SUCCEEDED' })

    expect(await served()).toEqual(['ob', 'west'])
    expect(await linksOf()).toEqual([
      { obCluster: 'ob', default: true },
      { obCluster: 'west', default: false },
    ])
    expect(answered).toEqual([
      ['try', [['west', '/ro']], 1],
      ['refresh', [], 2],
      ['refresh', [], 2],
    ])
    expect(all.fleet.ran.map(line => line.split(' ')[1])).toEqual(Array(3).fill('refresh'))
    // A config service answers with what it has read within the last second.
    const steps = all.store.all('step').filter(({ name }) => ['publish', 'refresh'].includes(name))
    const published = steps.find(({ name }) => name === 'publish')?.endedAt ?? 0
    for (const step of steps.filter(({ name }) => name === 'refresh'))
      expect((step.endedAt ?? 0) - published).toBeGreaterThan(1_000)
    expect(counts()).toMatchObject({ ob: 1, west: 1 })
    expect(all.held()).toEqual([])
  })

  test('that proxyro is not let in by is never answered, and gone again; once it is let in, a retry adds it', async () => {
    await made([1, 2], ['ob'])
    all.fleet.proxyro.set('north', '/another')
    const before = [await linksOf(), counts(), all.fleet.host(1).slots?.of]

    const id = await all.accepted(
      all.plane.clusters.link(ASKED, 'pc', 'north', { isDefault: true }),
    )
    const { phase, error } = await all.ended(id)

    expect([phase, error?.code]).toEqual(['ROLLED_BACK', 'link-check-failed'])
    expect(error?.detail).toContain('proxyro.refused')
    expect(await served()).toEqual(['ob'])
    expect([await linksOf(), counts(), all.fleet.host(1).slots?.of]).toEqual(before)
    expect(all.held()).toEqual([])

    all.fleet.proxyro.set('north', '/ro-north')
    await all.plane.operations.retry(ASKED, id)
    expect(await served()).toEqual(['ob'])
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await served()).toEqual(['north', 'ob'])
    expect(counts()).toMatchObject({ ob: 1, north: 1 })
  })

  const OLD = '3.2.9.0-1'

  /** A cluster of family 3, and an OB cluster that will tell that it is of 4. */
  async function oldCluster(): Promise<void> {
    await all.plane.packages.create(ASKED, {
      fileName: `obproxy-${OLD}.linux.x86_64.tar.gz`,
      sha256: 'c'.repeat(64),
      sizeBytes: 10,
      url: 'spool:old',
    })
    const { spec, ...rest } = input([1], ['ob'])
    const old = { ...rest, spec: { ...spec, version: OLD } }
    await all.ended(await all.accepted(all.plane.clusters.create(ASKED, old)))
    all.fleet.obVersions.set('west', '4.3.5.1')
  }

  test('to an OB cluster that says it is too new for its proxies is none, and is refused at once then', async () => {
    await oldCluster()
    const link = () => all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false })

    const { phase, error } = await all.ended(await all.accepted(link()))

    expect([phase, error?.code]).toEqual(['ROLLED_BACK', 'version-incompatible'])
    expect(error?.detail).toContain('west is of version 4.3.5.1')
    expect((await linksOf()).map(each => each.obCluster)).toEqual(['ob'])
    expect((await all.plane.obClusters.get('west')).obVersion).toBe('4.3.5.1')
    expect(counts()).toMatchObject({ west: 0 })
    for (const asked of [ASKED, DRY])
      await expect(
        all.plane.clusters.link(asked, 'pc', 'west', { isDefault: false }),
      ).rejects.toMatchObject({ code: 'version-incompatible' })
    const { spec, ...rest } = input([2], ['west'])
    const other = { ...rest, name: 'other', spec: { ...spec, version: OLD } }
    await expect(all.plane.clusters.create(ASKED, other)).rejects.toMatchObject({
      code: 'version-incompatible',
    })
  })

  /** The OB cluster is found to be too new after the old cluster was linked to it. */
  async function grownUnder(name: string): Promise<void> {
    await oldCluster()
    all.fleet.obVersions.set(name, '4.2.1.0')
    const { spec, ...rest } = input([2], [name])
    await all.ended(
      await all.accepted(all.plane.clusters.create(ASKED, { ...rest, name: 'new', spec })),
    )
    expect((await all.plane.obClusters.get(name)).obVersion).toBe('4.2.1.0')
  }

  test('that is there and does not fit any more can be left for another one', async () => {
    await grownUnder('ob')
    all.fleet.obVersions.delete('west')
    const west = all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: true })

    expect(await all.ended(await all.accepted(west))).toMatchObject({ phase: 'SUCCEEDED' })
    const gone = all.plane.clusters.unlink(ASKED, 'pc', 'ob')
    expect(await all.ended(await all.accepted(gone))).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await linksOf()).map(({ obCluster }) => obCluster)).toEqual(['west'])
  })

  test('made since an upgrade keeps proxies from going back to a version that does not reach it', async () => {
    await oldCluster()
    const asked = { mode: 'force', version: VERSION, confirm: 'pc' } as const
    const upgraded = await all.accepted(all.plane.clusters.upgrade(ASKED, 'pc', asked))
    expect(await all.ended(upgraded)).toMatchObject({ phase: 'SUCCEEDED' })
    const west = all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false })
    expect(await all.ended(await all.accepted(west))).toMatchObject({ phase: 'SUCCEEDED' })
    for (const by of [ASKED, DRY])
      expect(await code(all.plane.operations.rollback(by, upgraded))).toBe('version-incompatible')

    const gone = all.plane.clusters.unlink(ASKED, 'pc', 'west')
    await all.ended(await all.accepted(gone))
    await all.plane.operations.rollback(ASKED, upgraded)
    expect(await all.ended(upgraded)).toMatchObject({ phase: 'ROLLED_BACK' })
  })

  test('of a new cluster fails with its first node, when its OB cluster says that it is too new', async () => {
    await oldCluster()
    const { spec, ...rest } = input([2], ['west'])
    const other = { ...rest, name: 'other', spec: { ...spec, version: OLD } }
    const id = await all.accepted(all.plane.clusters.create(ASKED, other))
    expect(await all.ended(id)).toMatchObject({
      phase: 'FAILED',
      error: { code: 'version-incompatible' },
    })
  })

  test('keeps what the OB cluster says it is, until its servers are others', async () => {
    await made([1], ['ob'])
    const versionOf = async () => (await all.plane.obClusters.get('west')).obVersion
    all.fleet.obVersions.set('west', '4.3.5.1')
    expect(await versionOf()).toBeNull()
    const added = all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false })
    expect(await all.ended(await all.accepted(added))).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await versionOf()).toBe('4.3.5.1')
    const { revision } = await all.plane.obClusters.get('west')
    const servers = { rootservice: ['127.0.3.9:2881'], obClusterId: 1, idcRegions: [], tags: {} }
    await all.plane.obClusters.put(ASKED, 'west', { ...servers, proxyroSecret: '/ro' }, revision)
    expect(await versionOf()).toBeNull()
  })

  test('that is not tried yet is none when its operation is cancelled', async () => {
    await made([1, 2], ['ob'])
    const id = await all.accepted(
      all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false }),
    )
    await all.plane.operations.cancel(ASKED, id)

    expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED' })
    expect(await served()).toEqual(['ob'])
    expect(await linksOf()).toEqual([{ obCluster: 'ob', default: true }])
    expect(counts()).toMatchObject({ west: 0 })
  })

  test('that was added is put back: not answered, its row gone from nodes, its OB cluster free to go', async () => {
    await made([1, 2], ['ob'])
    const id = await all.accepted(
      all.plane.clusters.link(ASKED, 'pc', 'north', { isDefault: true }),
    )
    await all.ended(id)
    expect(all.fleet.host(2).slots?.of.has('north')).toBe(true)

    await all.plane.operations.rollback(ASKED, id)

    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(await served()).toEqual(['ob'])
    expect(all.fleet.host(2).slots?.of.has('north')).toBe(false)
    expect(counts()).toMatchObject({ north: 0 })
  })

  test('that was deleted is put back with its account; not once its OB cluster is gone', async () => {
    await made([1], ['ob', 'west', 'north'])
    const account = { user: 'gate', tenant: 'app', passwordSecret: '/apps/gate' }
    const { link, unlink } = all.plane.clusters
    await link(ASKED, 'pc', 'west', { isDefault: false, probeAccount: account })
    const before = await linksOf()
    const id = await all.accepted(unlink(ASKED, 'pc', 'west'))
    await all.ended(id)

    await all.plane.operations.rollback(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(await linksOf()).toEqual(before)
    expect(await served()).toEqual(['ob', 'west', 'north'])
    expect(counts()).toMatchObject({ west: 1 })

    await all.plane.operations.retry(ASKED, id)
    await all.ended(id)
    expect(counts()).toMatchObject({ west: 0 })
    const { revision } = await all.plane.obClusters.get('west')
    await all.plane.obClusters.remove(ASKED, 'west', revision)
    expect(await code(all.plane.operations.rollback(ASKED, id))).toBe('not-found')
  })

  test('is not put back over what was changed since', async () => {
    await made([1], ['ob'])
    const { link } = all.plane.clusters
    const id = await all.accepted(link(ASKED, 'pc', 'west', { isDefault: false }))
    await all.ended(id)
    await all.ended(await all.accepted(link(ASKED, 'pc', 'north', { isDefault: false })))

    expect(await code(all.plane.operations.rollback(ASKED, id))).toBe('operation-not-allowed')
  })

  test('whose deletion a node does not take is there again, and its OB cluster stays meanwhile', async () => {
    await made([1, 2], ['ob', 'west'])
    all.fleet.host(2).failing.add('refresh/refresh')
    all.fleet.obeyed = (_verb, { step, operationId }) => {
      if (step === 'refresh' && all.fleet.ran.at(-1)?.includes(operationId) !== true)
        expect(counts()).toMatchObject({ west: 1 })
    }
    const id = await all.accepted(all.plane.clusters.unlink(ASKED, 'pc', 'west'))
    await all.settle()

    expect(await all.plane.operations.get(id)).toMatchObject({ phase: 'FAILED' })
    expect(await served()).toEqual(['ob', 'west'])
    expect(counts()).toMatchObject({ west: 1 })
  })

  test('is added to stopped nodes without starting them', async () => {
    await made([1], ['ob'])
    await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'pc', {})))

    const outcome = await all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false })

    expect(outcome.kind).toBe('done')
    expect(await served()).toEqual(['ob', 'west'])
  })

  test('that is there is no work, and counted once', async () => {
    await made([1], ['ob'])

    expect(await all.plane.clusters.link(ASKED, 'pc', 'ob', { isDefault: false })).toMatchObject({
      kind: 'done',
    })
    expect(counts()).toMatchObject({ ob: 1 })
  })

  test('becomes the default, and only one is', async () => {
    await made([], ['ob', 'west'])

    await all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: true })

    expect(await served()).toEqual(['west', 'ob'])
    expect((await linksOf()).filter(link => link.default)).toHaveLength(1)
  })

  test('is the default when it is the first', async () => {
    await made([], [])

    await all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false })

    expect(await linksOf()).toEqual([{ obCluster: 'west', default: true }])
  })

  test('is deleted: not answered any more, the OB cluster free to go', async () => {
    await made([1], ['ob', 'west'])

    await all.ended(await all.accepted(all.plane.clusters.unlink(ASKED, 'pc', 'west')))

    expect(await served()).toEqual(['ob'])
    expect(counts()).toMatchObject({ west: 0 })
    expect(await all.plane.clusters.unlink(ASKED, 'pc', 'west')).toMatchObject({ kind: 'done' })
  })

  test('that is the default goes last', async () => {
    await made([], ['ob', 'west'])

    expect(await code(all.plane.clusters.unlink(ASKED, 'pc', 'ob'))).toBe('in-use')
    await all.plane.clusters.unlink(ASKED, 'pc', 'west')
    await all.plane.clusters.unlink(ASKED, 'pc', 'ob')

    expect(await served()).toEqual([])
  })

  test('that cannot be is refused', async () => {
    await made([], ['ob', 'north'])
    const { link } = all.plane.clusters

    expect(await code(link(ASKED, 'pc', 'nowhere', { isDefault: false }))).toBe('not-found')
    expect(await code(link(ASKED, 'nobody', 'ob', { isDefault: false }))).toBe('not-found')
  })

  test('of a cluster of RS_LIST is given when that is made, and stays', async () => {
    await all.running('lists', [3])

    expect(await code(all.plane.clusters.link(ASKED, 'lists', 'west', { isDefault: false }))).toBe(
      'operation-not-allowed',
    )
    expect(await code(all.plane.clusters.unlink(ASKED, 'lists', 'ob'))).toBe(
      'operation-not-allowed',
    )
  })

  test('of a cluster that something else holds waits', async () => {
    await made([1], ['ob'])
    await all.accepted(all.plane.clusters.restart(ASKED, 'pc', { mode: 'force' }))

    expect(await code(all.plane.clusters.link(ASKED, 'pc', 'west', { isDefault: false }))).toBe(
      'cluster-state-conflict',
    )
  })
})

describe('a token', () => {
  test('is replaced twice before the first opens no more', async () => {
    await made([1], ['ob'])
    all.clock.pass(2_000)

    await all.plane.clusters.rotateConfigToken(ASKED, 'pc')
    expect([await served(), await served(1)]).toEqual([['ob'], ['ob']])
    await all.plane.clusters.rotateConfigToken(ASKED, 'pc')

    expect([await served(), await served(1), await served(2)]).toEqual([['ob'], ['ob'], 401])
  })

  test('is nowhere in the table', async () => {
    await made([1], ['ob'])

    expect(JSON.stringify(all.store.all('cluster'))).not.toContain('config-token-1#1')
  })

  test('of RootService is made on demand', async () => {
    expect((await all.plane.obClusters.get('ob')).registration).toBeNull()

    const { value } = await all.plane.obClusters.rotateToken(ASKED, 'ob')

    expect(value.registration).toEqual({
      url: `${CONFIG_SERVICE}/services?Action=ObRootServiceInfo&ObRegion=ob`,
      tokenSecret: '/obfleet/ob-clusters/ob/rootservice-token-1',
    })
  })
})

describe('the account by which gates log in', () => {
  const account = { user: 'gate', tenant: 'app', passwordSecret: '/apps/gate' }
  const probes = (all: ScriptedPlane) =>
    all.fleet.checks.map(({ probe }) => probe?.map(({ user, cluster }) => `${user}#${cluster}`))

  test('of a link is set at once, in any work mode, and no node is told', async () => {
    const all = await ScriptedPlane.withOrders(1)
    const put = (probeAccount: typeof account | null) =>
      all.plane.clusters.link(ASKED, 'orders', 'ob', { isDefault: false, probeAccount })
    expect(await put(account)).toMatchObject({ kind: 'done' })
    const { spec, generation } = await all.plane.clusters.get('orders')
    expect(spec.links).toEqual([{ obCluster: 'ob', default: true, probeAccount: account }])
    await put(account)
    await all.plane.clusters.link(ASKED, 'orders', 'ob', { isDefault: true })
    expect(await all.plane.clusters.get('orders')).toMatchObject({ generation, spec })
    await put(null)
    expect((await all.plane.clusters.get('orders')).spec.links).toEqual([
      { obCluster: 'ob', default: true },
    ])
    expect(all.fleet.sends).toEqual([])
    expect(all.store.all('audit').filter(({ action }) => action === 'replace-link')).toHaveLength(2)
  })

  test('is what nodes log in by, before a change and after it', async () => {
    const all = await ScriptedPlane.withOrders(1)
    await all.plane.clusters.link(ASKED, 'orders', 'ob', {
      isDefault: false,
      probeAccount: account,
    })
    const rollout = { bakeMs: 0, canaryBakeMs: 0 }
    const restart = all.plane.clusters.restart(ASKED, 'orders', { mode: 'hot', rollout })
    await all.ended(await all.accepted(restart))
    expect(probes(all)).toEqual([['gate@app#ob'], ['gate@app#ob']])
    expect(all.fleet.checks[0]?.probe?.[0]?.passwordSecret).toBe('/apps/gate')
  })

  test('is not changed while an operation holds the cluster', async () => {
    const all = await ScriptedPlane.withOrders(1)
    await all.accepted(all.plane.clusters.restart(ASKED, 'orders', { mode: 'hot' }))
    const put = all.plane.clusters.link(ASKED, 'orders', 'ob', {
      isDefault: false,
      probeAccount: account,
    })
    expect(await code(put)).toBe('cluster-state-conflict')
  })
})
