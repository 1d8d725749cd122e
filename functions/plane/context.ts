/** What the use cases of the plane share: who asks, requests that come twice, and acceptance in one write. */
import { createHash } from 'node:crypto'
import type { Clock, Queue } from '../domain/clock.ts'
import { newId } from '../domain/ids.ts'
import type { LoadBalancer } from '../domain/load-balancer.ts'
import type { Operation, Principal } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { Asked, Outcome } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { AuditRecord, NodeRecord, RequestRecord } from '../domain/record.ts'
import type { Hosts, LogBundles, RunCommand, Secrets } from '../domain/remote.ts'
import { type Change, Conflict, decide, put, type Store } from '../domain/store.ts'
import { changePlan } from './dry-run.ts'
import { operationView } from './operation-view.ts'

export type PlaneDeps = {
  readonly store: Store
  readonly hosts: Hosts
  readonly runCommand: RunCommand
  readonly secrets: Secrets
  readonly loadBalancer: LoadBalancer
  /** Where bundles of logs are kept; null where there is no place. */
  readonly logBundles: LogBundles | null
  readonly clock: Clock
  readonly queue: Queue
  /** Where nodes reach the config service; null where there is none. */
  readonly configServiceUrl: string | null
  /** Signs cursors. */
  readonly cursorKey: string
}

/** Idempotency keys are kept this long (management-beyond.md §3.1). */
const REQUEST_KEPT_MS = 24 * 3_600_000

/** What a use case decided on: an operation to begin, or changes that are all there is to do. */
export type Decision =
  | {
      readonly kind: 'accept'
      /** For the audit, where it is not the operation's type. */
      readonly action?: string
      readonly operation: OperationRecord
      readonly changes: readonly Change[]
      /** Nodes that were asked for, where some may need no work. */
      readonly named?: readonly NodeRecord[]
    }
  | {
      readonly kind: 'done'
      readonly action: string
      readonly ref: string
      /** For the audit, where what was done is done to an operation. */
      readonly operation?: OperationRecord
      readonly isCreated: boolean
      readonly changes: readonly Change[]
      readonly named?: readonly NodeRecord[]
    }

export function actorOf(principal: Principal): string {
  return principal.kind === 'user' ? `user:${principal.name}` : `instance:${principal.instanceId}`
}

/**
 * Carries out a mutation once: an operation, its locks, the memory of the request and the audit entry
 * are one transaction, decided anew when somebody was faster.
 */
export async function mutate<T>(
  deps: PlaneDeps,
  asked: Asked,
  view: (ref: string) => Promise<T>,
  decideOn: () => Promise<Decision>,
): Promise<Outcome<T>> {
  try {
    return await settled(() => once(deps, asked, view, decideOn))
  } catch (error) {
    // What stands in the way may be this very request, sent twice at once.
    const earlier = error instanceof Problem ? await earlierRequest(deps, asked) : null
    if (!isKept(earlier, deps)) throw error
    return replayed(deps, asked, earlier, view)
  }
}

async function once<T>(
  deps: PlaneDeps,
  asked: Asked,
  view: (ref: string) => Promise<T>,
  decideOn: () => Promise<Decision>,
): Promise<Outcome<T>> {
  const earlier = await earlierRequest(deps, asked)
  if (isKept(earlier, deps)) return replayed(deps, asked, earlier, view)
  const decision = await decideOn()
  if (asked.isDryRun === true)
    return { kind: 'planned', plan: await changePlan(deps, decision), isReplayed: false }
  await deps.store.commit([
    ...decision.changes,
    ...acceptance(decision, deps.clock.now()),
    ...memoryOf(deps, asked, decision, earlier),
    put('audit', auditOf(deps, asked, decision)),
  ])
  if (decision.kind === 'done') {
    const value = await view(decision.ref)
    return { kind: 'done', value, isCreated: decision.isCreated, isReplayed: false }
  }
  await deps.queue.nudge(decision.operation.id, 0)
  const operation = operationView({
    ...decision.operation,
    version: decision.operation.version + 1,
  })
  return { kind: 'accepted', operation, isReplayed: false }
}

