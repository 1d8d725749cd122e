/**
 * Which operations may go on without a node that failed: those of which nothing but the node itself is
 * left behind. A table, nothing else. Source: management.md §1.13 (TSK10010).
 */
import type { ClusterOperationType } from './plan.ts'

/** What would be wrong, and what to do instead. */
export type Unskippable = { readonly reason: string; readonly remedy: string }

const MADE: Unskippable = {
  reason: 'a node that is half made would count as one of the cluster',
  remedy: 'retry it, delete the node, or roll the operation back',
}
const LEAVING: Unskippable = {
  reason: 'a node would be in the inventory that is to leave it',
  remedy: 'retry it; where the host is out of reach delete the node with skipHostWork',
}
/** Of what every node has to be told. */
const NOT_WAITED_FOR = 'retry it, or roll it back; a node that is stopped or gone is not waited for'

const PASSWORD: Unskippable = {
  reason: 'the node would have a password that is given up',
  remedy: NOT_WAITED_FOR,
}
const LINK: Unskippable = {
  reason: 'the node would have other links than its cluster',
  remedy: NOT_WAITED_FOR,
}
const TRAFFIC: Unskippable = {
  reason: 'clients would be sent to a node that counts as out of its balancer',
  remedy: 'retry it once the balancer answers',
}
const LOOK: Unskippable = {
  reason: 'nothing waits for a node that is only looked at',
  remedy: 'read the result: it has what the others have said',
}

/** Null: its nodes have nothing to do with one another, and each says itself what it lacks. */
const UNSKIPPABLE: Readonly<Record<ClusterOperationType, Unskippable | null>> = {
  start: null,
  stop: null,
  restart: null,
  upgrade: null,
  refresh: null,
  'change-parameters': null,
  // It is listed as absent from the balancer.
  'attach-balancer': null,
  online: null,
  'create-cluster': MADE,
  'add-nodes': MADE,
  'take-over': MADE,
  'delete-cluster': LEAVING,
  'delete-nodes': LEAVING,
  'move-out': LEAVING,
  'change-links': LINK,
  'rotate-sys-password': PASSWORD,
  'rotate-proxyro-password': PASSWORD,
  'detach-balancer': TRAFFIC,
  offline: TRAFFIC,
  'precheck-take-over': LOOK,
  diagnose: LOOK,
  'collect-logs': LOOK,
}

/** Why none of its nodes may be left out; null: each may. */
export function whyUnskippable(type: ClusterOperationType): Unskippable | null {
  return UNSKIPPABLE[type]
}
