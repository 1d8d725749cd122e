/** OB clusters, hosts and packages. */
import { createRoute, z } from '@hono/zod-openapi'
import { packageRefSchema } from '#contract/command'
import { secretReferenceSchema } from '#contract/node-state'
import type { Host, ObCluster, Package } from '../domain/model.ts'
import type { Plane } from '../domain/plane.ts'
import type { AppContext } from '../middleware/env.ts'
import {
  askedOf,
  changeAsked,
  entityTag,
  isKnown,
  matchedRevision,
  replayHeaders,
} from '../middleware/requests.ts'
import { changed } from './actions.ts'
import { changeQuerySchema, planned } from './dry-run.ts'
import {
  IF_MATCH,
  IF_NONE_MATCH,
  KEY_OPTIONAL,
  KEY_REQUIRED,
  MADE,
  MADE_TAGGED,
  NOT_CHANGED,
  named,
  PUT_CONDITIONS,
  TAGGED,
} from './headers.ts'
import { accepted, router } from './operations.ts'
import {
  body,
  configAccessSchema,
  holdSchema,
  json,
  nothingSchema,
  pageOf,
  pageQuerySchema,
  pageRequest,
  problemResponse,
  refParams,
  tagsSchema,
  timeSchema,
  timeText,
} from './schemas.ts'

const MAX_PACKAGE_BYTES = 2 ** 40

const obNameParams = z.object({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'at most 128 of A-Za-z0-9_.-'),
})

const rootServiceSchema = z
  .string()
  .max(260)
  .regex(/^(\d{1,3}(\.\d{1,3}){3}|[A-Za-z0-9][A-Za-z0-9.-]*):\d{1,5}$/, 'address:sqlPort')

const MAX_OB_CLUSTER_ID = 2 ** 32 - 1

const idcRegionSchema = z.strictObject({
  idc: z.string().min(1).max(64),
  region: z.string().min(1).max(128),
})

const obClusterInputSchema = z
  .strictObject({
    rootservice: z
      .array(rootServiceSchema)
      .min(1)
      .max(32)
      .refine(list => list.join(';').length <= 3_000, 'at most 3000 characters in all'),
    obClusterId: z.int().min(1).max(MAX_OB_CLUSTER_ID).default(1),
    idcRegions: z.array(idcRegionSchema).max(100).default([]),
    proxyroSecret: secretReferenceSchema,
    tags: tagsSchema.default({}),
  })
  .openapi('ObClusterInput')

const obClusterSchema = z
  .object({
    name: z.string(),
    revision: z.int(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    rootservice: z.array(z.string()),
    obClusterId: z.int(),
    obVersion: z.string().nullable().openapi({
      description:
        'As a node was told when it last logged in by a new link; null until then. From 4.0.0 on it is linked to proxies of 4.0.0 and later alone.',
    }),
    idcRegions: z.array(idcRegionSchema),
    registration: configAccessSchema.nullable().openapi({
      description:
        'What `obconfig_url` of the OB cluster may be set to, so that it registers its root services itself; null until it has a token.',
    }),
    proxyroSecret: z.string(),
    proxyroChange: z.object({ operationId: z.string(), secret: z.string() }).nullable().openapi({
      description:
        'The password that may be in force instead, while a change is under way or was left half done: nodes are given both.',
    }),
    heldBy: holdSchema.nullable(),
    tags: z.record(z.string(), z.string()),
  })
  .openapi('ObCluster')

const hostSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    address: z.string(),
    pingStatus: z.enum(['Online', 'ConnectionLost', 'Inactive']),
    platform: z.string(),
    tags: z.record(z.string(), z.string()),
    nodeId: z.string().nullable(),
  })
  .openapi('Host')

const packageInputSchema = z
  .strictObject({
    fileName: z.string().min(1).max(200),
    sha256: packageRefSchema.shape.sha256,
    sizeBytes: z.int().min(1).max(MAX_PACKAGE_BYTES),
    url: z
      .string()
      .max(1000)
      .regex(/^(spool:[A-Za-z0-9._-]+|https:\/\/[^\s@]+|s3:\/\/[^\s@]+)$/, 'spool:, https or s3'),
  })
  .openapi('PackageInput')

const packageSchema = z
  .object({
    id: z.string(),
    fileName: z.string(),
    version: z.string(),
    os: z.string(),
    arch: z.string(),
    sha256: z.string(),
    sizeBytes: z.int(),
    url: z.string(),
    createdAt: timeSchema,
  })
  .openapi('Package')

