import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { Problem } from '../../../../functions/domain/problem.ts'
import { put, remove } from '../../../../functions/domain/store.ts'
import {
  parseClusterList,
  parseIdcLists,
  parseRootServices,
  parseVersion,
} from '../../../../proxy-node/topology/config-server-documents.ts'
import {
  askable,
  BASE_URL,
  keepProxyCluster,
  obCluster,
  proxyCluster,
  registration,
  tokenOf,
} from '../../../support/config-service.ts'
import { MemoryStore } from '../../../support/memory-store.ts'
import { HandClock } from '../../../support/scripted-fleet.ts'

/** A table that can be away. */
class AwayStore extends MemoryStore {
  isAway = false
  reads = 0

  override async get(...args: Parameters<MemoryStore['get']>) {
    this.reads += 1
    if (this.isAway) throw new Problem('store-unavailable', 'away')
    return super.get(...args) as never
  }

  override async commit(...args: Parameters<MemoryStore['commit']>) {
    if (this.isAway) throw new Problem('store-unavailable', 'away')
    return super.commit(...args)
  }
}

let store: AwayStore
let clock: HandClock
let ask: ReturnType<typeof askable>['ask']
let logged: object[]

const LIST = 'Action=GetObProxyConfig&ObproxyClusterName=pc&Token=token-1'
const ROOTS = 'Action=ObRootServiceInfo&ObproxyClusterName=pc&Token=token-1'
const REGISTER = 'Action=ObRootServiceInfo&ObCluster=east&Token=rs-1'

beforeEach(async () => {
  store = new AwayStore()
  clock = new HandClock()
  logged = []
  ask = askable(store, clock, line => logged.push(line)).ask
  await store.commit([
    put(
      'obCluster',
      obCluster('east', { registrar: tokenOf('rs-1'), idcRegions: [{ idc: 'A', region: 'r' }] }),
    ),
    put('obCluster', obCluster('west', { rootservice: ['10.1.0.1:2883'], obClusterId: 7 })),
    put('obCluster', obCluster('secret-ob')),
  ])
  await keepProxyCluster(store, proxyCluster('pc', ['east', 'west']))
})

/** The body that a proxy would read. */
const bodyOf = async (query: string) => JSON.stringify(await ask(query))

describe('the cluster list', () => {
  test('is what is linked, the default first, and what the node reads', async () => {
    const said = await ask(LIST)
    const parsed = parseClusterList(JSON.stringify(said))

    expect(said).toMatchObject({ status: 200, Code: 200, Message: 'successful', Success: true })
    expect(parsed.kind === 'ok' && parsed.value.clusters.map(({ name }) => name)).toEqual([
      'east',
      'west',
    ])
    expect(said).toMatchObject({ Trace: 'trace-1', Server: BASE_URL, Cost: 0 })
  })

  test('has for version the MD5 of the rest, alone when that is asked', async () => {
    const { Version, ...rest } = (await ask(LIST)).Data

    expect(Version).toBe(createHash('md5').update(JSON.stringify(rest)).digest('hex'))
    expect((await ask(`${LIST}&VersionOnly=true`)).Data).toEqual({ Version })
    expect(parseVersion(await bodyOf(`${LIST}&VersionOnly=true`))).toEqual({
      kind: 'ok',
      value: Version,
    })
  })

  test('never has a password, and no text that OBProxy refuses as empty', async () => {
    const { ObProxyDatabaseInfo } = (await ask(LIST)).Data

    expect(ObProxyDatabaseInfo).toMatchObject({ DataBase: '***', User: '***', Password: '***' })
    expect(JSON.stringify(await ask(LIST))).not.toContain('/ro')
  })

  test('has another version when a link is added, when one goes, and at once within a second', async () => {
    const versions = [(await ask(`${LIST}&VersionOnly=true`)).Data.Version]
    for (const links of [['east'], ['west', 'east']]) {
      const [before] = store.all('cluster')
      if (before === undefined) throw new Error('no cluster')
      await store.commit([put('cluster', { ...before, spec: proxyCluster('pc', links).spec })])
      clock.pass(1_000)
      versions.push((await ask(`${LIST}&VersionOnly=true`)).Data.Version)
    }

    expect(new Set(versions).size).toBe(3)
  })

  test('in its compact form leads to the same root services', async () => {
    const said = await ask(LIST.replace('GetObProxyConfig', 'GetObRootServiceInfoUrlTemplate'))
    const parsed = parseClusterList(JSON.stringify(said))
    const clusters = parsed.kind === 'ok' ? parsed.value.clusters : []

    expect(clusters.map(({ name }) => name)).toEqual(['east', 'west'])
    // OBProxy's own parser takes nothing behind the place of the name.
    expect(said.Data.ObRootServiceInfoUrlTemplate).toMatch(/\$\{ObRegion\}$/)
    const query = new URL(clusters[1]?.url ?? '').search.slice(1)
    expect((await ask(query)).Data).toMatchObject({ ObCluster: 'west', ObClusterId: 7 })
  })

  test('leads to URLs from which the IDC list is derived', async () => {
    const [first] = (await ask(LIST)).Data.ObRootServiceInfoUrlList ?? []
    const url = first?.ObRootServiceInfoUrl.replace('ObRootServiceInfo', 'ObIDCRegionInfo') ?? ''
    const body = await bodyOf(new URL(url).search.slice(1))

    expect(parseIdcLists(body, ['east'])).toEqual({
      kind: 'ok',
      value: [{ clusterId: 1, regions: [{ idc: 'a', region: 'r' }] }],
    })
  })

  test('of a proxy cluster without links is empty', async () => {
    await keepProxyCluster(store, proxyCluster('empty', []))

    const said = await ask(LIST.replace('=pc', '=empty'))

    expect(said.Data.ObRootServiceInfoUrlList).toEqual([])
  })
})

