/** Parameters of proxy clusters: read, change, their history, and what is known of each. */
import { createRoute, z } from '@hono/zod-openapi'
import type { ParameterDefinition, ParameterHistoryEntry, ParameterValue } from '../domain/model.ts'
import type { ParametersInput, Plane } from '../domain/plane.ts'
import { changeAsked, matchedRevision } from '../middleware/requests.ts'
import { changed } from './actions.ts'
import { clusterSchema, parametersSchema, settledCluster } from './clusters.ts'
import { changeQuerySchema } from './dry-run.ts'
import { IF_MATCH, KEY_OPTIONAL, named } from './headers.ts'
import { router } from './operations.ts'
import { rolloutOf, rolloutSchema } from './rollout.ts'
import {
  body,
  json,
  pageOf,
  pageQuerySchema,
  pageRequest,
  problemResponse,
  refParams,
  timeSchema,
  timeText,
} from './schemas.ts'

const MAX_NAMES = 200

const nameSchema = z.string().min(1).max(100)
const searchSchema = z.string().min(1).max(100).optional()

const definitionSchema = z
  .object({
    name: z.string(),
    type: z.string(),
    default: z.string(),
    range: z.string().openapi({ description: '`[1,128]`, open ends allowed; empty: none.' }),
    allowed: z.array(z.string()).nullable(),
    needsRestart: z.boolean(),
    takesEffect: z.boolean().openapi({
      description: 'False: our proxy keeps and shows it, and works as if it were not set.',
    }),
    readOnly: z.boolean(),
    meaning: z.string(),
  })
  .openapi('ParameterDefinition')

const valueSchema = definitionSchema
  .extend({
    value: z.string().nullable().openapi({
      description: 'What is wanted, the default unless it is set; null for what is read-only.',
    }),
    isSet: z.boolean(),
    pendingRestart: z.array(z.string()).openapi({
      description:
        'Nodes that have it stored and work with another value until they are restarted.',
    }),
  })
  .openapi('Parameter')

const historySchema = z
  .object({
    id: z.string(),
    clusterId: z.string(),
    at: timeSchema,
    actor: z.string(),
    operationId: z.string().nullable(),
    isReturn: z
      .boolean()
      .openapi({ description: 'An operation has put back what it had changed.' }),
    changes: z.array(
      z.object({
        name: z.string(),
        before: z.string().nullable().openapi({ description: 'Null: it was not set.' }),
        after: z.string().nullable(),
      }),
    ),
  })
  .openapi('ParameterHistoryEntry')

const editSchema = z
  .strictObject({
    set: parametersSchema.default({}),
    unset: z.array(nameSchema).max(MAX_NAMES).default([]),
    restartPolicy: z.enum(['manual', 'rolling']).default('manual'),
    rollout: rolloutSchema.pick({ canaryBake: true, bake: true, drain: true }).optional(),
  })
  .openapi('ParametersInput', {
    description:
      '`manual`: what needs a restart waits for one. `rolling`: if anything that is changed needs one, nodes are restarted, hot and wave by wave, each watched as in a restart.',
  })

const list = createRoute({
  ...named('listParameters', 'List the parameters of a proxy cluster'),
  method: 'get',
  path: '/{ref}/parameters',
  request: {
    params: refParams,
    query: z.strictObject({
      ...pageQuerySchema.shape,
      search: searchSchema,
      set: z.enum(['true', 'false']).optional(),
    }),
  },
  responses: {
    200: json(
      pageOf(valueSchema).extend({
        parameterVersion: z.int(),
        nodesBehind: z.array(z.string()).openapi({
          description: 'Nodes that have not said that they have this version.',
        }),
      }),
      'By name; `search` is for a part of name or meaning',
    ),
    default: problemResponse,
  },
})

const change = createRoute({
  ...named('changeParameters', 'Change parameters of a proxy cluster'),
  parameters: [IF_MATCH, KEY_OPTIONAL],
  method: 'patch',
  path: '/{ref}/parameters',
  description:
    'All or none, against the revision of the cluster. Nodes that run are told, one before all others; if one refuses, the values of before return to all. Nodes that do not run are told at their start.',
  request: { params: refParams, query: changeQuerySchema, ...body(editSchema) },
  responses: changed(clusterSchema),
})

