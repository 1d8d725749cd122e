/** What an operation that looks has found, put together when it is asked for. */
import { z } from 'zod'
import {
  DIAGNOSIS_FINDINGS,
  type DiagnosisFinding,
  FINDING_LEVELS,
  type FindingLevel,
} from '#contract/diagnosis'
import { logFactsSchema } from '#contract/log-filter'
import type {
  DiagnosisResult,
  LogBundle,
  LogsResult,
  LookResult,
  NodeDiagnosis,
} from '../domain/findings.ts'
import type { Operation, OperationType, ProblemView } from '../domain/model.ts'
import { documentOf, type MovedOutDocument } from '../domain/moved-out.ts'
import { bundleKey } from '../domain/names.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { LookType, StepName } from '../domain/plan.ts'
import type { Store } from '../domain/store.ts'
import type { StepRecord } from '../domain/work-record.ts'
import { childrenOf } from '../operations/children.ts'
import { hasEnded } from '../operations/member.ts'
import type { PlaneDeps } from './context.ts'
import { operationView } from './operation-view.ts'
import { takeOverCheck } from './take-over.ts'

type Deps = Pick<PlaneDeps, 'store' | 'logBundles'>
type Result = (deps: Deps, record: OperationRecord) => Promise<LookResult>
/** Take-overs begin with a look at their hosts. */
type Telling = LookType | 'take-over' | 'take-over-node'

const RESULTS: Readonly<Record<Telling, Result>> = {
  'precheck-take-over': check,
  'probe-host': check,
  'take-over': check,
  'take-over-node': check,
  diagnose: diagnoses,
  'diagnose-node': diagnoses,
  'collect-logs': bundles,
  'collect-logs-node': bundles,
}

function isTelling(type: OperationType): type is Telling {
  return Object.hasOwn(RESULTS, type)
}

/** An operation with what it found out, once it has. */
export async function withResult(deps: Deps, record: OperationRecord): Promise<Operation> {
  const view = operationView(record)
  if (record.type === 'move-out') return { ...view, movedOut: await movedOutOf(deps.store, record) }
  const { type } = record
  if (!isTelling(type)) return view
  return { ...view, result: hasEnded(record) ? await RESULTS[type](deps, record) : null }
}

async function check({ store }: Deps, record: OperationRecord): Promise<LookResult> {
  return { kind: 'take-over', check: await takeOverCheck(store, record) }
}

async function movedOutOf(store: Store, record: OperationRecord): Promise<MovedOutDocument | null> {
  const written = await store.get('clusterExport', { operationId: record.id })
  return written === null ? null : documentOf(written, record)
}

/** A node's operation, or those of all nodes of a cluster's, in the order of its nodes. */
async function looksOf(store: Store, record: OperationRecord): Promise<readonly OperationRecord[]> {
  return record.target.kind === 'cluster' ? childrenOf(store, record) : [record]
}

async function diagnoses({ store }: Deps, record: OperationRecord): Promise<DiagnosisResult> {
  const looks = await looksOf(store, record)
  const isOfNode = record.target.kind === 'node'
  const found = await store.getMany(
    'diagnosis',
    looks.map(({ id }) => ({ operationId: id })),
  )
  const all = looks.map(async look => {
    const document = found.find(({ operationId }) => operationId === look.id)?.document
    if (document === undefined) return withoutDocument(store, look)
    const { at, findings, facts } = document
    const shown = isOfNode ? findings : findings.filter(({ level }) => level !== 'ok')
    return { ...namesOf(look), at, ...judged(shown), facts: isOfNode ? facts : null, error: null }
  })
  return { kind: 'diagnosis', diagnoses: await Promise.all(all) }
}

function namesOf({ id, target }: OperationRecord) {
  return { nodeId: target.id, name: target.name, operationId: id }
}

function judged(findings: readonly DiagnosisFinding[]): Pick<NodeDiagnosis, 'worst' | 'findings'> {
  const worst = findings.reduce<FindingLevel>(
    (most, { level }) =>
      FINDING_LEVELS.indexOf(level) > FINDING_LEVELS.indexOf(most) ? level : most,
    'ok',
  )
  return { worst, findings }
}

/** The answer line has names at least; of a node that did not answer there is nothing. */
async function withoutDocument(store: Store, look: OperationRecord): Promise<NodeDiagnosis> {
  const { phase } = look
  const nothing = { ...namesOf(look), at: null, worst: null, findings: [], facts: null }
  if (phase !== 'SUCCEEDED') return { ...nothing, error: whyNot(look) }
  const step = await stepOf(store, look, 'diagnose')
  const found = answerOf(step, diagnosisAnswerSchema)?.found
  if (found === undefined) return { ...nothing, error: UNREADABLE }
  const error = {
    code: 'node-command-failed',
    detail: 'the node answered, and its document did not arrive',
  }
  return { ...nothing, at: step?.endedAt ?? null, ...judged(findingsIn(found)), error }
}

const diagnosisAnswerSchema = z.object({ found: z.string() })

const UNREADABLE: ProblemView = {
  code: 'node-command-failed',
  detail: 'the answer of the node cannot be read',
}

/** Facts of a step's answer; undefined for none, and for others. */
function answerOf<T>(step: StepRecord | null, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(step?.output ?? ''))
  } catch {
    return undefined
  }
}

/** `disk=warn login=fail`, as `levelsText` has it. */
function findingsIn(found: string): readonly DiagnosisFinding[] {
  return found.split(' ').flatMap(word => {
    const [name, said] = word.split('=')
    const id = DIAGNOSIS_FINDINGS.find(each => each === name)
    const level = FINDING_LEVELS.find(each => each === said)
    if (id === undefined || level === undefined) return []
    return [{ id, level, detail: 'its details did not arrive', remedy: 'diagnose it again' }]
  })
}

function whyNot({ error, phase }: OperationRecord): ProblemView {
  return error ?? { code: 'operation-state-conflict', detail: `the look is ${phase}` }
}

function stepOf(store: Store, { id, plan }: OperationRecord, name: StepName) {
  return store.get('step', { operationId: id, n: plan.indexOf(name) })
}

async function bundles({ store, logBundles }: Deps, record: OperationRecord): Promise<LogsResult> {
  const looks = await looksOf(store, record)
  const all = looks.map(async (look): Promise<LogBundle> => {
    if (look.phase !== 'SUCCEEDED')
      return { ...namesOf(look), facts: null, url: null, error: whyNot(look) }
    const facts = answerOf(await stepOf(store, look, 'collect'), logFactsSchema) ?? null
    const url = (await logBundles?.getUrl(bundleKey(look.id))) ?? null
    return { ...namesOf(look), facts, url, error: facts === null ? UNREADABLE : null }
  })
  return { kind: 'logs', bundles: await Promise.all(all) }
}
