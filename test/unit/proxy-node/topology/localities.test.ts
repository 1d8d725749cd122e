import { expect, test } from 'vitest'
import { Localities } from '../../../../proxy-node/topology/localities.ts'

const tenant = (name: string, locality: string) => ({ name, id: '1', locality, primaryZone: '' })

test('a tenant that was never listed has not changed', () => {
  expect(new Localities().heard([tenant('a', 'FULL@z1')])).toEqual([])
})

test('one that is listed with another locality has, once', () => {
  const localities = new Localities()
  localities.heard([tenant('a', 'FULL@z1'), tenant('b', 'FULL@z1')])

  const after = [tenant('a', 'FULL@z1,FULL@z2'), tenant('b', 'FULL@z1')]
  expect(localities.heard(after)).toEqual(['a'])
  expect(localities.heard(after)).toEqual([])
})

test('also when it was not listed while its locality was being changed', () => {
  const localities = new Localities()
  localities.heard([tenant('a', 'FULL@z1')])
  localities.heard([])

  expect(localities.heard([tenant('a', 'FULL@z2')])).toEqual(['a'])
})

test('remembers a bounded number, those listed last', () => {
  const localities = new Localities()
  localities.heard([tenant('old', 'FULL@z1')])
  localities.heard(Array.from({ length: 10_000 }, (_none, at) => tenant(`t${at}`, 'FULL@z1')))

  expect(localities.heard([tenant('old', 'FULL@z2'), tenant('t9999', 'FULL@z2')])).toEqual([
    't9999',
  ])
})
