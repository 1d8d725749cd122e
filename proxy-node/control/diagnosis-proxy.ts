/** The part of a diagnosis that the proxy tells: its admin SQL, its exporter, and logins through it. */
import type { DiagnosisFacts } from '#contract/diagnosis'
import { METRIC } from '#contract/names'
import type { DesiredNode } from '#contract/node-state'
import { stage1Of } from '../auth/scramble.ts'
import type { Address } from '../net/transport.ts'
import { knownPasswords, logIn, type Stage1 } from './access.ts'
import { type LoginTried, logInAt } from './check.ts'
import { reasonOf } from './durable-file.ts'
import type { Host } from './host.ts'
import { pendingRestart } from './in-force.ts'
import { proxyroSecretsOf } from './links.ts'
import type { NodeMemory } from './node-file.ts'
import { askExporter, metricsText } from './observation.ts'
import { parameterChanges } from './parameters.ts'
import { knownClusters } from './probe.ts'
import { shownValue } from './probe-facts.ts'
import { type ProxyAdmin, withAdmin } from './proxy-admin.ts'

const MAX_TEXT = 400
const MAX_NAMES = 50
const MAX_CLUSTERS = 16
const MAX_LINES = 20
const MAX_SERVERS = 3
const CONFIG_SERVICE_MS = 5_000

type ProxyPart = Pick<
  DiagnosisFacts,
  | 'version'
  | 'login'
  | 'exporter'
  | 'serving'
  | 'upgrade'
  | 'clients'
  | 'clientTotal'
  | 'maxClients'
  | 'avoided'
  | 'locationEntries'
  | 'obClusters'
  | 'configService'
  | 'certificateExpiresAt'
  | 'differing'
  | 'pendingRestart'
>

const NOTHING: ProxyPart = {
  version: null,
  login: '',
  exporter: '',
  serving: null,
  upgrade: [],
  clients: [],
  clientTotal: null,
  maxClients: null,
  avoided: [],
  locationEntries: null,
  obClusters: [],
  configService: null,
  certificateExpiresAt: null,
  differing: [],
  pendingRestart: [],
}

type Seen = { readonly memory: NodeMemory; readonly pid: number | null }

export async function proxyFacts(
  desired: DesiredNode,
  { memory, pid }: Seen,
  host: Host,
): Promise<ProxyPart> {
  if (pid === null) return NOTHING
  const [exporter, metrics, answers] = await Promise.all([
    askExporter(desired, host),
    metricsText(desired, host),
    answersOf(desired, { memory, pid }, host),
  ])
  const expiry = leastMetric(metrics, METRIC.certificateExpiry)
  return {
    ...NOTHING,
    ...answers,
    exporter: exporter.kind === 'ready' ? '' : (exporter.reason || 'no answer').slice(0, MAX_TEXT),
    locationEntries: leastMetric(metrics, METRIC.locationEntries),
    certificateExpiresAt: expiry === null ? null : Math.round(expiry * 1000),
  }
}

type Answers = Omit<ProxyPart, 'exporter' | 'locationEntries' | 'certificateExpiresAt'>

async function answersOf(
  desired: DesiredNode,
  seen: { readonly memory: NodeMemory; readonly pid: number },
  host: Host,
): Promise<Partial<Answers>> {
  try {
    const { admin } = await logIn(desired, await candidates(desired, host), host)
    const { clusters, servers, configUrl, ...answers } = await withAdmin(admin, () =>
      asked(admin, desired, seen, host),
    )
    return {
      ...answers,
      obClusters: await Promise.all(
        clusters.map(name => reach(name, servers.get(name) ?? [], desired, host)),
      ),
      configService: await whyNoConfig(configUrl),
    }
  } catch (error) {
    return { login: (reasonOf(error) || 'no answer').slice(0, MAX_TEXT) }
  }
}

/** The password that this node gave last; else the cluster's, as a proxy has it that others installed. */
async function candidates(desired: DesiredNode, host: Host): Promise<readonly Stage1[]> {
  const known = knownPasswords(host.settings.paths)
  if (known.length > 1) return known
  const wanted = await host.secrets.read(desired.sysPasswordSecret).catch(() => undefined)
  return wanted === undefined ? known : [stage1Of(wanted), ...known]
}

