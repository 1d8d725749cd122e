/** Dry runs: they leave nothing behind, and what they say is what happens then. */
import { expect, test } from 'vitest'
import type { ClusterSpec } from '../../../functions/domain/model.ts'
import {
  expectTruth,
  type PlannedRequest,
  planOf,
  REQUESTS,
  traces,
} from '../../support/planned-requests.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const NAMES = Object.keys(REQUESTS)

async function begun(name: string) {
  const all = new ScriptedPlane(6)
  const request: PlannedRequest | undefined = REQUESTS[name]
  if (request === undefined) throw new Error(name)
  await request.given(all)
  return { all, request }
}

const specOf = (all: ScriptedPlane): ClusterSpec | undefined => all.store.all('cluster')[0]?.spec

/** Fields of a specification that differ; one that is empty is as good as none. */
function differences(before: ClusterSpec | undefined, after: ClusterSpec | undefined) {
  const text = (spec: ClusterSpec | undefined, field: string) => {
    const value = JSON.stringify(Object.entries(spec ?? {}).find(([name]) => name === field)?.[1])
    return value === '{}' ? undefined : value
  }
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  return [...fields].filter(field => text(before, field) !== text(after, field)).sort()
}

/** Of the operation that the request is answered with, or that it is about. */
async function askedFor(all: ScriptedPlane, { ask, tickSec = 1 }: PlannedRequest) {
  const outcome = await ask(all, ASKED)
  if (outcome.kind === 'planned') throw new Error('only planned')
  const { id } = outcome.kind === 'accepted' ? outcome.operation : (outcome.value as { id: string })
  return all.finish(id, tickSec * 1_000)
}

test.each(NAMES)('a dry run of “%s” leaves nothing behind and is the same twice', async name => {
  const { all, request } = await begun(name)
  const before = traces(all)

  const first = await planOf(all, request.ask)
  all.clock.pass(1_000)
  const second = await planOf(all, request.ask)

  expect(traces(all)).toBe(before)
  expect(second).toEqual(first)
})

test.each(NAMES)('what a dry run of “%s” says is what is done then', async name => {
  const { all, request } = await begun(name)
  const specBefore = specOf(all)
  const ranBefore = all.fleet.ran.length
  const plan = await planOf(all, request.ask)

  const { id, phase, startedAt, endedAt } = await askedFor(all, request)

  expect(['SUCCEEDED', 'ROLLED_BACK']).toContain(phase)
  expect(plan.outcome).toBe('operation')
  expectTruth(all, plan, { id, ranBefore, place: name })
  const nodes = all.store.all('node')
  for (const { name: node, desiredState, version } of plan.nodes.items) {
    const now = nodes.find(each => each.name === node) ?? null
    expect([node, now?.desiredState ?? null]).toEqual([node, desiredState.after])
    const wanted = now === null ? null : (now.desiredVersion ?? specOf(all)?.version)
    expect([node, wanted]).toEqual([node, version.after])
  }
  const top = (path: string) => path.split('/')[2] ?? ''
  expect([...new Set(plan.changes.items.map(({ path }) => top(path)))].sort()).toEqual(
    differences(specBefore, specOf(all)),
  )
  if (plan.action === plan.type) {
    const tookSec = ((endedAt ?? 0) - (startedAt ?? 0)) / 1_000
    expect(tookSec).toBeGreaterThanOrEqual(plan.duration.leastSec)
  }
})

test.each(NAMES)('“%s” can be rolled back afterwards if its plan has said so', async name => {
  const { all, request } = await begun(name)
  const { rollback } = await planOf(all, request.ask)
  const { id, phase } = await askedFor(all, request)

  const back = planOf(all, (_all, asked) => all.plane.operations.rollback(asked, id))
  const isPossible = await back.then(
    ({ outcome }) => outcome === 'operation',
    () => false,
  )

  const isOpen = phase === 'SUCCEEDED' && rollback.isPossible && (rollback.withinSec ?? 0) > 0
  expect(isPossible).toBe(isOpen)
})
