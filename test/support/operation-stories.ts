/** One story an operation, for suites that disturb it in every way, and what must hold at its end. */
import { expect } from 'vitest'
import type { ScriptedPlane } from './scripted-plane.ts'
import { STORIES_OF_BALANCERS } from './stories/balancers.ts'
import { STORIES_OF_CLUSTERS } from './stories/clusters.ts'
import { STORIES_OF_LINKS } from './stories/links.ts'
import { STORIES_OF_ROLLOUTS } from './stories/rollouts.ts'
import { type Stories, type Story, seenOf } from './stories/story.ts'
import { STORIES_OF_TAKE_OVERS } from './stories/take-overs.ts'

export const STORIES: Stories = {
  ...STORIES_OF_CLUSTERS,
  ...STORIES_OF_ROLLOUTS,
  ...STORIES_OF_TAKE_OVERS,
  ...STORIES_OF_LINKS,
  ...STORIES_OF_BALANCERS,
}

/** What somebody asks on the way of a story that is played once. */
export class Asking {
  private hasAsked = false
  private readonly all: ScriptedPlane
  private readonly asks: Story['asks']

  constructor(all: ScriptedPlane, { asks }: Story) {
    this.all = all
    this.asks = asks
  }

  /** Between two looks of the sweeper. */
  async look(id: string): Promise<void> {
    if (this.asks === undefined || this.hasAsked) return
    const seen = await seenOf(this.all.used, id)
    if (seen === null || !this.asks.once(seen)) return
    this.hasAsked = true
    await this.asks.act(this.all, id)
  }
}

/** It has ended as it should, holds nothing, has done nothing twice, and left nothing behind. */
export async function expectEnded(
  all: ScriptedPlane,
  { ends = 'SUCCEEDED', tickSec = 1 }: Story,
  { id, asking, place }: { readonly id: string; readonly asking: Asking; readonly place: string },
): Promise<void> {
  const { phase, error } = await all.finish(id, tickSec * 1_000, () => asking.look(id))
  await all.engine.forgetSecrets()
  await all.look()
  expect(phase, `${place}: ${error?.detail ?? ''}`).toBe(ends)
  expect(all.held(), place).toEqual([])
  expect(new Set(all.fleet.ran).size, place).toBe(all.fleet.ran.length)
  expect(all.outOfStep(), place).toEqual([])
  // What was cancelled and is carried out all the same is no more what anybody wants.
  const isAsTold = ends !== 'FAILED' && all.fleet.runCommand.ranCancelled.length === 0
  if (isAsTold) expect(all.otherThanDesired(), place).toEqual([])
  // A password that nothing names is left behind, or one that nodes were told is gone.
  const named = [
    ...all.store
      .all('cluster')
      .flatMap(({ spec, isSysPasswordOurs, keptSysSecrets = [], configToken }) => [
        // Proxies that were released go on with it.
        ...new Set([...(isSysPasswordOurs ? [spec.sysPasswordSecret] : []), ...keptSysSecrets]),
        ...(configToken === undefined ? [] : [configToken.secret]),
      ]),
    // Its proxies have it.
    ...all.store.all('movedOut').map(({ sysPasswordSecret }) => sysPasswordSecret),
    ...all.store
      .all('obCluster')
      .flatMap(({ proxyroSecret, isProxyroOurs }) =>
        isProxyroOurs === true ? [proxyroSecret] : [],
      ),
  ]
  expect([...all.fleet.passwords.keys()].sort(), place).toEqual(named.sort())
  // Nobody was without a password that opens, and one alone is left.
  expect(all.fleet.shutOut, place).toEqual([])
  expect(
    all.store.all('obCluster').filter(each => each.proxyroChange),
    place,
  ).toEqual([])
  // OB clusters count who is linked to them, and what is linked is what the config service answers.
  const clusters = all.store.all('cluster')
  for (const { name, linkCount } of all.store.all('obCluster'))
    expect(linkCount, `${place}: links to ${name}`).toBe(
      clusters.filter(({ spec }) => spec.links.some(({ obCluster }) => obCluster === name)).length,
    )
  expect(
    clusters.filter(({ linksServed }) => linksServed !== undefined),
    place,
  ).toEqual([])
  // A change is noted once, and once more where it returned.
  const noted = all.store.all('parameterHistory').map(({ isReturn }) => isReturn)
  expect(new Set(noted).size, place).toBe(noted.length)
  const holders = all.store.all('host').filter(({ nodeId }) => nodeId !== null)
  expect(holders.length, place).toBe(all.store.all('node').length)
}
