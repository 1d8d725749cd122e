import { describe, expect, test } from 'vitest'
import { PARAMETERS } from '#contract/parameters'
import { DEFAULT_LOGIN_RULES, loginRulesOf } from '../../../../proxy-node/auth/identity.ts'
import { isAdminLogin, proxyLogin, readLogin } from '../../../../proxy-node/session/login.ts'
import { buildLogin } from '../../../../proxy-node/wire/handshake.ts'
import { NATIVE_PLUGIN } from '../../../../proxy-node/wire/protocol.ts'
import { CLIENT_CAPABILITIES } from '../../../../proxy-node/wire/resultset.ts'

const SCRAMBLE = new Uint8Array(20).fill(1)

const loginOf = (user: string) =>
  buildLogin({
    capabilities: CLIENT_CAPABILITIES,
    maxPacketBytes: 1 << 24,
    collation: 45,
    user,
    authResponse: new Uint8Array(20),
    database: undefined,
    plugin: NATIVE_PLUGIN,
    attributes: new Map(),
  })

const rulesWith = (parameters: Readonly<Record<string, string>>) =>
  loginRulesOf(name => parameters[name] ?? PARAMETERS.get(name)?.default ?? '')

const read = (user: string, rules = DEFAULT_LOGIN_RULES) =>
  readLogin(loginOf(user), undefined, SCRAMBLE, rules).credentials

describe('a login', () => {
  test.each([
    ['root', { tenant: 'sys', clusterName: undefined, refusal: undefined }],
    ['u@app#c1', { tenant: 'app', clusterName: 'c1', refusal: undefined }],
    ['c1:app:u', { tenant: 'app', clusterName: 'c1', refusal: undefined }],
    ['@app', { refusal: 'empty-user' }],
    ['proxyro@sys', { refusal: 'metadata-user' }],
  ])('as %s is read by the defaults', (user, credentials) => {
    expect(read(user)).toMatchObject(credentials)
  })

  test('without tenant and cluster is of those of a proxy for one tenant', () => {
    const rules = rulesWith({ proxy_tenant_name: 'app', rootservice_cluster_name: 'main' })

    expect(read('u', rules)).toMatchObject({ tenant: 'app', clusterName: 'main' })
    expect(read('u@t', rules)).toMatchObject({ tenant: 't', clusterName: undefined })
    expect(read('u', rulesWith({ proxy_tenant_name: 'app' }))).toMatchObject({ tenant: 'sys' })
  })

  test('has to be full where enable_full_username says so', () => {
    const rules = rulesWith({ enable_full_username: 'True' })

    expect(read('u@app', rules).refusal).toBe('name-not-full')
    expect(read('u@app#c1', rules).refusal).toBeUndefined()
  })

  test('as proxyro goes through where skip_proxyro_check says so', () => {
    expect(read('proxyro@sys', rulesWith({ skip_proxyro_check: 'True' })).refusal).toBeUndefined()
  })

  test('is cut by the separators of username_separator', () => {
    const rules = rulesWith({ username_separator: '$' })

    expect(read('c1$app$u', rules)).toMatchObject({ tenant: 'app', clusterName: 'c1' })
    expect(read('c1:app:u', rules)).toMatchObject({ tenant: 'sys', clusterName: undefined })
    expect(isAdminLogin(loginOf('c$proxysys$root'), rules)).toBe(true)
    expect(isAdminLogin(loginOf('c$proxysys$root'))).toBe(false)
    expect(isAdminLogin(loginOf('root@proxysys'))).toBe(true)
  })

  test('tells servers the tenant that completes it', () => {
    const credentials = read(
      'u',
      rulesWith({ proxy_tenant_name: 'app', rootservice_cluster_name: 'm' }),
    )

    const login = proxyLogin(
      { ...credentials, cluster: 'm' },
      {
        address: '10.0.0.9',
        port: 1,
        connectionId: 7,
        proxyVersion: '4.3.2.0',
        scramble: SCRAMBLE,
      },
    )

    expect(login).toMatchObject({ user: 'u', tenant: 'app', cluster: 'm' })
  })
})
