import { describe, expect, test } from 'vitest'
import type { Listing } from '../../../../proxy-node/topology/listing.ts'
import {
  emptyPicture,
  interleaved,
  pictureOfListing,
} from '../../../../proxy-node/topology/picture.ts'

const EMPTY = emptyPicture('c', 0, new Map())
const LISTING: Listing = {
  majorVersion: 4,
  flavour: 'v4',
  zones: new Map(
    ['z1', 'z2'].map(name => [
      name,
      { name, region: 'r', idc: name, type: 'ReadWrite', state: 'ACTIVE' },
    ]),
  ),
  servers: ['z1', 'z1', 'z1', 'z2', 'z3'].map((zone, at) => ({
    address: { host: `s${at}`, port: 1 },
    zone,
    status: 'ACTIVE',
    isStarted: true,
    isStopped: at === 4,
  })),
  tenants: [{ name: 'app', id: '1002', locality: 'FULL@z1', primaryZone: 'z1;z2' }],
  singleLeaders: new Map([['1002', { host: 's3', port: 1 }]]),
}

describe('a picture', () => {
  const picture = pictureOfListing(EMPTY, LISTING, new Map())

  test('has servers by key with zone and state, and tenants with their leader', () => {
    expect(picture).toMatchObject({ version: 1, isLoaded: true, majorVersion: 4, cluster: 'c' })
    expect(picture.servers.get('s0:1')).toMatchObject({ zone: { idc: 'z1' }, state: 'ACTIVE' })
    expect(picture.servers.get('s4:1')?.state).toBe('UPGRADE')
    expect(picture.tenants.get('app')).toEqual({
      name: 'app',
      locality: 'FULL@z1',
      primaryZones: [['z1'], ['z2']],
      singleLeader: { server: { host: 's3', port: 1 }, key: 's3:1' },
    })
  })

  test('has servers of a zone that is not listed, as if nothing were known of the zone', () => {
    expect(picture.servers.get('s4:1')?.zone).toEqual({
      name: 'z3',
      region: '',
      idc: '',
      type: 'ReadWrite',
      state: 'ACTIVE',
    })
  })

  test('stays the same one when nothing is different', () => {
    expect(pictureOfListing(picture, LISTING, new Map())).toBe(picture)
  })

  test.each([
    ['a server less', { servers: LISTING.servers.slice(1) }, new Map()],
    ['another locality', { tenants: [{ ...tenant(), locality: 'FULL@z2' }] }, new Map()],
    ['no single leader', { singleLeaders: new Map() }, new Map()],
    ['a zone that merges', { zones: merging() }, new Map()],
    ['a region of an IDC', {}, new Map([['i', 'r']])],
  ] as const)('is another one with %s', (_what, change, regions) => {
    const next = pictureOfListing(picture, { ...LISTING, ...change }, regions)
    expect(next.version).toBe(2)
  })

  test('deals its servers over the zones', () => {
    const dealt = interleaved(picture.servers.values())

    expect(dealt.replicas.map(({ server }) => server.host)).toEqual(['s0', 's3', 's4', 's1', 's2'])
    expect(dealt.groupSize).toBe(3)
    expect(interleaved([])).toEqual({ replicas: [], groupSize: 1 })
  })
})

function tenant() {
  return { name: 'app', id: '1002', locality: 'FULL@z1', primaryZone: 'z1;z2' }
}

function merging(): Listing['zones'] {
  return new Map([
    ['z1', { name: 'z1', region: 'r', idc: 'z1', type: 'ReadWrite', state: 'MERGE' }],
  ])
}