function obClusterJson(cluster: ObCluster): z.infer<typeof obClusterSchema> {
  return {
    ...cluster,
    createdAt: timeText(cluster.createdAt),
    updatedAt: timeText(cluster.updatedAt),
    rootservice: [...cluster.rootservice],
    idcRegions: [...cluster.idcRegions],
    tags: { ...cluster.tags },
  }
}

function hostJson(host: Host): z.infer<typeof hostSchema> {
  return { ...host, tags: { ...host.tags } }
}

function packageJson(one: Package): z.infer<typeof packageSchema> {
  return { ...one, createdAt: timeText(one.createdAt) }
}

const listObClusters = createRoute({
  ...named('listObClusters', 'List OB clusters'),
  method: 'get',
  path: '/',
  request: { query: pageQuerySchema },
  responses: { 200: json(pageOf(obClusterSchema), 'By name'), default: problemResponse },
})

const getObCluster = createRoute({
  ...named('getObCluster', 'Read an OB cluster'),
  parameters: [IF_NONE_MATCH],
  method: 'get',
  path: '/{name}',
  request: { params: obNameParams, query: z.strictObject({}) },
  responses: {
    200: { ...json(obClusterSchema, 'The OB cluster'), ...TAGGED },
    304: NOT_CHANGED,
    default: problemResponse,
  },
})

const putObCluster = createRoute({
  ...named('putObCluster', 'Create or replace an OB cluster'),
  parameters: [...PUT_CONDITIONS, KEY_OPTIONAL],
  method: 'put',
  path: '/{name}',
  description:
    'Creates with `If-None-Match: *`, replaces with If-Match. Neither `rootservice` nor `proxyroSecret` is tried here: nodes do so when they are started.',
  request: { params: obNameParams, query: nothingSchema, ...body(obClusterInputSchema) },
  responses: {
    200: { ...json(obClusterSchema, 'Replaced'), ...TAGGED },
    201: { ...json(obClusterSchema, 'Created'), ...MADE_TAGGED },
    default: problemResponse,
  },
})

const removeObCluster = createRoute({
  ...named('deleteObCluster', 'Delete an OB cluster'),
  parameters: [IF_MATCH, KEY_OPTIONAL],
  method: 'delete',
  path: '/{name}',
  request: { params: obNameParams, query: z.strictObject({}) },
  responses: { 204: { description: 'Gone' }, default: problemResponse },
})

