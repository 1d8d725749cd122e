/** What nodes say of themselves, as steps that wait for it or judge it read it. */
import type { Facts } from '../domain/gates.ts'
import type { ProblemView } from '../domain/model.ts'
import { wantedStatus } from '../domain/plan.ts'
import type { ReportRecord } from '../domain/record.ts'
import type { Store } from '../domain/store.ts'
import type { Member } from './member.ts'

async function reportOf(store: Store, { node }: Member): Promise<ReportRecord | null> {
  if (node === null) return null
  return store.get('report', { clusterId: node.clusterId, nodeId: node.id })
}

/** The node has reported what its operation waits for, because of it. */
export async function isReported(store: Store, member: Member): Promise<boolean> {
  const { operation } = member
  const { report } = (await reportOf(store, member)) ?? {}
  return report?.lastOperationId === operation.id && report.status === wantedStatus(operation.type)
}

/** Why a node that is watched since `since` counts as failed; null as long as it says nothing bad. */
export async function reportedFailure(
  store: Store,
  member: Member,
  since: number,
): Promise<ProblemView | null> {
  const said = await reportOf(store, member)
  if (said === null || said.receivedAt < since || said.report.status === 'RUNNING') return null
  const { status, reason } = said.report
  const detail = `the node says ${status}: ${reason ?? 'no reason given'}`
  return { code: 'gate-failed', detail: detail.slice(0, 600) }
}

/** What the node said before it was touched; null when that was not kept. */
export async function baselineOf(store: Store, { operation }: Member): Promise<Facts | null> {
  const n = operation.plan.indexOf('baseline')
  const step = n < 0 ? null : await store.get('step', { operationId: operation.id, n })
  try {
    return step?.output ? (JSON.parse(step.output) as Facts) : null
  } catch {
    // Cut off: a node that says so much is judged without its past.
    return null
  }
}
