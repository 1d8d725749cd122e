/**
 * Whether a proxy of another installer can be taken into a cluster: fourteen findings, each from what
 * a look at it has shown and from the inventory. Tables and texts, nothing else. Source: management.md §3.3.
 */
import { homeSchema } from '#contract/node-state'
import type { ProbeFacts } from '#contract/probe'
import type { ClusterSpec } from './model.ts'
import { named } from './named.ts'
import type { Finding, FindingId, ParameterDifference } from './take-over-check.ts'
import { compareVersions, familyOf } from './version.ts'

const OLDEST = '1.8.0'
const OS_USER = 'admin'
/** Where the standard package puts a proxy. */
const STANDARD_PLACE = /^\/opt\/taobao\/install\/obproxy-\d[^/]*\/bin\/obproxy$/

/** What it is to become a part of. */
export type Surroundings = {
  readonly cluster: {
    readonly name: string
    readonly spec: ClusterSpec
    readonly hasNodes: boolean
  }
  /** Names of OB clusters that are managed here. */
  readonly obClusters: ReadonlySet<string>
  /** The node that the inventory has on the host. */
  readonly nodeId: string | null
  /** Differing parameters may be overwritten. */
  readonly mayChangeParameters: boolean
  /** Package and user are as they are. */
  readonly isForced?: boolean
}

type Verdict =
  | { readonly ok: true; readonly detail: string }
  | { readonly ok: false; readonly code: string; readonly detail: string; readonly remedy: string }

type Check = (facts: ProbeFacts, around: Surroundings) => Verdict

export function findingsOf(facts: ProbeFacts, around: Surroundings): readonly Finding[] {
  return CHECKS.map(([id, check]) => {
    const verdict = check(facts, around)
    return verdict.ok
      ? { id, ok: true, code: 'ok', detail: verdict.detail, remedy: null }
      : { id, ...verdict }
  })
}

/** Those that a node could tell, with what the cluster wants. */
export function parameterDifferences(
  { differences }: ProbeFacts,
  { cluster }: Pick<Surroundings, 'cluster'>,
): readonly ParameterDifference[] {
  const { parameters } = cluster.spec
  return linesOf(differences).map(line => {
    const at = line.indexOf('=')
    const name = line.slice(0, at)
    const wanted = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    return { name, value: line.slice(at + 1), wanted: wanted ?? null }
  })
}

/** What every take-over does to a proxy. */
export const RESTART_NOTICE =
  'the proxy is restarted once, and its clients are cut: its name and where it finds its OB clusters take effect at a start only'

/** What a take-over does beyond what was asked for. */
export function noticesOf(
  { appName, watchdogs, autoStart }: ProbeFacts,
  { cluster }: Pick<Surroundings, 'cluster'>,
): readonly string[] {
  const named =
    appName === null || appName === cluster.name
      ? []
      : [`app_name ${appName} becomes ${cluster.name}`]
  return [
    RESTART_NOTICE,
    ...named,
    ...(watchdogs === 0 ? [] : ['the script that keeps it running is stopped first']),
    ...linesOf(autoStart).map(each => `${each} starts it no more; a release gives that back`),
  ]
}

export function linesOf(text: string | null): readonly string[] {
  return (text ?? '').split('\n').filter(line => line !== '')
}

const CHECKS: readonly (readonly [FindingId, Check])[] = [
  ['T1', hasVersion],
  ['T2', isOneProcess],
  ['T3', isOfUser],
  ['T4', isOnePackage],
  ['T5', isOfPackage],
  ['T6', letsUsIn],
  ['T7', isFree],
  ['T8', hasWorkMode],
  ['T9', tellsObClusters],
  ['T10', hasKnownObClusters],
  ['T11', hasLinkedObClusters],
  ['T12', hasParameters],
  ['T13', hasPorts],
  ['T14', canBeQuieted],
]

function hasVersion({ version }: ProbeFacts, { cluster }: Surroundings): Verdict {
  if (version === null) return notKnown('its version')
  if (compareVersions(version, OLDEST) < 0)
    return failed(
      'version-too-low',
      `it runs ${version}, at least ${OLDEST} is needed`,
      'upgrade it',
    )
  const [own, wanted] = [familyOf(version), familyOf(cluster.spec.version)]
  if (own === wanted) return passed(`it runs ${version}`)
  return failed(
    'version-incompatible',
    `it runs ${version}, of family ${own}; ${cluster.name} is of family ${wanted}`,
    `take it over into a cluster of family ${own}, or upgrade it first`,
  )
}

