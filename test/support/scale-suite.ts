/** All nodes of many clusters upgraded at the same time over the real endpoints, for suites of several sizes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EndpointFleet } from './endpoint-fleet.ts'
import { idOf } from './instances.ts'
import { ASKED } from './scripted-plane.ts'
import { dropPackage } from './verb-suite.ts'

/** Of a cluster; Run Command takes as many in one call. */
const NODES = 50
const CANARY_BAKE_MS = 300_000
const BAKE_MS = 60_000
/** A canary, then four waves of a quarter each. */
const WAVES = 5
const WAITS_MS = CANARY_BAKE_MS + (WAVES - 1) * BAKE_MS
/** Steps of a node that are sent: baseline, upgrade, gate; its report settles verify. */
const SENT_STEPS = 3
const STEPS = 6

export type Scale = {
  readonly network: string
  /** Clusters of 50 scripted nodes, and nodes of one real cluster. */
  readonly clusters: number
  readonly real: number
}

export function scaleSuite({ network, clusters, real }: Scale): void {
  const scripted = clusters * NODES
  let all: EndpointFleet

  beforeAll(async () => {
    all = await EndpointFleet.start({ network, scripted, real, sendsPerSec: 5 })
  }, 300_000)

  afterAll(async () => {
    await all?.stop()
    if (all !== undefined) dropPackage(all.next)
  }, 120_000)

  const names = [...Array.from({ length: clusters }, (_none, at) => `c${at}`), 'real']

  async function accepted(asked: Promise<unknown>): Promise<string> {
    const { operation } = (await asked) as { operation: { id: string } }
    return operation.id
  }

  async function ended(ids: readonly string[]) {
    await all.settle(ids)
    const operations = await Promise.all(ids.map(id => all.plane.operations.get(id)))
    for (const operation of operations)
      expect(operation, operation.error?.detail).toMatchObject({ phase: 'SUCCEEDED' })
    return operations
  }

  test(`${scripted} scripted and ${real} real nodes behind the endpoints are upgraded in waves`, async () => {
    const created: string[] = []
    for (const [at, name] of names.entries()) {
      const count = name === 'real' ? real : NODES
      const hosts = Array.from({ length: count }, (_none, index) => at * NODES + index + 1)
      created.push(await accepted(all.plane.clusters.create(ASKED, all.input(name, hosts))))
    }
    await ended(created)
    all.sends.length = 0
    all.refused = 0
    const { writes } = all
    const [since, sinceReal] = [all.clock.now(), performance.now()]
    const rollout = { canaryBakeMs: CANARY_BAKE_MS, bakeMs: BAKE_MS, maxUnavailable: NODES }
    const asked = { mode: 'hot', version: all.next.version, rollout } as const
    const upgrades: string[] = []
    for (const name of names)
      upgrades.push(await accepted(all.plane.clusters.upgrade(ASKED, name, asked)))
    const operations = await ended(upgrades)
    const tookMs = all.clock.now() - since

    const perStep = (all.writes - writes) / ((scripted + real) * STEPS)
    const secs = (ms: number) => `${Math.round(ms / 1_000)} s`
    console.log(
      `${scripted} scripted and ${real} real nodes: ${all.sends.length} commands, ${all.refused} throttled, ` +
        `${perStep.toFixed(1)} writes a node and step, ${secs(tookMs)} for ${secs(WAITS_MS)} of waits, ` +
        `${secs(performance.now() - sinceReal)} by the clock on the wall`,
    )
    const waves = operations.reduce((sum, { progress }) => sum + progress.waves, 0)
    expect(all.sends.length).toBeLessThanOrEqual(waves * SENT_STEPS)
    expect(Math.max(...all.sends)).toBeLessThanOrEqual(NODES)
    expect(tookMs).toBeLessThanOrEqual(WAITS_MS * 1.2)
    const { items } = await all.plane.nodes.list({ limit: 200 })
    expect(items.filter(({ heldBy }) => heldBy !== null)).toEqual([])
    for (let index = 1; index <= real; index++) {
      const { body } = await exporterOf(`${network}.1.${index}`)
      expect(body, idOf(scripted + index)).toContain('4.3.2.1')
    }
  }, 3_600_000)
}

async function exporterOf(host: string): Promise<{ readonly body: string }> {
  const answer = await fetch(`http://${host}:2884/metrics`)
  return { body: await answer.text() }
}
