/**
 * What the node has counted under the names of SHOW PROXYSTAT; those that OBProxy has no name for begin
 * with `routed_to`, `partition_guess` and `unexpected`. Names that this proxy counts nothing for are not there.
 * Source: proxy-admin.md §5.1; proxy-routing.md §12.3.
 */
import { OUTCOME, ROUTES, SQL_TYPES, type SqlType } from '#contract/names'
import { CONGESTED } from '../topology/model.ts'
import { ALL_OUTCOMES, type TenantTotals } from './metrics.ts'

export type Counted = {
  readonly tenants: readonly TenantTotals[]
  /** Lines of the log, and errors that nobody expected, of which it has fewer. */
  readonly said: { readonly error: number; readonly warn: number; readonly unexpected: number }
  readonly clusters: number
  /** Bits of `CONGESTED` of each server. */
  readonly congestions: readonly number[]
}

type Row = readonly [name: string, value: number]

/** Statement types that have a counter of their own; all others are `other`. */
const KINDS: Readonly<Partial<Record<SqlType, string>>> = {
  SELECT: 'select',
  INSERT: 'insert',
  UPDATE: 'update',
  DELETE: 'delete',
}

const LARGE_OUTCOMES = ALL_OUTCOMES.filter(bits => (bits & OUTCOME.large) !== 0)

/** In order of name. */
export function countersOf(counted: Counted): readonly Row[] {
  const { tenants, said, clusters, congestions } = counted
  const sum = (read: (totals: TenantTotals) => number) =>
    tenants.reduce((all, totals) => all + read(totals), 0)
  const congested = (bit: number) => congestions.filter(bits => (bits & bit) !== 0).length
  const rows: Row[] = [
    ...requestRows(sum),
    ...routeRows(sum),
    ...placeRows(sum),
    ['total_user_transaction_count', sum(({ transactions }) => transactions)],
    ['current_client_connections', sum(({ clientSessions }) => clientSessions)],
    ['current_server_connections', sum(({ serverSessions }) => serverSessions)],
    ['total_client_connections', sum(totals => totals.logins(true) + totals.logins(false))],
    ['client_request_total_size', sum(totals => totals.bytes('clientRequest'))],
    ['client_response_total_size', sum(totals => totals.bytes('clientResponse'))],
    ['server_request_total_size', sum(totals => totals.bytes('serverRequest'))],
    ['server_response_total_size', sum(totals => totals.bytes('serverResponse'))],
    ['current_cluster_resource_count', clusters],
    ['dead_congested', congested(CONGESTED.dead)],
    ['alive_congested', congested(CONGESTED.alive)],
    ['detect_congested', congested(CONGESTED.detected)],
    ['total_warn_log_count', said.warn],
    ['total_error_log_count', said.error],
    ['unexpected_error_count', said.unexpected],
  ]
  return rows.sort(([one], [other]) => (one < other ? -1 : 1))
}

type Sum = (read: (totals: TenantTotals) => number) => number

function requestRows(sum: Sum): readonly Row[] {
  const ofKind = (fits: (type: SqlType) => boolean, outcomes = ALL_OUTCOMES) =>
    sum(totals =>
      SQL_TYPES.reduce(
        (all, name, type) => all + (fits(name) ? requestsOf(totals, type, outcomes) : 0),
        0,
      ),
    )
  const all = ofKind(() => true)
  const costs = SQL_TYPES.map((_name, type) => sum(totals => totals.cost(type).server))
  return [
    ['total_query_count', all],
    ['client_completed_requests', all],
    ['client_large_requests', ofKind(() => true, LARGE_OUTCOMES)],
    ...Object.entries(KINDS).map(
      ([type, name]): Row => [`client_${name}_requests`, ofKind(one => one === type)],
    ),
    ['client_other_requests', ofKind(type => KINDS[type] === undefined)],
    ['total_server_process_request_time', Math.round(costs.reduce((one, other) => one + other, 0))],
  ]
}

function requestsOf(totals: TenantTotals, type: number, outcomes: readonly number[]): number {
  return outcomes.reduce((all, bits) => all + totals.requests(type, bits), 0)
}

function routeRows(sum: Sum): readonly Row[] {
  return [
    ...ROUTES.flatMap((route): readonly Row[] => [
      [
        `routed_to_${route}`,
        sum(totals => totals.routed(route, true) + totals.routed(route, false)),
      ],
      [`routed_to_${route}_missed`, sum(totals => totals.routed(route, false))],
    ]),
    ['partition_guess_confirmed', sum(totals => totals.guesses(true))],
    ['partition_guess_corrected', sum(totals => totals.guesses(false))],
  ]
}

function placeRows(sum: Sum): readonly Row[] {
  const found = (isHit: boolean) => sum(totals => totals.entries(isHit, true))
  const lacking = (isHit: boolean) => sum(totals => totals.entries(isHit, false))
  return [
    ['get_pl_total', found(true) + lacking(true) + found(false) + lacking(false)],
    ['get_pl_from_thread_cache_hit', found(true) + lacking(true)],
    ['get_pl_from_remote', found(false) + lacking(false)],
    ['get_pl_from_remote_succ', found(false)],
    ['get_pl_from_remote_fail', lacking(false)],
  ]
}
