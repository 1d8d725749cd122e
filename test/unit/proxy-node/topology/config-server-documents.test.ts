import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  copiedIdcList,
  copiedRootServices,
  MAX_CLUSTERS,
  parseClusterList,
  parseIdcLists,
  parseRootServices,
  parseVersion,
} from '../../../../proxy-node/topology/config-server-documents.ts'
import { envelope, listBody, member, rsList } from '../../../support/config-documents.ts'

/** Places of templates, which look like ours. */
const [REGION, CLUSTER, ID] = ['ObRegion', 'ObCluster', 'OBClusterId'].map(name => `$\{${name}}`)

const rs = (data: unknown, id = 0, name = 'east') => parseRootServices(envelope(data), { name, id })
const whyOf = (parsed: { readonly kind: string; readonly why?: string }) =>
  parsed.kind === 'bad' ? parsed.why : 'it was taken'
const taken = <T>(
  parsed:
    | { readonly kind: 'ok'; readonly value: T }
    | { readonly kind: 'bad'; readonly why: string },
): T => {
  if (parsed.kind === 'bad') throw new Error(parsed.why)
  return parsed.value
}

describe('the envelope of an answer', () => {
  const good = { Code: 200, Message: 'successful', Success: true, Data: { Version: 'v' } }

  test.each([
    ['200', good, 'v'],
    ['any 2xx', { ...good, Code: 299 }, 'v'],
    ['keys that nobody knows', { ...good, Trace: 'x', Server: '1.1.1.1', Cost: 1, More: {} }, 'v'],
    ['version in lower case', { ...good, Data: { version: 'w' } }, 'w'],
    ['no version', { ...good, Data: {} }, ''],
  ])('is taken with %s', (_what, answer, version) => {
    expect(parseVersion(JSON.stringify(answer))).toEqual({ kind: 'ok', value: version })
  })

  test.each([
    ['another message', { ...good, Message: 'Successful' }],
    ['no message', { ...good, Message: undefined }],
    ['success as a text', { ...good, Success: 'true' }],
    ['failure', { ...good, Success: false }],
    ['code 300', { ...good, Code: 300 }],
    ['code 199', { ...good, Code: 199 }],
    ['code as a text', { ...good, Code: '200' }],
    ['no data', { ...good, Data: undefined }],
    ['data that is null', { ...good, Data: null }],
    ['data that is an array', { ...good, Data: [] }],
    ['a version that is a number', { ...good, Data: { Version: 7 } }],
    ['a version with a line break', { ...good, Data: { Version: 'a\nb' } }],
  ])('is refused with %s', (_what, answer) => {
    expect(parseVersion(JSON.stringify(answer)).kind).toBe('bad')
  })

  test('is refused when it is no JSON, without a piece of it in the reason', () => {
    expect(parseVersion('{"Token": "secret-1", oops')).toEqual({ kind: 'bad', why: 'no JSON' })
  })
})

