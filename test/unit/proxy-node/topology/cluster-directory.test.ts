import { expect, test } from 'vitest'
import { staticDirectory } from '../../../../proxy-node/topology/cluster-directory.ts'

const two = { name: 'east', rootservices: '10.0.0.1:2881;[2001:db8::1]:2882' }

test('the one cluster of rootservice_list is the default, and its first server leads', async () => {
  const directory = staticDirectory(two)

  expect(directory.defaultCluster()).toBe('east')
  expect(await directory.resolve('east')).toMatchObject({
    kind: 'found',
    checkedName: undefined,
    choices: [{ servers: [{ role: 'LEADER' }, { role: 'FOLLOWER' }] }],
  })
  expect(directory.rootServerRows().map(({ address, url }) => [address, url])).toEqual([
    ['10.0.0.1:2881', ''],
    ['[2001:db8::1]:2882', ''],
  ])
})

test.each([
  ['another name', two, 'west', 'unknown'],
  ['no name, when it has one', two, '', 'unknown'],
  ['no name, when it has none', { ...two, name: 'undefined' }, '', 'found'],
  ['no servers', { ...two, rootservices: '' }, 'east', 'unavailable'],
])('with %s', async (_what, settings, name, kind) => {
  expect((await staticDirectory(settings).resolve(name)).kind).toBe(kind)
})
