/**
 * What routing costs: one point select over six scripted OBServers, through our proxy as it relays to
 * one of them (MySQL mode), as it finds the leader of a table, and as it finds the leader of one of 16
 * partitions. All speak the plain protocol, so that nothing but routing differs. Once the leaders of the
 * partitions are spread over the servers, so that each client has six server connections where a relayed
 * one has one; and once one server leads them all, which shows the cost of routing apart from that. What six
 * connections a client cost by themselves shows where they are relayed, on both sides of the proxy there.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CLUSTER, query, startObservers, sysbench } from './oceanbase.mjs'
import { childrenOf, fail, measureRound, ROUNDS, summary, until, WARM_SECONDS } from './tools.mjs'

const ROOT = resolve(import.meta.dirname, '../..')
const SUBNET = '127.19.8'
const SERVERS = 6
const PARTITIONS = 16
const ROWS = 1000
const OBPROXY = { host: '127.19.9.1', port: 2883 }
const RELAY = { host: '127.19.9.2', port: 2883 }

export async function measureRouting({ folder, children, seconds }) {
  const own = join(folder, 'routing')
  mkdirSync(own)
  const { control } = await startObservers(own, children, { subnet: SUBNET, servers: SERVERS })
  const accounts = JSON.parse(readFileSync(join(own, 'accounts.json'), 'utf8'))
  const straight = { host: `${SUBNET}.1`, port: 2881, user: `${accounts.user}@app` }
  fill(straight, accounts)
  await gather(control, accounts)
  const relay = startProxy(join(own, 'relay'), RELAY, children, {
    options: ['server_routing_mode=mysql', `test_server_addr=${SUBNET}.1:2881`],
    accounts,
  })
  const routed = startProxy(join(own, 'routed'), OBPROXY, children, {
    options: [
      `rootservice_list=${SUBNET}.1:2881`,
      `rootservice_cluster_name=${CLUSTER}`,
      'enable_ob_protocol_v2=False',
      ...(process.env.BENCH_OPTIONS ?? '').split(',').filter(Boolean),
    ],
    accounts,
  })
  const paths = [
    {
      path: 'relayed (MySQL mode)',
      from: 'points',
      to: { ...RELAY, user: straight.user },
      proxy: relay,
    },
    {
      path: 'relayed, each client over six connections',
      from: 'points',
      connections: SERVERS,
      to: { ...RELAY, user: straight.user },
      proxy: relay,
    },
    { path: 'to a table’s leader', from: 'points', to: through(accounts), proxy: routed },
    {
      path: 'to a partition’s leader, one server leads all',
      from: 'gathered',
      to: through(accounts),
      proxy: routed,
    },
    {
      path: 'to a partition’s leader, over six servers',
      from: 'parted',
      to: through(accounts),
      proxy: routed,
    },
  ]
  const results = paths.map(({ path }) => ({ path, rounds: [] }))
  for (const { to } of paths)
    await until(() => query(to, accounts, 'SELECT 1'), 'the proxy answers')
  for (const { to, ...load } of paths) sysbench(to, accounts, { ...load, seconds: WARM_SECONDS })
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, { to, proxy, ...load }] of paths.entries()) {
      const pids = [proxy.pid, ...childrenOf(proxy.pid)]
      results[index].rounds.push(
        measureRound(pids, () => sysbench(to, accounts, { ...load, seconds })),
      )
    }
  return results.map(({ path, rounds }) => ({ path, ...summary(rounds) }))
}

function through({ user }) {
  return { ...OBPROXY, user: `${user}@app#${CLUSTER}` }
}

function fill(to, accounts) {
  const rows = Array.from({ length: ROWS }, (_none, at) => `(${at + 1}, '${'c'.repeat(119)}')`)
  const columns = '(id INT PRIMARY KEY, c VARCHAR(120))'
  query(to, accounts, `CREATE TABLE points ${columns}`)
  for (const table of ['parted', 'gathered'])
    query(
      to,
      accounts,
      `CREATE TABLE ${table} ${columns} PARTITION BY HASH(id) PARTITIONS ${PARTITIONS}`,
    )
  for (const table of ['points', 'parted', 'gathered'])
    query(to, accounts, `INSERT INTO ${table} VALUES ${rows.join(',')}`)
}

/** All partitions of `gathered` are led by the first server. */
async function gather(control, { database }) {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const change = {
      kind: 'leader',
      database,
      table: 'gathered',
      partition,
      server: `${SUBNET}.1:2881`,
    }
    const body = JSON.stringify({ change })
    const response = await fetch(`${control}/picture`, { method: 'POST', body })
    if (!response.ok) fail(`the picture does not change: ${await response.text()}`)
  }
}

function startProxy(folder, { host, port }, children, { options, accounts }) {
  mkdirSync(folder)
  const all = [`local_bound_ip=${host}`, 'work_thread_num=1', ...options]
  const child = spawn(
    join(ROOT, 'dist/obproxy'),
    ['-N', '-p', `${port}`, '-l', '2884', '-n', 'bench', '-o', all.join(',')],
    {
      cwd: folder,
      stdio: 'ignore',
      env: {
        ...process.env,
        observer_sys_password: createHash('sha1').update(accounts.proxyro).digest('hex'),
      },
    },
  )
  children.push(child)
  return child
}
