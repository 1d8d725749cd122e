/**
 * The unit files of a node, as text. The proxy's unit starts it in the foreground and starts it again
 * whenever it ends (its watchdog), but not when it has handed over to the process its pid file names,
 * which then is the main one; it is not enabled itself: at boot `node boot` starts it if it
 * should run. Pure. Source: management.md §2.2, §6; proxy-admin.md §1.1.
 */
import { join } from 'node:path'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { FIXED_AT_START, PARAMETERS } from '#contract/parameters'
import { isSecret } from '#contract/secret-names'
import type { Found } from './found.ts'
import { NODE_UNIT, type Paths, PROXY_UNIT, REPORT_TIMER, REPORT_UNIT } from './paths.ts'

/** Verbs run from their own copy of the executable, which no upgrade of the proxy replaces (N5). */
const VERBS_EXECUTABLE = '/opt/obfleet/current/obproxy'

/** A boot that failed is tried again after so long. */
const BOOT_RETRY_SEC = 15

export type UnitSettings = {
  readonly paths: Paths
  readonly address: string | undefined
  readonly reportPeriodSec: number
  /** With its token; empty where the OB cluster is given (PL12: it may be seen in the process list). */
  readonly configUrl: string
  /** Where another installer has put it; undefined: it was installed by us. */
  readonly found?: Pick<Found, 'kind' | 'user'> | undefined
}

/** Unit name → text. */
export function unitTexts(desired: DesiredNode, settings: UnitSettings): Map<string, string> {
  return new Map([
    [PROXY_UNIT, proxyUnit(desired, settings)],
    [NODE_UNIT, bootUnit()],
    [REPORT_UNIT, reportUnit()],
    [REPORT_TIMER, timerUnit(settings.reportPeriodSec)],
  ])
}

function proxyUnit(desired: DesiredNode, settings: UnitSettings): string {
  const { paths, found } = settings
  if (found?.kind === 'other') return watchUnit(desired, settings)
  const user = found === undefined ? '' : `User=${found.user}\n`
  return `[Unit]
Description=OceanBase proxy of cluster ${desired.clusterName}
After=network-online.target local-fs.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
${user}WorkingDirectory=${desired.home}
PIDFile=${join(desired.home, 'run/obproxy.pid')}
EnvironmentFile=${paths.proxyEnvironment}
ExecStart=${proxyCommand(desired, settings).map(word).join(' ')}
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=20
LimitNOFILE=655350
LimitCORE=0
NoNewPrivileges=yes
UMask=0077
`
}

/**
 * Of a proxy that does not tell who has taken over from whom: the verbs watch over it, so that the
 * service manager takes no end of one process for the end of all (management.md §2.4, §6 A3). What is
 * watched goes on when the watch dies, and is found again by the next one.
 */
function watchUnit(desired: DesiredNode, settings: UnitSettings): string {
  const command = proxyCommand(desired, settings).map(word).join(' ')
  return `[Unit]
Description=OceanBase proxy of cluster ${desired.clusterName}, watched
After=network-online.target local-fs.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
EnvironmentFile=${settings.paths.proxyEnvironment}
ExecStart=${VERBS_EXECUTABLE} node watch ${command}
Restart=always
RestartSec=1
KillMode=process
TimeoutStopSec=20
LimitNOFILE=655350
LimitCORE=0
NoNewPrivileges=yes
UMask=0077
`
}

/** Starts a part of what was found, whose processes stay when it is over. */
export function startFoundUnit(part: string): string {
  return `[Unit]
Description=obfleet: start of a proxy as it was found

[Service]
Type=oneshot
EnvironmentFile=-/etc/obfleet/node.env
ExecStart=${VERBS_EXECUTABLE} node start-found ${part}
KillMode=process
SendSIGKILL=no
`
}

/**
 * The same unit, whichever version wrote it, but that its end leaves the process alone: a stop then lets
 * go of it. A watch is to end, and leaves its proxy itself. @throws node.init-failed: a stop would kill
 */
export function lettingGo(text: string): string {
  const isWatched = / node watch /.test(text)
  const wanted = isWatched
    ? ['Restart=no', 'KillMode=process']
    : ['Restart=no', 'KillMode=none', 'SendSIGKILL=no']
  const lines = text
    .split('\n')
    .filter(line => !/^\s*(?:Restart|KillMode|SendSIGKILL)\s*=/.test(line))
  const at = lines.indexOf('[Service]')
  if (at < 0) {
    const facts = { action: 'stop', unit: PROXY_UNIT, reason: 'its file has no [Service]' }
    throw new Fault('node.init-failed', facts)
  }
  return lines.toSpliced(at + 1, 0, ...wanted).join('\n')
}