describe('a token', () => {
  test('is carried on in the URLs: each of two opens, and shows no other', async () => {
    await keepProxyCluster(
      store,
      proxyCluster('two', ['east'], { configToken: tokenOf('new', 'old') }),
    )

    for (const token of ['new', 'old']) {
      const said = await ask(`Action=GetObProxyConfig&ObproxyClusterName=two&Token=${token}`)
      expect(said.Data.ObRootServiceInfoUrlList?.[0]?.ObRootServiceInfoUrl).toContain(
        `Token=${token}&`,
      )
    }
    const gone = await ask('Action=GetObProxyConfig&ObproxyClusterName=two&Token=older')
    expect(gone.status).toBe(401)
  })

  test('that is wrong, missing, of another, or for a name that does not exist, is told the same', async () => {
    await keepProxyCluster(store, proxyCluster('other', [], { configToken: tokenOf('token-2') }))
    await keepProxyCluster(
      store,
      proxyCluster('listed', ['east'], { configToken: undefined } as never),
    )
    const queries = [
      'Action=GetObProxyConfig&ObproxyClusterName=pc&Token=wrong',
      'Action=GetObProxyConfig&ObproxyClusterName=pc',
      'Action=GetObProxyConfig&ObproxyClusterName=pc&Token=token-2',
      'Action=GetObProxyConfig&ObproxyClusterName=nobody&Token=token-1',
      'Action=GetObProxyConfig&ObproxyClusterName=listed&Token=token-1',
      'Action=GetObProxyConfig&Token=token-1',
      'Action=ObIDCRegionInfo&ObCluster=east&Token=rs-1',
      'Action=ObRootServiceInfo&ObCluster=nobody&Token=rs-1',
      'Action=ObRootServiceInfo&ObCluster=west&Token=rs-1',
      'Action=ObRootServiceInfo&ObproxyClusterName=pc&ObCluster=east&Token=rs-1',
    ]

    const answers = new Set(await Promise.all(queries.map(bodyOf)))

    expect(answers.size).toBe(1)
    expect([...answers][0]).toContain('"Code":401')
  })

  test('of a proxy cluster registers nothing', async () => {
    const said = await ask(REGISTER.replace('rs-1', 'token-1'), registration(5, '10.9.9.9'))

    expect(said.status).toBe(401)
    expect(store.all('rootServices')).toEqual([])
  })
})

