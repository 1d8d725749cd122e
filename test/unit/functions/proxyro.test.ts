/** proxyro's password is replaced over a graph of clusters: nobody is shut out meanwhile, and back where it fails. */
import { describe, expect, test } from 'vitest'
import type { ClusterInput } from '../../../functions/domain/plane.ts'
import { DRY } from '../../support/planned-requests.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const OLD = '3.2.9.0-1'
const byList = (version?: string): Partial<ClusterInput['spec']> =>
  version === undefined ? {} : { version }
const byConfig = (...names: string[]): Partial<ClusterInput['spec']> => ({
  workMode: 'CONFIG_URL',
  links: names.map((obCluster, at) => ({ obCluster, default: at === 0 })),
})

async function obCluster(all: ScriptedPlane, name: string, proxyroSecret = '/ro'): Promise<void> {
  await all.plane.obClusters.put(ASKED, name, {
    rootservice: [`${name}.test:2881`],
    obClusterId: 1,
    idcRegions: [],
    proxyroSecret,
    tags: {},
  })
}

async function prepared(hosts: number): Promise<ScriptedPlane> {
  const all = new ScriptedPlane(hosts)
  await all.prepare()
  await all.plane.packages.create(ASKED, {
    fileName: `obproxy-${OLD}.linux.x86_64.tar.gz`,
    sha256: 'c'.repeat(64),
    sizeBytes: 10,
    url: 'spool:old',
  })
  return all
}

/** Two proxy clusters on `ob`, of two nodes and of one. */
async function twoClusters(): Promise<ScriptedPlane> {
  const all = await prepared(3)
  await all.running('one', [1, 2])
  await all.running('two', [3], byConfig('ob'))
  all.fleet.ran.length = 0
  return all
}

const rotate = (all: ScriptedPlane, name = 'ob', secret?: string) =>
  all.accepted(all.plane.obClusters.rotateProxyro(ASKED, name, secret))

const verbs = (all: ScriptedPlane) =>
  all.fleet.ran.map(line => line.split(' ')[1] + line.slice(line.indexOf('/')))

const slots = (all: ScriptedPlane, name = 'ob') =>
  [...all.fleet.hosts.values()].map(host => host.slots?.of.get(name) ?? host.slots?.of.get(''))

/** Sweeps until `isThere`. */
async function until(all: ScriptedPlane, isThere: () => boolean): Promise<void> {
  for (let left = 600; !isThere(); left--) {
    if (left === 0) throw new Error('it does not come to that')
    all.clock.pass(1_000)
    await all.engine.sweep(10)
  }
}

