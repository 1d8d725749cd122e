/**
 * A second cluster on the two free hosts of a stack, one of which has no room for a proxy, and dies in the
 * end: what is left of an operation that fails on it, is tried again, goes back, or leaves the host out.
 * The tests go on from each other.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { instanceRoot } from '../../infra/local/stack/stack.ts'
import { type DevStack, type NodeJson, type OperationJson, refused } from './dev-stack.ts'

const NAME = 'spare'
const GOOD = 'i-00000000000000004'
const BROKEN = 'i-00000000000000005'
const INSTANCE_OF_BROKEN = 'instance5'

type ClusterJson = {
  readonly spec: { readonly version: string }
  readonly status: { readonly phase: string }
}

export function spareHostsSuite(
  stack: DevStack,
  versions: { readonly made: string; readonly next: () => string },
): void {
  const home = () => join(instanceRoot(stack.home, BROKEN), 'home/admin/obproxy')
  const cluster = async (name = NAME) =>
    (await stack.api.get(`/clusters/${name}`)).body as ClusterJson
  const statuses = async () => (await stack.nodes(NAME)).map(({ status }) => status.status)
  const specOf = (workMode: string, more: object) => ({
    workMode,
    version: versions.made,
    nodes: [],
    ...more,
  })
  const made = (name: string, spec: object) => stack.accepted('/clusters', { name, spec })
  const again = async (id: string, verb: string) => {
    await stack.accepted(`/operations/${id}/${verb}`)
    return stack.ended(id)
  }
  const free = async () => {
    const { items } = (await stack.api.get('/hosts')).body as {
      items: { id: string; nodeId: string | null }[]
    }
    return items.flatMap(({ id, nodeId }) => (nodeId === null ? [id] : []))
  }

  async function expectServing({ status }: NodeJson): Promise<void> {
    const client = await stack.login(status.address)
    const [rows] = await client.query<RowDataPacket[]>('select 1 as one')
    client.destroy()
    expect(rows[0]?.['one']).toBe(1)
  }

  describe('a cluster without nodes', () => {
    test('is there at once in both work modes; in RS_LIST it is of one OB cluster', async () => {
      const links = [{ obCluster: 'obcluster' }]
      const none = await refused(made('lone', specOf('RS_LIST', { links: [] })))
      expect([none.status, none.code]).toEqual([422, 'validation-failed'])
      for (const [name, spec] of [
        ['lone', specOf('RS_LIST', { links })],
        ['open', specOf('CONFIG_URL', { links: [] })],
      ] as const) {
        expect(await stack.ended(await made(name, spec))).toMatchObject({ phase: 'SUCCEEDED' })
        expect((await cluster(name)).status.phase).toBe('EMPTY')
        const { etag } = await stack.api.get(`/clusters/${name}`)
        const gone = await stack.api.delete(`/clusters/${name}?confirm=${name}`, {
          'if-match': etag ?? '',
        })
        await stack.ended((gone.body as OperationJson).id)
        expect((await refused(stack.api.get(`/clusters/${name}`))).status).toBe(404)
      }
    })
  })

  describe('a cluster of which one host has no place for a proxy', () => {
    let id = ''

    beforeAll(() => {
      mkdirSync(home(), { recursive: true })
      writeFileSync(join(home(), 'left-behind'), 'of somebody else')
    })

    test('can be used on its other host', async () => {
      id = await made(
        NAME,
        specOf('RS_LIST', {
          nodes: [{ host: GOOD }, { host: BROKEN }],
          links: [{ obCluster: 'obcluster' }],
        }),
      )
      const failed = await stack.ended(id)

      expect(failed).toMatchObject({ phase: 'FAILED', error: { code: 'node-command-failed' } })
      expect(failed.error?.detail).toContain(`1 of 2 nodes failed; ${NAME}-2`)
      const [good, broken] = await stack.nodes(NAME)
      expect(good?.status).toMatchObject({ status: 'RUNNING', conditions: [] })
      expect(broken?.status.conditions).toMatchObject([{ type: 'LastOperationFailed' }])
      if (good !== undefined) await expectServing(good)
      const node = failed.childIds[1] ?? ''
      const skip = stack.api.post(`/operations/${id}/skip`, { children: [node] })
      expect(await refused(skip)).toMatchObject({ status: 422, code: 'operation-not-allowed' })
    })

    test('is rolled back: nothing is left on either host, and what was there is there still', async () => {
      expect(await again(id, 'rollback')).toMatchObject({ phase: 'ROLLED_BACK' })

      expect(await stack.nodes(NAME)).toEqual([])
      expect(await free()).toEqual([GOOD, BROKEN])
      // Until it is tried again, or deleted.
      expect((await cluster()).status.phase).toBe('FAILED')
    })

    test('is retried: once more without success, then, mended, on that host alone', async () => {
      expect(await again(id, 'retry')).toMatchObject({ phase: 'FAILED' })
      const [before] = await stack.nodes(NAME)
      rmSync(home(), { recursive: true })

      expect(await again(id, 'retry')).toMatchObject({ phase: 'SUCCEEDED', error: null })
      const [good, mended] = await stack.nodes(NAME)
      expect(await statuses()).toEqual(['RUNNING', 'RUNNING'])
      expect(good?.status.report?.pid).toBe(before?.status.report?.pid)
      if (mended !== undefined) await expectServing(mended)
    })
  })

  describe('an upgrade of some nodes', () => {
    const running = async () =>
      (await stack.nodes(NAME)).map(({ status }) => status.report?.version)
    const rollout = { bake: '0s' }

    test('leaves the others, and the version of the cluster, until they are of one', async () => {
      const { made: version, next } = versions
      const one = await stack.accepted(`/nodes/${NAME}-1/upgrade`, { version: next(), rollout })
      expect(await stack.ended(one)).toMatchObject({ phase: 'SUCCEEDED', error: null })
      expect(await running()).toEqual([next(), version])
      expect((await cluster()).spec.version).toBe(version)

      const several = await stack.accepted(`/clusters/${NAME}/upgrade`, {
        version: next(),
        nodes: [`${NAME}-1`, `${NAME}-2`],
        rollout,
      })
      // The first is of that version already.
      expect(await stack.ended(several)).toMatchObject({
        phase: 'SUCCEEDED',
        progress: { nodesDone: 1, nodesTotal: 1 },
      })
      expect(await running()).toEqual([next(), next()])
      expect((await cluster()).spec.version).toBe(next())
    })
  })

  describe('a node whose host is dead', () => {
    beforeAll(() => stack.kill(INSTANCE_OF_BROKEN, 'SIGSTOP'))

    afterAll(() => stack.kill(INSTANCE_OF_BROKEN, 'SIGCONT'))

    test('is forgotten with skipHostWork, and nobody is sent there', async () => {
      const path = `/nodes/${NAME}-2`
      const { etag } = await stack.api.get(path)
      const answer = await stack.api.delete(`${path}?skipHostWork=true`, { 'if-match': etag ?? '' })
      const { id } = answer.body as OperationJson

      expect(await stack.ended(id)).toMatchObject({ phase: 'SUCCEEDED', error: null })
      const { items } = (await stack.api.get(`/operations/${id}/steps`)).body as {
        items: { name: string; commandId: string | null }[]
      }
      expect(items).toMatchObject([{ name: 'forget', commandId: null }])
      expect((await refused(stack.api.get(path))).status).toBe(404)
      expect(await free()).toEqual([BROKEN])
      expect(await statuses()).toEqual(['RUNNING'])
    })
  })
}
