/** SHOW PROCESSLIST, SHOW PROXYSESSION, KILL: clients of all workers. Source: proxy-admin.md §2.5, §2.6. */
import { Fault } from '#contract/fault'
import { bigint, type Cell, type Column, varchar } from '../wire/resultset.ts'
import type {
  AdminPorts,
  AdminResult,
  AdminRows,
  AdminSession,
  Rule,
  SessionRow,
} from './answer.ts'
import { OK } from './answer.ts'

const PROCESS_COLUMNS: readonly Column[] = [
  bigint('Id'),
  ...['Tenant', 'User', 'Host', 'db'].map(varchar),
  bigint('trans_count'),
  bigint('svr_session_count'),
  varchar('state'),
  bigint('tid'),
  bigint('pid'),
]

const SESSION_COLUMNS: readonly Column[] = [
  bigint('proxy_sessid'),
  bigint('Id'),
  ...['Cluster', 'Tenant', 'User', 'Host', 'db'].map(varchar),
  ...PROCESS_COLUMNS.slice(5),
  bigint('using_ssl'),
]

export const SESSION_RULES: readonly Rule[] = [
  {
    grammar: /^show\s+(?:full\s+)?processlist$/is,
    answer: async (_found, { sessions }) => listed(PROCESS_COLUMNS, await sessions(), processCells),
  },
  {
    // LIKE is parsed and has no effect on this form, as in OBProxy.
    grammar: /^show\s+proxysession(?:\s+like\s*(['"]).*\1)?$/is,
    answer: async (_found, { sessions, config }) => {
      const cluster = config.get('rootservice_cluster_name')
      return listed(SESSION_COLUMNS, await sessions(), row => sessionCells(row, cluster))
    },
  },
  {
    grammar: /^kill\s+(?:(?:connection|proxysession)\s+)?(\d{1,10})$/is,
    answer: ([, id], ports, session) => kill(Number(id), ports, session),
  },
  {
    grammar: /^kill\s+query\s+(\d{1,10})$/is,
    answer: async ([, id], ports) => {
      if (await ports.kill(Number(id), true)) return OK
      throw new Fault('session.unknown', { id: Number(id) })
    },
  },
]

function listed(
  columns: readonly Column[],
  sessions: readonly SessionRow[],
  cells: (row: SessionRow) => readonly Cell[],
): AdminRows {
  const sorted = sessions.toSorted((left, right) => left.id - right.id)
  return { kind: 'rows', columns, rows: sorted.map(cells) }
}

function processCells(row: SessionRow): readonly Cell[] {
  return [
    row.id,
    row.tenant,
    row.user,
    row.host,
    row.database === '' ? 'NULL' : row.database,
    row.statements,
    row.serverSessions,
    row.state,
    row.worker,
    row.pid,
  ]
}

function sessionCells(row: SessionRow, cluster: string): readonly Cell[] {
  const [id, ...others] = processCells(row)
  const own = row.tenant === 'proxysys' ? '' : cluster
  return [row.id, id ?? row.id, own, ...others, row.usesSsl ? 1 : 0]
}

/** Its own connection is told 1317 by KILL's answer; the client closes it then. */
async function kill(id: number, ports: AdminPorts, session: AdminSession): Promise<AdminResult> {
  if (id === session.connectionId) throw new Fault('session.killed')
  if (!(await ports.kill(id, false))) throw new Fault('session.unknown', { id })
  return OK
}
