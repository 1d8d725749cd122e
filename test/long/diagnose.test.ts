/**
 * Looks and gates as a user has them, over HTTP, Run Command and object storage, on real proxy processes: what
 * is wrong with a node, its logs without their secrets, and rollouts that do not go on.
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DevStack, refused, STACK_PATIENCE } from '../support/dev-stack.ts'
import { until } from '../support/until.ts'

const QUICK = { canaryBake: '0s', bake: '0s' }
const PLANTED = 'Pl4nted-secret'
const GATE_SECRET = '/apps/gate'

const stack = new DevStack(71)

beforeAll(async () => {
  await stack.start()
}, 300_000)

afterAll(async () => {
  await stack.remove()
})

const rootOf = async (name: string) =>
  join(stack.home, 'instances', (await stack.node(name)).spec.host)

const logOf = async (name: string) => join(await rootOf(name), 'home/admin/obproxy/log/obproxy.log')

async function ended<T>(path: string, body: unknown = {}) {
  const id = await stack.accepted(path, body)
  await stack.ended(id)
  return (await stack.api.get(`/operations/${id}`)).body as {
    readonly phase: string
    readonly error: { readonly code: string; readonly detail: string } | null
    readonly result: T
  }
}

type Diagnoses = {
  readonly diagnoses: readonly {
    readonly name: string
    readonly worst: string
    readonly findings: readonly { readonly id: string; readonly level: string }[]
    readonly facts: { readonly process: { readonly pid: number } | null } | null
    readonly error: unknown
  }[]
}
type Bundles = {
  readonly bundles: readonly {
    readonly name: string
    readonly lines: number
    readonly partial: boolean
    readonly url: string
    readonly error: unknown
  }[]
}

describe('a diagnosis', () => {
  test('of all nodes says what is not well with one of them', async () => {
    const now = new Date().toISOString()
    appendFileSync(
      await logOf('demo-2'),
      `[${now}] ERROR [PROXY] set password = '${PLANTED}' was refused\n`,
    )
    const { phase, result } = await ended<Diagnoses>('/clusters/demo/diagnose')
    expect(phase).toBe('SUCCEEDED')
    const idsOf = (name: string) =>
      result.diagnoses
        .find(each => each.name === name)
        ?.findings.map(({ id }) => id)
        // Of the machine that this runs on.
        .filter(id => id !== 'disk' && id !== 'memory')
    expect([idsOf('demo-1'), idsOf('demo-2'), idsOf('demo-3')]).toEqual([[], ['errors'], []])
    expect(JSON.stringify(result)).not.toContain(PLANTED)
  })

  test('of a node has the facts, and its process is the one that it reports', async () => {
    const { result } = await ended<Diagnoses>('/nodes/demo-1/diagnose')
    const { status } = await stack.node('demo-1')
    expect(result.diagnoses).toHaveLength(1)
    expect(result.diagnoses[0]?.facts?.process?.pid).toBe(status.report?.pid)
  })
})

describe('logs', () => {
  test('come as an archive a node, with what was asked for and without the secrets', async () => {
    const { phase, result } = await ended<Bundles>('/clusters/demo/collect-logs', {
      nodes: ['demo-1', 'demo-2'],
      types: ['proxy', 'node', 'unit'],
    })
    expect(phase).toBe('SUCCEEDED')
    expect(result.bundles).toMatchObject([
      { name: 'demo-1', partial: false, error: null },
      { name: 'demo-2', partial: false, error: null },
    ])
    const text = await downloaded(result.bundles[1]?.url)
    expect(text).toContain('proxy/obproxy.log')
    expect(text).toContain('node/node.log')
    expect(text).toContain('set password = *** was refused')
    expect(text).not.toContain(PLANTED)
    for (const { url } of result.bundles)
      expect((await fetch(url.replace(/op_./, 'op_Z'))).status).toBe(403)
  })

  test('are only the lines that are asked for', async () => {
    const { result } = await ended<Bundles>('/nodes/demo-2/collect-logs', {
      types: ['proxy'],
      level: 'ERROR',
      pattern: 'set password = .* was \\w+$',
      exclude: ['long ago'],
    })
    expect(result.bundles[0]?.lines).toBe(1)
  })
})

async function downloaded(url = ''): Promise<string> {
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  return gunzipSync(Buffer.from(await answer.arrayBuffer())).toString('utf8')
}

describe('a rollout', () => {
  test('is refused while too few nodes would stay healthy', async () => {
    const { status } = await stack.node('demo-3')
    const pid = status.report?.pid ?? 0
    // It runs, and does not answer.
    process.kill(pid, 'SIGSTOP')
    try {
      await until(
        'demo-3 is not healthy',
        async () => {
          const seen = await stack.node('demo-3')
          return seen.status.status === 'UNAVAILABLE'
        },
        STACK_PATIENCE,
      )
      const problem = await refused(
        stack.api.post('/clusters/demo/restart', {
          nodes: ['demo-1', 'demo-2'],
          mode: 'hot',
          rollout: QUICK,
        }),
      )
      expect([problem.status, problem.code]).toEqual([409, 'node-state-conflict'])
      expect(problem.message).toContain('1 of 3 nodes would stay healthy, at least 2 have to')
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await until(
      'demo-3 is healthy',
      async () => {
        const seen = await stack.node('demo-3')
        return seen.status.status === 'RUNNING'
      },
      STACK_PATIENCE,
    )
  })

  test('is stopped by a login that no longer gets in, and put back', async () => {
    const [ob] = stack.dev.obClusters
    await putSecret(GATE_SECRET, ob?.password ?? '')
    const linked = await stack.api.put('/clusters/demo/links/obcluster', {
      probeAccount: { user: ob?.user, tenant: ob?.tenant, passwordSecret: GATE_SECRET },
    })
    expect(linked.status).toBe(200)
    expect(JSON.stringify(linked.body)).not.toContain(ob?.password)
    const id = await change()
    // Between baseline and gate: as if the change had broken it.
    await until(
      'the canary is watched',
      async () => (await begunSteps(id)).includes('bake'),
      STACK_PATIENCE,
    )
    await putSecret(GATE_SECRET, 'not the password')
    const operation = await stack.ended(id)
    expect(operation).toMatchObject({ phase: 'ROLLED_BACK', error: { code: 'gate-failed' } })
    expect(operation.error?.detail).toContain('obcluster: error 1045')
    const after = (await stack.api.get('/clusters/demo')).body as {
      spec: { parameters: Record<string, string> }
    }
    expect(after.spec.parameters).not.toHaveProperty('work_thread_num')
  })
})

/** A change of a parameter that is watched for a while on its first node. */
async function change(): Promise<string> {
  const { etag } = await stack.api.get('/clusters/demo')
  const body = {
    set: { work_thread_num: '2' },
    restartPolicy: 'rolling',
    rollout: { canaryBake: '10s', bake: '0s' },
  }
  const headers = { 'if-match': etag ?? '' }
  const answer = await stack.api.patch('/clusters/demo/parameters', body, headers)
  return (answer.body as { id: string }).id
}

/** Steps of the first node's operation that have begun. */
async function begunSteps(id: string): Promise<readonly string[]> {
  const { childIds } = (await stack.api.get(`/operations/${id}`)).body as { childIds: string[] }
  const names: string[] = []
  for (const child of childIds) {
    const answer = await stack.api.get(`/operations/${child}/steps`).catch(() => undefined)
    const { items = [] } = (answer?.body ?? {}) as {
      items?: { name: string; phase: string }[]
    }
    names.push(...items.filter(({ phase }) => phase !== 'PENDING').map(({ name }) => name))
  }
  return names
}

async function putSecret(Name: string, Value: string): Promise<void> {
  const { url, region, accessKeyId, secretAccessKey } = stack.dev.ssm
  const credentials = { accessKeyId, secretAccessKey }
  const ssm = new SSMClient({ endpoint: url, region, credentials })
  await ssm.send(new PutParameterCommand({ Name, Value, Type: 'SecureString', Overwrite: true }))
  ssm.destroy()
}
