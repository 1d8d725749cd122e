/**
 * `/metrics` for Prometheus, `/health` and `/ready` for probes: one picture of the node → text.
 * Families, labels and their values as OBProxy's, so that its dashboards work; series of the common
 * statement types are there from the start with zero. Source: proxy-admin.md §5.2.
 */
import { LIMITS, METRIC, OUTCOME, ROUTES, SQL_TYPES } from '#contract/names'
import { HANDSHAKE_SIDES, type HandshakeCounts } from './handshakes.ts'
import { ALL_OUTCOMES, type TenantTotals } from './metrics.ts'

export type ExporterView = {
  /** Labels of every series: `ip`, `odpVersion`. */
  readonly address: string
  readonly version: string
  /** Name of the proxy cluster. */
  readonly application: string
  readonly tenants: readonly TenantTotals[]
  /** Costs in milliseconds instead of microseconds. */
  readonly costsInMs: boolean
  /** Bytes and location look-ups are shown too. */
  readonly showsExtra: boolean
  /** Bound of series; those beyond it are left out. */
  readonly maxSeries: number
  readonly workersListening: number
  readonly locationEntries: number
  readonly configVersion: number
  readonly logLines: { readonly error: number; readonly warn: number }
  /** The OB cluster has answered, or there is none to ask. */
  readonly isLoaded: boolean
  readonly isDraining: boolean
  readonly certificates: readonly {
    readonly use: string
    readonly subject: string
    readonly serial: string
    readonly notAfter: number
  }[]
  /** The certificate files cannot be used as they are; earlier ones serve, or none. */
  readonly isCertificateBroken: boolean
  readonly handshakes: HandshakeCounts
}

type Answer = { readonly status: number; readonly type: string; readonly body: string }

