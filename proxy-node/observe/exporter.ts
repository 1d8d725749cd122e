/** `/metrics` for Prometheus, `/health` and `/ready` for probes. Families as proxy-admin.md §5.2. */

export type ExporterView = {
  readonly gauges: {
    readonly sessions: number
    readonly accepted: number
    readonly statements: number
  }
  readonly workersListening: number
  readonly entries: number
  /** The OB cluster has answered, or there is none to ask. */
  readonly isLoaded: boolean
}

type Answer = { readonly status: number; readonly type: string; readonly body: string }

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'

/** The answer to GET `path`. */
export function exporterAnswer(path: string, view: ExporterView): Answer {
  if (path === '/metrics') return { status: 200, type: TEXT, body: metrics(view) }
  if (path === '/health') return { status: 200, type: TEXT, body: 'alive\n' }
  if (path !== '/ready') return { status: 404, type: TEXT, body: 'not found\n' }
  if (view.workersListening === 0)
    return { status: 503, type: TEXT, body: 'no worker is listening\n' }
  if (!view.isLoaded) return { status: 503, type: TEXT, body: 'no OBServer has answered yet\n' }
  return { status: 200, type: TEXT, body: 'ready\n' }
}

function metrics({ gauges, workersListening, entries }: ExporterView): string {
  return [
    family('odp_current_session', 'gauge', 'Client sessions now.', gauges.sessions),
    family(
      'odp_new_client_connections',
      'counter',
      'Client connections accepted.',
      gauges.accepted,
    ),
    family('odp_sql_request_total', 'counter', 'Commands of clients.', gauges.statements),
    family('odp_entry_total', 'gauge', 'Location entries cached.', entries),
    family('odp_workers', 'gauge', 'Workers that accept clients.', workersListening),
  ].join('')
}

function family(name: string, kind: string, help: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${name} ${value}\n`
}