describe('root services', () => {
  test('are those of the registry until RootService speaks', async () => {
    const said = await ask(`${ROOTS}&ObRegion=east`)

    expect(said.Data).toMatchObject({
      ObCluster: 'east',
      ObRegion: 'east',
      ObClusterId: 1,
      ObRegionId: 1,
      Type: 'PRIMARY',
      RsList: [
        { address: '10.0.0.1:2882', role: 'LEADER', sql_port: 2881 },
        { address: '10.0.0.2:2882', role: 'FOLLOWER', sql_port: 2881 },
      ],
    })
  })

  test('with version 2 and no id are an array, with an id one', async () => {
    await ask(REGISTER, registration(5, '10.0.0.5'))
    await ask(REGISTER, registration(6, '10.0.0.6', { ObClusterId: 2, Type: 'STANDBY' }))
    clock.pass(1_000)

    const all = await ask<readonly { ObClusterId: number; Type: string }[]>(
      `${ROOTS}&ObCluster=east&version=2`,
    )
    const one = await ask(`${ROOTS}&ObRegion=east&version=2&ObRegionId=2`)
    const primary = await ask(`${ROOTS}&ObCluster=east`)

    expect(all.Data.map(each => [each.ObClusterId, each.Type])).toEqual([
      [1, 'PRIMARY'],
      [2, 'STANDBY'],
    ])
    expect(one.Data).toMatchObject({ ObClusterId: 2, Type: 'STANDBY' })
    expect(primary.Data).toMatchObject({ ObClusterId: 1 })
    expect(parseRootServices(JSON.stringify(all), { name: 'east', id: 0 }).kind).toBe('ok')
    expect((await ask(`${ROOTS}&ObCluster=east&ObClusterId=9`)).status).toBe(404)
  })

  test('of a cluster that is not linked are not there, whether it exists or not', async () => {
    const [secret, none] = await Promise.all([
      bodyOf(`${ROOTS}&ObCluster=secret-ob`),
      bodyOf(`${ROOTS}&ObCluster=none`),
    ])

    expect(secret).toBe(none)
    expect(secret).toContain('"Code":404')
  })

  test('may be read by the RootService that registers them', async () => {
    expect((await ask(REGISTER)).Data).toMatchObject({ ObCluster: 'east' })
  })
})

