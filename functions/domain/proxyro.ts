/**
 * What a change of proxyro's password tells nodes at each of its steps, and what it leaves of it at the
 * OB clusters. As long as both passwords may be in force each OB cluster's record has both, and so has
 * every order. Pure. Source: management.md §2.7, §3.17, §3.22.
 */
import type { ProxyroOrder } from '#contract/command'
import type { OperationPhase } from './model.ts'
import type { ObClusterRecord } from './ob-cluster-record.ts'
import type { OperationRecord, PasswordSecret, ProxyroTask } from './operation-record.ts'
import type { OrderSource } from './order.ts'
import type { StepName } from './plan.ts'

/** At these steps, and from them on, one password alone counts. */
const ALONE: Readonly<Partial<Record<StepName, 'before' | 'after'>>> = {
  alter: 'after',
  settle: 'after',
  restore: 'before',
  refresh: 'before',
}

type Change = {
  readonly task: ProxyroTask
  readonly step: StepName
  /** Which password the step makes the only one; undefined: both may count. */
  readonly side: 'before' | 'after' | undefined
}

function changeAt({ proxyro: task, plan, stepsDone }: OperationRecord): Change | null {
  const step = plan[stepsDone]
  if (task === undefined || step === undefined) return null
  return { task, step, side: ALONE[step] }
}

/** OB clusters with the passwords that nodes have when this step is done. */
export function asToldNow(source: OrderSource, operation: OperationRecord): OrderSource {
  const change = changeAt(operation)
  if (change?.side === undefined) return source
  const { task, side } = change
  return {
    ...source,
    obClusters: source.obClusters.map(record => {
      const secret = secretOf(task, record.name, side)
      return secret === undefined ? record : settled(record, secret)
    }),
  }
}

/** What is changed, or tried, at OB clusters in this step. */
export function proxyroOrders(
  { obClusters }: OrderSource,
  operation: OperationRecord,
): readonly ProxyroOrder[] {
  const change = changeAt(operation)
  if (change?.side === undefined) return []
  const { task, step, side } = change
  const [{ alters = [], isAltered = false } = {}] = operation.tasks
  const isChange = step === 'alter' || step === 'restore'
  // Before anything was changed there is nothing to try.
  if (step === 'refresh' && !isAltered) return []
  return obClusters.flatMap(({ name, rootservice }) => {
    const to = secretOf(task, name, side)
    const from = secretOf(task, name, side === 'after' ? 'before' : 'after')
    if (to === undefined || from === undefined || (isChange && !alters.includes(name))) return []
    const where = { obCluster: name, rootservice: [...rootservice], to: to.name }
    return [isChange ? { ...where, from: from.name } : where]
  })
}

function secretOf(
  { obClusters, after }: ProxyroTask,
  name: string,
  side: 'before' | 'after',
): PasswordSecret | undefined {
  const one = obClusters.find(each => each.name === name)
  return side === 'after' && one !== undefined ? after : one?.before
}

/** One password alone counts again. */
export function settled(
  record: ObClusterRecord,
  { name, isOurs }: PasswordSecret,
): ObClusterRecord {
  const { proxyroChange: _over, ...rest } = record
  return { ...rest, proxyroSecret: name, isProxyroOurs: isOurs }
}

/** Both may count from here on. */
export function changing(
  record: ObClusterRecord,
  { id, proxyro }: OperationRecord,
): ObClusterRecord {
  if (proxyro === undefined) return record
  // On the way back from a change that was done, the other one is the password before.
  const before = secretOf(proxyro, record.name, 'before')
  const isBack = record.proxyroSecret === proxyro.after.name && before !== undefined
  const secret = isBack ? before.name : proxyro.after.name
  return { ...record, proxyroChange: { operationId: id, secret } }
}

/** An OB cluster after a change of its password has ended in a way: both go on counting unless it is over. */
export function afterChange(
  record: ObClusterRecord,
  { proxyro }: OperationRecord,
  phase: OperationPhase,
): ObClusterRecord {
  const side = SIDES[phase]
  const secret =
    proxyro === undefined || side === undefined ? undefined : secretOf(proxyro, record.name, side)
  return secret === undefined ? record : settled(record, secret)
}

const SIDES: Readonly<Partial<Record<OperationPhase, 'before' | 'after'>>> = {
  SUCCEEDED: 'after',
  ROLLED_BACK: 'before',
}
