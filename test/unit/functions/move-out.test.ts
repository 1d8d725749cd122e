/** A cluster is moved out: who is let go of, what is left behind, and making it again from that. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { documentOf } from '../../../functions/domain/moved-out.ts'
import type { ExportedNode } from '../../../functions/domain/moved-out-record.ts'
import { planOf } from '../../../functions/domain/plan.ts'
import type { MoveOutInput } from '../../../functions/domain/plane.ts'
import { clusterInput, clusterInputSchema } from '../../../functions/routes/clusters.ts'
import { movedOutJson, movedOutSchema } from '../../../functions/routes/moved-out-result.ts'
import { takeOverInput, takeOverSchema } from '../../../functions/routes/take-over.ts'
import { askable } from '../../support/config-service.ts'
import { GROUP_ARN } from '../../support/scripted-balancer.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const DAY_MS = 24 * 3_600_000
const BALANCED = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' } as const

let all: ScriptedPlane

beforeEach(() => {
  all = new ScriptedPlane(3)
})

const asked = (more: Partial<MoveOutInput> = {}): MoveOutInput => ({
  confirm: 'c',
  skipHostWork: [],
  graceMs: 7 * DAY_MS,
  ...more,
})

const moveOut = (more: Partial<MoveOutInput> = {}, ref = 'c') =>
  all.plane.clusters.moveOut(ASKED, ref, asked(more))

/** Its operation at its end. */
async function movedOut(more: Partial<MoveOutInput> = {}) {
  return all.ended(await all.accepted(moveOut(more)))
}

async function refusal(doing: Promise<unknown>) {
  return doing.then(
    () => ({ code: 'none' }),
    (error: { code: string; message: string; details: object }) => error,
  )
}

describe('a cluster that is moved out', () => {
  test('has every node released, in one command, and is gone', async () => {
    await all.running('c', [1, 2])
    all.fleet.ran.length = 0
    all.fleet.sends.length = 0
    const id = await all.accepted(moveOut())
    expect((await all.plane.clusters.get('c')).phase).toBe('MOVING_OUT')

    expect((await all.ended(id)).phase).toBe('SUCCEEDED')

    expect(all.fleet.ran.map(line => line.split(' ')[1])).toEqual(['release', 'release'])
    expect(all.fleet.sends).toHaveLength(1)
    expect(all.store.all('node')).toEqual([])
    expect(all.store.all('report')).toEqual([])
    expect(await refusal(all.plane.clusters.get('c'))).toMatchObject({ code: 'not-found' })
    expect(await all.plane.obClusters.get('ob')).toBeDefined()
    expect(all.store.all('obCluster')).toMatchObject([{ linkCount: 0 }])
  })

  test('writes down what it was before the first node is let go of', () => {
    expect(planOf('move-out')).toEqual(['export', 'children', 'run', 'forget'])
  })

  test('leaves its nodes in the balancer', async () => {
    await all.running('c', [1, 2], { loadBalancer: BALANCED })
    const before = all.balancer.states()
    const calls = all.balancer.calls.length
    expect((await movedOut()).phase).toBe('SUCCEEDED')
    expect(all.balancer.states()).toEqual(before)
    expect(all.balancer.calls.slice(calls)).toEqual([])
  })

  test('leaves the password that its proxies have, and a new one of that name gets another', async () => {
    await all.running('c', [1])
    await movedOut()
    const left = '/obfleet/clusters/c/proxysys'
    expect([...all.fleet.passwords]).toEqual([[left, 1]])

    await all.running('c', [2])

    expect(all.fleet.passwords.get(left)).toBe(1)
    expect((await all.plane.clusters.get('c')).spec.sysPasswordSecret).toBe(`${left}/1`)
    await movedOut()
    await all.running('c', [3])
    expect((await all.plane.clusters.get('c')).spec.sysPasswordSecret).toBe(`${left}/2`)
  })

  test('was moved out already: nothing is left to do, by name and by id', async () => {
    const id = await all.running('c', [1])
    await movedOut()
    expect(await moveOut()).toMatchObject({ kind: 'done' })
    expect(await moveOut({}, id)).toMatchObject({ kind: 'done' })
    expect(await refusal(moveOut({ confirm: 'd' }, 'd'))).toMatchObject({ code: 'not-found' })
  })

  test('refuses everything else meanwhile', async () => {
    await all.running('c', [1])
    await all.accepted(moveOut())
    const conflict = {
      code: 'cluster-state-conflict',
      details: { conflict: { holder: 'move-out' } },
    }
    expect(await refusal(moveOut())).toMatchObject(conflict)
    expect(await refusal(all.plane.clusters.stop(ASKED, 'c', {}))).toMatchObject(conflict)
    expect(await refusal(all.plane.nodes.restart(ASKED, 'c-1', { mode: 'hot' }))).toMatchObject(
      conflict,
    )
  })
})