describe('the cluster list', () => {
  test('keeps the order: the first is the default', () => {
    const list = taken(
      parseClusterList(
        listBody('v1', [
          ['b', 'http://c/b'],
          ['a', 'http://c/a'],
        ]),
      ),
    )

    expect(list.clusters).toEqual([
      { name: 'b', url: 'http://c/b' },
      { name: 'a', url: 'http://c/a' },
    ])
    expect(list.version).toBe('v1')
  })

  test('knows the metadata cluster, and not its password', () => {
    const list = taken(parseClusterList(listBody('v', [])))

    expect(list.metadata).toEqual({ url: 'http://config/m', database: 'd', user: 'u' })
    expect(JSON.stringify(list)).not.toContain('"p"')
  })

  test('may be empty', () => {
    expect(taken(parseClusterList(listBody('v', []))).clusters).toEqual([])
  })

  test.each([
    [
      'ObCluster for ObRegion',
      { ObRootServiceInfoUrlList: [{ ObCluster: 'a', ObRootServiceInfoUrl: 'u' }] },
      [['a', 'u']],
    ],
    [
      'names and the first template',
      {
        ObRegion: ['a', 'b'],
        ObRootServiceInfoUrlTemplate: `http://c/?A=ObRootServiceInfo&R=${REGION}`,
      },
      [
        ['a', 'http://c/?A=ObRootServiceInfo&R=a'],
        ['b', 'http://c/?A=ObRootServiceInfo&R=b'],
      ],
    ],
    [
      'names and the second template, whose id falls away',
      {
        ObClusterList: ['a'],
        ObRootServiceInfoUrlTemplateV2: `http://c/?version=2&ObCluster=${CLUSTER}&ObClusterId=${ID}`,
      },
      [['a', 'http://c/?version=2&ObCluster=a']],
    ],
    [
      'both templates: the first is what proxies have always read',
      {
        ObClusterList: ['a'],
        ObRootServiceInfoUrlTemplate: `one/${REGION}`,
        ObRootServiceInfoUrlTemplateV2: `two/${CLUSTER}`,
      },
      [['a', 'one/a']],
    ],
    [
      'both forms: what is listed by name first',
      {
        ObRootServiceInfoUrlList: [{ ObRegion: 'b', ObRootServiceInfoUrl: 'listed' }],
        ObClusterList: ['a', 'b'],
        ObRootServiceInfoUrlTemplate: `t/${REGION}`,
      },
      [
        ['b', 'listed'],
        ['a', 't/a'],
      ],
    ],
    [
      'names with signs that mean something in URLs and in replacements',
      { ObClusterList: ['a&b=$&'], ObRootServiceInfoUrlTemplate: `t?c=${REGION}` },
      [['a&b=$&', 't?c=a%26b%3D%24%26']],
    ],
    ['no names at all', { ObClusterList: [] }, []],
  ])('is read with %s', (_what, data, clusters) => {
    const list = taken(parseClusterList(envelope(data)))

    expect(list.clusters.map(({ name, url }) => [name, url])).toEqual(clusters)
  })

  test.each([
    [
      'a cluster twice',
      listBody('v', [
        ['a', 'x'],
        ['a', 'y'],
      ]),
    ],
    [
      'a name twice',
      envelope({ ObClusterList: ['a', 'a'], ObRootServiceInfoUrlTemplate: `${REGION}` }),
    ],
    [
      'a cluster without a name',
      envelope({ ObRootServiceInfoUrlList: [{ ObRootServiceInfoUrl: 'x' }] }),
    ],
    ['a cluster without a URL', envelope({ ObRootServiceInfoUrlList: [{ ObRegion: 'a' }] })],
    ['a URL that is too long', listBody('v', [['a', 'x'.repeat(2_049)]])],
    ['a name that is too long', listBody('v', [['a'.repeat(129), 'x']])],
    ['a name with a line break', listBody('v', [['a\n', 'x']])],
    ['a list that is none', envelope({ ObRootServiceInfoUrlList: {} })],
    ['names without a template', envelope({ ObClusterList: ['a'] })],
    [
      'a template without a place',
      envelope({ ObClusterList: ['a'], ObRootServiceInfoUrlTemplate: 'x' }),
    ],
    [
      'too many clusters',
      listBody(
        'v',
        Array.from({ length: MAX_CLUSTERS + 1 }, (_none, at) => [`c${at}`, 'x'] as const),
      ),
    ],
    [
      'a long template times many names',
      envelope({
        ObClusterList: Array.from({ length: 4_000 }, (_none, at) => `c${at}`),
        ObRootServiceInfoUrlTemplate: `${'x'.repeat(100_000)}\${ObRegion}`,
      }),
    ],
  ])('is refused with %s', (_what, body) => {
    expect(parseClusterList(body).kind).toBe('bad')
  })
})

