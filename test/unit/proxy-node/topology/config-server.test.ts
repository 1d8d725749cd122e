import { beforeEach, describe, expect, test } from 'vitest'
import type { DirectoryChange } from '../../../../proxy-node/topology/cluster-directory.ts'
import { ConfigServerDirectory } from '../../../../proxy-node/topology/config-server.ts'
import { envelope, listBody, member, versionBody } from '../../../support/config-documents.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { ScriptedConfigServer } from '../../../support/scripted-config-server.ts'

const URL_ = 'http://config/services?Action=GetObProxyConfig&Token=t0ps3cret'
const rsUrl = (name: string) =>
  `http://config/services?Action=ObRootServiceInfo&T=1&ObRegion=${name}`
const rsAll = (name: string) => `${rsUrl(name)}&version=2`
const idcUrl = (name: string) => rsUrl(name).replace('ObRootServiceInfo', 'ObIDCRegionInfo')

let server: ScriptedConfigServer
let clock: HandClock
let files: Map<string, string>
let said: string[]
let changes: DirectoryChange[]

beforeEach(() => {
  server = new ScriptedConfigServer()
  clock = new HandClock()
  files = new Map()
  said = []
  changes = []
})

const list = (version: string, names: readonly string[]) => {
  server.documents.set(
    URL_,
    listBody(
      version,
      names.map(name => [name, rsUrl(name)] as const),
    ),
  )
  server.documents.set(`${URL_}&VersionOnly=true`, versionBody(version))
}
const servers = (name: string, ip: string, id = 1) => {
  server.documents.set(rsAll(name), envelope(member(name, id, 'PRIMARY', [{ ip, role: 'LEADER' }])))
}
const made = (prefersCopies = false) => {
  const directory = new ConfigServerDirectory({
    url: URL_,
    get: server.get,
    copies: { read: file => files.get(file), write: (file, text) => files.set(file, text) },
    clock,
    random: () => 0,
    prefersCopies,
    intervals: () => ({ configMs: 60_000, idcMs: 7_200_000 }),
    say: line => said.push(line),
  })
  directory.onChange(change => changes.push(change))
  return directory
}
const started = async (prefersCopies = false) => {
  const directory = made(prefersCopies)
  await directory.start()
  return directory
}
const settle = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}
/** Hosts that `name` begins at, or why there are none. */
const hostsOf = async (directory: ConfigServerDirectory, name: string, id = 0) => {
  const found = await directory.resolve(name, id)
  if (found.kind !== 'found') return found.kind
  return found.choices.map(choice => choice.servers.map(({ address }) => address.host).join())
}

