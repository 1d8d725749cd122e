import { describe, expect, test } from 'vitest'
import { type DesiredNode, desiredNodeSchema } from '../../../../proxy-node/contract/node-state.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import {
  lettingGo,
  proxyCommand,
  startFoundUnit,
  unitTexts,
} from '../../../../proxy-node/control/units.ts'
import { desiredNode } from '../../../support/desired-node.ts'

const CONFIG_URL = 'http://config:8789/services?Action=GetObProxyConfig&ObproxyClusterName=pc'

const desired = (link: DesiredNode['link']) => desiredNode({ link })
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

describe('the unit of a proxy', () => {
  const paths = pathsUnder('')
  const settings = { paths, address: undefined, reportPeriodSec: 60, configUrl: '' }
  const unitOf = (found?: { readonly kind: 'ours' | 'other'; readonly user: string }) =>
    unitTexts(desired(byList), { ...settings, found }).get('obfleet-proxy.service') ?? ''

  test('that we installed starts it itself, and leaves address and user as they are', () => {
    expect(unitOf()).toMatch(/^ExecStart=\/home\/admin\/obproxy\/bin\/obproxy -N /m)
    expect(unitOf()).not.toMatch(/User=|local_bound_ip/)
  })

  test('that was found, and tells its pid, runs as the user that it ran as', () => {
    const text = unitOf({ kind: 'ours', user: 'admin' })
    expect(text).toMatch(/^User=admin$/m)
    expect(text).toMatch(
      /^ExecStart=\/home\/admin\/obproxy\/bin\/obproxy -N .*local_bound_ip=0\.0\.0\.0/m,
    )
  })

  test('that was found, and does not, is watched, and no end of a process is its end', () => {
    const text = unitOf({ kind: 'other', user: 'admin' })
    expect(text).toMatch(
      /^ExecStart=\/opt\/obfleet\/current\/obproxy node watch \/home\/admin\/obproxy\/bin\/obproxy -N /m,
    )
    expect(text).toMatch(/^KillMode=process$/m)
    expect(text).not.toMatch(/PIDFile|User=/)
  })

  test.each(['', 'KillMode=control-group\n', ' KillMode = mixed\nRestart=on-failure\n'])(
    'that lets go of it kills nobody and starts nothing, also as another version wrote it: %j',
    lines => {
      const text = lettingGo(unitOf().replace(/KillMode=mixed\nTimeout/, `${lines}Timeout`))
      expect(text.match(/^ *(?:KillMode|Restart|SendSIGKILL) *=.*$/gm)?.toSorted()).toEqual([
        'KillMode=none',
        'Restart=no',
        'SendSIGKILL=no',
      ])
      expect(text).toMatch(/^ExecStart=/m)
    },
  )

  test('that is watched lets go of it by itself: the watch ends, and nobody is started again', () => {
    const text = lettingGo(unitOf({ kind: 'other', user: 'admin' }))
    expect(text.match(/^(?:KillMode|Restart)=.*$/gm)).toEqual(['Restart=no', 'KillMode=process'])
  })

  test('is not stopped to let go of it when it cannot be read', () => {
    expect(() => lettingGo('Restart=always\n')).toThrow(
      expect.objectContaining({ code: 'node.init-failed' }),
    )
  })

  test('that starts what was found leaves its processes behind', () => {
    const text = startFoundUnit('watchdogs')
    expect(text).toMatch(/^ExecStart=.* node start-found watchdogs$/m)
    expect(text).toMatch(/^Type=oneshot$/m)
    expect(text).toMatch(/^KillMode=process$/m)
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
