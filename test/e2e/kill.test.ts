/**
 * The API is killed in the middle of ten operations, each at another moment, while a client works through a node.
 * Started again it brings each to its end by what is stored: nothing is held, nothing was done twice on a node, and
 * the client is where he was if the operation promises it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  DevStack,
  type NodeJson,
  type OperationJson,
  STACK_PATIENCE,
} from '../support/dev-stack.ts'
import { until } from '../support/until.ts'
import { type Built, dropPackage, nextVersion } from '../support/verb-suite.ts'

const CLUSTER = 'killed'
const HOSTS = ['i-00000000000000004', 'i-00000000000000005']
const VERSION = '4.3.2.0-1'
/** Nothing is watched, and clients inside transactions are not cut. */
const QUICK = { canaryBake: '0s', bake: '0s', drain: '60s' }
const QUICKLY = 5
const LOOK_DEADLINE_MS = 60_000

/** What is fast may be over before it is killed: not more of them than two. */
const LEAST_INTERRUPTED = 8

const stack = new DevStack(36)
let interrupted = 0
let built: Built

beforeAll(async () => {
  await stack.start()
  built = nextVersion()
  expect(await stack.command('package', built.file)).toMatchObject({ code: 0 })
  // Another name for the servers that there are: a link that can be added.
  const { body } = await stack.api.get('/ob-clusters/obcluster')
  const { rootservice, proxyroSecret } = body as { rootservice: unknown; proxyroSecret: string }
  const other = { rootservice, proxyroSecret, tags: {} }
  await stack.api.put('/ob-clusters/other', other, { 'if-none-match': '*' })
}, 300_000)

afterAll(async () => {
  await stack.remove()
  if (built !== undefined) dropPackage(built)
})

const fileOf = (host: string, name: string) => join(stack.home, 'instances', host, name)

function textOf(host: string, name: string): string {
  try {
    return readFileSync(fileOf(host, name), 'utf8')
  } catch {
    return ''
  }
}

/** Some host has it in this file. */
const isOn = (name: string, text: string) => HOSTS.some(host => textOf(host, name).includes(text))

/** Verbs that a node has begun for an operation, without those that only look; `verb` once a begin. */
function begunFor(host: string, operations: readonly string[]): readonly string[] {
  const lines = textOf(host, 'var/lib/obfleet/node.log').matchAll(
    / (\w+) of (op_\w+)\/(\S+), attempt (\d+)/g,
  )
  return [...lines].flatMap(([, verb = '', id = '', step = '']) =>
    operations.includes(id) && verb !== 'check' && verb !== 'status'
      ? [step === 'try' ? 'try' : verb]
      : [],
  )
}

const startsOf = (host: string) =>
  [...textOf(host, 'home/admin/obproxy/log/obproxy.log').matchAll(/ started, pid \d+/g)].length

const operation = async (id: string) =>
  (await stack.api.get(`/operations/${id}`)).body as OperationJson

const soon = <T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
) => until(what, look, { deadlineMs: LOOK_DEADLINE_MS, everyMs: QUICKLY })

const childOf = (id: string, at: number) =>
  soon('the children are there', async () => (await operation(id)).childIds[at])

/** When the API is killed, by what is seen of the operation from outside. */
type Moment = (id: string) => Promise<unknown>

const accepted: Moment = async () => undefined
const childrenOpened: Moment = id => childOf(id, 0)
/** The first or second node works on the verb. */
const begun =
  (verb: string, at: 0 | 1): Moment =>
  async id => {
    const child = await childOf(id, at)
    return soon(`${verb} has begun`, () =>
      isOn('var/lib/obfleet/node.log', ` ${verb} of ${child}/`),
    )
  }
/** It has its result in the ledger, and the plane does not know yet. */
const done =
  (step: string, at: 0 | 1): Moment =>
  async id => {
    const child = await childOf(id, at)
    return soon(`${step} is in the ledger`, () =>
      isOn('var/lib/obfleet/ledger.json', `${child}\\",\\"${step}`),
    )
  }
/** The plane has settled the first or second node. */
const settled =
  (at: 0 | 1): Moment =>
  async id => {
    const child = await childOf(id, at)
    // It has a number before it is there.
    const phase = async () => (await operation(child).catch(() => null))?.phase
    return soon('the node is done', async () => (await phase()) === 'SUCCEEDED')
  }

type Row = {
  readonly begin: () => Promise<string>
  readonly moment: Moment
  /** What each node does, and how many processes are started on it. */
  readonly verbs: readonly string[]
  /** What the first node does instead. */
  readonly firstVerbs?: readonly string[]
  readonly starts?: number
  /** A client inside a transaction does not notice; else he is cut, or nobody can be there. */
  readonly keepsClient?: boolean
}

const idOf = (answer: { readonly body: unknown }) => (answer.body as OperationJson).id
const etag = async (path: string) => ({ 'if-match': (await stack.api.get(path)).etag ?? '' })
const act = (name: string, body: object = {}) =>
  stack.accepted(`/clusters/${CLUSTER}/${name}`, body)

