/** Rows of clusters and sessions in the proxy's views. Pure. */
import type { ClientSession } from './client-session.ts'
import type { Resource } from './clusters.ts'
import type { KnownCluster } from './config-server.ts'

type Row = readonly (string | null)[]

export function clusterRows({ name, id, rsUrl, servers }: KnownCluster): Row[] {
  return servers.map(({ host, port, role }) => [name, id, rsUrl, `${host}:${port}`, role, 'FULL'])
}

export function idcRows({ name, id, rsUrl, idcs }: KnownCluster): Row[] {
  const url = rsUrl.replace('ObRootServiceInfo', 'ObIDCRegionInfo')
  return idcs.map(({ idc, region }) => [name, id, url, idc, region])
}

export function resourceRow(
  { cluster, state, version, lastUsedAtMs }: Resource,
  clients: readonly ClientSession[],
  fetchedAtMs: number,
): Row {
  const references = clients.filter(({ who }) => who.cluster === cluster.name).length
  return [
    cluster.name,
    cluster.id,
    state,
    String(version),
    String(references),
    ...moment(lastUsedAtMs),
    '0',
    '0',
    ...moment(fetchedAtMs),
    '0',
    ...moment(fetchedAtMs),
  ]
}

export function sessionRow(client: ClientSession): Row {
  return [sessionId(client), String(client.id), client.who.cluster ?? '', ...common(client), '0']
}

export function processRow(client: ClientSession): Row {
  return [String(client.id), ...common(client)]
}

function common(client: ClientSession): string[] {
  const { who, host, port, database, transactions, server } = client
  const pid = String(process.pid)
  const isBusy = client.isInTransaction
  return [
    who.tenant,
    who.user,
    `${host}:${port}`,
    database ?? 'NULL',
    String(transactions),
    server === undefined ? '0' : '1',
    isBusy ? 'MCS_ACTIVE_READER' : 'MCS_KEEP_ALIVE',
    pid,
    pid,
  ]
}

export function attributeRows(client: ClientSession): Row[] {
  const { who, host, port, database, transactions, server } = client
  const pid = String(process.pid)
  const rows: (readonly [name: string, value: string, group: string])[] = [
    ['proxy_sessid', sessionId(client), 'cs common'],
    ['cs_id', String(client.id), 'cs common'],
    ['cluster', who.cluster ?? '', 'cs common'],
    ['tenant', who.tenant, 'cs common'],
    ['user', who.user, 'cs common'],
    ['host_ip', host, 'cs common'],
    ['host_port', String(port), 'cs common'],
    ['db', database ?? '', 'cs common'],
    ['total_trans_cnt', String(transactions), 'cs common'],
    ['svr_session_cnt', server === undefined ? '0' : '1', 'cs common'],
    ['tid', pid, 'cs common'],
    ['pid', pid, 'cs common'],
  ]
  if (server !== undefined)
    rows.push(
      ['server_ip', server.address.host, 'curr used ss'],
      ['server_port', String(server.address.port), 'curr used ss'],
      ['state', 'MSS_ACTIVE', 'curr used ss'],
    )
  return rows
}

/** 64 bits: the proxy's address and port, a number. */
function sessionId({ proxy, id }: ClientSession): string {
  const address = proxy.host
    .replace(/^::ffff:/, '')
    .split('.')
    .reduce((all, part) => all * 256n + BigInt(part), 0n)
  return String((address << 32n) | (BigInt(proxy.port) << 16n) | BigInt(id & 0xffff))
}

function moment(atMs: number): readonly [ns: string, text: string] {
  const text = new Date(atMs).toISOString().replace('T', ' ').slice(0, 19)
  return [String(BigInt(atMs) * 1_000_000n), text]
}