function isKept(earlier: RequestRecord | null, { clock }: PlaneDeps): earlier is RequestRecord {
  return earlier !== null && earlier.expiresAt > clock.now()
}

/** @throws Problem cluster-state-conflict when others change the same things all the time. */
export async function settled<T>(once: () => Promise<T>): Promise<T> {
  try {
    return await decide(once)
  } catch (error) {
    if (!(error instanceof Conflict)) throw error
    throw new Problem('cluster-state-conflict', `others work on it: ${error.message}`, {
      retryAfterSec: 1,
    })
  }
}

function requestId({ scope, key }: NonNullable<Asked['idempotency']>): string {
  return createHash('sha256').update(`${scope}\n${key}`).digest('hex')
}

async function earlierRequest(
  { store }: PlaneDeps,
  { idempotency }: Asked,
): Promise<RequestRecord | null> {
  return idempotency === undefined ? null : store.get('request', { id: requestId(idempotency) })
}

async function replayed<T>(
  { store }: PlaneDeps,
  { idempotency }: Asked,
  earlier: RequestRecord,
  view: (ref: string) => Promise<T>,
): Promise<Outcome<T>> {
  if (earlier.bodyHash !== idempotency?.bodyHash)
    throw new Problem('idempotency-key-reused', 'the key came with another body before')
  const { operationId, ref, isCreated } = earlier
  if (operationId === null)
    return { kind: 'done', value: await view(ref), isCreated, isReplayed: true }
  const operation = await knownOperation(store, operationId)
  return { kind: 'accepted', operation, isReplayed: true }
}

async function knownOperation(store: Store, id: string): Promise<Operation> {
  const record = await store.get('operation', { id })
  if (record === null) throw new Problem('not-found', `there is no operation ${id}`)
  return operationView(record)
}

function acceptance(decision: Decision, now: number): readonly Change[] {
  if (decision.kind === 'done') return []
  const { operation } = decision
  // A node's operation comes with its lock and fence among the changes.
  const isThere = decision.changes.some(
    ({ kind, record }) => kind === 'operation' && 'id' in record && record.id === operation.id,
  )
  return [
    ...(isThere ? [] : [put('operation', operation)]),
    put('work', { operationId: operation.id, lease: null, nextAt: now, version: 0 }),
  ]
}

function memoryOf(
  { clock }: PlaneDeps,
  { idempotency }: Asked,
  decision: Decision,
  earlier: RequestRecord | null,
): readonly Change[] {
  if (idempotency === undefined) return []
  const isAccepted = decision.kind === 'accept'
  return [
    put('request', {
      id: requestId(idempotency),
      bodyHash: idempotency.bodyHash,
      operationId: isAccepted ? decision.operation.id : null,
      ref: isAccepted ? decision.operation.target.id : decision.ref,
      isCreated: !isAccepted && decision.isCreated,
      expiresAt: clock.now() + REQUEST_KEPT_MS,
      version: earlier?.version ?? 0,
    }),
  ]
}

function auditOf(deps: PlaneDeps, asked: Asked, decision: Decision): AuditRecord {
  const { clock } = deps
  const at = clock.now()
  const { id: target, name: targetName } = targetOf(decision)
  const action =
    decision.kind === 'done' ? decision.action : (decision.action ?? decision.operation.type)
  return {
    id: newId('audit', at),
    at,
    actor: actorOf(asked.principal),
    action,
    target,
    targetName,
    requestId: asked.requestId,
    operationId: decision.operation?.id ?? null,
    version: 0,
  }
}

/** What is done at once names what it is done to by what it writes there. */
function targetOf(decision: Decision): { readonly id: string; readonly name: string | null } {
  if (decision.kind === 'accept') return decision.operation.target
  if (decision.operation !== undefined) return decision.operation.target
  const { ref, changes, named = [] } = decision
  const written = changes.map(({ record }) => record)
  const found = [...written, ...named].find(
    record => 'name' in record && (('id' in record && record.id === ref) || record.name === ref),
  )
  return { id: ref, name: found !== undefined && 'name' in found ? found.name : null }
}