describe('a new password of proxyro', () => {
  test('is with every node before it is changed, and alone only when it was; the old one is kept as the caller has it', async () => {
    const all = await twoClusters()
    const { phase } = await all.ended(await rotate(all))

    expect(phase).toBe('SUCCEEDED')
    expect(verbs(all)).toEqual([
      'refresh/offer',
      'refresh/offer',
      'refresh/offer',
      'alter-proxyro/alter',
      'refresh/settle',
      'refresh/settle',
      'refresh/settle',
    ])
    const { proxyroSecret, proxyroChange, heldBy } = await all.plane.obClusters.get('ob')
    expect(proxyroSecret).toMatch(/^\/obfleet\/ob-clusters\/ob\/proxyro\/op_/)
    expect({ proxyroChange, heldBy }).toEqual({ proxyroChange: null, heldBy: null })
    expect(all.fleet.proxyro.get('ob')).toBe(proxyroSecret)
    expect(slots(all)).toEqual([[proxyroSecret], [proxyroSecret], [proxyroSecret]])
    expect(all.fleet.shutOut).toEqual([])
    expect(all.held()).toEqual([])
    expect(all.fleet.passwords.get(proxyroSecret)).toBe(1)
  })

  test('takes the place of one that the plane has made, which is forgotten unless another OB cluster names it', async () => {
    const all = await twoClusters()
    await all.ended(await rotate(all))
    const { proxyroSecret: second } = await all.plane.obClusters.get('ob')
    await obCluster(all, 'east', second)
    await all.ended(await rotate(all))
    const { proxyroSecret: third } = await all.plane.obClusters.get('ob')
    expect(all.fleet.passwords.has(second)).toBe(true)

    await all.ended(await rotate(all))

    expect(all.fleet.passwords.has(second)).toBe(true)
    expect(all.fleet.passwords.has(third)).toBe(false)
  })

  test('that the plane has made goes with its OB cluster', async () => {
    const all = await twoClusters()
    await all.ended(await rotate(all))
    for (const name of ['one', 'two']) {
      const { revision } = await all.plane.clusters.get(name)
      const asked = { confirm: name, revision, skipHostWork: false }
      await all.ended(await all.accepted(all.plane.clusters.remove(ASKED, name, asked)))
    }
    const { revision, proxyroSecret } = await all.plane.obClusters.get('ob')
    expect(all.fleet.passwords.has(proxyroSecret)).toBe(true)

    await all.plane.obClusters.remove(ASKED, 'ob', revision)

    expect([...all.fleet.passwords.keys()]).toEqual([])
  })

  test('of the caller is used by its name; one that is in use already is none', async () => {
    const all = await twoClusters()
    await all.ended(await rotate(all, 'ob', '/mine'))
    expect((await all.plane.obClusters.get('ob')).proxyroSecret).toBe('/mine')
    await expect(rotate(all, 'ob', '/mine')).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })

  test('is given to a node that stands at its next start', async () => {
    const all = await twoClusters()
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'one-2')))
    const id = await rotate(all)
    await all.ended(id)
    const { proxyroSecret } = await all.plane.obClusters.get('ob')
    expect(slots(all)[1]).toEqual(['/ro'])
    const told = (await all.plane.operations.steps(id)).find(({ name }) => name === 'children')
    expect(told?.output).toContain('one-2')

    await all.ended(await all.accepted(all.plane.nodes.start(ASKED, 'one-2')))

    expect(slots(all)[1]).toEqual([proxyroSecret])
    expect(all.fleet.shutOut).toEqual([])
  })

  test('reaches all OB clusters that proxies of family 3 join, and no others', async () => {
    const all = await prepared(3)
    for (const name of ['east', 'west']) await obCluster(all, name)
    await all.running('old', [1], { ...byConfig('ob', 'east'), ...byList(OLD) })
    await all.running('new', [2], byConfig('east', 'west'))

    await all.ended(await rotate(all))

    const secretOf = async (name: string) => (await all.plane.obClusters.get(name)).proxyroSecret
    const secret = await secretOf('ob')
    expect(secret).not.toBe('/ro')
    expect([await secretOf('east'), await secretOf('west')]).toEqual([secret, '/ro'])
    expect([...all.fleet.proxyro].sort()).toEqual([
      ['east', secret],
      ['ob', secret],
      ['west', '/ro'],
    ])
    expect(all.fleet.host(1).slots?.of).toEqual(new Map([['', [secret]]]))
    expect(all.fleet.host(2).slots?.of).toEqual(
      new Map([
        ['', [secret]],
        ['east', [secret]],
        ['west', ['/ro']],
      ]),
    )
    expect(all.fleet.shutOut).toEqual([])
  })
})

