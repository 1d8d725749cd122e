/** What a story of an operation is made of, and what several of them begin with. */
import type { OperationPhase } from '../../../functions/domain/model.ts'
import type { OperationRecord } from '../../../functions/domain/operation-record.ts'
import type { Store } from '../../../functions/domain/store.ts'
import { childrenOf } from '../../../functions/operations/children.ts'
import { GROUP_ARN } from '../scripted-balancer.ts'
import { ASKED, type ScriptedPlane } from '../scripted-plane.ts'

export const NEXT = '4.3.3.0-7'

export type Story = {
  readonly begin: (all: ScriptedPlane) => Promise<string>
  /** What somebody asks on its way, as soon as that can be asked. */
  readonly asks?: Ask
  readonly ends?: OperationPhase
  /** Seconds between looks; longer where nodes are watched for minutes. */
  readonly tickSec?: number
}

export type Stories = Readonly<Record<string, Story>>

type Ask = {
  /** Seen from outside, between two looks of the sweeper. */
  readonly once: (seen: Seen) => boolean
  readonly act: (all: ScriptedPlane, id: string) => Promise<unknown>
}

type Seen = {
  readonly operation: OperationRecord
  readonly children: readonly OperationRecord[]
}

export const WATCHED = { rollout: { canaryBakeMs: 20_000, bakeMs: 10_000 } }

export const BALANCED = {
  kind: 'target-group',
  targetGroupArn: GROUP_ARN,
  targetBy: 'instance',
} as const

export async function seenOf(store: Store, id: string): Promise<Seen | null> {
  const operation = await store.get('operation', { id })
  return operation && { operation, children: await childrenOf(store, operation) }
}

/** The sweeper drives it until it is as it should be. @throws when it never is */
export async function drivenUntil(
  all: ScriptedPlane,
  id: string,
  holds: (seen: Seen) => boolean,
): Promise<void> {
  for (;;) {
    const seen = await seenOf(all.used, id)
    if (seen !== null && holds(seen)) return
    if (!(await all.passUntilDue(id, 1_000))) throw new Error(`${id} is never so`)
    await all.engine.sweep(10)
  }
}

/** Whether the child at `index` has come to the step of this name. */
export function isAt({ children }: Seen, index: number, step: string): boolean {
  const child = children[index]
  return child !== undefined && child.plan[child.stepsDone] === step
}

export async function upgradable(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1, 2])
  await all.plane.packages.create(ASKED, {
    fileName: `obproxy-${NEXT}.linux.x86_64.tar.gz`,
    sha256: 'b'.repeat(64),
    sizeBytes: 10,
    url: 'spool:y',
  })
}

/** Behind a balancer, that its nodes go out of and come into. */
export async function balanced(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1, 2], { loadBalancer: BALANCED })
}

/** In work mode CONFIG_URL, with one of two OB clusters. */
export async function configured(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1, 2], { workMode: 'CONFIG_URL' })
  await all.plane.obClusters.put(ASKED, 'ob2', {
    rootservice: ['127.0.2.9:2881'],
    obClusterId: 2,
    idcRegions: [],
    proxyroSecret: '/ro2',
    tags: {},
  })
}

export async function changeParameters(
  all: ScriptedPlane,
  restartPolicy: 'manual' | 'rolling',
  watched: Partial<typeof WATCHED> = {},
) {
  const { revision } = await all.plane.clusters.get('c')
  const input = { set: { work_thread_num: '4' }, unset: [], restartPolicy, revision, ...watched }
  return all.accepted(all.plane.parameters.change(ASKED, 'c', input))
}

/** It has ended, and is asked to go back. */
export async function wayBack(all: ScriptedPlane, asked: Promise<unknown>): Promise<string> {
  const id = await all.accepted(asked)
  await all.ended(id)
  await all.plane.operations.rollback(ASKED, id)
  return id
}
