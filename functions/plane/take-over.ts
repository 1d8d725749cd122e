/**
 * Use case before a take-over: hosts are looked at, and nothing is held or changed, neither on them
 * nor in the inventory; what was found is the operation's result. Source: management.md §3.3.
 */
import { newId } from '../domain/ids.ts'
import type { Cluster, HostCheck, TakeOverCheck } from '../domain/model.ts'
import type { Asked, Outcome, TakeOverInput } from '../domain/plane.ts'
import type { NodeTask, OperationRecord } from '../domain/record.ts'
import type { Store } from '../domain/store.ts'
import { childrenOf } from '../operations/children.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { mutate, type PlaneDeps } from './context.ts'
import { knownHosts, requireOnline } from './new-cluster.ts'
import { newOperation } from './plans.ts'

const POINTER = '/hosts'

export function precheckTakeOver(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  { hosts, acceptParameterChanges }: TakeOverInput,
): Promise<Outcome<Cluster>> {
  return mutate(deps, asked, viewOf(deps), async () => {
    const { cluster } = await pictureOf(deps.store, ref)
    const facts = await knownHosts(deps.hosts, hosts, POINTER)
    requireOnline(facts, hosts, POINTER)
    const now = deps.clock.now()
    const tasks = hosts.map(({ host, sqlPort, sysPasswordSecret }, number): NodeTask => {
      const known = facts.find(({ id }) => id === host)
      return {
        // Of the node that it could become; nothing has this id yet.
        nodeId: newId('node', now),
        hostId: host,
        host: known?.address ?? '',
        idc: null,
        desiredState: 'RUNNING',
        name: known?.name || host,
        number,
        skipHostWork: false,
        foreign: {
          sqlPort: sqlPort ?? cluster.spec.ports.sql,
          ...(sysPasswordSecret === undefined ? {} : { sysPasswordSecret }),
          mayChangeParameters: acceptParameterChanges,
        },
      }
    })
    const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
    const type = 'precheck-take-over'
    return {
      kind: 'accept',
      operation: newOperation(asked, now, { type, cluster, target, tasks }),
      changes: [],
    }
  })
}

/** Of a look that has ended. */
export async function takeOverCheck(store: Store, record: OperationRecord): Promise<TakeOverCheck> {
  const looks = record.type === 'probe-host' ? [record] : await childrenOf(store, record)
  const found = await store.getMany(
    'result',
    looks.map(({ id }) => ({ operationId: id })),
  )
  const hosts = looks.map(look => {
    const result = found.find(({ operationId }) => operationId === look.id)
    return result === undefined || look.phase !== 'SUCCEEDED' ? notSeen(look) : checkOf(result)
  })
  return { mayTakeOver: mayAll(hosts, record), hosts }
}

function mayAll(hosts: readonly HostCheck[], { tasks }: OperationRecord): boolean {
  return hosts.length === tasks.length && hosts.every(({ mayTakeOver }) => mayTakeOver)
}

function checkOf({ version: _, ...check }: HostCheck & { readonly version: number }): HostCheck {
  return check
}

/** A host that did not answer: nothing is known of it. */
function notSeen({ id, target, tasks, error, phase }: OperationRecord): HostCheck {
  return {
    hostId: tasks[0]?.hostId ?? target.id,
    operationId: id,
    mayTakeOver: false,
    findings: [],
    differing: null,
    differences: [],
    notices: [],
    error: error ?? { code: 'operation-state-conflict', detail: `the look is ${phase}` },
  }
}