describe('a start', () => {
  test('learns the clusters; the first is the default', async () => {
    list('v1', ['east', 'west'])

    const directory = await started()

    expect(directory.clusters().map(({ name }) => name)).toEqual(['east', 'west'])
    expect(directory.defaultCluster()).toBe('east')
    expect(changes).toEqual([{ kind: 'clusters', added: ['east', 'west'], removed: [] }])
  })

  test('without the server serves from the local copies', async () => {
    list('v1', ['east', 'west'])
    servers('east', '10.0.0.1')
    server.documents.set(
      idcUrl('east'),
      envelope({ ObRegion: 'east', ObRegionId: 1, IDCList: [{ idc: 'A', region: 'r' }] }),
    )
    const before = await started()
    await before.resolve('east')
    await settle()
    server.isAway = true

    const after = await started()

    expect(await hostsOf(after, 'east')).toEqual(['10.0.0.1'])
    expect(await after.resolve('east')).toMatchObject({ isCopy: true, checkedName: 'east' })
    expect(after.idcRegions('east')).toEqual([{ idc: 'a', region: 'r' }])
    expect(await hostsOf(after, 'west')).toBe('unavailable')
    expect(await hostsOf(after, 'north')).toBe('unavailable')
  })

  test('asks once for a list whose copy it has, and waits for nobody after that', async () => {
    list('v1', ['east'])
    servers('east', '10.0.0.1')
    await (await started()).resolve('east')
    server.isAway = true
    const after = await started()
    await after.resolve('east')
    server.asked.length = 0

    for (let login = 0; login < 10; login++) await after.resolve('east')

    expect(server.asked).toEqual([])
  })

  test('without ignore_local_config waits for nobody when there are copies', async () => {
    list('v1', ['east'])
    servers('east', '10.0.0.1')
    await (await started()).resolve('east')
    server.isSlow = true

    const after = await started(true)

    expect(await hostsOf(after, 'east')).toEqual(['10.0.0.1'])
    server.release()
    await settle()
    servers('east', '10.0.0.2')
    await after.refresh('root-services')
    expect(await hostsOf(after, 'east')).toEqual(['10.0.0.2'])
  })

  test('without server and copies tries again soon, and later and later', async () => {
    server.isAway = true
    const directory = await started()
    expect(await hostsOf(directory, 'east')).toBe('unavailable')

    server.asked.length = 0
    await clock.pass(2_000)
    expect(server.asked).toHaveLength(1)
    await clock.pass(2_000)
    expect(server.asked).toHaveLength(1)
    server.isAway = false
    list('v1', ['east'])
    await clock.pass(2_000)

    expect(directory.defaultCluster()).toBe('east')
  })

  test('takes no copies of another server', async () => {
    list('v1', ['east'])
    await started()
    const [[name = '', text = ''] = []] = files
    files.set(name, text.replace(/"Mark":"\w+"/, '"Mark":"0123"'))
    server.isAway = true

    expect((await started()).defaultCluster()).toBeUndefined()
  })

  test('takes the copies that OBProxy left', async () => {
    files.set('obproxy_config_server_info.json', listBody('v1', [['east', rsUrl('east')]]))
    files.set(
      'obproxy_rslist_info.json',
      JSON.stringify([
        member('east', 2, 'PRIMARY', [{ ip: '10.0.0.2' }], { ObRealClusterName: 'real' }),
        { ObRegion: 'MetaDataBase', RsList: [] },
      ]),
    )
    server.isAway = true

    const directory = await started()

    expect(await hostsOf(directory, 'east')).toEqual(['10.0.0.2'])
    expect(await directory.resolve('east')).toMatchObject({ checkedName: undefined })
  })

  test.each(['', '{', '[]', 'null', '{"Mark":1}', '\u0000'])(
    'is not hindered by a damaged copy: %j',
    async text => {
      for (const file of ['config_server_info', 'rslist_info', 'idc_list_info'])
        files.set(`obproxy_${file}.json`, text)
      list('v1', ['east'])
      servers('east', '10.0.0.1')

      expect(await hostsOf(await started(), 'east')).toEqual(['10.0.0.1'])
    },
  )
})

describe('the cluster list', () => {
  test('is read in full only when its version is another', async () => {
    list('v1', ['east'])
    const directory = await started()
    server.asked.length = 0

    await clock.pass(30_000)
    expect(server.asked).toEqual([`${URL_}&VersionOnly=true`])

    list('v2', ['east', 'west'])
    await clock.pass(30_000)
    expect(server.asked.slice(1)).toEqual([`${URL_}&VersionOnly=true`, URL_])
    expect(directory.clusters()).toHaveLength(2)
  })

  test('gains and loses clusters without a restart', async () => {
    list('v1', ['east', 'west'])
    servers('east', '10.0.0.1')
    const directory = await started()
    await directory.resolve('east')
    changes.length = 0

    list('v2', ['west', 'north'])
    await directory.refresh('cluster-list')

    expect(changes).toEqual([{ kind: 'clusters', added: ['north'], removed: ['east'] }])
    expect(await hostsOf(directory, 'east')).toBe('unknown')
    expect(directory.defaultCluster()).toBe('west')
    expect(files.get('obproxy_rslist_info.json')).not.toContain('10.0.0.1')
  })

  test('is looked at for a name that nobody lists, but not for each', async () => {
    list('v1', ['east'])
    const directory = await started()
    await clock.pass(5_000)
    list('v2', ['east', 'new'])
    servers('new', '10.0.0.3')
    server.asked.length = 0

    expect(await hostsOf(directory, 'new')).toEqual(['10.0.0.3'])
    server.asked.length = 0
    for (let login = 0; login < 10; login++) expect(await hostsOf(directory, 'no')).toBe('unknown')

    expect(server.asked).toEqual([])
  })

  test('stays when the server is away, answers rubbish or says that it failed', async () => {
    list('v1', ['east'])
    const directory = await started()

    for (const body of ['rubbish', envelope({}, { Success: false }), envelope([])]) {
      server.documents.set(URL_, body)
      await directory.refresh('cluster-list')
    }
    server.isAway = true
    await directory.refresh('cluster-list')

    expect(directory.defaultCluster()).toBe('east')
    expect(said.filter(line => line.includes('says that it failed')).length).toBeLessThan(2)
  })

  test('of an order is read after the order, not shared with a read before it', async () => {
    list('v1', ['east'])
    const directory = await started()
    server.isSlow = true
    const first = directory.refresh('cluster-list')
    await settle()
    const second = directory.refresh('cluster-list')
    const third = directory.refresh('cluster-list')
    server.asked.length = 0

    list('v2', ['east', 'west'])
    server.release()
    await Promise.all([first, second, third])

    expect(server.asked).toEqual([URL_])
    expect(directory.clusters()).toHaveLength(2)
  })

  test('follows another URL of a cluster', async () => {
    list('v1', ['east'])
    servers('east', '10.0.0.1')
    const directory = await started()
    await directory.resolve('east')
    server.documents.set(URL_, listBody('v2', [['east', 'http://config/other']]))
    await directory.refresh('cluster-list')
    server.documents.set(
      'http://config/other?version=2',
      envelope(member('east', 1, 'PRIMARY', [{ ip: '10.0.0.7' }])),
    )

    expect(await directory.refetch('east')).toBe(true)
    expect(await hostsOf(directory, 'east')).toEqual(['10.0.0.7'])
  })
})

