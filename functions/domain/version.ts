/** Versions of proxies, `4.3.2.0-1`: their order, and what one may become. Source: management.md §1.1, §1.6, §3.6–3.7. */

/** From here on a proxy replaces itself by another process without losing its clients. */
const HOT_SINCE = '3.2.1'
/** From here on proxyro's password can be set. */
const PROXYRO_SINCE = '3.2.0'
const FAMILY_4 = 4

/** Negative when `left` is older: dotted numbers from left to right, then the build. */
export function compareVersions(left: string, right: string): number {
  const [ones, others] = [numbersOf(left), numbersOf(right)]
  for (let at = 0; at < Math.max(ones.length, others.length); at++) {
    const difference = (ones[at] ?? 0) - (others[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

export function mayRestartHot(version: string): boolean {
  return compareVersions(version, HOT_SINCE) >= 0
}

/** Hot within a major version, from one that can. */
export function mayUpgradeHot(from: string, to: string): boolean {
  return mayRestartHot(from) && numbersOf(from)[0] === numbersOf(to)[0]
}

export function takesProxyro(version: string): boolean {
  return compareVersions(version, PROXYRO_SINCE) >= 0
}

/** 3: 1.8.0 to below 4.0.0. 4: from 4.0.0 on. */
export function familyOf(version: string): 3 | 4 {
  return (numbersOf(version)[0] ?? 0) >= FAMILY_4 ? 4 : 3
}

/** From 4.0.0 on an OB cluster is reached by proxies of family 4 alone (management.md §1.1). */
export function fitsObCluster(proxyVersion: string, obVersion: string): boolean {
  return familyOf(proxyVersion) === 4 || familyOf(obVersion) === 3
}

export function whyNoFit(
  cluster: { readonly name: string; readonly spec: { readonly version: string } },
  obCluster: { readonly name: string; readonly obVersion?: string },
): string {
  return `${obCluster.name} is of version ${obCluster.obVersion}, which proxies below 4.0.0 do not reach: ${cluster.name} is of ${cluster.spec.version}`
}

function numbersOf(version: string): readonly number[] {
  const [dotted = '', build = ''] = version.split('-')
  const numbers = dotted.split('.').map(Number)
  // The build counts last, however many numbers stand before it.
  return [...numbers, ...Array<number>(Math.max(0, 4 - numbers.length)).fill(0), Number(build)].map(
    each => (Number.isFinite(each) ? each : 0),
  )
}
