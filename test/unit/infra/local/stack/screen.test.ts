import { describe, expect, test } from 'vitest'
import { devFile } from '../../../../../infra/local/stack/dev-file.ts'
import type { Fleet, FleetNode } from '../../../../../infra/local/stack/fleet.ts'
import { readyScreen } from '../../../../../infra/local/stack/screen.ts'

const SECRETS = ['token-x', 'password-x', 'sys-x', 'key-x']
const HOME = `${process.cwd()}/.obfleet`

const cluster = (name: string, phase: string) => ({
  id: `clu_${name}`,
  name,
  phase,
  sysPasswordSecret: `/${name}`,
})

const node = (name: string, more: Partial<FleetNode> = {}): FleetNode => ({
  id: `nod_${name}`,
  name,
  cluster: name.slice(0, name.indexOf('-')),
  instanceId: 'i-1',
  host: `127.0.0.${name.at(-1)}`,
  sqlPort: 2883,
  exporterPort: 2884,
  desiredState: 'RUNNING',
  status: 'RUNNING',
  reason: null,
  bootId: 'b',
  isHeld: false,
  ...more,
})

const host = (index: number, nodeId: string | null) => ({
  id: `i-${index}`,
  name: `host${index}`,
  address: `127.0.0.${index}`,
  isOnline: true,
  nodeId,
})

const screenOf = (fleet: Fleet) => {
  const dev = devFile(fleet, new Map([['/a', 'sys-x']]), {
    apiUrl: 'http://127.0.0.1:1',
    configServiceUrl: 'http://127.0.0.1:2',
    token: 'token-x',
    obClusters: [
      {
        name: 'ob',
        rootservice: '127.0.0.9:2881',
        real: true,
        user: 'u',
        tenant: 't',
        password: 'password-x',
        database: 'd',
        control: '',
      },
    ],
    loadBalancer: { address: '127.10.1.100:2883', targetGroupArn: 'arn', targetBy: 'instance' },
    ssm: { url: 'http://ssm', region: 'local', accessKeyId: 'AK', secretAccessKey: 'key-x' },
  })
  const text = readyScreen({ dev, fleet, engineReason: undefined }, HOME)
  for (const secret of SECRETS) expect(text).not.toContain(secret)
  return text
}

describe('the ready screen', () => {
  test('shows an empty fleet as ready, with no line that cannot work', () => {
    const text = screenOf({ clusters: [], nodes: [], hosts: [host(1, null)] })
    expect(text).toMatch(/^\s*ready$/m)
    expect(text).toContain('proxy cluster  none')
    expect(text).toContain('SQL: no node runs')
    expect(text).not.toMatch(/mysql|reboot/)
  })

  test('shows a cluster without nodes, and how to give it one', () => {
    const text = screenOf({ clusters: [cluster('a', 'EMPTY')], nodes: [], hosts: [host(1, null)] })
    expect(text).toContain('a (clu_a): EMPTY')
    expect(text).toContain(`-d '{"nodes":[{"host":"i-1"}]}' http://127.0.0.1:1/v1/clusters/a/nodes`)
  })

  test('shows every cluster, the state of every node, and why one is down', () => {
    const text = screenOf({
      clusters: [cluster('a', 'DEGRADED'), cluster('b', 'STOPPED')],
      nodes: [
        node('a-1', { status: 'UNAVAILABLE', reason: 'port 2883 is in use' }),
        node('a-2'),
        node('b-1', { status: 'STOPPED', desiredState: 'STOPPED' }),
      ],
      hosts: [host(1, 'nod_a-1')],
    })
    expect(text).toMatch(/a-1 +UNAVAILABLE .*should be RUNNING: port 2883 is in use/)
    expect(text).toMatch(/a-2 +RUNNING +127.0.0.2:2883 +metrics http:\/\/127.0.0.2:2884\/metrics/)
    expect(text).toMatch(/b-1 +STOPPED .*as it should be/)
    expect(text).toContain('spare hosts    none')
  })

  test('has SQL lines for a node that runs, with passwords from the file', () => {
    const text = screenOf({
      clusters: [cluster('a', 'DEGRADED')],
      nodes: [node('a-1', { status: 'UNAVAILABLE' }), node('a-2')],
      hosts: [],
    })
    expect(text).toContain('mysql -h 127.0.0.2 -P 2883 -u u@t#ob d')
    expect(text).toContain(`require('./.obfleet/dev.json').proxyClusters[0].sysPassword`)
    expect(text).toContain('mysql -h 127.0.0.2 -P 2883 -u root@proxysys')
    expect(text).not.toContain('mysql -h 127.0.0.1')
  })
})