describe('a move out is refused', () => {
  test('without the name', async () => {
    await all.running('c', [1])
    expect(await refusal(moveOut({ confirm: 'd' }))).toMatchObject({
      code: 'confirmation-required',
    })
  })

  test('of a cluster that is protected', async () => {
    await all.running('c', [1], { deletionProtection: true })
    expect(await refusal(moveOut())).toMatchObject({ code: 'deletion-protected' })
  })

  test('of a cluster without nodes, which is to be deleted', async () => {
    await all.running('c', [])
    expect(await refusal(moveOut())).toMatchObject({
      code: 'cluster-state-conflict',
      details: { remedy: 'delete it' },
    })
  })

  test.each([
    ['stopped', 'STOPPED', () => all.plane.nodes.stop(ASKED, 'c-2')],
    ['out of reach', 'UNAVAILABLE', null],
  ])('while a node is %s', async (_name, status, bring) => {
    await all.running('c', [1, 2])
    if (bring === null) await all.outOfReach(2)
    else await all.ended(await all.accepted(bring()))
    const error = await refusal(moveOut())
    expect(error).toMatchObject({ code: 'cluster-state-conflict' })
    expect('message' in error ? error.message : '').toContain(`c-2 is ${status}`)
  })

  test('where a node that runs is to be skipped, or one that is not there', async () => {
    await all.running('c', [1, 2])
    expect(await refusal(moveOut({ skipHostWork: ['c-2'] }))).toMatchObject({
      code: 'node-state-conflict',
    })
    expect(await refusal(moveOut({ skipHostWork: ['c-9'] }))).toMatchObject({
      code: 'validation-failed',
      details: { errors: [{ pointer: '/skipHostWork/0' }] },
    })
  })
})

describe('a node that is not let go of', () => {
  test('fails the operation; the others are let go of, and the cluster stays as it is', async () => {
    await all.running('c', [1, 2])
    all.fleet.host(2).failing.add('release')
    const failed = await movedOut()
    expect(failed).toMatchObject({ phase: 'FAILED', error: { code: 'node-command-failed' } })
    expect((await all.plane.clusters.get('c')).nodes.map(({ host }) => host)).toEqual([hostId(2)])
    expect(failed.movedOut).toMatchObject({ movedOutAt: null })
    expect(await refusal(all.plane.operations.rollback(ASKED, failed.id))).toMatchObject({
      code: 'operation-not-allowed',
      details: { remedy: expect.stringContaining('take the nodes over again') },
    })
  })

  test('is let go of when it is tried again; the document has all, and what changed meanwhile', async () => {
    await all.running('c', [1, 2])
    all.fleet.host(2).failing.add('release')
    const { id } = await movedOut()
    all.fleet.host(2).failing.clear()
    const { revision } = await all.plane.clusters.get('c')
    const edit = { set: { work_thread_num: '4' }, unset: [], restartPolicy: 'manual' } as const
    await all.ended(
      await all.accepted(all.plane.parameters.change(ASKED, 'c', { ...edit, revision })),
    )

    await all.plane.operations.retry(ASKED, id)

    const done = await all.ended(id)
    expect(done.phase).toBe('SUCCEEDED')
    expect(done.movedOut?.nodes.map(({ name }) => name)).toEqual(['c-1', 'c-2'])
    expect(done.movedOut?.create.spec.parameters).toEqual({ work_thread_num: '4' })
  })

  test('may be skipped once it is out of reach; nobody is sent there, and no take-over names it', async () => {
    await all.running('c', [1, 2])
    await all.outOfReach(2)
    all.fleet.ran.length = 0
    const done = await movedOut({ skipHostWork: ['c-2'] })
    expect(done.phase).toBe('SUCCEEDED')
    expect(all.fleet.ran).toHaveLength(1)
    expect(done.movedOut?.nodes.map(({ isSkipped }) => isSkipped)).toEqual([false, true])
    expect(done.movedOut?.takeOver.flatMap(({ hosts }) => hosts)).toMatchObject([
      { host: hostId(1) },
    ])
  })

  test('keeps a cluster that got another one meanwhile', async () => {
    await all.running('c', [1, 2])
    all.fleet.host(2).failing.add('release')
    const { id } = await movedOut()
    all.fleet.host(2).failing.clear()
    const { nodes } = all.input('', [3]).spec
    await all.ended(await all.accepted(all.plane.clusters.addNodes(ASKED, 'c', nodes)))
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'FAILED', error: { code: 'in-use' } })
    expect((await movedOut()).phase).toBe('SUCCEEDED')
  })
})