const rotateToken = createRoute({
  ...named('rotateRootserviceToken', 'Make a new token for an OB cluster that registers itself'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{name}/rootservice-token',
  description:
    'The token is kept in Parameter Store under the name that the answer has. The one before opens on until the next is made.',
  request: { params: obNameParams, query: nothingSchema, ...body(nothingSchema, false) },
  responses: {
    200: { ...json(obClusterSchema, 'With its new token'), ...TAGGED },
    default: problemResponse,
  },
})

const rotateProxyro = createRoute({
  ...named('rotateProxyroPassword', 'Replace the password of proxyro'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{name}/rotate-proxyro-password',
  description:
    'Nodes that run are given the new password beside the old one, then it is changed at the OB cluster, then the old one is dropped; stopped nodes get it at their next start. Proxies below 4.0.0 have one password for all their OB clusters: it is changed at each of them, and so on over every proxy cluster that is linked to one. With `proxyroSecret` it is the one under that name, otherwise the plane makes one.',
  request: {
    params: obNameParams,
    query: changeQuerySchema,
    ...body(z.strictObject({ proxyroSecret: secretReferenceSchema.optional() }), false),
  },
  responses: changed(obClusterSchema),
})

export function obClusterRoutes({ obClusters }: Plane) {
  return router()
    .openapi(listObClusters, async c => {
      const page = await obClusters.list(pageRequest(c.req.valid('query')))
      return c.json({ items: page.items.map(obClusterJson), nextCursor: page.nextCursor }, 200)
    })
    .openapi(getObCluster, async c => {
      const cluster = await obClusters.get(c.req.valid('param').name)
      const tag = entityTag(cluster.revision)
      if (isKnown(c, tag)) return c.body(null, 304, { etag: tag })
      return c.json(obClusterJson(cluster), 200, { etag: tag, 'cache-control': 'no-cache' })
    })
    .openapi(putObCluster, async c => {
      const { name } = c.req.valid('param')
      const input = c.req.valid('json')
      const revision = isCreation(c)
        ? undefined
        : await matchedRevision(c, () => obClusters.get(name))
      const asked = askedOf(c, input, false)
      const outcome = await obClusters.put(asked, name, input, revision)
      if (outcome.kind !== 'done') throw new Error('keeping an OB cluster is no operation')
      const { value, isCreated, isReplayed } = outcome
      const headers = { etag: entityTag(value.revision), ...replayHeaders(isReplayed) }
      if (!isCreated) return c.json(obClusterJson(value), 200, headers)
      return c.json(obClusterJson(value), 201, { ...headers, location: `/v1/ob-clusters/${name}` })
    })
    .openapi(rotateToken, async c => {
      const { name } = c.req.valid('param')
      const { value, isReplayed } = await obClusters.rotateToken(askedOf(c, null), name)
      const headers = { etag: entityTag(value.revision), ...replayHeaders(isReplayed) }
      return c.json(obClusterJson(value), 200, headers)
    })
    .openapi(rotateProxyro, async c => {
      const { name } = c.req.valid('param')
      const input = c.req.valid('json') ?? {}
      const outcome = await obClusters.rotateProxyro(
        changeAsked(c, input),
        name,
        input.proxyroSecret,
      )
      if (outcome.kind === 'planned') return planned(c, outcome.plan)
      if (outcome.kind === 'accepted') return accepted(c, outcome)
      return c.json(obClusterJson(outcome.value), 200, replayHeaders(outcome.isReplayed))
    })
    .openapi(removeObCluster, async c => {
      const { name } = c.req.valid('param')
      const revision = await matchedRevision(c, () => obClusters.get(name))
      const outcome = await obClusters.remove(askedOf(c, null, false), name, revision)
      return c.body(null, 204, replayHeaders(outcome.isReplayed))
    })
}

function isCreation(c: AppContext): boolean {
  return c.req.header('if-none-match')?.trim() === '*'
}

const listHosts = createRoute({
  ...named('listHosts', 'List hosts'),
  method: 'get',
  path: '/',
  request: { query: pageQuerySchema },
  responses: {
    200: json(pageOf(hostSchema), 'Managed instances; a page may be shorter than its limit'),
    default: problemResponse,
  },
})

const getHost = createRoute({
  ...named('getHost', 'Read a host'),
  method: 'get',
  path: '/{ref}',
  request: { params: refParams, query: z.strictObject({}) },
  responses: { 200: json(hostSchema, 'The host'), default: problemResponse },
})

export function hostRoutes({ hosts }: Plane) {
  return router()
    .openapi(listHosts, async c => {
      const page = await hosts.list(pageRequest(c.req.valid('query')))
      return c.json({ items: page.items.map(hostJson), nextCursor: page.nextCursor }, 200)
    })
    .openapi(getHost, async c => c.json(hostJson(await hosts.get(c.req.valid('param').ref)), 200))
}

const listPackages = createRoute({
  ...named('listPackages', 'List packages'),
  method: 'get',
  path: '/',
  request: { query: pageQuerySchema },
  responses: { 200: json(pageOf(packageSchema), 'By id'), default: problemResponse },
})

const getPackage = createRoute({
  ...named('getPackage', 'Read a package'),
  method: 'get',
  path: '/{ref}',
  request: { params: refParams, query: z.strictObject({}) },
  responses: { 200: json(packageSchema, 'The package'), default: problemResponse },
})

const createPackage = createRoute({
  ...named('createPackage', 'Register a package'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/',
  description: 'Registers a file that hosts can reach; its bytes never pass the API.',
  request: { query: nothingSchema, ...body(packageInputSchema) },
  responses: {
    201: { ...json(packageSchema, 'Registered'), ...MADE },
    default: problemResponse,
  },
})

const removePackage = createRoute({
  ...named('deletePackage', 'Delete a package'),
  parameters: [KEY_OPTIONAL],
  method: 'delete',
  path: '/{ref}',
  description: 'Needs no If-Match: a package never changes.',
  request: { params: refParams, query: z.strictObject({}) },
  responses: { 204: { description: 'Gone' }, default: problemResponse },
})

export function packageRoutes({ packages }: Plane) {
  return router()
    .openapi(listPackages, async c => {
      const page = await packages.list(pageRequest(c.req.valid('query')))
      return c.json({ items: page.items.map(packageJson), nextCursor: page.nextCursor }, 200)
    })
    .openapi(getPackage, async c =>
      c.json(packageJson(await packages.get(c.req.valid('param').ref)), 200),
    )
    .openapi(createPackage, async c => {
      const input = c.req.valid('json')
      const outcome = await packages.create(askedOf(c, input), input)
      if (outcome.kind !== 'done') throw new Error('registering a package is no operation')
      const { value, isReplayed } = outcome
      return c.json(packageJson(value), 201, {
        location: `/v1/packages/${value.id}`,
        ...replayHeaders(isReplayed),
      })
    })
    .openapi(removePackage, async c => {
      const outcome = await packages.remove(askedOf(c, null, false), c.req.valid('param').ref)
      return c.body(null, 204, replayHeaders(outcome.isReplayed))
    })
}
