/** Six servers over the real kernel keep the contract of clusters. */
import { routingContract } from '../support/front-contract-routing.ts'
import { startRoutingCluster } from '../support/routing-cluster.ts'

routingContract(
  'a cluster over the kernel',
  () => startRoutingCluster({ subnet: '127.29.43', engine: 'kernel' }),
  'v4',
)