describe('the config service', () => {
  const tokenOf = (count: number) => `/obfleet/clusters/c/config-token-1#${count}`
  const ask = (token: string, action = 'GetObProxyConfig') =>
    askable(all.store, all.clock, () => {}).ask(
      `Action=${action}&ObproxyClusterName=c&Token=${encodeURIComponent(token)}`,
    )

  beforeEach(async () => {
    await all.running('c', [1], { workMode: 'CONFIG_URL' })
  })

  test('answers what it answered, until the time is over', async () => {
    const before = await ask(tokenOf(1))
    expect(before.status).toBe(200)
    const { movedOut: document } = await movedOut()
    expect((await ask(tokenOf(1))).Data).toEqual(before.Data)

    const until = document?.configAnswersUntil ?? 0
    expect(until).toBe((document?.movedOutAt ?? 0) + 7 * DAY_MS)
    all.clock.pass(until - all.clock.now() - 1)
    expect((await ask(tokenOf(1))).status).toBe(200)
    all.clock.pass(1)
    expect((await ask(tokenOf(1))).status).toBe(401)
  })

  test('answers no other token, and nothing at all without a grace', async () => {
    await movedOut({ graceMs: 0 })
    expect((await ask(tokenOf(1))).status).toBe(401)
    expect((await ask('')).status).toBe(401)
  })

  test('answers from what it kept when the OB cluster is moved out too', async () => {
    const roots = `ObRootServiceInfo&ObRegion=ob`
    const before = await ask(tokenOf(1), roots)
    expect(before.status).toBe(200)
    await movedOut()
    const { revision } = await all.plane.obClusters.get('ob')
    await all.plane.obClusters.remove(ASKED, 'ob', revision)
    expect((await ask(tokenOf(1), roots)).Data).toEqual(before.Data)
  })
})