describe('a root service list', () => {
  test('has the address for SQL, whoever leads, and read-only servers', () => {
    const answer = taken(
      rs(
        member('east', 3, 'PRIMARY', [{ ip: '10.0.0.1', role: 'LEADER' }, { ip: '10.0.0.2' }], {
          ReadonlyRsList: rsList([{ ip: '10.0.0.9', sqlPort: 3_306 }]),
        }),
      ),
    )

    expect(answer).toEqual({
      isArray: false,
      members: [
        {
          cluster: 'east',
          alias: undefined,
          clusterId: 3,
          type: 'PRIMARY',
          servers: [
            { address: { host: '10.0.0.1', port: 2881 }, role: 'LEADER', type: 'FULL' },
            { address: { host: '10.0.0.2', port: 2881 }, role: 'FOLLOWER', type: 'FULL' },
            { address: { host: '10.0.0.9', port: 3306 }, role: 'FOLLOWER', type: 'READONLY' },
          ],
        },
      ],
    })
  })

  test.each([
    [
      'ObCluster and ObClusterId',
      { ObCluster: 'east', ObClusterId: 3, Type: 'primary' },
      0,
      3,
      'PRIMARY',
    ],
    [
      'both spellings',
      { ObCluster: 'east', ObRegion: 'east', ObClusterId: 3, ObRegionId: 3 },
      3,
      3,
      'PRIMARY',
    ],
    ['no type', { ObRegion: 'east', ObRegionId: 3 }, 0, 3, 'PRIMARY'],
    ['an empty type', { ObRegion: 'east', Type: '' }, 0, 0, 'PRIMARY'],
    ['a type in mixed case', { ObRegion: 'east', Type: 'Standby' }, 0, 0, 'STANDBY'],
    ['no id: then it is the one asked for', { ObRegion: 'east' }, 7, 7, 'PRIMARY'],
    ['the alias as the name', { ObRegion: 'real', ObClusterAlias: 'east' }, 0, 0, 'PRIMARY'],
    [
      'read-only servers that are null',
      { ObRegion: 'east', ReadonlyRsList: null },
      0,
      0,
      'PRIMARY',
    ],
    [
      'read-only servers that are an empty text',
      { ObRegion: 'east', ReadonlyRsList: '' },
      0,
      0,
      'PRIMARY',
    ],
    ['keys that nobody knows', { ObRegion: 'east', timestamp: 1, More: [] }, 0, 0, 'PRIMARY'],
  ])('is taken with %s', (_what, data, id, ...[clusterId, type]) => {
    const answer = taken(rs({ RsList: rsList([{ ip: '10.0.0.1' }]), ...data }, id))

    expect(answer.members).toMatchObject([{ clusterId, type }])
  })

  test.each([
    ['10.0.0.1:2882', 2881, '10.0.0.1'],
    ['10.0.0.1', 2881, '10.0.0.1'],
    ['[2001:DB8::1]:2882', 2881, '2001:db8::1'],
    ['[::ffff:10.0.0.1]:2882', 2881, '10.0.0.1'],
    ['ob-1.example.com:2882', 2881, 'ob-1.example.com'],
  ])('takes the address %s', (address, port, host) => {
    const data = { ObRegion: 'east', RsList: [{ address, sql_port: port, role: 'LEADER' }] }

    expect(taken(rs(data)).members[0]?.servers[0]?.address).toEqual({ host, port })
  })

  test.each([
    ['999.0.0.1:2882', 2881],
    ['0.0.0.0:2882', 2881],
    ['[::]:2882', 2881],
    ['a b:2882', 2881],
    ['::1:2882', 2881],
    [':2882', 2881],
    ['', 2881],
    [7, 2881],
    [null, 2881],
    ['-a:2882', 2881],
    ['10.0.0.1:2882', 0],
    ['10.0.0.1:2882', 65_536],
    ['10.0.0.1:2882', 28.5],
    ['10.0.0.1:2882', '2881'],
    ['10.0.0.1:2882', undefined],
  ])('passes over the address %j with SQL port %j', (address, port) => {
    const good = { address: '10.0.0.2:2882', sql_port: 2881, role: 'FOLLOWER' }
    const bad = { address, sql_port: port, role: 'LEADER' }

    const { members } = taken(rs({ ObRegion: 'east', RsList: [bad, good] }))

    expect(members[0]?.servers.map(server => server.address.host)).toEqual(['10.0.0.2'])
  })

  test('of a primary and its standbys keeps each by its id; those without servers are left out', () => {
    const answer = taken(
      rs([
        member('east', 1, 'STANDBY', [{ ip: '10.0.1.1' }]),
        member('east', 2, 'PRIMARY', [{ ip: '10.0.2.1' }]),
        member('east', 3, 'STANDBY', []),
      ]),
    )

    expect(answer.isArray).toBe(true)
    expect(answer.members.map(({ clusterId, type }) => [clusterId, type])).toEqual([
      [1, 'STANDBY'],
      [2, 'PRIMARY'],
    ])
  })

  const one = [{ ip: '10.0.0.1' }]
  test.each([
    ['another name', member('west', 1, 'PRIMARY', one), 0, 'another cluster than asked for'],
    ['no name', { RsList: rsList(one) }, 0, 'a name that is none'],
    ['another id', member('east', 1, 'PRIMARY', one), 2, 'another cluster id than asked for'],
    [
      'an array without the id',
      [member('east', 1, 'PRIMARY', one)],
      2,
      'another cluster id than asked for',
    ],
    [
      'an id twice',
      [member('east', 1, 'PRIMARY', one), member('east', 1, 'STANDBY', one)],
      0,
      'two clusters of one id',
    ],
    [
      'a foreign member',
      [member('east', 1, 'PRIMARY', one), member('west', 2, 'STANDBY', one)],
      0,
      'another cluster than asked for',
    ],
    ['a negative id', member('east', -1, 'PRIMARY', one), 0, 'a cluster id that is none'],
    ['an id with a fraction', member('east', 1.5, 'PRIMARY', one), 0, 'a cluster id that is none'],
    ['an unknown type', member('east', 1, 'LEADER', one), 0, 'a cluster type that is none'],
    [
      'an unknown role',
      member('east', 1, 'PRIMARY', [{ ip: '10.0.0.1', role: 'BOSS' }]),
      0,
      'a role that is none',
    ],
    [
      'no role',
      { ObRegion: 'east', RsList: [{ address: '10.0.0.1:1', sql_port: 1 }] },
      0,
      'a role that is none',
    ],
    ['no list', { ObRegion: 'east' }, 0, 'server list is no array'],
    ['an empty list', member('east', 1, 'PRIMARY', []), 0, 'no server with a usable address'],
    ['an empty array', [], 0, 'no server with a usable address'],
    ['a text', 'x', 0, 'root service list is no object'],
    [
      'too many servers',
      member(
        'east',
        1,
        'PRIMARY',
        Array.from({ length: 1_025 }, () => ({ ip: '10.0.0.1' })),
      ),
      0,
      'server list has more than 1024 entries',
    ],
  ])('is refused with %s', (_what, data, id, why) => {
    expect(whyOf(rs(data, id))).toBe(why)
  })
})