describe('a root service list', () => {
  test('is asked for once by all who wait for it', async () => {
    list('v1', ['east'])
    servers('east', '10.0.0.1')
    const directory = await started()
    server.asked.length = 0

    await Promise.all(Array.from({ length: 500 }, () => directory.resolve('east')))

    expect(server.asked.filter(url => url === rsAll('east'))).toHaveLength(1)
  })

  test('is kept fresh once somebody wanted it, until it is released', async () => {
    list('v1', ['east', 'west'])
    servers('east', '10.0.0.1')
    const directory = await started()
    await directory.resolve('east')
    changes.length = 0
    servers('east', '10.0.0.2')
    server.asked.length = 0

    await clock.pass(30_000)
    await settle()

    expect(changes).toEqual([{ kind: 'root-services', name: 'east', id: 0 }])
    expect(await hostsOf(directory, 'east')).toEqual(['10.0.0.2'])
    directory.release('east')
    server.asked.length = 0
    await clock.pass(30_000)
    expect(server.asked).toEqual([`${URL_}&VersionOnly=true`])
  })

  test('that is the same again is no change', async () => {
    list('v1', ['east'])
    servers('east', '10.0.0.1')
    const directory = await started()
    await directory.resolve('east')
    changes.length = 0

    expect(await directory.refetch('east')).toBe(false)
    expect(changes).toEqual([])
  })

  test('stays when it cannot be read any more', async () => {
    list('v1', ['east'])
    servers('east', '10.0.0.1')
    const directory = await started()
    await directory.resolve('east')
    server.documents.set(
      rsAll('east'),
      envelope(member('west', 1, 'PRIMARY', [{ ip: '10.9.9.9' }])),
    )

    expect(await directory.refetch('east')).toBe(false)
    expect(await hostsOf(directory, 'east')).toEqual(['10.0.0.1'])
  })

  test('that failed a moment ago is not tried for each login', async () => {
    list('v1', ['east'])
    const directory = await started()
    server.asked.length = 0

    for (let login = 0; login < 5; login++) await directory.resolve('east')
    expect(server.asked).toHaveLength(1)

    await clock.pass(1_000)
    servers('east', '10.0.0.1')
    expect(await hostsOf(directory, 'east')).toEqual(['10.0.0.1'])
  })
})