const momentSchema = z.iso.datetime({ offset: true }).optional()

const history = createRoute({
  ...named('listParameterHistory', 'List changes of parameters of a proxy cluster'),
  method: 'get',
  path: '/{ref}/parameters/history',
  request: {
    params: refParams,
    query: z.strictObject({
      ...pageQuerySchema.shape,
      name: nameSchema.optional(),
      from: momentSchema,
      to: momentSchema,
    }),
  },
  responses: { 200: json(pageOf(historySchema), 'The newest first'), default: problemResponse },
})

const definitions = createRoute({
  ...named('listParameterDefinitions', 'List what is known of parameters'),
  method: 'get',
  path: '/',
  description:
    'Of the version in `definedFor`: all that OBProxy 4.3.1 has, and some of our own. For another `version` they are the nearest there is: its names, ranges and defaults may differ, and a node refuses what it does not take.',
  request: {
    query: z.strictObject({
      ...pageQuerySchema.shape,
      version: z
        .string()
        .regex(/^\d{1,4}(?:\.\d{1,4}){1,3}(?:-\w{1,20})?$/, 'like 4.3.2.0-1, or a part of it')
        .optional(),
      search: searchSchema,
    }),
  },
  responses: {
    200: json(
      pageOf(definitionSchema).extend({ version: z.string(), definedFor: z.string() }),
      'By name',
    ),
    default: problemResponse,
  },
})

export function parameterRoutes({ clusters, parameters }: Plane) {
  return router()
    .openapi(list, async c => {
      const { search, set, ...page } = c.req.valid('query')
      const found = await parameters.list(c.req.valid('param').ref, pageRequest(page), {
        ...(search === undefined ? {} : { search }),
        ...(set === undefined ? {} : { isSet: set === 'true' }),
      })
      const { items, nodesBehind, ...rest } = found
      return c.json({ ...rest, items: items.map(valueJson), nodesBehind: [...nodesBehind] }, 200)
    })
    .openapi(change, async c => {
      const { ref } = c.req.valid('param')
      const given = c.req.valid('json')
      const revision = await matchedRevision(c, () => clusters.get(ref))
      const asked = changeAsked(c, given, false)
      return settledCluster(c, await parameters.change(asked, ref, { ...editOf(given), revision }))
    })
    .openapi(history, async c => {
      const { name, from, to, ...page } = c.req.valid('query')
      const found = await parameters.history(c.req.valid('param').ref, pageRequest(page), {
        ...(name === undefined ? {} : { name }),
        ...(from === undefined ? {} : { from: Date.parse(from) }),
        ...(to === undefined ? {} : { to: Date.parse(to) }),
      })
      return c.json({ items: found.items.map(historyJson), nextCursor: found.nextCursor }, 200)
    })
}

export function definitionRoutes({ parameters }: Plane) {
  return router().openapi(definitions, async c => {
    const { version, search, ...page } = c.req.valid('query')
    const { items, ...rest } = await parameters.definitions(pageRequest(page), {
      ...(version === undefined ? {} : { version }),
      ...(search === undefined ? {} : { search }),
    })
    return c.json({ ...rest, items: items.map(definitionJson) }, 200)
  })
}

function editOf({
  set,
  unset,
  restartPolicy,
  rollout,
}: z.infer<typeof editSchema>): Omit<ParametersInput, 'revision'> {
  return {
    set,
    unset,
    restartPolicy,
    ...(rollout === undefined ? {} : { rollout: rolloutOf(rollout) }),
  }
}

function definitionJson(definition: ParameterDefinition): z.infer<typeof definitionSchema> {
  const { allowed } = definition
  return { ...definition, allowed: allowed === null ? null : [...allowed] }
}

function valueJson({
  value,
  isSet,
  pendingRestart,
  ...definition
}: ParameterValue): z.infer<typeof valueSchema> {
  return { ...definitionJson(definition), value, isSet, pendingRestart: [...pendingRestart] }
}

function historyJson({
  id,
  clusterId,
  at,
  actor,
  operationId,
  isReturn,
  changes,
}: ParameterHistoryEntry): z.infer<typeof historySchema> {
  return {
    id,
    clusterId,
    at: timeText(at),
    actor,
    operationId,
    isReturn,
    changes: changes.map(change => ({ ...change })),
  }
}