const ROWS: Readonly<Record<string, Row>> = {
  create: {
    begin: () =>
      stack.accepted('/clusters', {
        name: CLUSTER,
        spec: {
          workMode: 'CONFIG_URL',
          version: VERSION,
          nodes: HOSTS.map(host => ({ host })),
          links: [{ obCluster: 'obcluster' }],
        },
      }),
    moment: begun('install', 0),
    verbs: ['install', 'start'],
    starts: 1,
  },
  stop: { begin: () => act('stop'), moment: accepted, verbs: ['stop'] },
  start: { begin: () => act('start'), moment: begun('start', 1), verbs: ['start'], starts: 1 },
  'restart, hot': {
    begin: () => act('restart', { mode: 'hot', rollout: QUICK }),
    moment: done('baseline', 0),
    verbs: ['restart'],
    starts: 1,
    keepsClient: true,
  },
  'restart, forced, one after the other': {
    begin: () => act('restart', { mode: 'force', rollout: QUICK }),
    moment: settled(0),
    verbs: ['restart'],
    starts: 1,
  },
  upgrade: {
    begin: () => act('upgrade', { version: built.version, rollout: QUICK }),
    moment: begun('upgrade', 0),
    verbs: ['upgrade'],
    starts: 1,
    keepsClient: true,
  },
  'change of parameters': {
    begin: async () => {
      const path = `/clusters/${CLUSTER}`
      const set = { slow_query_time_threshold: '777ms' }
      return idOf(await stack.api.patch(`${path}/parameters`, { set }, await etag(path)))
    },
    moment: done('refresh', 0),
    verbs: ['refresh'],
    keepsClient: true,
  },
  'another link': {
    begin: async () => idOf(await stack.api.put(`/clusters/${CLUSTER}/links/other`, {}, {})),
    moment: childrenOpened,
    verbs: ['refresh'],
    firstVerbs: ['try', 'refresh'],
    keepsClient: true,
  },
  'another password': {
    begin: () => act('rotate-sys-password'),
    moment: begun('refresh', 1),
    verbs: ['refresh'],
    keepsClient: true,
  },
  delete: {
    begin: async () => {
      const path = `/clusters/${CLUSTER}`
      return idOf(await stack.api.delete(`${path}?confirm=${CLUSTER}&force=true`, await etag(path)))
    },
    moment: begun('uninstall', 1),
    verbs: ['stop', 'uninstall'],
  },
}

/** A client inside a transaction on the first node, that goes on with it until he is asked. */
class Client {
  private readonly connection: Connection
  private isOver = false
  private readonly work: Promise<void>
  statements = 0
  failure = ''

  constructor(connection: Connection) {
    this.connection = connection
    connection.on('error', () => {})
    this.work = this.go().catch((error: Error) => {
      this.failure = error.message
    })
  }

  private async go(): Promise<void> {
    await this.connection.query('begin')
    while (!this.isOver) {
      await this.connection.query('select 1')
      this.statements += 1
      await new Promise(next => setTimeout(next, 20))
    }
    await this.connection.query('commit')
  }

  async end(): Promise<void> {
    this.isOver = true
    await this.work
    this.connection.destroy()
  }
}

/** Null where there is no node to be at. */
async function clientOf(keepsClient: boolean): Promise<Client | null> {
  if (!keepsClient) return null
  const client = new Client(await stack.login(`${stack.network}.1.4`))
  await until('the client is at work', () => client.statements > 0, STACK_PATIENCE)
  return client
}

const openOperations = async () => {
  const { items } = (await stack.api.get('/operations?limit=200')).body as {
    items: OperationJson[]
  }
  return items.filter(({ phase }) => !['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(phase))
}

const heldNodes = async () => {
  const { items } = (await stack.api.get('/nodes?limit=200')).body as {
    items: (NodeJson & { readonly status: { readonly heldBy: unknown } })[]
  }
  return items.filter(({ status }) => status.heldBy !== null).map(({ name }) => name)
}

test.each(Object.entries(ROWS))('kill -9 in the middle of: %s', async (_name, row) => {
  const before = HOSTS.map(startsOf)
  const client = await clientOf(row.keepsClient === true)

  const id = await row.begin()
  await row.moment(id)
  const killedAt = Date.now()
  stack.kill('api')
  const ended = await stack.ended(id)
  await client?.end()

  expect(ended).toMatchObject({ phase: 'SUCCEEDED', error: null })
  if (Date.parse(ended.endedAt ?? '') > killedAt) interrupted += 1
  expect(await openOperations()).toEqual([])
  expect(await heldNodes()).toEqual([])
  for (const [at, host] of HOSTS.entries()) {
    const verbs = at === 0 ? (row.firstVerbs ?? row.verbs) : row.verbs
    expect(begunFor(host, ended.childIds)).toEqual(verbs)
    if (row.starts !== undefined || row.keepsClient)
      await until(
        'its starts are in its log',
        () => {
          const starts = startsOf(host) - (before[at] ?? 0)
          if (starts > (row.starts ?? 0)) throw new Error(`${host} was started ${starts} times`)
          return starts === (row.starts ?? 0)
        },
        STACK_PATIENCE,
      )
  }
  expect(client?.failure ?? '').toBe('')
})

test('most of them were killed before their end', () => {
  console.log(`kill -9: ${interrupted} of ${Object.keys(ROWS).length} operations were interrupted`)
  expect(interrupted).toBeGreaterThanOrEqual(LEAST_INTERRUPTED)
})
