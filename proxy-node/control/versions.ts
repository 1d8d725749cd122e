/** Versions of a proxy, `4.3.2.0-1`: which is newer, and what a version allows. Pure. Source: management.md §1.6. */

/** Hot restarts by `proxy_local_cmd` are there from this version on (management.md §3.6). */
const FIRST_WITH_HOT_RESTART = '3.2.1'

/** Below zero when `left` is older; a part that is missing counts as 0, one that is no number too. */
export function compareVersions(left: string, right: string): number {
  const [ours, theirs] = [numbersOf(left), numbersOf(right)]
  for (let index = 0; index < Math.max(ours.length, theirs.length); index++) {
    const difference = (ours[index] ?? 0) - (theirs[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

export function knowsHotRestart(version: string): boolean {
  return compareVersions(version, FIRST_WITH_HOT_RESTART) >= 0
}

/** Dotted numbers, then the number of the build. */
function numbersOf(version: string): readonly number[] {
  const [dotted = '', build = '0'] = version.split('-')
  const parts = dotted.split('.').map(Number)
  // A build counts only between two of one release, however many numbers that has.
  while (parts.length < 4) parts.push(0)
  return [...parts, Number.parseInt(build, 10)].map(part => (Number.isFinite(part) ? part : 0))
}

export function majorOf(version: string): number {
  return numbersOf(version)[0] ?? 0
}