/** Start of the proxy, always through the path in its home (N5). */
export function proxyCommand(
  desired: DesiredNode,
  { address, configUrl, found }: Pick<UnitSettings, 'address' | 'configUrl' | 'found'>,
): readonly string[] {
  const { home, ports, link, clusterName } = desired
  const options = new Map([
    ...startParameters(desired.parameters),
    ['obproxy_config_server_url', configUrl],
    ['client_session_id_version', '2'],
    ['proxy_id', String(desired.proxyId)],
    ...boundTo(address, found),
  ])
  return [
    join(home, 'bin/obproxy'),
    '-N',
    ...['-p', String(ports.sql)],
    ...['-l', String(ports.exporter)],
    ...['-n', clusterName],
    ...('configUrl' in link ? [] : ['-c', link.obCluster, '-r', link.rootserviceList]),
    ...['-o', [...options].map(([name, value]) => `${name}=${value}`).join(',')],
  ]
}

/** One that was found may have stored an address of its own. */
function boundTo(
  address: string | undefined,
  found: UnitSettings['found'],
): readonly (readonly [string, string])[] {
  if (address !== undefined) return [['local_bound_ip', address]]
  return found === undefined ? [] : [['local_bound_ip', '0.0.0.0']]
}

/**
 * What the command line says of its OB clusters and ids, by parameter: a successor in a hot restart
 * is started without it and goes by what is stored, OBProxy's too (ob_hot_upgrade_processor.cpp).
 * Where it listens is left out: that is where it is asked.
 */
export function identityParameters(
  { link, proxyId }: DesiredNode,
  configUrl: string,
): ReadonlyMap<string, string> {
  return new Map([
    ...('configUrl' in link
      ? []
      : ([
          ['rootservice_cluster_name', link.obCluster],
          ['rootservice_list', link.rootserviceList],
        ] as const)),
    ['obproxy_config_server_url', configUrl],
    ['client_session_id_version', '2'],
    ['proxy_id', String(proxyId)],
  ])
}

/** Parameters that take effect at a start only. Values with a comma cannot be given that way. */
function startParameters(parameters: DesiredNode['parameters']): [string, string][] {
  return Object.entries(parameters).filter(
    ([name, value]) =>
      PARAMETERS.get(name)?.needsRestart === true &&
      !FIXED_AT_START.has(name) &&
      !isSecret(name) &&
      /^[^,\r\n'"]*$/.test(value),
  )
}

/** One word of ExecStart: quoted where needed, nothing of it expanded by systemd. */
function word(text: string): string {
  const literal = text.replaceAll('%', '%%').replaceAll('$', '$$$$')
  if (/^[\w@%:,./=+$-]+$/.test(literal)) return literal
  return `"${literal.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/**
 * The verb at boot, again and again until it succeeds: a port or a disk that was taken may be free by
 * then. Why not Type=oneshot: with Restart= it is refused by systemd before version 244.
 */
function bootUnit(): string {
  return `[Unit]
Description=obfleet: state of this proxy node after a boot
After=network-online.target local-fs.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
EnvironmentFile=-/etc/obfleet/node.env
ExecStart=${VERBS_EXECUTABLE} node boot
Restart=on-failure
RestartSec=${BOOT_RETRY_SEC}

[Install]
WantedBy=multi-user.target
`
}

function reportUnit(): string {
  return `[Unit]
Description=obfleet: report of this proxy node
After=network-online.target local-fs.target
Wants=network-online.target

[Service]
Type=oneshot
EnvironmentFile=-/etc/obfleet/node.env
ExecStart=${VERBS_EXECUTABLE} node report
TimeoutStartSec=60
`
}

function timerUnit(periodSec: number): string {
  return `[Unit]
Description=obfleet: a report of this proxy node every ${periodSec} s

[Timer]
OnBootSec=${Math.min(15, periodSec)}
OnUnitActiveSec=${periodSec}
AccuracySec=1
Unit=${REPORT_UNIT}

[Install]
WantedBy=timers.target
`
}