describe('a change that fails', () => {
  test('before anything was changed at the OB cluster leaves the old one, and the new one is forgotten', async () => {
    const all = await twoClusters()
    all.fleet.host(2).failing.add('refresh')
    const id = await rotate(all)
    await until(all, () => all.fleet.ran.some(line => line.startsWith(all.fleet.host(2).facts.id)))
    all.fleet.host(2).failing.clear()

    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })

    expect(verbs(all)).not.toContain('alter-proxyro/alter')
    expect(slots(all)).toEqual([['/ro'], ['/ro'], ['/ro']])
    expect((await all.plane.obClusters.get('ob')).proxyroSecret).toBe('/ro')
    expect([...all.fleet.passwords.keys()].filter(name => name.includes('proxyro'))).toEqual([])
    expect(all.held()).toEqual([])
  })

  test('where it is refused at the OB cluster goes back on all nodes, and can be tried again', async () => {
    const all = await twoClusters()
    all.fleet.unalterable.add('ob')
    const id = await rotate(all)

    const ended = await all.ended(id)
    expect(ended).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(ended.error?.detail).toContain('proxyro.not-changed')
    expect(slots(all)).toEqual([['/ro'], ['/ro'], ['/ro']])

    all.fleet.unalterable.clear()
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    const { proxyroSecret } = await all.plane.obClusters.get('ob')
    expect(slots(all)).toEqual([[proxyroSecret], [proxyroSecret], [proxyroSecret]])
    expect(all.fleet.shutOut).toEqual([])
  })

  test('after it goes back at the OB cluster first, then on nodes, and shuts nobody out', async () => {
    const all = await twoClusters()
    const id = await rotate(all)
    await until(all, () => verbs(all).includes('alter-proxyro/alter'))
    all.fleet.host(3).failing.add('refresh')
    await until(all, () => verbs(all).filter(each => each === 'refresh/settle').length === 3)
    all.fleet.host(3).failing.clear()

    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })

    const back = verbs(all).slice(verbs(all).lastIndexOf('refresh/settle') + 1)
    expect(back).toEqual([
      'refresh/offer',
      'refresh/offer',
      'refresh/offer',
      'alter-proxyro/restore',
      'refresh/refresh',
      'refresh/refresh',
      'refresh/refresh',
    ])
    expect(all.fleet.proxyro.get('ob')).toBe('/ro')
    expect(slots(all)).toEqual([['/ro'], ['/ro'], ['/ro']])
    expect(all.fleet.shutOut).toEqual([])
  })

  test('and whose way back fails leaves both with everybody, until it is tried again', async () => {
    const all = await twoClusters()
    const id = await rotate(all)
    await until(all, () => verbs(all).includes('alter-proxyro/alter'))
    all.fleet.host(3).failing.add('refresh')

    expect(await all.ended(id)).toMatchObject({ phase: 'FAILED' })

    const half = await all.plane.obClusters.get('ob')
    expect(half).toMatchObject({ proxyroSecret: '/ro', heldBy: null })
    expect(half.proxyroChange).toMatchObject({ operationId: id })
    for (const attempt of [
      rotate(all),
      all.plane.clusters.create(ASKED, all.input('late', [])),
      all.plane.clusters.unlink(ASKED, 'two', 'ob'),
    ])
      await expect(attempt).rejects.toMatchObject({
        code: 'password-change-in-progress',
        details: { conflict: { operationId: id } },
      })
    all.fleet.host(3).failing.clear()
    // What is restarted meanwhile has both.
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'one-1')))
    await all.ended(await all.accepted(all.plane.nodes.start(ASKED, 'one-1')))
    expect(slots(all)[0]).toHaveLength(2)

    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await all.plane.obClusters.get('ob')).proxyroChange).toBeNull()
    expect(new Set(slots(all).map(each => each?.length))).toEqual(new Set([1]))
    expect(all.fleet.shutOut).toEqual([])
  })

  async function removed(all: ScriptedPlane, name: string): Promise<void> {
    const { revision } = await all.plane.nodes.get(name)
    const asked = { revision, skipHostWork: false, isForced: true }
    await all.ended(await all.accepted(all.plane.nodes.remove(ASKED, name, asked)))
  }

  /** Deletes the node that was the last to change the password; its host leaves no trace. */
  async function withoutAlterer(all: ScriptedPlane): Promise<void> {
    const [hostId = ''] = all.fleet.ran.findLast(line => line.includes('alter'))?.split(' ') ?? []
    const node = all.store.all('node').find(each => each.hostId === hostId)
    if (node === undefined) throw new Error('nobody has changed it')
    await removed(all, node.name)
    all.fleet.hosts.delete(hostId)
    all.fleet.ran.length = 0
  }

  /** A change whose way back has failed, so that either password may count; who changed it is deleted. */
  async function half(): Promise<{ readonly all: ScriptedPlane; readonly id: string }> {
    const all = await twoClusters()
    const id = await rotate(all)
    await until(all, () => verbs(all).includes('alter-proxyro/alter'))
    all.fleet.host(2).failing.add('refresh')
    expect(await all.ended(id)).toMatchObject({ phase: 'FAILED' })
    all.fleet.host(2).failing.clear()
    await withoutAlterer(all)
    return { all, id }
  }

  /** At the OB cluster and on every node there is one password alone. */
  function expectAlone(all: ScriptedPlane, secret: string): void {
    expect(all.fleet.proxyro.get('ob')).toBe(secret)
    expect(new Set(slots(all).map(each => each?.join()))).toEqual(new Set([secret]))
    expect(all.fleet.shutOut).toEqual([])
    expect(all.held()).toEqual([])
  }

  test('and whose node that changes the password is deleted is tried again from another one', async () => {
    const { all, id } = await half()
    const dry = await all.plane.operations.retry(DRY, id)
    const steps =
      dry.kind === 'planned' ? dry.plan.procedures.items.flatMap(each => each.steps) : []
    expect(steps.filter(({ name }) => name === 'alter')).toHaveLength(1)

    await all.plane.operations.retry(ASKED, id)

    const done = await all.ended(id)
    expect(done, JSON.stringify([done.error, all.fleet.ran])).toMatchObject({ phase: 'SUCCEEDED' })
    expect(verbs(all).filter(each => each.startsWith('alter'))).toEqual(['alter-proxyro/alter'])
    const { proxyroSecret, proxyroChange } = await all.plane.obClusters.get('ob')
    expect([proxyroSecret === '/ro', proxyroChange]).toEqual([false, null])
    expectAlone(all, proxyroSecret)
  })

  test('goes back on request from another node, where the one that did it is deleted', async () => {
    const all = await twoClusters()
    const id = await rotate(all, 'ob', '/mine')
    await all.ended(id)
    await withoutAlterer(all)

    await all.plane.operations.rollback(ASKED, id)

    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expectAlone(all, '/ro')
  })

  test('and that no node is left for says who could be started, and how it is ended by hand', async () => {
    const { all, id } = await half()
    const left = all.store.all('node').map(({ name }) => name)
    for (const name of left) await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, name)))
    const remedy = new RegExp(
      `^start one of ${left.sort().join(', ')}, or .*PUT /v1/ob-clusters/ob`,
    )
    await expect(all.plane.operations.retry(ASKED, id)).rejects.toMatchObject({
      code: 'operation-not-allowed',
      details: { remedy: expect.stringMatching(remedy) },
    })

    for (const name of left) await all.ended(await all.accepted(all.plane.nodes.start(ASKED, name)))
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('goes back on request as long as the password before is kept', async () => {
    const all = await twoClusters()
    const first = await rotate(all, 'ob', '/mine')
    await all.ended(first)
    await all.plane.operations.rollback(ASKED, first)
    expect(await all.ended(first)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(all.fleet.proxyro.get('ob')).toBe('/ro')
    expect(slots(all)).toEqual([['/ro'], ['/ro'], ['/ro']])
    expect(all.fleet.shutOut).toEqual([])

    await all.ended(await rotate(all))
    const second = await rotate(all)
    await all.ended(second)
    await expect(all.plane.operations.rollback(ASKED, second)).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })
})

