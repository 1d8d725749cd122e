import { expect, test } from 'vitest'
import { parsePrimaryZone, zonePriority } from '../../../../proxy-node/routing/primary-zone.ts'
import { primaryZonesOf } from '../../../../proxy-node/topology/discovery.ts'

test.each([
  ['z1,z2;z3', [['z1', 'z2'], ['z3']]],
  ['z1', [['z1']]],
  [' Z1 , z2 ; z3 ;', [['z1', 'z2'], ['z3']]],
  ['RANDOM', []],
  ['random', []],
  ['', []],
  [' ; , ', []],
])('primary zone %j is the groups %j', (text, groups) => {
  expect(parsePrimaryZone(text)).toEqual(groups)
})

test.each([
  ['z2', 0],
  ['Z3', 1],
  ['z9', -1],
])('zone %s is in group %i', (zone, priority) => {
  expect(zonePriority(parsePrimaryZone('z1,z2;z3'), zone)).toBe(priority)
})

test("a zone of a tenant's primary_zone is found however it is written", () => {
  expect(zonePriority(primaryZonesOf('Zone1;Zone2'), 'Zone2')).toBe(1)
})
