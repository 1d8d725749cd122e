/** How far a change of proxyro's password reaches, against a naive reference over random links. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Linked, reachOf } from '../../../../functions/domain/proxyro-graph.ts'

const OB_CLUSTERS = ['a', 'b', 'c', 'd', 'e', 'f']

const links: fc.Arbitrary<readonly Linked[]> = fc
  .array(
    fc.record({
      family: fc.constantFrom(3 as const, 4 as const),
      obClusters: fc.uniqueArray(fc.constantFrom(...OB_CLUSTERS), { maxLength: 4 }),
    }),
    { maxLength: 8 },
  )
  .map(clusters => clusters.map((cluster, at) => ({ ...cluster, id: `p${at}` })))

/** Everything is looked at again until nothing grows any more. */
function naively(start: string, clusters: readonly Linked[]): ReadonlySet<string> {
  const changed = new Set([start])
  for (let before = 0; before !== changed.size; ) {
    before = changed.size
    for (const obCluster of OB_CLUSTERS) {
      const forced = clusters.some(
        ({ family, obClusters }) =>
          family === 3 &&
          obClusters.includes(obCluster) &&
          obClusters.some(other => changed.has(other)),
      )
      if (forced) changed.add(obCluster)
    }
  }
  return changed
}

const of = (id: string, family: 3 | 4, ...obClusters: string[]): Linked => ({
  id,
  family,
  obClusters,
})

describe('the reach of a change', () => {
  test('is what a naive search finds, whatever is linked to what', () => {
    fc.assert(
      fc.property(links, fc.constantFrom(...OB_CLUSTERS), (clusters, start) => {
        const { obClusters, clusters: told } = reachOf(start, clusters)

        const changed = naively(start, clusters)
        expect(new Set(obClusters)).toEqual(changed)
        expect(obClusters[0]).toBe(start)
        expect(new Set(obClusters).size).toBe(obClusters.length)
        expect(told).toEqual(
          clusters
            .map(({ id, obClusters: all }) => ({
              id,
              obClusters: all.filter(each => changed.has(each)),
            }))
            .filter(each => each.obClusters.length > 0),
        )
      }),
      { numRuns: 2_000 },
    )
  })

  test('leaves no proxy of family 3 with two passwords, and is the same from each of its OB clusters', () => {
    fc.assert(
      fc.property(links, fc.constantFrom(...OB_CLUSTERS), (clusters, start) => {
        const changed = new Set(reachOf(start, clusters).obClusters)
        for (const { family, obClusters } of clusters) {
          const hit = obClusters.filter(each => changed.has(each)).length
          if (family === 3) expect([0, obClusters.length]).toContain(hit)
        }
        for (const other of changed)
          expect(new Set(reachOf(other, clusters).obClusters)).toEqual(changed)
      }),
    )
  })

  test('ends at proxies that keep passwords apart', () => {
    expect(reachOf('a', [of('p', 4, 'a', 'b'), of('q', 3, 'b', 'c')])).toEqual({
      obClusters: ['a'],
      clusters: [{ id: 'p', obClusters: ['a'] }],
    })
  })

  test('goes on over proxies that do not, and those that do are told what has changed', () => {
    const clusters = [of('p', 3, 'a', 'b'), of('q', 3, 'b', 'c'), of('r', 4, 'c', 'd')]
    expect(reachOf('a', clusters)).toEqual({
      obClusters: ['a', 'b', 'c'],
      clusters: [
        { id: 'p', obClusters: ['a', 'b'] },
        { id: 'q', obClusters: ['b', 'c'] },
        { id: 'r', obClusters: ['c'] },
      ],
    })
  })
})
