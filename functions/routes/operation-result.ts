/** What operations that only look have found, as callers see it. */
import { z } from '@hono/zod-openapi'
import { DIAGNOSIS_FINDINGS, diagnosisFactsSchema, FINDING_LEVELS } from '#contract/diagnosis'
import type { LogBundle, LookResult, NodeDiagnosis } from '../domain/findings.ts'
import type { Operation } from '../domain/model.ts'
import { movedOutJson, movedOutSchema } from './moved-out-result.ts'
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

const logsResultSchema = z
  .object({
    bundles: z.array(
      z.object({
        nodeId: z.string(),
        name: z.string(),
        operationId: z.string(),
        bytes: z.int().nullable(),
        sha256: z.string().nullable(),
        files: z.int().nullable(),
        lines: z.int().nullable(),
        partial: z.boolean().nullable(),
        why: z.string().nullable(),
        url: z.string().nullable(),
        error: problemViewSchema.nullable(),
      }),
    ),
  })
  .openapi('LogsResult', {
    description:
      'An archive a node, `.tar.gz`, with the values masked that are named as secrets: still to be kept as logs are. `url` is good for a quarter of an hour; read the operation again for another. `partial`: a bound was met, where the newest lines are kept, or something could not be read; `why` says which.',
  })

export const resultSchema = z.union([
  takeOverCheckSchema,
  diagnosisResultSchema,
  logsResultSchema,
  movedOutSchema,
])

/** The field `result`, of an operation that has one. */
export function resultJson({
  result,
  movedOut,
}: {
  readonly result: Operation['result']
  readonly movedOut: Operation['movedOut']
}): {
  readonly result?: z.infer<typeof resultSchema> | null
} {
  if (movedOut !== undefined) return { result: movedOut === null ? null : movedOutJson(movedOut) }
  if (result === undefined) return {}
  return { result: result === null ? null : lookJson(result) }
}

function lookJson(look: LookResult): z.infer<typeof resultSchema> {
  if (look.kind === 'take-over') return takeOverJson(look.check)
  return look.kind === 'logs'
    ? { bundles: look.bundles.map(bundleJson) }
    : { diagnoses: look.diagnoses.map(diagnosisJson) }
}

function bundleJson({ facts, ...rest }: LogBundle) {
  const {
    bytes = null,
    sha256 = null,
    files = null,
    lines = null,
    partial = null,
    why = null,
  } = facts ?? {}
  return { ...rest, bytes, sha256, files, lines, partial, why }
}

function diagnosisJson({ at, findings, ...rest }: NodeDiagnosis) {
  return { ...rest, at: timeOrNull(at), findings: [...findings] }
}
