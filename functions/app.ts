/** The management API: one Hono app, the same in Lambda and on one machine. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import type { Plane } from './domain/plane.ts'
import { Problem } from './domain/problem.ts'
import type { AppContext, AppEnv } from './middleware/env.ts'
import { principalMiddleware } from './middleware/principal.ts'
import { knownProblem, problemResponse } from './middleware/problems.ts'
import { jsonOnlyMiddleware, MAX_BODY_BYTES, requestIdMiddleware } from './middleware/requests.ts'
import { auditRoutes } from './routes/audit.ts'
import { clusterActions } from './routes/cluster-actions.ts'
import { clusterRoutes } from './routes/clusters.ts'
import { linkRoutes } from './routes/links.ts'
import { loadBalancerRoutes, nodeMembershipRoutes } from './routes/load-balancer.ts'
import { clusterLooks, nodeLooks } from './routes/looks.ts'
import { moveOutRoutes } from './routes/move-out.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { operationRoutes } from './routes/operations.ts'
import { definitionRoutes, parameterRoutes } from './routes/parameters.ts'
import { hostRoutes, obClusterRoutes, packageRoutes } from './routes/registry.ts'
import { takeOverRoutes } from './routes/take-over.ts'

export type AppDeps = {
  readonly plane: Plane
  /** Hex digest of the bearer token. */
  readonly tokenSha256: string
  readonly newRequestId: () => string
  readonly log: (line: Readonly<Record<string, unknown>>) => void
}

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'obfleet',
    version: '1',
    description: 'Fleets of OceanBase proxies. Every error is an RFC 9457 problem with a code.',
  },
  servers: [{ url: '/', description: 'Where this document was read' }],
  security: [{ bearer: [] }],
}

export function createApp({ plane, tokenSha256, newRequestId, log }: AppDeps) {
  const app = new OpenAPIHono<AppEnv>()
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
  })
  app.use(requestIdMiddleware(newRequestId))
  app.onError((error, c) => {
    const problem = knownProblem(error)
    if (problem === undefined)
      log({ event: 'internal-error', requestId: c.var.requestId, reason: error.stack ?? '' })
    return answer(c, problem ?? new Problem('internal-error', 'something of ours went wrong'))
  })
  // Open to everybody: neither says anything about the fleet.
  app.get('/v1/health', c => c.json({ status: 'ok' }))
  app.get('/v1/openapi.json', c => c.json(app.getOpenAPI31Document(DOCUMENT)))
  app.use(principalMiddleware(tokenSha256))
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new Problem('body-too-large', `a body has at most ${MAX_BODY_BYTES} bytes`)
      },
    }),
  )
  app.use(jsonOnlyMiddleware)
  app.route('/v1/clusters', clusterRoutes(plane))
  app.route('/v1/clusters', clusterActions(plane))
  app.route('/v1/clusters', takeOverRoutes(plane))
  app.route('/v1/clusters', moveOutRoutes(plane))
  app.route('/v1/clusters', clusterLooks(plane))
  app.route('/v1/clusters', linkRoutes(plane))
  app.route('/v1/clusters', loadBalancerRoutes(plane))
  app.route('/v1/clusters', parameterRoutes(plane))
  app.route('/v1/parameter-definitions', definitionRoutes(plane))
  app.route('/v1/nodes', nodeRoutes(plane))
  app.route('/v1/nodes', nodeMembershipRoutes(plane))
  app.route('/v1/nodes', nodeLooks(plane))
  app.route('/v1/operations', operationRoutes(plane))
  app.route('/v1/ob-clusters', obClusterRoutes(plane))
  app.route('/v1/audit-events', auditRoutes(plane))
  app.route('/v1/hosts', hostRoutes(plane))
  app.route('/v1/packages', packageRoutes(plane))
  const known = routesOf(app)
  app.notFound(c => {
    const here = known.filter(({ path }) => path.test(c.req.path))
    const methods = [...new Set(here.map(({ method }) => method))]
    if (methods.length === 0)
      return answer(c, new Problem('not-found', `there is nothing at ${c.req.path}`))
    const response = answer(c, new Problem('method-not-allowed', `use ${methods.join(', ')}`))
    response.headers.set('allow', methods.join(', '))
    return response
  })
  return app
}

function answer(c: AppContext, problem: Problem): Response {
  return problemResponse(problem, {
    instance: c.req.path,
    requestId: c.var.requestId,
  })
}

/** Paths as patterns, so that a wrong method is told from a wrong path. */
function routesOf(app: OpenAPIHono<AppEnv>) {
  return app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({
      method,
      path: new RegExp(`^${path.replace(/\/$/, '').replaceAll(/:[^/]+/g, '[^/]+')}$`),
    }))
}
