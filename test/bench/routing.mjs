/**
 * What routing costs: one point select over six scripted OBServers, through our proxy as it relays to
 * one of them (MySQL mode), as it finds the leader of a table, and as it finds the leader of one of 16
 * partitions. All speak the plain protocol, so that nothing but routing differs.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CLUSTER, query, startObservers, sysbench } from './oceanbase.mjs'
import { childrenOf, measureRound, ROUNDS, summary, until, WARM_SECONDS } from './tools.mjs'

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
  await startObservers(own, children, { subnet: SUBNET, servers: SERVERS })
  const accounts = JSON.parse(readFileSync(join(own, 'accounts.json'), 'utf8'))
  const straight = { host: `${SUBNET}.1`, port: 2881, user: `${accounts.user}@app` }
  fill(straight, accounts)
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
    { path: 'to a table’s leader', from: 'points', to: through(accounts), proxy: routed },
    { path: 'to a partition’s leader', from: 'parted', to: through(accounts), proxy: routed },
  ]
  const results = paths.map(({ path }) => ({ path, rounds: [] }))
  for (const { to } of paths)
    await until(() => query(to, accounts, 'SELECT 1'), 'the proxy answers')
  for (const { to, from } of paths) sysbench(to, accounts, { seconds: WARM_SECONDS, from })
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, { to, from, proxy }] of paths.entries()) {
      const pids = [proxy.pid, ...childrenOf(proxy.pid)]
      results[index].rounds.push(
        measureRound(pids, () => sysbench(to, accounts, { seconds, from })),
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
  query(
    to,
    accounts,
    `CREATE TABLE parted ${columns} PARTITION BY HASH(id) PARTITIONS ${PARTITIONS}`,
  )
  for (const table of ['points', 'parted'])
    query(to, accounts, `INSERT INTO ${table} VALUES ${rows.join(',')}`)
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