type Labels = Readonly<Record<string, string>>
type Series = readonly [labels: Labels, value: number]
type Family = {
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly meaning: string
  readonly series: readonly Series[]
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
/** Shown with zero before the first request, so that a rate over them is zero and not absent. */
const ALWAYS_SHOWN: ReadonlySet<string> = new Set([
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'OTHERS',
])

/** The answer to GET `path`. */
export function exporterAnswer(path: string, view: ExporterView): Answer {
  if (path === '/metrics') return { status: 200, type: TEXT, body: metrics(view) }
  if (path === '/health') return { status: 200, type: TEXT, body: 'alive\n' }
  if (path !== '/ready') return { status: 404, type: TEXT, body: 'not found\n' }
  const reason = whyNotReady(view)
  return reason === undefined
    ? { status: 200, type: TEXT, body: 'ready\n' }
    : { status: 503, type: TEXT, body: `${reason}\n` }
}

function whyNotReady(view: ExporterView): string | undefined {
  if (view.isDraining) return 'draining: new clients belong elsewhere'
  if (view.workersListening === 0) return 'no worker is listening'
  return view.isLoaded ? undefined : 'no OBServer has answered yet'
}

function metrics(view: ExporterView): string {
  const constant = { ip: view.address, namespace: 'ODP', odpVersion: view.version }
  const lines: string[] = []
  // The node's own are few and of fixed number; the bound is for what grows with tenants.
  let left = Math.max(0, view.maxSeries)
  const show = ({ name, kind, meaning, series }: Family, most: number) => {
    lines.push(`# HELP ${name} ${meaning}`, `# TYPE ${name} ${kind}`)
    for (const [labels, value] of series.slice(0, most))
      lines.push(`${name}{${labelText({ ...constant, ...labels })}} ${value}`)
  }
  for (const family of nodeFamilies(view)) show(family, family.series.length)
  for (const family of trafficFamilies(view)) {
    show(family, left)
    left = Math.max(0, left - family.series.length)
  }
  return `${lines.join('\n')}\n`
}

function nodeFamilies(view: ExporterView): readonly Family[] {
  const one = (name: string, meaning: string, value: number): Family => ({
    name,
    kind: 'gauge',
    meaning,
    series: [[{}, value]],
  })
  return [
    {
      name: METRIC.logLines,
      kind: 'counter',
      meaning: 'Lines of the log by level.',
      series: Object.entries(view.logLines).map(([logType, value]) => [{ logType }, value]),
    },
    one(METRIC.locationEntries, 'Tables whose location is cached.', view.locationEntries),
    one(METRIC.workers, 'Workers that accept clients.', view.workersListening),
    one(METRIC.configVersion, 'Grows with each change of the configuration.', view.configVersion),
    one(METRIC.draining, '1 while clients are sent elsewhere.', view.isDraining ? 1 : 0),
    {
      name: METRIC.certificateExpiry,
      kind: 'gauge',
      meaning: 'When certificates in use expire, seconds since the epoch.',
      series: view.certificates.map(({ use, subject, serial, notAfter }) => [
        { use, subject, serial },
        Math.floor(notAfter / 1000),
      ]),
    },
    one(
      METRIC.certificateBroken,
      '1 while the certificate files cannot be used as they are.',
      view.isCertificateBroken ? 1 : 0,
    ),
    {
      name: METRIC.handshakes,
      kind: 'counter',
      meaning: 'TLS handshakes with clients and servers by result.',
      series: HANDSHAKE_SIDES.flatMap(side =>
        (['done', 'failed'] as const).map(
          (result): Series => [{ side, result }, view.handshakes[side][result]],
        ),
      ),
    },
    one(METRIC.build, 'Always 1; the version is a label.', 1),
  ]
}

function trafficFamilies(view: ExporterView): readonly Family[] {
  const each = (make: (totals: TenantTotals) => readonly Series[]) =>
    view.tenants.flatMap(totals =>
      make(totals).map(
        ([labels, value]): Series => [{ ...ownLabels(view, totals), ...labels }, value],
      ),
    )
  const unit = view.costsInMs ? 1000 : 1
  const families: Family[] = [
    {
      name: METRIC.sessions,
      kind: 'gauge',
      meaning: 'Open sessions.',
      series: each(sessionSeries),
    },
    {
      name: METRIC.connections,
      kind: 'counter',
      meaning: 'Logins by result.',
      series: each(totals => [
        [{ vip: '', connectionResult: 'success' }, totals.logins(true)],
        [{ vip: '', connectionResult: 'fail' }, totals.logins(false)],
      ]),
    },
    {
      name: METRIC.limited,
      kind: 'counter',
      meaning: 'Clients refused or ended by a limit.',
      series: each(limitSeries),
    },
    {
      name: METRIC.transactions,
      kind: 'counter',
      meaning: 'Finished transactions of users.',
      series: each(totals => [[{ schema: '' }, totals.transactions]]),
    },
    {
      name: METRIC.requests,
      kind: 'counter',
      meaning: 'Requests answered.',
      series: each(requestSeries),
    },
    {
      name: METRIC.cost,
      kind: 'counter',
      meaning: `Time spent on requests, ${view.costsInMs ? 'ms' : 'us'}.`,
      series: each(totals => costSeries(totals, unit)),
    },
    {
      name: METRIC.routed,
      kind: 'counter',
      meaning: 'Statements by how their server was chosen, and whether it was the right one.',
      series: each(routeSeries),
    },
    {
      name: METRIC.guesses,
      kind: 'counter',
      meaning: 'Statements of several partitions, or of none that is known, sent to one of them.',
      series: each(totals => [
        [{ result: 'confirmed' }, totals.guesses(true)],
        [{ result: 'corrected' }, totals.guesses(false)],
      ]),
    },
  ]
  return view.showsExtra ? [...families, ...extraFamilies(each)] : families
}

function extraFamilies(
  each: (make: (totals: TenantTotals) => readonly Series[]) => readonly Series[],
): readonly Family[] {
  return [
    {
      name: METRIC.bytes,
      kind: 'counter',
      meaning: 'Bytes of requests and responses.',
      series: each(totals => [
        [{ transType: 'request', sessionType: 'client' }, totals.bytes('clientRequest')],
        [{ transType: 'response', sessionType: 'client' }, totals.bytes('clientResponse')],
        [{ transType: 'request', sessionType: 'server' }, totals.bytes('serverRequest')],
        [{ transType: 'response', sessionType: 'server' }, totals.bytes('serverResponse')],
      ]),
    },
    {
      name: METRIC.entries,
      kind: 'counter',
      meaning: 'Look-ups of locations.',
      series: each(entrySeries),
    },
  ]
}

function ownLabels(view: ExporterView, { cluster, tenant }: TenantTotals): Labels {
  return { logicTenant: view.application, logicSchema: '', cluster, tenant }
}

function sessionSeries(totals: TenantTotals): readonly Series[] {
  return [
    [{ vip: '', sessionType: 'client' }, totals.clientSessions],
    [{ vip: '', sessionType: 'server' }, totals.serverSessions],
  ]
}

/** Those without a name have not logged in: of them each limit is there from the start. */
function limitSeries(totals: TenantTotals): readonly Series[] {
  return LIMITS.map((limit): Series => [{ limit }, totals.limited(limit)]).filter(
    ([, value]) => value > 0 || totals.tenant === '',
  )
}

function requestSeries(totals: TenantTotals): readonly Series[] {
  return SQL_TYPES.flatMap((sqlType, type) =>
    ALL_OUTCOMES.map((bits): Series => {
      const is = (bit: number) => (bits & bit) !== 0
      const labels = {
        ...typeLabels(sqlType),
        slowQuery: String(is(OUTCOME.slow)),
        sqlResult: is(OUTCOME.failed) ? 'fail' : 'success',
        partitionHit: String(!is(OUTCOME.missed)),
        sqlLarge: is(OUTCOME.large) ? 'large' : 'small',
      }
      return [labels, totals.requests(type, bits)]
    }).filter(([, value], bits) => value > 0 || (bits === 0 && ALWAYS_SHOWN.has(sqlType))),
  )
}

function costSeries(totals: TenantTotals, unit: number): readonly Series[] {
  return SQL_TYPES.flatMap((sqlType, type) => {
    const cost = totals.cost(type)
    if (cost.total === 0 && !ALWAYS_SHOWN.has(sqlType)) return []
    return Object.entries(cost).map(
      ([timeType, us]): Series => [{ ...typeLabels(sqlType), timeType }, Math.round(us / unit)],
    )
  })
}

function entrySeries(totals: TenantTotals): readonly Series[] {
  return [true, false].flatMap(isHit =>
    [true, false].map(
      (isFound): Series => [
        { entryType: 'table_entry', routeHit: String(isHit), routeResult: String(isFound) },
        totals.entries(isHit, isFound),
      ],
    ),
  )
}

/** Those that nothing went by are left out. */
function routeSeries(totals: TenantTotals): readonly Series[] {
  return ROUTES.flatMap(route =>
    [true, false].map(
      (isHit): Series => [{ route, partitionHit: String(isHit) }, totals.routed(route, isHit)],
    ),
  ).filter(([, value]) => value > 0)
}

/** OBProxy writes one spelling and the management plane queries the other. */
function typeLabels(sqlType: string): Labels {
  return { schema: '', sqlType, sqltype: sqlType }
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