function isOneProcess({ processes, pid, others }: ProbeFacts): Verdict {
  if (processes === 1) return passed(`process ${pid}`)
  if (processes === 0) return failed('no-process', 'no obproxy runs', 'start it')
  return failed(
    'several-processes',
    `${processes} processes run, ${pid} and ${named(linesOf(others))}`,
    'stop all but one; a hot restart that is under way ends by itself',
  )
}

function isOfUser({ user }: ProbeFacts, { isForced }: Surroundings): Verdict {
  if (user === OS_USER || (isForced && user !== null)) return passed(`it runs as ${user}`)
  if (user === null) return failed('no-process', 'no obproxy runs', 'start it')
  return failed('wrong-user', `it runs as ${user}`, `start it as ${OS_USER}, or use force`)
}

function isOnePackage({ rpms }: ProbeFacts, { isForced }: Surroundings): Verdict {
  const names = linesOf(rpms)
  if (isForced) return passed(`it is taken as it is; packages: ${named(names) || 'none'}`)
  if (rpms === null)
    return failed('no-rpm', 'there is no rpm on the host', 'install a node here, or use force')
  if (names.length === 1) return passed(`${names[0]}`)
  if (names.length === 0)
    return failed('no-package', 'no package of obproxy is installed', 'install it from its package')
  return failed(
    'several-packages',
    `${names.length} packages are installed: ${named(names)}`,
    'remove those that are not in use',
  )
}

function isOfPackage(facts: ProbeFacts, { isForced }: Surroundings): Verdict {
  const { executable, isReplaced, ownedBy } = facts
  if (executable === null) return failed('no-process', 'no obproxy runs', 'start it')
  if (isReplaced)
    return failed(
      'executable-replaced',
      `${executable} is not what runs any more`,
      'restart it, so that it runs what is installed',
    )
  if (homeIn(facts) === null)
    return failed(
      'not-in-its-home',
      `${executable} runs in ${facts.workDir ?? 'an unknown folder'}`,
      'start it in its home, as bin/obproxy of that',
    )
  if (isForced) return passed(`${executable}, taken as it is`)
  if (ownedBy !== null) return passed(`${executable} is of ${ownedBy}`)
  if (STANDARD_PLACE.test(executable)) return passed(executable)
  return failed(
    'not-from-package',
    `${executable} is of no package`,
    'start it from where its package has put it, or use force',
  )
}

/** Where it is installed, and stays: the folder that it runs in; null where that is not so (N5). */
export function homeIn({ executable, workDir }: ProbeFacts): string | null {
  if (workDir === null || executable !== `${workDir}/bin/obproxy`) return null
  return homeSchema.safeParse(workDir).success ? workDir : null
}

const REFUSED: Readonly<
  Record<Exclude<ProbeFacts['login'], 'done'>, readonly [code: string, remedy: string]>
> = {
  refused: ['password-refused', 'name the secret that has its present password of root@proxysys'],
  'refused-address': [
    'address-refused',
    'give it skip_proxy_sys_private_check=true, or compare the password',
  ],
  unreachable: ['proxy-unreachable', 'name the port that it listens at, or start it'],
  'no-secret': ['secret-unreadable', 'let the host read the secret'],
  failed: ['login-failed', 'look at its log'],
}

function letsUsIn({ login, loginError, isListening }: ProbeFacts): Verdict {
  if (login === 'done') return passed('root@proxysys can log in')
  const [code, remedy] = REFUSED[login]
  const silent = isListening ? '' : '; nobody listens there'
  return failed(code, `root@proxysys cannot log in at ${loginError}${silent}`, remedy)
}

function isFree(_facts: ProbeFacts, { nodeId }: Surroundings): Verdict {
  return nodeId === null
    ? passed('the inventory has no node on the host')
    : failed('host-occupied', `the host carries ${nodeId}`, 'leave it out, it is managed already')
}

