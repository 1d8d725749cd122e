/** Replicas and leaders of the pretended cluster. */
import { expect, test } from 'vitest'
import { Picture } from '../../../../../infra/local/front/picture.ts'
import { place, type ZoneUnits } from '../../../../../infra/local/front/placement.ts'

const STAYS = { leader: undefined, retired: new Set<string>(), isDuplicate: false }
const units = (change: Partial<ZoneUnits> = {}): readonly ZoneUnits[] => [
  { zone: 'z1', type: 'ReadWrite', priority: 0, servers: ['a1', 'a2'], ...change },
  { zone: 'z2', type: 'ReadWrite', priority: 0, servers: ['b1', 'b2'] },
  { zone: 'z3', type: 'ReadWrite', priority: 0, servers: ['c1', 'c2'] },
]
const leaders = (ids: readonly number[], of = units(), moved = STAYS) =>
  ids.map(id => place(id, of, moved).find(({ isLeader }) => isLeader)?.server)

test('six tablets that follow each other have six leaders', () => {
  expect(leaders([0, 1, 2, 3, 4, 5])).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2'])
})

test('a tablet has one replica a zone', () => {
  expect(place(3, units(), STAYS).map(({ server }) => server)).toEqual(['a2', 'b2', 'c2'])
})

test('zones of lower priority and read-only ones lead nothing', () => {
  expect(new Set(leaders([0, 1, 2, 3, 4, 5], units({ priority: 1 })))).toEqual(
    new Set(['b1', 'b2', 'c1', 'c2']),
  )
  expect(leaders([0, 1], units({ type: 'ReadOnly' }))).toEqual(['b1', 'b2'])
})

test('what a retired server led is led by another replica, and nothing else moves', () => {
  const before = leaders([0, 1, 2, 3, 4, 5])
  const after = leaders([0, 1, 2, 3, 4, 5], units(), { ...STAYS, retired: new Set(['b1']) })

  expect(after[2]).not.toBe('b1')
  expect(after.filter((leader, at) => leader === before[at])).toHaveLength(4)
  expect(after).not.toContain(undefined)
})

test('a leader by order takes the place of the replica of its zone', () => {
  const moved = place(0, units(), { ...STAYS, leader: 'b2' })

  expect(moved.map(({ server, isLeader }) => [server, isLeader])).toEqual([
    ['a1', false],
    ['c1', false],
    ['b2', true],
  ])
})

test('a tenant without units has no replicas', () => {
  expect(place(0, [], STAYS)).toEqual([])
})

test('the picture answers with the same object until something changes', () => {
  const picture = new Picture({
    cluster: 'c',
    version: '4.3.5.3',
    tenants: ['sys', 'app'],
    servers: [1, 2].map(at => ({ host: `127.0.0.${at}`, port: 2881, zone: `z${at}` })),
  })
  const before = picture.replicas('app', 7)

  expect(picture.replicas('app', 7)).toBe(before)
  picture.moveLeader(7, '127.0.0.1:2881')
  expect(picture.leader('app', 7)).toBe('127.0.0.1:2881')
  picture.setServer('127.0.0.1:2881', { isListed: false })
  expect(picture.units('app').map(({ zone }) => zone)).toEqual(['z2'])
  expect(picture.replicas('nobody', 7)).toEqual([])
  expect(() => picture.moveLeader(7, '127.0.0.9:2881')).toThrow(RangeError)
})

test('replicas can be named one by one, and duplicated', () => {
  const picture = new Picture({
    cluster: 'c',
    version: '4.3.5.3',
    tenants: ['app'],
    servers: [1, 2].map(at => ({ host: `127.0.0.${at}`, port: 2881, zone: `z${at}` })),
  })
  const byRule = picture.replicas('app', 7)
  const server = '127.0.0.1:2881'
  picture.setReplicas(7, [{ server, isLeader: false, type: 5, isDuplicate: false }])

  expect(picture.leader('app', 7)).toBeUndefined()
  picture.setReplicas(7, undefined)
  expect(picture.replicas('app', 7)).toEqual(byRule)
  picture.duplicate(7)
  expect(picture.replicas('app', 7).map(({ isDuplicate }) => isDuplicate)).toEqual([true, true])
})
