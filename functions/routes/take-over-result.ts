/** What a look at proxies that are to be taken over has found, as callers see it. */
import { z } from '@hono/zod-openapi'
import type { TakeOverCheck } from '../domain/take-over-check.ts'

export const problemViewSchema = z.object({ code: z.string(), detail: z.string() })

const findingSchema = z
  .object({
    id: z.string().regex(/^T(?:[1-9]|1[0-3])$/),
    ok: z.boolean(),
    code: z.string(),
    detail: z.string(),
    remedy: z.string().nullable(),
  })
  .openapi('Finding', {
    description: '`code` is stable, texts are not; it is `ok` for one that passed.',
  })

export const takeOverCheckSchema = z
  .object({
    mayTakeOver: z.boolean(),
    hosts: z.array(
      z.object({
        hostId: z.string(),
        operationId: z.string(),
        mayTakeOver: z.boolean(),
        findings: z.array(findingSchema),
        differing: z.int().nullable(),
        differences: z.array(
          z.object({ name: z.string(), value: z.string(), wanted: z.string().nullable() }),
        ),
        notices: z.array(z.string()),
        error: problemViewSchema.nullable(),
      }),
    ),
  })
  .openapi('TakeOverCheck', {
    description:
      'T1 version, T2 one process, T3 its user, T4 one package, T5 its executable, T6 login, T7 inventory, T8 work mode, T9 its OB clusters, T10 they are managed here, T11 they are linked, T12 parameters, T13 ports, T14 what starts it at a boot can be switched off. `differing` counts parameters that a take-over would change, `differences` are as many of them as the host can tell; `wanted` null is the default.',
  })

export function takeOverJson({
  mayTakeOver,
  hosts,
}: TakeOverCheck): z.infer<typeof takeOverCheckSchema> {
  return {
    mayTakeOver,
    hosts: hosts.map(({ findings, differences, notices, ...rest }) => ({
      ...rest,
      findings: [...findings],
      differences: [...differences],
      notices: [...notices],
    })),
  }
}