describe('a change is refused', () => {
  test('while another one runs, or anything it reaches is at work, naming who', async () => {
    const all = await twoClusters()
    const stop = await all.accepted(all.plane.nodes.stop(ASKED, 'two-1'))
    await expect(rotate(all)).rejects.toMatchObject({
      code: 'node-state-conflict',
      details: { conflict: { operationId: stop } },
    })
    await all.settle()
    const id = await rotate(all)
    const held = { code: 'password-change-in-progress', details: { conflict: { operationId: id } } }
    await expect(rotate(all)).rejects.toMatchObject(held)
    await expect(all.plane.clusters.stop(ASKED, 'one', {})).rejects.toMatchObject(held)
    await expect(all.plane.nodes.start(ASKED, 'two-1')).rejects.toMatchObject(held)
    await expect(obCluster(all, 'ob')).rejects.toMatchObject({ code: 'revision-stale' })
    const { revision } = await all.plane.obClusters.get('ob')
    await expect(all.plane.obClusters.remove(ASKED, 'ob', revision)).rejects.toMatchObject(held)
    await all.settle()
    expect(all.fleet.shutOut).toEqual([])
  })

  test('where no node runs that could change it, or nothing is known of the OB cluster', async () => {
    const all = await prepared(1)
    await expect(rotate(all)).rejects.toMatchObject({ code: 'operation-not-allowed' })
    await expect(rotate(all, 'nowhere')).rejects.toMatchObject({ code: 'not-found' })
  })

  test('for proxies that are too old, and where one would need two passwords', async () => {
    const all = await prepared(2)
    const ancient = '3.1.9.0-1'
    await all.plane.packages.create(ASKED, {
      fileName: `obproxy-${ancient}.linux.x86_64.tar.gz`,
      sha256: 'd'.repeat(64),
      sizeBytes: 10,
      url: 'spool:ancient',
    })
    await all.running('ancient', [1], byList(ancient))
    await expect(rotate(all)).rejects.toMatchObject({ code: 'version-too-low' })

    await obCluster(all, 'east', '/other')
    const input = all.input('old', [2], { ...byConfig('ob', 'east'), version: OLD })
    await expect(all.plane.clusters.create(ASKED, input)).rejects.toMatchObject({
      code: 'proxyro-mismatch',
    })
  })

  test('when it would reach more than one transaction can hold', async () => {
    const all = await prepared(1)
    await all.running('first', [1])
    for (let at = 0; at < 90; at++) await all.plane.clusters.create(ASKED, all.input(`c${at}`, []))
    await all.settle()
    await expect(rotate(all)).rejects.toMatchObject({ code: 'quota-exceeded' })
  })
})
