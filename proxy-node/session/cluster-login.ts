/**
 * A client that has said who it is comes into its OB cluster: this node has that, lets the client in as it
 * has connected, and knows servers of the tenant; on one of them it is logged in. What the servers say is
 * their matter (`servers.ts`). Source: proxy-protocol.md §1.
 */
import { Fault } from '#contract/fault'
import type { TenantServers } from '../topology/model.ts'
import { isUnexpected } from '../topology/unanswered.ts'
import { accessDenied, type Credentials, proxyLogin } from './login.ts'
import type { Directory } from './ports.ts'
import { Route } from './route.ts'
import type { SignInHost } from './sign-in.ts'

/** @throws tls.required, login.unknown-cluster, route.no-server */
export async function enterCluster(
  host: SignInHost,
  credentials: Credentials,
  directory: Directory,
): Promise<void> {
  const { tenant, clusterName } = credentials
  const outlook = await directory.cluster(clusterName)
  if (host.state !== 'authenticating') return
  const { name = clusterName ?? '' } = outlook ?? {}
  host.own.moveTo({ cluster: name, tenant, vip: host.entry.vip })
  // The node itself stays reachable: its managers come from private addresses without TLS.
  if (host.settings.isTlsForced) host.entry.demandTls()
  if (outlook === undefined)
    throw new Fault('login.unknown-cluster', { cluster: clusterName ?? '' })
  host.credentials = { ...credentials, cluster: outlook.name }
  host.outlook = outlook
  let servers: TenantServers
  try {
    servers = await outlook.tenantServers(tenant)
  } catch (error) {
    if (isUnexpected(error)) host.deps.broke?.(error)
    throw new Fault('route.no-server', { tenant }, { cause: error })
  }
  if (host.state === 'authenticating') logInOn(host, servers, host.credentials)
}

function logInOn(host: SignInHost, servers: TenantServers, credentials: Credentials): void {
  if (servers.replicas.length === 0) {
    host.giveUp(accessDenied(credentials, host.entry.address))
    return
  }
  const { checksCluster } = host.deps.settings()
  const named = checksCluster ? credentials : { ...credentials, cluster: '' }
  const login = proxyLogin(named, {
    address: host.entry.address,
    port: host.entry.port,
    connectionId: host.id,
    proxyVersion: host.deps.proxyVersion,
    scramble: host.scramble,
  })
  const route = new Route(host.deps.routeView, host)
  route.about('login', undefined, false)
  route.decide(servers, undefined)
  host.servers.logIn(route, login, credentials.login.database || undefined)
}
