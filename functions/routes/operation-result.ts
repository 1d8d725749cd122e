/** What operations that only look have found, as callers see it. */
import { z } from '@hono/zod-openapi'
import { DIAGNOSIS_FINDINGS, diagnosisFactsSchema, FINDING_LEVELS } from '#contract/diagnosis'
import type { LookResult, NodeDiagnosis } from '../domain/findings.ts'
import type { Operation } from '../domain/model.ts'
import { timeOrNull, timeSchema } from './schemas.ts'
import { problemViewSchema, takeOverCheckSchema, takeOverJson } from './take-over-result.ts'

const nodeDiagnosisSchema = z
  .object({
    nodeId: z.string(),
    name: z.string(),
    operationId: z.string(),
    at: timeSchema.nullable(),
    worst: z.enum(FINDING_LEVELS).nullable(),
    findings: z.array(
      z.object({
        id: z.enum(DIAGNOSIS_FINDINGS),
        level: z.enum(FINDING_LEVELS),
        detail: z.string(),
        remedy: z.string().nullable(),
      }),
    ),
    facts: diagnosisFactsSchema.nullable(),
    error: problemViewSchema.nullable(),
  })
  .openapi('NodeDiagnosis', {
    description:
      'Of a cluster’s operation what is not well alone, of a node’s all findings and the facts behind them; sizes are bytes, times of facts milliseconds since the epoch. With `error` there is less than a whole document.',
  })

const diagnosisResultSchema = z
  .object({ diagnoses: z.array(nodeDiagnosisSchema) })
  .openapi('DiagnosisResult')

export const resultSchema = z.union([takeOverCheckSchema, diagnosisResultSchema])

/** The field `result`, of an operation that has one. */
export function resultJson({
  result,
  look,
}: {
  readonly result: Operation['result']
  readonly look: Operation['look']
}): { readonly result?: z.infer<typeof resultSchema> | null } {
  if (look !== undefined) return { result: look === null ? null : lookJson(look) }
  if (result === undefined) return {}
  return { result: result === null ? null : takeOverJson(result) }
}

function lookJson({ diagnoses }: LookResult) {
  return { diagnoses: diagnoses.map(diagnosisJson) }
}

function diagnosisJson({ at, findings, ...rest }: NodeDiagnosis) {
  return { ...rest, at: timeOrNull(at), findings: [...findings] }
}
