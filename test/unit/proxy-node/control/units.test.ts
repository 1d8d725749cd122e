import { describe, expect, test } from 'vitest'
import { type DesiredNode, desiredNodeSchema } from '../../../../proxy-node/contract/node-state.ts'
import { proxyCommand } from '../../../../proxy-node/control/units.ts'

const CONFIG_URL = 'http://config:8789/services?Action=GetObProxyConfig&ObproxyClusterName=pc'

const desired = (link: DesiredNode['link']): DesiredNode => ({
  schema: 1,
  clusterId: 'clu_1',
  clusterName: 'pc',
  nodeId: 'nod_1',
  state: 'RUNNING',
  version: '4.3.2.0-1',
  ports: { sql: 2883, exporter: 2884 },
  home: '/home/admin/obproxy',
  proxyId: 7,
  link,
  sysPasswordSecret: '/sys',
  parameters: {},
  parameterVersion: 1,
})
const byList = { obCluster: 'ob', rootserviceList: '10.0.0.1:2881', proxyroSecret: '/ro' }
const byConfig = { configUrl: CONFIG_URL, tokenSecret: '/token', proxyroSecrets: ['/ro'] }

/** The value of `obproxy_config_server_url`. */
const urlIn = (command: readonly string[]) =>
  /obproxy_config_server_url=([^,]*)/.exec(command.join(' '))?.[1]

describe('the command that starts the proxy', () => {
  test('in RS_LIST has the OB cluster and its servers, and an empty config URL', () => {
    const command = proxyCommand(desired(byList), { address: undefined, configUrl: '' })

    expect(command.join(' ')).toContain('-c ob -r 10.0.0.1:2881')
    expect(urlIn(command)).toBe('')
  })

  test('in CONFIG_URL has the config URL and neither cluster nor servers', () => {
    const configUrl = `${CONFIG_URL}&Token=t`
    const command = proxyCommand(desired(byConfig), { address: undefined, configUrl })

    expect(command).not.toContain('-r')
    expect(command).not.toContain('-c')
    expect(urlIn(command)).toBe(configUrl)
  })
})

describe('what a node is told of its links', () => {
  test.each([
    ['a list, as ever', byList],
    ['a config URL', byConfig],
    ['a config URL without links yet', { ...byConfig, proxyroSecrets: [] }],
  ])('is %s', (_what, link) => {
    expect(desiredNodeSchema.parse(desired(link)).link).toEqual(link)
  })

  test.each([
    ['a URL without a query', { ...byConfig, configUrl: 'http://config/services' }],
    ['a URL that would end the option', { ...byConfig, configUrl: `${CONFIG_URL},proxy_id=1` }],
    ['a URL with credentials', { ...byConfig, configUrl: 'http://u:p@config/s?a=1' }],
    ['a file', { ...byConfig, configUrl: 'file:///etc/passwd?a=1' }],
    ['three passwords', { ...byConfig, proxyroSecrets: ['/a', '/b', '/c'] }],
    ['a token instead of its name', { ...byConfig, tokenSecret: 'token' }],
  ])('is not %s', (_what, link) => {
    expect(desiredNodeSchema.safeParse(desired(link)).success).toBe(false)
  })
})