describe('a primary with standbys', () => {
  const both = (first: string, second: string) =>
    server.documents.set(
      rsAll('east'),
      envelope([
        member('east', 1, first, [{ ip: '10.0.1.1' }]),
        member('east', 2, second, [{ ip: '10.0.2.1' }]),
      ]),
    )

  test.each([
    ['the primary, when exactly one is', 'STANDBY', 'PRIMARY', ['10.0.2.1']],
    ['each in turn, when none is', 'STANDBY', 'STANDBY', ['10.0.1.1', '10.0.2.1']],
    ['each in turn, when both say so', 'PRIMARY', 'PRIMARY', ['10.0.1.1', '10.0.2.1']],
  ])('is %s', async (_what, first, second, hosts) => {
    list('v1', ['east'])
    both(first, second)

    expect(await hostsOf(await started(), 'east')).toEqual(hosts)
  })

  test('is the one whose id is asked for', async () => {
    list('v1', ['east'])
    both('PRIMARY', 'STANDBY')
    const directory = await started()
    await directory.resolve('east')
    server.documents.set(
      `${rsAll('east')}&ObRegionId=2`,
      envelope(member('east', 2, 'STANDBY', [{ ip: '10.0.2.2' }])),
    )

    expect(await hostsOf(directory, 'east', 2)).toEqual(['10.0.2.1'])
    await directory.refetch('east', 2)
    expect(await hostsOf(directory, 'east', 2)).toEqual(['10.0.2.2'])
    expect(await hostsOf(directory, 'east', 9)).toBe('unavailable')
  })

  test('has no primary any more when that one says it is a standby now', async () => {
    list('v1', ['east'])
    both('PRIMARY', 'STANDBY')
    const directory = await started()
    await directory.resolve('east')
    server.documents.set(
      `${rsAll('east')}&ObRegionId=1`,
      envelope(member('east', 1, 'STANDBY', [{ ip: '10.0.1.1' }])),
    )

    await directory.refetch('east', 1)

    expect(await hostsOf(directory, 'east')).toEqual(['10.0.1.1', '10.0.2.1'])
  })

  test('reached by an alias is not checked by its name', async () => {
    list('v1', ['alias'])
    server.documents.set(
      rsAll('alias'),
      envelope(member('real', 1, 'PRIMARY', [{ ip: '10.0.0.1' }], { ObClusterAlias: 'alias' })),
    )
    const directory = await started()

    expect(await directory.resolve('alias')).toMatchObject({
      name: 'alias',
      checkedName: undefined,
    })
    expect(await directory.resolve('real')).toMatchObject({ kind: 'found', name: 'alias' })
  })
})

describe('what is shown', () => {
  test('is every server and IDC, and never a token', async () => {
    list('v1', ['east'])
    const url = 'http://config/services?Action=ObRootServiceInfo&Token=t0ps3cret&ObRegion=east'
    server.documents.set(URL_, listBody('v1', [['east', url]]))
    server.documents.set(
      `${url}&version=2`,
      envelope(
        member('east', 1, 'PRIMARY', [{ ip: '10.0.0.1', role: 'LEADER' }], {
          ReadonlyRsList: [{ address: '[2001:db8::1]:1', role: 'FOLLOWER', sql_port: 2881 }],
        }),
      ),
    )
    server.documents.set(
      url.replace('ObRootServiceInfo', 'ObIDCRegionInfo'),
      envelope({ ObRegion: 'east', ObRegionId: 1, IDCList: [{ idc: 'Z', region: 'r' }] }),
    )
    const directory = await started()
    await directory.resolve('east')
    await settle()
    server.isAway = true
    await directory.refresh('cluster-list')

    const shown = {
      servers: directory.rootServerRows(),
      idcs: directory.idcRows(),
      facts: directory.facts(),
    }

    const masked = 'http://config/services?Action=ObRootServiceInfo&Token=******&ObRegion=east'
    expect(shown.servers).toEqual([
      {
        name: 'east',
        id: 1,
        url: masked,
        address: '10.0.0.1:2881',
        role: 'LEADER',
        replicaType: 'FULL',
      },
      {
        name: 'east',
        id: 1,
        url: masked,
        address: '[2001:db8::1]:2881',
        role: 'FOLLOWER',
        replicaType: 'READONLY',
      },
    ])
    expect(shown.idcs).toMatchObject([{ name: 'east', id: 1, idc: 'z', region: 'r' }])
    expect(shown.facts).toMatchObject({ version: 'v1', clusterCount: 1, metadataUser: 'u' })
    expect(JSON.stringify([shown, said])).not.toContain('t0ps3cret')
  })

  test('a disk that is full loses the copy, not the cluster', async () => {
    list('v1', ['east'])
    servers('east', '10.0.0.1')
    const directory = made()
    Object.assign(files, {
      set: () => {
        throw new Error('ENOSPC')
      },
    })
    await directory.start()

    expect(await hostsOf(directory, 'east')).toEqual(['10.0.0.1'])
    expect(said.join()).toContain('ENOSPC')
  })

  test('stops asking when it is told to', async () => {
    list('v1', ['east'])
    const directory = await started()
    directory.stop()
    server.asked.length = 0

    await clock.pass(10 * 7_200_000)

    expect(server.asked).toEqual([])
    expect(clock.pending).toBe(0)
  })
})