async function asked(
  admin: ProxyAdmin,
  desired: DesiredNode,
  { memory, pid }: { readonly memory: NodeMemory; readonly pid: number },
  host: Host,
) {
  const parameters = await admin.parameters()
  const changes = parameterChanges(parameters, desired.parameters, memory.parameterNames)
  const clients = await admin.clientsByTenant()
  const waiting = await pendingRestart(pid, admin, host.settings.paths)
  return {
    version: await admin.version(),
    serving: (await admin.availability()) ?? null,
    upgrade: cutAll(await admin.upgradeLines(), MAX_LINES),
    clientTotal: {
      clients: clients.reduce((sum, { count }) => sum + count, 0),
      tenants: clients.length,
    },
    clients: clients.slice(0, MAX_NAMES).map(each => ({
      cluster: each.cluster.slice(0, MAX_TEXT),
      tenant: each.tenant.slice(0, MAX_TEXT),
      count: each.count,
    })),
    maxClients: countOf(parameters.get('client_max_connections')),
    avoided: cutAll(await admin.avoidedServers(), MAX_NAMES),
    differing: cutAll(
      changes.map(({ name }) => `${name}=${shownValue(parameters.get(name) ?? '')}`),
      MAX_NAMES,
    ),
    pendingRestart: cutAll(waiting, MAX_NAMES),
    servers: await serversOf(admin, parameters),
    clusters: (await knownClusters(admin, parameters)).slice(0, MAX_CLUSTERS),
    configUrl: (parameters.get('obproxy_config_server_url') ?? '').trim(),
  }
}

/** Root servers by OB cluster; of the one of a list also when the proxy has not found them itself. */
async function serversOf(
  admin: ProxyAdmin,
  parameters: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const told = await admin.rootServers()
  const name = parameters.get('rootservice_cluster_name') ?? ''
  const list = (parameters.get('rootservice_list') ?? '').split(/[;,]/).filter(each => each !== '')
  return told.has(name) || list.length === 0 ? told : new Map([...told, [name, list]])
}

/**
 * Straight to its root servers as proxyro, by each password that it may have there: clients may not be
 * proxyro, so the proxy lets nobody through as such.
 */
async function reach(
  cluster: string,
  servers: readonly string[],
  { link, proxyroRows = [] }: DesiredNode,
  host: Host,
): Promise<DiagnosisFacts['obClusters'][number]> {
  const own = proxyroRows.find(({ obCluster }) => obCluster === cluster)?.secrets
  const secrets = own ?? proxyroSecretsOf(link)
  let last: LoginTried = { ms: null, error: 0 }
  for (const server of servers.slice(0, MAX_SERVERS)) {
    const address = addressOf(server)
    if (address === undefined) continue
    for (const passwordSecret of secrets) {
      last = await logInAt(address, { user: 'proxyro@sys', passwordSecret }, host)
      if (last.error === null) break
    }
    // It has answered, with whatever.
    if (last.error !== 0) break
  }
  return { name: cluster.slice(0, MAX_TEXT), ...last }
}

function addressOf(text: string): Address | undefined {
  const [, host, port] = /^\[?([0-9a-fA-F.:]+?)\]?:(\d{1,5})$/.exec(text.trim()) ?? []
  return host === undefined ? undefined : { host, port: Number(port) }
}

/** Asked as the proxy does, for the version alone; the token is in the URL and in nothing that is told. */
async function whyNoConfig(configUrl: string): Promise<string | null> {
  if (configUrl === '') return null
  if (!/^https?:\/\//.test(configUrl)) return 'its URL is none of http'
  try {
    const answer = await fetch(`${configUrl}&VersionOnly=true`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(CONFIG_SERVICE_MS),
    })
    return answer.ok ? '' : `it answered ${answer.status}`
  } catch (error) {
    return error instanceof Error ? error.name : 'no answer'
  }
}

/** The least value of a metric in the text of an exporter; null: it has none. */
function leastMetric(metrics: string, name: string): number | null {
  const values = metrics
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map(line => Number(/(\S+)$/.exec(line)?.[1]))
    .filter(Number.isFinite)
  return values.length === 0 ? null : Math.min(...values)
}

function countOf(text: string | undefined): number | null {
  const count = Number(text)
  return text !== undefined && Number.isInteger(count) && count >= 0 ? count : null
}

function cutAll(texts: readonly string[], most: number): string[] {
  return texts.slice(0, most).map(each => each.slice(0, MAX_TEXT))
}
