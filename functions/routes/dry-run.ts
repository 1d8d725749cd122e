/** Requests with `dryRun=true`: all is checked as ever, nothing is written, and the answer is the plan. */
import { z } from '@hono/zod-openapi'
import {
  type ChangePlan,
  type Cut,
  GATE_CHECKS,
  PROCESS_FATES,
  WARNINGS,
} from '../domain/change-plan.ts'
import { OPERATION_TYPES } from '../domain/model.ts'
import { ON_FAILURE } from '../domain/rollout.ts'
import type { AppContext } from '../middleware/env.ts'
import { json } from './schemas.ts'

/** Query of a change that may be tried out. */
export const changeQuerySchema = z.strictObject({
  dryRun: z.enum(['true', 'false']).default('false').openapi({
    description:
      '`true`: nothing is written or begun. The answer is the plan, or the problem that the request itself would be answered with; If-Match and `confirm` are needed as there, an Idempotency-Key is not, and is not used.',
  }),
})

function cutOf<T extends z.ZodType>(item: T) {
  return z.object({ total: z.int(), items: z.array(item) })
}

const span = { leastSec: z.number(), mostSec: z.number() }
const nullableText = z.string().nullable()
const desiredSchema = z.enum(['RUNNING', 'STOPPED']).nullable()

const stepSchema = z.object({
  name: z.string(),
  kind: z.enum(['local', 'remote', 'watch', 'children', 'timer', 'balancer']),
  verb: nullableText.openapi({ description: 'What the node is told.' }),
  deadlineSec: z.number().nullable(),
  ...span,
})

const nodeSchema = z.object({
  id: nullableText.openapi({ description: 'Null: it is not there yet.' }),
  name: z.string(),
  host: z.string(),
  zone: nullableText,
  wave: z.int().openapi({ description: 'Place in `waves`, from 0; `procedure` alike.' }),
  procedure: z.int(),
  process: z.enum(PROCESS_FATES).openapi({
    description:
      '`moved`: another process takes over, and clients stay with the old one until they are drained.',
  }),
  clients: z.int().nullable().openapi({ description: 'As it has reported last.' }),
  desiredState: z.object({ before: desiredSchema, after: desiredSchema }),
  version: z.object({ before: nullableText, after: nullableText }),
})

const waveSchema = z.object({
  nodes: z.int(),
  isCanary: z.boolean(),
  zones: cutOf(z.object({ zone: nullableText, nodes: z.int() })),
  ...span,
})

export const planSchema = z
  .object({
    action: z.string(),
    type: z.enum(OPERATION_TYPES).nullable().openapi({
      description: 'Of the operation; null: there would be none.',
    }),
    target: z.object({
      kind: z.enum(['cluster', 'node', 'host', 'ob-cluster']),
      id: nullableText,
      name: z.string(),
    }),
    outcome: z.enum(['nothing', 'at-once', 'operation']),
    changes: cutOf(z.object({ path: z.string(), before: nullableText, after: nullableText })),
    steps: z.array(stepSchema).openapi({
      description: 'Of the operation of a cluster; what nodes go through is in `procedures`.',
    }),
    procedures: cutOf(
      z.object({
        type: z.enum(OPERATION_TYPES),
        nodes: z.int(),
        steps: z.array(stepSchema),
        ...span,
      }),
    ),
    waves: cutOf(waveSchema),
    pace: z.object({
      atOnce: z.int(),
      minHealthyPercent: z.number().nullable(),
      onFailure: z.enum(ON_FAILURE),
    }),
    nodes: cutOf(nodeSchema),
    inPlace: cutOf(z.string()).openapi({
      description: 'Nodes that were asked for and need no work.',
    }),
    clients: z.object({
      cut: z.int(),
      moved: z.int(),
      unknown: z.int(),
      drainSec: z.number().nullable(),
    }),
    gates: z.object({
      nodes: z.int(),
      checks: z.array(z.enum(GATE_CHECKS)),
      logins: cutOf(z.string()),
    }),
    rollback: z.object({
      isPossible: z.boolean(),
      withinSec: z.int().nullable(),
      why: nullableText,
    }),
    duration: z.object(span),
    warnings: z.array(
      z.object({ code: z.enum(WARNINGS), detail: z.string(), nodes: cutOf(z.string()) }),
    ),
    operatorSteps: z.array(z.string()),
  })
  .openapi('Plan', {
    description:
      'What the request would do. `clients` are connections by the newest reports: those that are cut, those that are moved and may stay for `drainSec`, and on how many nodes they are not known. Lists are cut, `total` is how many there are; nodes are in the order in which they are begun. Spans are sums of configured waits and of deadlines.',
  })

/** 200 of a change that has no other. */
export const plannedResponse = json(planSchema, 'The plan, of a dry run')

export function planned(c: AppContext, plan: ChangePlan) {
  return c.json(planJson(plan), 200, { 'cache-control': 'no-store' })
}

function copied<T>({ total, items }: Cut<T>) {
  return { total, items: [...items] }
}

function planJson(plan: ChangePlan): z.infer<typeof planSchema> {
  const { procedures, waves, gates } = plan
  return {
    ...plan,
    changes: copied(plan.changes),
    steps: [...plan.steps],
    procedures: {
      total: procedures.total,
      items: procedures.items.map(each => ({ ...each, steps: [...each.steps] })),
    },
    waves: {
      total: waves.total,
      items: waves.items.map(each => ({ ...each, zones: copied(each.zones) })),
    },
    nodes: copied(plan.nodes),
    inPlace: copied(plan.inPlace),
    gates: { ...gates, checks: [...gates.checks], logins: copied(gates.logins) },
    warnings: plan.warnings.map(each => ({ ...each, nodes: copied(each.nodes) })),
    operatorSteps: [...plan.operatorSteps],
  }
}
