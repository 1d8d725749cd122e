/** The plane: all use cases behind the port that the HTTP layer knows. */
import type { Plane } from '../domain/plane.ts'
import { auditUseCases } from './audit.ts'
import { balancerUseCases } from './balancing.ts'
import { clusterUseCases } from './clusters.ts'
import type { PlaneDeps } from './context.ts'
import { cursors } from './cursor.ts'
import { linkUseCases } from './links.ts'
import { nodeUseCases } from './nodes.ts'
import { operationUseCases } from './operations.ts'
import { parameterUseCases } from './parameters.ts'
import { rotateProxyro } from './proxyro.ts'
import { hostUseCases, obClusterUseCases, packageUseCases } from './registry.ts'
import { rotateConfigToken, rotateRegistrar } from './tokens.ts'

export function makePlane(deps: PlaneDeps): Plane {
  const signed = cursors(deps.cursorKey, deps.clock.now)
  return {
    clusters: {
      ...clusterUseCases(deps, signed),
      ...linkUseCases(deps),
      ...balancerUseCases(deps),
      rotateConfigToken: rotateConfigToken(deps),
    },
    parameters: parameterUseCases(deps, signed),
    nodes: nodeUseCases(deps, signed),
    operations: operationUseCases(deps, signed),
    obClusters: {
      ...obClusterUseCases(deps, signed),
      rotateToken: rotateRegistrar(deps),
      rotateProxyro: rotateProxyro(deps),
    },
    audit: auditUseCases(deps, signed),
    hosts: hostUseCases(deps, signed),
    packages: packageUseCases(deps, signed),
  }
}
