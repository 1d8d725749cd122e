/** The scripted cluster of six servers keeps the contract of clusters, in both flavours of metadata. */
import { routingContract } from '../../support/front-contract-routing.ts'
import { startRoutingCluster } from '../../support/routing-cluster.ts'

routingContract('a scripted cluster', () => startRoutingCluster({ subnet: '127.29.41' }), 'v4')
routingContract(
  'a scripted cluster of 3.x',
  () => startRoutingCluster({ subnet: '127.29.42', flavour: 'v3' }),
  'v3',
)
