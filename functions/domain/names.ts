/** Names that the plane gives. */

/** Parameter Store name of root@proxysys' password, where the plane makes it. */
export function sysSecretOf(clusterName: string): string {
  return `/obfleet/clusters/${clusterName}/proxysys`
}

/** The same of one that takes the place of another; `id` is of the operation that makes it. */
export function nextSysSecretOf(clusterName: string, id: string): string {
  return `${sysSecretOf(clusterName)}/${id}`
}

/** Parameter Store name of a password of proxyro that takes the place of another; `id` is of the operation that makes it. */
export function nextProxyroSecretOf(obCluster: string, id: string): string {
  return `/obfleet/ob-clusters/${obCluster}/proxyro/${id}`
}

const NEXT_PROXYRO = /^\/obfleet\/ob-clusters\/[^/]+\/proxyro\/op_[^/]+$/

/** Whether the plane has given it: such a password goes when no OB cluster names it any more. */
export function isNextProxyroSecret(secret: string): boolean {
  return NEXT_PROXYRO.test(secret)
}

/** Parameter Store name of the `number`-th token that opens the config service for a cluster's nodes. */
export function configTokenSecretOf(clusterName: string, number: number): string {
  return `/obfleet/clusters/${clusterName}/config-token-${number}`
}

/** Parameter Store name of the `number`-th token by which RootService registers its list. */
export function registrarSecretOf(obCluster: string, number: number): string {
  return `/obfleet/ob-clusters/${obCluster}/rootservice-token-${number}`
}

/** What nodes of a cluster ask, without its token; has a `?`, because proxies append to it (PL12). */
export function configUrlOf(baseUrl: string, clusterName: string): string {
  return `${baseUrl}/services?Action=GetObProxyConfig&ObproxyClusterName=${clusterName}`
}

/** `obconfig_url` of an OB cluster, without its token. */
export function registrationUrlOf(baseUrl: string, obCluster: string): string {
  return `${baseUrl}/services?Action=ObRootServiceInfo&ObRegion=${encodeURIComponent(obCluster)}`
}

const VERSION = '\\d{1,4}(?:\\.\\d{1,4}){3}-[A-Za-z0-9_]{1,20}'

/** Version and build of a proxy: `4.3.2.0-1`. */
export const VERSION_FORM = new RegExp(`^${VERSION}$`)

const PACKAGE = new RegExp(
  `^obproxy-(${VERSION})\\.([a-z0-9]{1,20})\\.(x86_64|aarch64)\\.tar\\.gz$`,
)

/** `obproxy-4.3.2.0-1.linux.x86_64.tar.gz` → version `4.3.2.0-1`, os `linux`, arch `x86_64` (PL11). */
export function parsePackageName(
  fileName: string,
): { readonly version: string; readonly os: string; readonly arch: string } | undefined {
  const [, version, os, arch] = PACKAGE.exec(fileName) ?? []
  if (version === undefined || os === undefined || arch === undefined) return undefined
  return { version, os, arch }
}

/** Of the bundle of logs that a node's operation asked for. */
export function bundleKey(operationId: string): string {
  return `logs/${operationId}.tar.gz`
}
