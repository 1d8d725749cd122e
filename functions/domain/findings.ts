/** What operations that look at nodes of ours have found, as callers see it. */
import type { DiagnosisFacts, DiagnosisFinding, FindingLevel } from '#contract/diagnosis'
import type { LogFacts } from '#contract/log-filter'
import type { ProblemView } from './model.ts'
import type { TakeOverCheck } from './take-over-check.ts'

export type NodeDiagnosis = {
  readonly nodeId: string
  readonly name: string
  readonly operationId: string
  /** When the node looked; null: it has told nothing. */
  readonly at: number | null
  /** The worst of its findings; null: there are none. */
  readonly worst: FindingLevel | null
  /** Of a cluster's operation those that are not well, of a node's all. */
  readonly findings: readonly DiagnosisFinding[]
  /** In a node's operation alone. */
  readonly facts: DiagnosisFacts | null
  /** Why there is less than a whole document. */
  readonly error: ProblemView | null
}

/** How nodes are, one by one. */
export type DiagnosisResult = {
  readonly kind: 'diagnosis'
  readonly diagnoses: readonly NodeDiagnosis[]
}

export type LogBundle = {
  readonly nodeId: string
  readonly name: string
  readonly operationId: string
  /** Of the archive; null: there is none. */
  readonly facts: LogFacts | null
  /** Good for a quarter of an hour. */
  readonly url: string | null
  readonly error: ProblemView | null
}

/** A bundle a node. */
export type LogsResult = { readonly kind: 'logs'; readonly bundles: readonly LogBundle[] }

/** What proxies of other installers are like that are to be taken over. */
export type TakeOverResult = { readonly kind: 'take-over'; readonly check: TakeOverCheck }

export type LookResult = DiagnosisResult | LogsResult | TakeOverResult