describe('a registration', () => {
  const ips = async () => {
    clock.pass(1_000)
    const { Data } = await ask(`${ROOTS}&ObCluster=east`)
    return Data.RsList?.map(({ address }) => address)
  }

  test('takes the place of an older one, never of a newer', async () => {
    expect((await ask(REGISTER, registration(10, '10.0.0.5'))).status).toBe(200)
    expect((await ask(REGISTER, registration(20, '10.0.0.6'))).status).toBe(200)

    expect((await ask(REGISTER, registration(15, '10.0.0.7'))).status).toBe(409)
    expect((await ask(REGISTER, registration(20, '10.0.0.8'))).status).toBe(409)

    expect(await ips()).toEqual(['10.0.0.6:2882'])
  })

  test('sent again changes nothing and is well', async () => {
    await ask(REGISTER, registration(10, '10.0.0.5'))
    const { writes } = store

    expect((await ask(REGISTER, registration(10, '10.0.0.5'))).status).toBe(200)
    expect(store.writes).toBe(writes)
  })

  test('of many at once leaves the newest', async () => {
    const stamps = [7, 3, 9, 1, 8, 2]
    await Promise.all(stamps.map(stamp => ask(REGISTER, registration(stamp, `10.0.0.${stamp}`))))

    expect(await ips()).toEqual(['10.0.0.9:2882'])
  })

  test('that is withdrawn makes place for the registry, and nothing older comes back', async () => {
    await ask(REGISTER, registration(10, '10.0.0.5'))

    const query = `${REGISTER}&version=2&ObClusterId=1`
    expect((await ask(query, { method: 'DELETE' })).status).toBe(200)
    expect((await ask(query, { method: 'DELETE' })).status).toBe(200)

    expect(await ips()).toEqual(['10.0.0.1:2882', '10.0.0.2:2882'])
    expect((await ask(REGISTER, registration(10, '10.0.0.5'))).status).toBe(409)
    expect((await ask(REGISTER, registration(11, '10.0.0.5'))).status).toBe(200)
  })

  test('keeps at most sixteen ids of one name', async () => {
    const statuses: number[] = []
    for (let id = 1; id <= 17; id++)
      statuses.push((await ask(REGISTER, registration(5, '10.0.0.5', { ObClusterId: id }))).status)

    expect(statuses.filter(status => status === 200)).toHaveLength(16)
    expect(statuses.at(-1)).toBe(409)
  })

  test.each([
    ['no JSON', { method: 'POST', body: 'x' }, ''],
    ['no servers', registration(1, '10.0.0.1', { RsList: [] }), ''],
    ['no list', registration(1, '10.0.0.1', { RsList: undefined }), ''],
    ['an address that is none', registration(1, 'a b'), ''],
    [
      'a role that is none',
      registration(1, '10.0.0.1', { RsList: [{ address: '10.0.0.1:1', role: 'X', sql_port: 1 }] }),
      '',
    ],
    [
      'a port that is none',
      registration(1, '10.0.0.1', {
        RsList: [{ address: '10.0.0.1:1', role: 'LEADER', sql_port: 0 }],
      }),
      '',
    ],
    ['another name', registration(1, '10.0.0.1', { ObCluster: 'west' }), ''],
    ['another id', registration(1, '10.0.0.1'), '&ObClusterId=2'],
    ['no id', registration(1, '10.0.0.1', { ObClusterId: undefined }), ''],
    ['no time', registration(0, '10.0.0.1'), ''],
    ['no type in version 2', registration(1, '10.0.0.1', { Type: undefined }), '&version=2'],
    ['an unknown type', registration(1, '10.0.0.1', { Type: 'BOSS' }), ''],
    [
      'too many servers',
      registration(1, '10.0.0.1', {
        RsList: Array.from({ length: 65 }, () => ({
          address: '10.0.0.1:1',
          role: 'LEADER',
          sql_port: 1,
        })),
      }),
      '',
    ],
  ])('with %s is refused as a bad request', async (_what, init, more) => {
    const said = await ask(`${REGISTER}${more}`, init)

    expect(said).toMatchObject({ status: 400, Code: 400, Success: false, Data: null })
    expect(store.all('rootServices')).toEqual([])
  })

  test('larger than a list can be is refused unread', async () => {
    const init = registration(1, '10.0.0.1', { more: 'x'.repeat(70_000) })

    expect((await ask(REGISTER, init)).status).toBe(413)
  })
})

describe('a request that is none', () => {
  test.each([
    ['', 400],
    ['Action=Nothing', 400],
    ['Action=GetObProxyConfig&Action=ObRootServiceInfo', 400],
    [`${LIST}&VersionOnly=maybe`, 400],
    [`${ROOTS}`, 400],
    [`${ROOTS}&ObCluster=east&ObClusterId=x`, 400],
    [`${ROOTS}&ObCluster=east&ObClusterId=-1`, 400],
    [`${ROOTS}&ObCluster=east&ObClusterId=99999999999`, 400],
    [`${ROOTS}&ObCluster=${'x'.repeat(300)}`, 400],
    [`${LIST}&ObproxyClusterName=other`, 400],
  ])('%s is answered with %i in the envelope', async (query, status) => {
    expect(await ask(query)).toMatchObject({ status, Code: status, Success: false, Data: null })
  })

  test('another method or path is told so', async () => {
    const { app } = askable(store, clock)

    expect((await ask(LIST, { method: 'PUT' })).status).toBe(405)
    expect((await ask(REGISTER, { method: 'PATCH' })).status).toBe(405)
    expect((await app.request('/elsewhere')).status).toBe(404)
    expect((await app.request('/health')).status).toBe(200)
  })

  test('an error of ours is logged and not told', async () => {
    store.rootServices = () => Promise.reject(new Error('detail-x'))
    await store.commit([remove('obCluster', { ...obCluster('west'), version: 1 })])

    const said = await ask(LIST)

    expect(said).toMatchObject({ status: 503 })
    expect(JSON.stringify(said)).not.toContain('detail-x')
    expect(JSON.stringify(logged)).toContain('detail-x')
  })
})