function hasWorkMode({ workMode }: ProbeFacts, { cluster }: Surroundings): Verdict {
  const { name, spec } = cluster
  if (workMode === null) return notKnown('its work mode')
  if (workMode === spec.workMode) return passed(workMode)
  const own = workMode === 'NONE' ? 'has neither a config URL nor a list' : `works by ${workMode}`
  return failed(
    'work-mode-differs',
    `it ${own}, ${name} by ${spec.workMode}`,
    'take it over into a cluster of its work mode',
  )
}

function tellsObClusters({ obClusters, obClusterCount }: ProbeFacts): Verdict {
  const names = linesOf(obClusters)
  if (obClusterCount === null) return notKnown('its OB clusters')
  if (obClusterCount === 0)
    return failed('no-ob-cluster', 'it has no OB cluster', 'add one where it is managed now')
  if (names.length < obClusterCount)
    return failed(
      'too-many-ob-clusters',
      `it has ${obClusterCount} OB clusters, too many to be compared`,
      'remove those that it does not need where it is managed now',
    )
  return passed(named(names))
}

function hasKnownObClusters({ obClusters }: ProbeFacts, around: Surroundings): Verdict {
  if (obClusters === null) return notKnown('its OB clusters')
  const unknown = linesOf(obClusters).filter(name => !around.obClusters.has(name))
  return unknown.length === 0
    ? passed('all of its OB clusters are managed here')
    : failed('ob-cluster-unknown', `not managed here: ${named(unknown)}`, 'register them first')
}

function hasLinkedObClusters({ obClusters }: ProbeFacts, { cluster }: Surroundings): Verdict {
  if (obClusters === null) return notKnown('its OB clusters')
  const { name, spec } = cluster
  const own = linesOf(obClusters)
  const links = spec.links.map(({ obCluster }) => obCluster)
  const beyond = own.filter(each => !links.includes(each))
  const isIdentical = beyond.length === 0 && links.every(each => own.includes(each))
  if (spec.workMode === 'RS_LIST')
    return isIdentical
      ? passed(`${name} has the same OB cluster`)
      : failed(
          'ob-cluster-differs',
          `its OB cluster is ${named(own) || 'none'}, that of ${name} is ${named(links)}`,
          'take it over into a cluster of its OB cluster',
        )
  return beyond.length === 0
    ? passed(`${name} is linked to all of them`)
    : failed('not-linked', `${name} is not linked to ${named(beyond)}`, 'add the links first')
}

function hasParameters({ differing, differences }: ProbeFacts, around: Surroundings): Verdict {
  if (differing === null) return notKnown('its parameters')
  if (differing === 0) return passed('all are as the cluster has them')
  const names = linesOf(differences).map(line => line.slice(0, line.indexOf('=')))
  const detail = `${differing} differ: ${named(names, differing)}`
  return around.mayChangeParameters
    ? passed(`${detail}; they are to be overwritten`)
    : failed('parameters-differ', detail, 'accept the changes with acceptParameterChanges')
}

function hasPorts({ sqlPort, exporterPort }: ProbeFacts, { cluster }: Surroundings): Verdict {
  if (sqlPort === null || exporterPort === null) return notKnown('its ports')
  const { ports } = cluster.spec
  const own = `${sqlPort} and ${exporterPort}`
  if (sqlPort === ports.sql && exporterPort === ports.exporter) return passed(own)
  if (!cluster.hasNodes) return passed(`${own}; ${cluster.name} has no node yet`)
  return failed(
    'ports-differ',
    `it has ${own}, nodes of ${cluster.name} have ${ports.sql} and ${ports.exporter}`,
    'change its ports where it is managed now',
  )
}

/** What starts it at a boot besides us (A8). */
function canBeQuieted({ startsByHand }: ProbeFacts): Verdict {
  const places = linesOf(startsByHand)
  return places.length === 0
    ? passed('nothing starts it at a boot that cannot be switched off')
    : failed(
        'start-by-hand',
        `at a boot it is started, or may be, by ${named(places)}`,
        'take that out by hand, or give the full path of what is started in a line of its own',
      )
}

function passed(detail: string): Verdict {
  return { ok: true, detail }
}

function failed(code: string, detail: string, remedy: string): Verdict {
  return { ok: false, code, detail, remedy }
}

function notKnown(what: string): Verdict {
  return failed('not-known', `${what} could not be asked for`, 'see finding T6')
}
