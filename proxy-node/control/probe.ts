/**
 * Verb probe: looks at a proxy that somebody else installed, from outside and as root@proxysys, and
 * says what a take-over would meet. It changes nothing, and serves any proxy that speaks OBProxy's
 * admin SQL. What cannot be seen is said so; only an order without its parts fails.
 * Source: management.md §3.3.
 */
import type { OrderEntry } from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import type { ProbeFacts } from '#contract/probe'
import { stage1Of } from '../auth/scramble.ts'
import { QueryError } from '../backend/query-client.ts'
import { AddressList, hostPort } from '../base/address.ts'
import type { Address } from '../net/transport.ts'
import { autoStartsOf } from './auto-start.ts'
import { parameterChecksum } from './checksum.ts'
import { reasonOf } from './durable-file.ts'
import { type ForeignProxy, foreignProxies } from './foreign-processes.ts'
import { watchdogCommands } from './found-processes.ts'
import type { Host } from './host.ts'
import { differencesOf, fitted } from './probe-facts.ts'
import { listeningAddress } from './processes.ts'
import { isDenied, ProxyAdmin, withAdmin } from './proxy-admin.ts'
import { withoutSecrets } from './redaction.ts'
import type { Facts } from './result.ts'
import { installedPackages } from './rpm.ts'

const LOOPBACK = '127.0.0.1'
/** Where root@proxysys may come from (proxy-admin.md §1.6). */
const PRIVATE = AddressList.parse(
  '127.0.0.0/8;10.0.0.0/8;172.16.0.0/12;192.168.0.0/16;::1;fc00::/7;fe80::/10',
)

/** @throws order.incomplete */
export async function probe(entry: OrderEntry, host: Host): Promise<Facts> {
  const { sqlPort, desired } = entry
  if (sqlPort === undefined || desired === undefined)
    throw new Fault('order.incomplete', { verb: 'probe', part: 'sqlPort and desired' })
  const { paths, address } = host.settings
  const proxies = foreignProxies(paths.root)
  const [proxy] = proxies
  const packages = await installedPackages(paths, proxy?.path)
  const home = proxy?.workDir ?? desired.home
  const autoStart = await autoStartsOf(home, host)
  const found = listeningAddress(address, sqlPort)
  const at = { host: found ?? address ?? LOOPBACK, port: sqlPort }
  return fitted({
    ...seenOf(proxies),
    watchdogs: watchdogCommands(paths, home).length,
    autoStart: autoStart.shown.join('\n'),
    startsByHand: autoStart.byHand.join('\n'),
    rpms: packages.proxies?.join('\n') ?? null,
    ownedBy: packages.owner,
    isListening: found !== undefined,
    ...(await asked(at, { ...entry, desired }, host)),
  })
}

type Seen = Pick<
  ProbeFacts,
  'processes' | 'pid' | 'user' | 'executable' | 'isReplaced' | 'workDir' | 'command' | 'others'
>

function seenOf([first, ...others]: readonly ForeignProxy[]): Seen {
  const { pid = null, user = null, executable = null, workDir = null } = first ?? {}
  return {
    processes: first === undefined ? 0 : 1 + others.length,
    pid,
    user,
    executable,
    isReplaced: first?.isReplaced ?? false,
    workDir,
    command: first?.command ?? '',
    others: others.map(each => `${each.pid} ${each.user} ${each.executable}`).join('\n'),
  }
}

type Answers = Omit<
  ProbeFacts,
  | keyof Seen
  | 'watchdogs'
  | 'autoStart'
  | 'startsByHand'
  | 'rpms'
  | 'ownedBy'
  | 'isListening'
  | 'login'
  | 'loginError'
>

const NOT_KNOWN: Answers = {
  version: null,
  workMode: null,
  configUrl: null,
  appName: null,
  sqlPort: null,
  exporterPort: null,
  obClusters: null,
  obClusterCount: null,
  parameterChecksum: null,
  differing: null,
  differences: '',
}

type Asked = OrderEntry & { readonly desired: DesiredNode }

async function asked(
  at: Address,
  { sysPasswordSecret, desired }: Asked,
  host: Host,
): Promise<Answers & Pick<ProbeFacts, 'login' | 'loginError'>> {
  try {
    const password =
      sysPasswordSecret === undefined ? null : await host.secrets.read(sysPasswordSecret)
    const admin = await ProxyAdmin.open(at, password === null ? null : stage1Of(password), host)
    const answers = await withAdmin(admin, () => answersOf(admin, desired))
    return { ...answers, login: 'done', loginError: '' }
  } catch (error) {
    const loginError = `${hostPort(at.host, at.port)}: ${reasonOf(error)}`
    return { ...NOT_KNOWN, login: failedLogin(error, at.host), loginError }
  }
}

/** Which of the reasons it was that root@proxysys did not get in. */
export function failedLogin(error: unknown, address: string): ProbeFacts['login'] {
  if (error instanceof Fault) return 'no-secret'
  // The proxy sees its own address as ours, and words both refusals alike.
  if (isDenied(error)) return PRIVATE?.contains(address) ? 'refused' : 'refused-address'
  return error instanceof QueryError && error.errno === 0 ? 'unreachable' : 'failed'
}

async function answersOf(admin: ProxyAdmin, desired: DesiredNode): Promise<Answers> {
  const version = await admin.version()
  const parameters = await admin.parameters()
  const of = (name: string) => parameters.get(name) ?? ''
  const workMode = workModeOf(parameters)
  const obClusters = await knownClusters(admin, parameters)
  const differences = differencesOf(parameters, await admin.changedParameters(), desired.parameters)
  return {
    version,
    workMode,
    configUrl: withoutSecrets(of('obproxy_config_server_url')),
    appName: of('app_name'),
    sqlPort: portOf(of('listen_port')),
    exporterPort: portOf(of('prometheus_listen_port')),
    obClusters: obClusters.join('\n'),
    obClusterCount: obClusters.length,
    parameterChecksum: parameterChecksum(parameters),
    differing: differences.length,
    differences: differences.join('\n'),
  }
}

/** Names of the OB clusters that it may reach. */
export async function knownClusters(
  admin: ProxyAdmin,
  parameters: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  if (workModeOf(parameters) !== 'RS_LIST') return admin.obClusters()
  return [parameters.get('rootservice_cluster_name') ?? ''].filter(name => name !== '')
}

/** A config URL counts before a list (management.md §1.3). */
function workModeOf(parameters: ReadonlyMap<string, string>): ProbeFacts['workMode'] {
  const isSet = (name: string) => (parameters.get(name) ?? '').trim() !== ''
  if (isSet('obproxy_config_server_url')) return 'CONFIG_URL'
  return isSet('rootservice_list') ? 'RS_LIST' : 'NONE'
}

function portOf(text: string): number | null {
  const port = Number(text)
  return Number.isInteger(port) && port > 0 ? port : null
}