describe('the IDC list', () => {
  test('has IDCs in lower case', () => {
    const data = {
      ObRegion: 'east',
      ObRegionId: 2,
      IDCList: [
        { idc: 'SH-1', region: 'Shanghai' },
        { idc: '', region: 'x' },
      ],
      ReadonlyRsList: '',
    }

    expect(taken(parseIdcLists(envelope(data), ['east']))).toEqual([
      { clusterId: 2, regions: [{ idc: 'sh-1', region: 'Shanghai' }] },
    ])
  })

  test('may be one a cluster id', () => {
    const data = [1, 2].map(id => ({ ObCluster: 'east', ObClusterId: id, IDCList: [] }))

    expect(taken(parseIdcLists(envelope(data), ['real', 'east']))).toHaveLength(2)
  })

  test.each([
    ['another cluster', { ObRegion: 'west', IDCList: [] }],
    ['no list', { ObRegion: 'east' }],
    ['an IDC without a region', { ObRegion: 'east', IDCList: [{ idc: 'a' }] }],
    ['an IDC that is a number', { ObRegion: 'east', IDCList: [{ idc: 1, region: 'r' }] }],
  ])('is refused with %s', (_what, data) => {
    expect(parseIdcLists(envelope(data), ['east']).kind).toBe('bad')
  })
})

describe('whatever a server sends', () => {
  const anything = fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc.string(),
    fc.json().map(text => `{"Data":${text}`),
  )

  test('never throws', () => {
    fc.assert(
      fc.property(anything, fc.jsonValue(), (body, value) => {
        for (const text of [body, envelope(value)]) {
          parseVersion(text)
          parseClusterList(text)
          parseRootServices(text, { name: 'east', id: 0 })
          parseIdcLists(text, ['east'])
        }
        copiedRootServices(value)
        copiedIdcList(value)
      }),
      { numRuns: 500 },
    )
  })

  test('is never taken without a valid envelope', () => {
    const data = member('east', 1, 'PRIMARY', [{ ip: '10.0.0.1' }])
    const bad = fc.record(
      {
        Code: fc.oneof(fc.integer({ max: 199 }), fc.integer({ min: 300 }), fc.string()),
        Message: fc.string().filter(text => text !== 'successful'),
        Success: fc.oneof(fc.constant(false), fc.string(), fc.integer()),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(
        bad.filter(rest => Object.keys(rest).length > 0),
        rest => {
          expect(parseRootServices(envelope(data, rest), { name: 'east', id: 1 }).kind).toBe('bad')
        },
      ),
    )
  })

  test('has servers with addresses and ports only, when it is taken', () => {
    const server = fc.record({
      address: fc.oneof(
        fc.string(),
        fc.ipV4().map(ip => `${ip}:2882`),
        fc.ipV6().map(ip => `[${ip}]:1`),
      ),
      role: fc.constantFrom('LEADER', 'FOLLOWER', 'leader'),
      sql_port: fc.oneof(fc.integer({ min: -1, max: 70_000 }), fc.double()),
    })
    fc.assert(
      fc.property(fc.array(server), servers => {
        const parsed = rs({ ObRegion: 'east', RsList: servers })
        const found = parsed.kind === 'ok' ? parsed.value.members.flatMap(each => each.servers) : []
        for (const { address } of found) {
          expect(address.host).toMatch(/^[0-9A-Za-z][0-9A-Za-z.:-]*$|^:/)
          expect(Number.isInteger(address.port) && address.port > 0 && address.port < 65_536).toBe(
            true,
          )
        }
      }),
    )
  })
})
