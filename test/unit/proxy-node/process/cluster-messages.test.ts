import { expect, test } from 'vitest'
import {
  isClusterNews,
  isClusterReport,
  pictureOf,
  plainPicture,
} from '../../../../proxy-node/process/cluster-messages.ts'
import type { ClusterPicture } from '../../../../proxy-node/topology/model.ts'

const zone = { name: 'z1', region: 'r', idc: 'i', type: 'ReadWrite', state: 'MERGE' } as const
const leader = { server: { host: 'a', port: 1 }, key: 'a:1' }
const PICTURE: ClusterPicture = {
  cluster: 'c',
  clusterId: 0,
  version: 7,
  majorVersion: 4,
  isLoaded: true,
  servers: new Map([
    ['a:1', { address: { host: 'a', port: 1 }, key: 'a:1', zone, state: 'ACTIVE' }],
    ['b:1', { address: { host: 'b', port: 1 }, key: 'b:1', zone, state: 'UPGRADE' }],
  ]),
  tenants: new Map([
    ['app', { name: 'app', locality: 'F', primaryZones: [['z1'], ['z2']], singleLeader: leader }],
    ['other', { name: 'other', locality: 'F', primaryZones: [], singleLeader: undefined }],
  ]),
  idcRegions: new Map([['i', 'r']]),
}

test('a picture arrives as it was, through the channel of processes', () => {
  const sent = JSON.stringify(plainPicture(PICTURE))

  expect(pictureOf(JSON.parse(sent))).toEqual(PICTURE)
})

test.each([
  ['cluster', true, false],
  ['clusterGone', true, false],
  ['judged', true, false],
  ['located', true, false],
  ['forget', true, false],
  ['died', true, false],
  ['missed', false, true],
  ['serverFailed', false, true],
  ['scattered', false, true],
  ['settings', false, false],
  ['question', false, false],
])('%s is news: %s, a report: %s', (kind, isNews, isReport) => {
  expect(isClusterNews({ kind })).toBe(isNews)
  expect(isClusterReport({ kind })).toBe(isReport)
})
