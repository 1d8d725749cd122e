/** Use cases on operations: reading, waiting, cancelling; what else is asked of them is decided beside. */
import type { Operation } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { Asked, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import { put, type Store } from '../domain/store.ts'
import { hasEnded } from '../operations/member.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import type { Cursors } from './cursor.ts'
import { withResult } from './look-results.ts'
import { operationView, stepViews } from './operation-view.ts'
import { decideRetry } from './retrying.ts'
import { decideSkip } from './skipping.ts'
import { decidePause, decideResume, decideRollback } from './steering.ts'

const WAIT_POLL_MS = 200
/** Items of the index that one filtered page may cost. */
const MAX_LOOKED_AT = 2_000

export function operationUseCases(deps: PlaneDeps, cursors: Cursors): Plane['operations'] {
  const { store, clock } = deps
  const view = async (id: string) => operationView(await recordOf(store, id))
  return {
    list: async ({ limit, cursor }, filter) => {
      const matches = ({ target, type, phase }: OperationRecord) =>
        (filter.target === undefined || [target.id, target.name].includes(filter.target)) &&
        (filter.type === undefined || filter.type === type) &&
        (filter.phase === undefined || filter.phase === phase)
      const items: Operation[] = []
      let { after } = cursors.read('operations', cursor)
      for (let seen = 0; seen < MAX_LOOKED_AT; seen += limit) {
        const page = await store.operations({
          limit: limit - items.length,
          ...(after === undefined ? {} : { after }),
        })
        items.push(...page.items.filter(matches).map(operationView))
        after = page.next ?? undefined
        if (after === undefined || items.length >= limit) break
      }
      return { items, nextCursor: cursors.write('operations', after ?? null) }
    },
    get: async id => withResult(deps, await recordOf(store, id)),
    wait: async (id, waitMs, revision) => {
      const until = clock.now() + waitMs
      for (;;) {
        const record = await recordOf(store, id)
        const isNews = revision !== undefined && record.version !== revision
        if (hasEnded(record) || isNews || clock.now() >= until) return withResult(deps, record)
        await clock.sleep(WAIT_POLL_MS)
      }
    },
    steps: async id => {
      const record = await recordOf(store, id)
      return stepViews(record, await store.steps(id))
    },
    ...steering(deps, view),
  }
}

/** Written down at once, and carried out by whoever is woken for it. */
function steering(
  deps: PlaneDeps,
  view: (id: string) => Promise<Operation>,
): Pick<Plane['operations'], 'cancel' | 'retry' | 'skip' | 'pause' | 'resume' | 'rollback'> {
  const { store, queue } = deps
  const decided = (
    asked: Asked,
    id: string,
    decide: (record: OperationRecord) => Decision | Promise<Decision>,
  ) => mutate(deps, asked, view, async () => decide(await recordOf(store, id)))
  const woken = async (...of: Parameters<typeof decided>) => {
    const [, id] = of
    const outcome = await decided(...of)
    if (outcome.kind !== 'planned' && !outcome.isReplayed) await queue.nudge(id, 0)
    return outcome
  }
  return {
    cancel: (asked, id) => woken(asked, id, decideCancel),
    // Whoever begins an operation is woken by that.
    retry: (asked, id) => decided(asked, id, record => decideRetry(deps, asked, record)),
    skip: (asked, id, children) =>
      woken(asked, id, record => decideSkip(deps, asked, record, children)),
    // There is nothing to do for it.
    pause: (asked, id) => decided(asked, id, decidePause),
    resume: (asked, id) => woken(asked, id, record => decideResume(deps, record)),
    rollback: (asked, id) => woken(asked, id, record => decideRollback(deps, asked, record)),
  }
}

async function recordOf(store: Store, id: string): Promise<OperationRecord> {
  const record = await store.get('operation', { id })
  if (record === null) throw new Problem('not-found', `there is no operation ${id}`)
  return record
}

/** No new step begins; what runs on a node is let run to its end. */
function decideCancel(record: OperationRecord): Decision {
  const { id } = record
  const done = { kind: 'done', action: 'cancel', ref: id, isCreated: false } as const
  if (record.phase === 'CANCELLING' || record.phase === 'CANCELLED')
    return { ...done, operation: record, changes: [] }
  if (hasEnded(record) || record.phase === 'ROLLING_BACK')
    throw new Problem('operation-state-conflict', `${id} can be cancelled no more: ${record.phase}`)
  requireOwnDriver(record)
  const cancelling: OperationRecord = { ...record, phase: 'CANCELLING' }
  return { ...done, operation: cancelling, changes: [put('operation', cancelling)] }
}

/** @throws Problem operation-state-conflict */
function requireOwnDriver({ id, parentId, isSelfDriven }: OperationRecord): void {
  if (isSelfDriven || parentId === null) return
  throw new Problem('operation-state-conflict', `${id} is driven by ${parentId}`, {
    remedy: `address ${parentId}`,
  })
}
