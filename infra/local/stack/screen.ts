/** The ready screen: what runs, what of it is real, and lines to paste that show no secret. */
import { relative } from 'node:path'
import type { Started } from './stack.ts'

export function readyScreen({ dev, observers }: Started, home: string): string {
  const [node] = dev.nodes
  const [ob] = dev.obClusters
  const [cluster] = dev.proxyClusters
  if (node === undefined || ob === undefined || cluster === undefined) return ''
  const file = `./${relative(process.cwd(), home)}/dev.json`
  const secret = (path: string) => `$(node -p "require('${file}').${path}")`
  const nodes = dev.nodes.map(each => `${each.name} ${each.host}:${each.sqlPort}`).join(', ')
  const engine = ob.real
    ? 'a real OceanBase kernel behind three fronts'
    : `a SCRIPTED engine, not OceanBase (${observers.reason ?? 'no reason given'})`
  return `
  ready

  API            ${dev.apiUrl}/v1  (description: ${dev.apiUrl}/v1/openapi.json)
  proxy cluster  ${cluster.name} (${cluster.id})
  its nodes      ${nodes}
  OB cluster     ${ob.name}: ${engine}, ${ob.rootservice}
  real           proxy nodes, their lifecycle commands, API, DynamoDB API, Run Command's protocol${ob.real ? ', OceanBase' : ''}
  not real       the hosts: directories on this machine with a loopback address each

  SQL through a node:
  MYSQL_PWD="${secret('obClusters[0].password')}" \\
    mysql -h ${node.host} -P ${node.sqlPort} -u ${ob.user}@${ob.tenant}#${ob.name} ${ob.database}

  the API:
  curl -s -H "Authorization: Bearer ${secret('token')}" ${dev.apiUrl}/v1/clusters

  reboot an instance:  npm run dev -- reboot ${node.name}

  Ctrl-C stops everything; started again, all is as it was.
`
}