describe('what a move out leaves', () => {
  test('makes the cluster again, and takes its nodes over', async () => {
    const more = { parameters: { work_thread_num: '4' }, loadBalancer: BALANCED }
    await all.running('c', [1, 2], more)
    const before = await all.plane.clusters.get('c')
    const { movedOut: document } = await movedOut()
    if (!document) throw new Error('no document')

    await all.ended(await all.accepted(all.plane.clusters.create(ASKED, document.create)))
    for (const [index, input] of document.takeOver.entries()) {
      for (const { host } of input.hosts) {
        const found = [...all.fleet.hosts.values()].find(({ facts }) => facts.id === host)
        if (found !== undefined) found.probe = { ...found.probe, version: '4.3.2.0-1' }
      }
      const again = all.plane.clusters.takeOver(ASKED, 'c', { ...input, confirm: 'c' })
      const done = await all.ended(await all.accepted(again))
      expect(done.phase, `${index}: ${done.error?.detail}`).toBe('SUCCEEDED')
    }

    const now = await all.plane.clusters.get('c')
    expect(now.spec).toEqual(before.spec)
    const byHost = (left: { host: string }, right: { host: string }) =>
      left.host < right.host ? -1 : 1
    expect([...now.nodes].sort(byHost)).toEqual([...before.nodes].sort(byHost))
    expect(all.outOfStep()).toEqual([])
  })

  test('names a proxy that was taken over as it was found, and takes it over as such again', async () => {
    await all.running('c', [])
    const input = { hosts: [{ host: hostId(2), idc: 'z1' }], acceptParameterChanges: false }
    const taken = all.plane.clusters.takeOver(ASKED, 'c', { ...input, confirm: 'c' })
    expect((await all.ended(await all.accepted(taken))).phase).toBe('SUCCEEDED')
    const { home, sqlPort } = await all.plane.nodes.get('c-1')

    const done = await movedOut()

    expect(done.movedOut?.nodes).toMatchObject([{ origin: 'TAKEN_OVER', home, idc: 'z1' }])
    expect(done.movedOut?.takeOver).toEqual([
      {
        hosts: [
          {
            host: hostId(2),
            sqlPort,
            sysPasswordSecret: expect.stringContaining('/c/'),
            idc: 'z1',
          },
        ],
        acceptParameterChanges: false,
      },
    ])
  })

  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
  const secret = word.map(name => `/obfleet/${name}`)
  const port = fc.integer({ min: 1025, max: 65_535 })
  const node: fc.Arbitrary<ExportedNode> = fc.record({
    id: word,
    name: word,
    hostId: fc.stringMatching(/^i-[0-9a-f]{17}$/),
    host: fc.ipV4(),
    idc: fc.option(word, { nil: null }),
    sqlPort: port,
    exporterPort: port,
    origin: fc.constantFrom('CREATED' as const, 'TAKEN_OVER' as const),
    home: fc.constant('/home/admin/obproxy'),
    version: fc.constant('4.3.2.0-1'),
    isSkipped: fc.boolean(),
  })
  const link = fc.record(
    {
      obCluster: word,
      default: fc.boolean(),
      probeAccount: fc.record({ user: word, tenant: word, passwordSecret: secret }),
    },
    { requiredKeys: ['obCluster', 'default'] },
  )
  const spec = fc.record(
    {
      workMode: fc.constantFrom('RS_LIST' as const, 'CONFIG_URL' as const),
      version: fc.constant('4.3.2.0-1'),
      ports: fc.record({ sql: port, exporter: port }),
      install: fc.constant({ path: '/home/admin/obproxy' }),
      links: fc.array(link, { maxLength: 4 }),
      parameters: fc.dictionary(word, word, { maxKeys: 4 }),
      sysPasswordSecret: secret,
      deletionProtection: fc.constant(false),
      loadBalancer: fc.constantFrom(BALANCED, { kind: 'external' as const }),
    },
    {
      requiredKeys: [
        'workMode',
        'version',
        'ports',
        'install',
        'links',
        'parameters',
        'sysPasswordSecret',
        'deletionProtection',
      ],
    },
  )

  test('is what the routes take, as it is, whatever the cluster was', () => {
    fc.assert(
      fc.property(
        spec,
        fc.array(node, { maxLength: 120 }),
        fc.dictionary(word, word),
        (wanted, nodes, tags) => {
          const written = { operationId: 'op', cluster: { name: 'c', tags, spec: wanted }, nodes }
          const ended = { phase: 'SUCCEEDED', endedAt: 1, movedOut: { graceMs: 5 } } as const
          const text = JSON.stringify(movedOutJson(documentOf(written, ended)))
          const read = movedOutSchema.parse(JSON.parse(text))

          expect(clusterInput(clusterInputSchema.parse(read.create))).toEqual({
            name: 'c',
            tags,
            spec: { ...wanted, nodes: [] },
          })
          const again = read.takeOver.map(each => takeOverInput(takeOverSchema.parse(each)))
          const kept = nodes.filter(each => !each.isSkipped)
          expect(again.flatMap(({ hosts }) => hosts.map(({ host }) => host)).sort()).toEqual(
            kept.map(each => each.hostId).sort(),
          )
          for (const { hosts, isForced = false } of again)
            for (const { host, sqlPort, idc } of hosts)
              expect(kept).toContainEqual(
                expect.objectContaining({
                  hostId: host,
                  sqlPort,
                  idc: idc ?? null,
                  origin: isForced ? 'CREATED' : 'TAKEN_OVER',
                }),
              )
        },
      ),
      { numRuns: 60 },
    )
  })
})
