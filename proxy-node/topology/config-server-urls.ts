/**
 * URLs of a config server's documents, one from the other, and how they may be shown: the value of a
 * parameter that looks like a secret never is. Source: proxy-routing.md §3.2, decisions PL12.
 */

const ROOT_SERVICES = /ObRootServiceInfo/gi
const IDC_REGIONS = 'ObIDCRegionInfo'
const SECRET_NAME = /token|secret|passw|pwd|signature|credential|key$|^auth/i
const MASK = '******'

/** Document 1, the version alone. */
export function versionUrl(configUrl: string): string {
  return withQuery(configUrl, 'VersionOnly=true')
}

/** Document 2 of one cluster; id 0 asks for the primary. */
export function rootServiceUrl(listedUrl: string, id: number): string {
  return withQuery(listedUrl, id === 0 ? 'version=2' : `version=2&ObRegionId=${id}`)
}

/** Document 3, derived from the URL of document 2. */
export function idcUrl(listedUrl: string, id: number): string {
  const replaced = listedUrl.replace(ROOT_SERVICES, IDC_REGIONS)
  const url = replaced === listedUrl ? `${listedUrl}_idc_list` : replaced
  return id === 0 ? url : withQuery(url, `version=2&ObRegionId=${id}`)
}

/** For people: without credentials, values of secret parameters and control characters. */
export function shownUrl(url: string): string {
  return url
    .replace(/\p{Cc}/gu, '')
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1')
    .replace(/([?&#;])([^=&#;]*)=([^&#;]*)/g, (whole, sign: string, name: string) =>
      SECRET_NAME.test(name) ? `${sign}${name}=${MASK}` : whole,
    )
}

function withQuery(url: string, query: string): string {
  const [bare = url] = url.split('#', 1)
  return `${bare}${bare.includes('?') ? '&' : '?'}${query}`
}