describe('without the table', () => {
  test('what was asked for before is answered on, for as long as it takes', async () => {
    const before = await ask(LIST)
    const roots = await ask(`${ROOTS}&ObCluster=east`)
    store.isAway = true
    clock.pass(7 * 86_400_000)

    expect(await ask(LIST)).toEqual(before)
    expect(await ask(`${ROOTS}&ObCluster=east`)).toEqual(roots)
    expect((await ask(LIST.replace('token-1', 'wrong'))).status).toBe(401)
  })

  test('it is not asked for each request', async () => {
    await ask(LIST)
    store.isAway = true
    clock.pass(2_000)
    store.reads = 0

    for (let at = 0; at < 20; at++) await ask(LIST)

    expect(store.reads).toBe(1)
  })

  test('what nobody asked for is unavailable, with any token', async () => {
    store.isAway = true

    const answers = await Promise.all([
      bodyOf(LIST),
      bodyOf(LIST.replace('token-1', 'wrong')),
      bodyOf(LIST.replace('=pc', '=none')),
    ])

    expect(new Set(answers).size).toBe(1)
    expect(answers[0]).toContain('"Code":503')
    expect((await ask(REGISTER, registration(1, '10.0.0.1'))).status).toBe(503)
  })

  test('that is back is read again', async () => {
    await ask(LIST)
    store.isAway = true
    clock.pass(1_000)
    await ask(LIST)
    store.isAway = false
    const [before] = store.all('cluster')
    if (before === undefined) throw new Error('no cluster')
    await store.commit([put('cluster', { ...before, spec: proxyCluster('pc', ['west']).spec })])
    clock.pass(2_000)
    // Nobody waits for a table that was away a moment ago; the one after sees it.
    await ask(LIST)
    await new Promise(setImmediate)

    expect((await ask(LIST)).Data.ObRootServiceInfoUrlList).toHaveLength(1)
  })
})

test('many requests at once are one reading of the table', async () => {
  store.reads = 0

  await Promise.all(Array.from({ length: 50 }, () => ask(LIST)))

  expect(store.reads).toBeLessThan(6)
})

describe('a cluster that was moved out', () => {
  const UNTIL = 1_000_000
  const moved = (id: string, token: string, answersUntil: number, names = ['west']) =>
    put('movedOut', {
      id,
      name: 'pc',
      operationId: 'op_1',
      movedOutAt: 0,
      answersUntil,
      configToken: tokenOf(token),
      sysPasswordSecret: '/s',
      obClusters: names.map(name => ({ record: obCluster(name), registered: [] })),
      version: 0,
    })
  const regions = async (token: string) => {
    const { status, Data } = await ask(
      `Action=GetObProxyConfig&ObproxyClusterName=pc&Token=${token}`,
    )
    return status === 200 ? Data.ObRootServiceInfoUrlList?.map(each => each.ObRegion) : status
  }

  test('is told apart by its token from those that have the name after it', async () => {
    const until = clock.now() + UNTIL
    await store.commit([moved('clu_a', 'old-1', until), moved('clu_b', 'old-2', until, ['gone'])])
    expect(await regions('old-1')).toEqual(['west'])
    expect(await regions('old-2')).toEqual(['gone'])
    expect(await regions('token-1')).not.toEqual(['west'])
    expect(await regions('old-3')).toBe(401)
    clock.pass(UNTIL)
    expect(await regions('old-1')).toBe(401)
    expect(await regions('token-1')).toHaveLength(2)
  })

  test('is answered while the table is away, no longer than its time', async () => {
    await store.commit([moved('clu_a', 'old-1', clock.now() + UNTIL)])
    expect(await regions('old-1')).toEqual(['west'])
    store.isAway = true
    clock.pass(UNTIL - 1)
    expect(await regions('old-1')).toEqual(['west'])
    clock.pass(1)
    expect(await regions('old-1')).toBe(401)
  })

  test('learns what RootService says of its OB cluster after it was moved out', async () => {
    await store.commit([moved('clu_a', 'old-1', clock.now() + UNTIL, ['east'])])
    const roots = 'Action=ObRootServiceInfo&ObproxyClusterName=pc&Token=old-1&ObRegion=east'
    await ask(REGISTER, registration(1_790_000_000_000_000, '10.9.9.9'))
    clock.pass(2_000)
    expect((await ask(roots)).Data.RsList?.map(({ address }) => address)).toEqual(['10.9.9.9:2882'])
  })
})
