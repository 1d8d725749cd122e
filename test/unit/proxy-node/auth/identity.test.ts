import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  completeIdentity,
  parseIdentity,
  parseSeparators,
  refusalOf,
} from '../../../../proxy-node/auth/identity.ts'

describe('login names', () => {
  test.each([
    ['root', { user: 'root', tenant: undefined, cluster: undefined, clusterId: 0 }],
    ['root@t1', { user: 'root', tenant: 't1', cluster: undefined, clusterId: 0 }],
    ['root@sys#obdemo', { user: 'root', tenant: 'sys', cluster: 'obdemo', clusterId: 0 }],
    ['root@t1#obdemo:2', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 2 }],
    ['root#obdemo', { user: 'root', tenant: undefined, cluster: 'obdemo', clusterId: 0 }],
    ['obdemo:t1:root', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo-t1-root', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo.t1.root', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo:t1:root:7', { user: 'root', tenant: 't1', cluster: 'obdemo', clusterId: 7 }],
    ['a-b', { user: 'a-b', tenant: undefined, cluster: undefined, clusterId: 0 }],
    ['My-User@T#C', { user: 'My-User', tenant: 'T', cluster: 'C', clusterId: 0 }],
    ['obdemo:t1:us:er', { user: 'us:er', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo:t1:app-1', { user: 'app-1', tenant: 't1', cluster: 'obdemo', clusterId: 0 }],
    ['obdemo-t1-app:7', { user: 'app', tenant: 't1', cluster: 'obdemo', clusterId: 7 }],
    ['a.b@t1', { user: 'a.b', tenant: 't1', cluster: undefined, clusterId: 0 }],
    ['root@t1#a:b', { user: 'root', tenant: 't1', cluster: 'a:b', clusterId: 0 }],
    ['root@#', { user: 'root', tenant: undefined, cluster: undefined, clusterId: 0 }],
    ['@t1', { user: '', tenant: 't1', cluster: undefined, clusterId: 0 }],
    ['', { user: '', tenant: undefined, cluster: undefined, clusterId: 0 }],
    ['root@proxysys', { user: 'root', tenant: 'proxysys', cluster: undefined, clusterId: 0 }],
  ])('%s', (name, identity) => {
    expect(parseIdentity(name)).toEqual(identity)
  })

  test('are cut by the separators of the configuration, in its order', () => {
    expect(parseSeparators(':;-;.')).toEqual([':', '-', '.'])
    expect(parseIdentity('c.t.a:b:c', parseSeparators('.;:')).tenant).toBe('t')
    expect(parseIdentity('c:t:u', parseSeparators('-')).user).toBe('c:t:u')
  })

  test('of any text are parsed without failing', () => {
    const text = fc
      .array(fc.constantFrom('a', '@', '#', ':', '-', '.', '7', 'Ü'))
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(text, name => {
        const { user, tenant, cluster, clusterId } = parseIdentity(name)

        expect(name).toContain(user)
        expect(name).toContain(tenant ?? '')
        expect(name).toContain(cluster ?? '')
        expect(Number.isSafeInteger(clusterId)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('parts a name leaves out', () => {
  const none = { tenantName: '', clusterName: 'undefined', firstCluster: 'first' }
  const both = { tenantName: 'app', clusterName: 'main', firstCluster: 'first' }

  test.each([
    ['root', none, { tenant: 'sys', cluster: 'first', isClusterDefaulted: true }],
    ['root', both, { tenant: 'app', cluster: 'main', isClusterDefaulted: true }],
    ['root@t1', both, { tenant: 't1', cluster: 'first', isClusterDefaulted: true }],
    ['root#c1', both, { tenant: 'sys', cluster: 'c1', isClusterDefaulted: false }],
    ['root', { ...both, clusterName: 'undefined' }, { tenant: 'sys', cluster: 'first' }],
    ['root', { ...none, firstCluster: undefined }, { tenant: 'sys', cluster: undefined }],
  ])('%s is completed', (name, defaults, complete) => {
    expect(completeIdentity(parseIdentity(name), defaults)).toMatchObject(complete)
  })

  test.each([
    ['root@t1#c', undefined, undefined],
    ['@t1', 'empty-user', 'empty-user'],
    ['root@t1', undefined, 'name-not-full'],
    ['root#c', undefined, 'name-not-full'],
    ['proxyro@sys#c', 'metadata-user', 'metadata-user'],
    ['proxyro#c', 'metadata-user', 'name-not-full'],
    ['proxyro@t1#c', undefined, undefined],
  ])('%s is refused as %s, with full names required as %s', (name, refusal, strictRefusal) => {
    const rules = { isFullNameRequired: false, isMetadataUserAllowed: false }
    const identity = parseIdentity(name)

    expect(refusalOf(identity, rules)).toBe(refusal)
    expect(refusalOf(identity, { ...rules, isFullNameRequired: true })).toBe(strictRefusal)
    expect(refusalOf(parseIdentity('proxyro@sys'), { ...rules, isMetadataUserAllowed: true })).toBe(
      undefined,
    )
  })
})
