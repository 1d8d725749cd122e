/** A thousand nodes in twenty clusters, upgraded at the same time, on a clock that is moved by hand. */
import { expect, test } from 'vitest'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const CLUSTERS = 20
const NODES = 50
const NEXT = '4.3.3.0-7'
const CANARY_BAKE_MS = 120_000
const BAKE_MS = 60_000
/** A canary, then four waves of a quarter each. */
const WAVES = 5
const WAITS_MS = CANARY_BAKE_MS + (WAVES - 1) * BAKE_MS
/** Steps of a node that are sent: baseline, upgrade, gate; its report settles verify. */
const SENT_STEPS = 3

async function thousand(): Promise<ScriptedPlane> {
  const all = new ScriptedPlane(CLUSTERS * NODES)
  await all.prepare()
  for (let at = 0; at < CLUSTERS; at++) {
    const hosts = Array.from({ length: NODES }, (_none, index) => at * NODES + index + 1)
    await all.plane.clusters.create(ASKED, all.input(`c${at}`, hosts))
  }
  await all.settle()
  await all.plane.packages.create(ASKED, {
    fileName: `obproxy-${NEXT}.linux.x86_64.tar.gz`,
    sha256: 'b'.repeat(64),
    sizeBytes: 10,
    url: 'spool:y',
  })
  return all
}

test('1,000 nodes are upgraded in waves: few commands, few writes, hardly longer than what is waited for', async () => {
  const all = await thousand()
  all.fleet.sends.length = 0
  const writes = all.store.writes
  const since = all.clock.now()
  const rollout = { canaryBakeMs: CANARY_BAKE_MS, bakeMs: BAKE_MS, maxUnavailable: NODES }
  const ids: string[] = []
  for (let at = 0; at < CLUSTERS; at++)
    ids.push(
      await all.accepted(
        all.plane.clusters.upgrade(ASKED, `c${at}`, { mode: 'hot', version: NEXT, rollout }),
      ),
    )
  await all.settle()
  const tookMs = all.clock.now() - since
  for (const id of ids)
    expect(await all.plane.operations.get(id)).toMatchObject({
      phase: 'SUCCEEDED',
      progress: { nodesDone: NODES, waves: WAVES },
    })
  expect(new Set([...all.fleet.hosts.values()].map(({ version }) => version))).toEqual(
    new Set([NEXT]),
  )
  const perNodeAndStep = (all.store.writes - writes) / (CLUSTERS * NODES * 6)
  console.log(
    `1,000 nodes: ${all.fleet.sends.length} commands, ${perNodeAndStep.toFixed(1)} writes a node and step, ` +
      `${tookMs / 1000} s for ${WAITS_MS / 1000} s of waits`,
  )
  expect(all.fleet.sends.length).toBeLessThanOrEqual(CLUSTERS * WAVES * SENT_STEPS)
  expect(Math.max(...all.fleet.sends.map(({ hosts }) => hosts))).toBeLessThanOrEqual(50)
  expect(tookMs).toBeLessThanOrEqual(WAITS_MS * 1.2)
  expect(all.held()).toEqual([])
}, 300_000)
