/** The ready screen: what runs, what of it is real, and lines to paste that show no secret. */
import { relative } from 'node:path'
import type { DevFile } from './dev-file.ts'
import type { Fleet, FleetNode } from './fleet.ts'

export type Shown = {
  readonly dev: DevFile
  readonly fleet: Fleet
  /** Why the engine of the OB cluster is a script. */
  readonly engineReason: string | undefined
}

/** `command` begins what is run for this stack and no other. */
export function readyScreen(shown: Shown, home: string, command = 'npm run dev'): string {
  const { dev, fleet } = shown
  const path = `./${relative(process.cwd(), home)}/dev.json`
  const secret = (field: string) => `$(node -p "require('${path}').${field}")`
  const blocks = [
    summary(shown),
    sqlLines(shown, secret),
    adminLines(shown, secret),
    `  the API:
  curl -s -H "Authorization: Bearer ${secret('token')}" ${dev.apiUrl}/v1/clusters`,
    changeLines(shown, secret),
    ...(fleet.nodes.length === 0
      ? []
      : [`  reboot an instance:  ${command} -- reboot ${fleet.nodes[0]?.name}`]),
    '  Ctrl-C stops everything; started again, all is as it was.',
  ]
  return `\n${blocks.filter(block => block !== '').join('\n\n')}\n`
}

type Secret = (field: string) => string

function summary({ dev, fleet, engineReason }: Shown): string {
  const [ob] = dev.obClusters
  const isReal = ob?.real === true
  const engine = isReal
    ? 'a real OceanBase kernel behind three fronts'
    : `a SCRIPTED engine, not OceanBase (${engineReason ?? 'no reason given'})`
  const spare = fleet.hosts.filter(host => host.nodeId === null)
  const spareText = spare.map(host => `${host.id} (${host.address})`).join(', ')
  return `  ready

  API            ${dev.apiUrl}/v1  (description: ${dev.apiUrl}/v1/openapi.json)
  config service ${dev.configServiceUrl}  (for proxy clusters of work mode CONFIG_URL)
  load balancer  ${dev.loadBalancer.address}  (for a cluster that is given it: PUT …/load-balancer)
  OB cluster     ${ob?.name}: ${engine}, ${ob?.rootservice}
${clusterLines(fleet)}
  spare hosts    ${spareText || 'none'}
  real           proxy nodes, their lifecycle commands, API, DynamoDB API, Run Command's protocol${isReal ? ', OceanBase' : ''}
  not real       the hosts: directories on this machine with a loopback address each`
}

function clusterLines({ clusters, nodes }: Fleet): string {
  if (clusters.length === 0) return '  proxy cluster  none; POST /v1/clusters makes one'
  return clusters
    .flatMap(({ id, name, phase }) => [
      `  proxy cluster  ${name} (${id}): ${phase}`,
      ...nodes.filter(node => node.cluster === name).map(nodeLine),
    ])
    .join('\n')
}

/** A node that is not as it should be says why. */
function nodeLine(node: FleetNode): string {
  const { name, status, host, sqlPort, exporterPort, desiredState, reason } = node
  const place = `    ${name.padEnd(12)} ${status.padEnd(12)} ${host}:${sqlPort}`
  if (status === 'RUNNING') return `${place}  metrics http://${host}:${exporterPort}/metrics`
  if (status === desiredState) return `${place}  as it should be`
  return `${place}  should be ${desiredState}: ${reason ?? 'no reason given'}`
}

function running({ nodes }: Fleet, cluster?: string): FleetNode | undefined {
  return nodes.find(
    node => node.status === 'RUNNING' && (cluster === undefined || node.cluster === cluster),
  )
}

function sqlLines({ dev, fleet }: Shown, secret: Secret): string {
  const [ob] = dev.obClusters
  const node = running(fleet)
  if (ob === undefined) return ''
  if (node === undefined) return '  SQL: no node runs'
  return `  SQL through a node:
  MYSQL_PWD="${secret('obClusters[0].password')}" \\
    mysql -h ${node.host} -P ${node.sqlPort} -u ${ob.user}@${ob.tenant}#${ob.name} ${ob.database}`
}

/** One line a cluster that has a node to log in to. */
function adminLines({ dev, fleet }: Shown, secret: Secret): string {
  const lines = dev.proxyClusters.flatMap(({ name, sysUser, sysPassword }, index) => {
    const node = running(fleet, name)
    if (node === undefined || sysPassword === null) return []
    return [
      `  MYSQL_PWD="${secret(`proxyClusters[${index}].sysPassword`)}" \\
    mysql -h ${node.host} -P ${node.sqlPort} -u ${sysUser} -e 'SHOW PROCESSLIST'`,
    ]
  })
  return lines.length === 0 ? '' : `  admin SQL (of the proxy itself):\n${lines.join('\n')}`
}

function changeLines({ dev, fleet }: Shown, secret: Secret): string {
  const host = fleet.hosts.find(each => each.nodeId === null)
  const [cluster] = fleet.clusters
  if (host === undefined || cluster === undefined) return ''
  return `  one more node:
  curl -s -X POST -H "Authorization: Bearer ${secret('token')}" \\
    -H "Idempotency-Key: $(date +%s%N)" -H 'Content-Type: application/json' \\
    -d '{"nodes":[{"host":"${host.id}"}]}' ${dev.apiUrl}/v1/clusters/${cluster.name}/nodes`
}
