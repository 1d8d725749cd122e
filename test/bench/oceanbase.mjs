/**
 * The text point select in OceanBase mode: three scripted OBServers, HAProxy in front of the leader of
 * the table, and our proxy, which finds that leader itself.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { measureIdle } from './idle.mjs'
import { childrenOf, fail, measureRound, ROUNDS, summary, until, WARM_SECONDS } from './tools.mjs'

const ROOT = resolve(import.meta.dirname, '../..')
const SUBNET = '127.19.5'
const HAPROXY = { host: '127.19.6.1', port: 2881 }
const OURS = { host: '127.19.7.1', port: 2883 }
const ROWS = 1000
export const CLUSTER = 'obcluster'

/** The point select, and what an idle connection costs. */
export async function measureOceanBase({ folder, children, seconds, parts }) {
  const own = join(folder, 'oceanbase')
  mkdirSync(own)
  const observers = await startObservers(own, children)
  const accounts = JSON.parse(readFileSync(join(own, 'accounts.json'), 'utf8'))
  const proxy = startProxy(own, accounts, children)
  const through = { ...OURS, user: `${accounts.user}@app#${CLUSTER}` }
  const straight = { host: `${SUBNET}.1`, port: 2881, user: `${accounts.user}@app` }
  await until(() => query(through, accounts, 'SELECT 1'), 'the proxy answers')
  fill(straight, accounts)
  const leader = await leaderOf(observers.control, through, accounts)
  const haproxy = startHaproxy(own, leader, children)
  const behind = { ...HAPROXY, user: straight.user }
  await until(() => query(behind, accounts, 'SELECT 1'), 'HAProxy answers')
  const paths = [
    { path: 'direct', to: { ...straight, host: leader }, pids: () => [] },
    { path: 'HAProxy', to: behind, pids: () => [haproxy.pid] },
    { path: 'obfleet', to: through, pids: () => [proxy.pid, ...childrenOf(proxy.pid)] },
  ]
  const results = paths.map(({ path }) => ({ path, rounds: [] }))
  const rounds = parts.includes('oceanbase') ? ROUNDS : 0
  if (rounds > 0)
    for (const { to } of paths) sysbench(to, accounts, { seconds: WARM_SECONDS, from: 'points' })
  for (let round = 0; round < rounds; round++)
    for (const [index, { to, pids }] of paths.entries())
      results[index].rounds.push(
        measureRound(pids(), () => sysbench(to, accounts, { seconds, from: 'points' })),
      )
  const idle = parts.includes('idle')
    ? await measureIdle({ proxy, to: through, accounts })
    : undefined
  const workload = {
    name: 'text point select, OceanBase mode, scripted OBServers',
    results: results.map(({ path, rounds }) => ({ path, ...summary(rounds) })),
  }
  return { workload: parts.includes('oceanbase') ? workload : undefined, idle }
}

export async function startObservers(folder, children, { subnet = SUBNET, servers = 3 } = {}) {
  const script = join(ROOT, 'infra/local/observers.ts')
  const args = ['--import', 'tsx', script, folder, subnet, '--engine', 'scripted']
  args.push('--servers', `${servers}`)
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  let line = ''
  for await (const bytes of child.stdout) {
    line += bytes
    if (line.includes('\n')) return JSON.parse(line.split('\n')[0])
  }
  return fail('the scripted OBServers do not start')
}

function startProxy(folder, { proxyro }, children) {
  const options = [
    `local_bound_ip=${OURS.host}`,
    `rootservice_list=${[1, 2, 3].map(index => `${SUBNET}.${index}:2881`).join(';')}`,
    `rootservice_cluster_name=${CLUSTER}`,
    'work_thread_num=1',
    ...(process.env.BENCH_OPTIONS ?? '').split(',').filter(Boolean),
  ]
  const child = spawn(
    join(ROOT, 'dist/obproxy'),
    ['-N', '-p', `${OURS.port}`, '-l', '2884', '-n', 'bench', '-o', options.join(',')],
    {
      cwd: folder,
      stdio: 'ignore',
      env: {
        ...process.env,
        observer_sys_password: createHash('sha1').update(proxyro).digest('hex'),
      },
    },
  )
  children.push(child)
  return child
}

function startHaproxy(folder, leader, children) {
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    `global\n  nbthread 1\n  maxconn 500\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\nlisten sql\n  bind ${HAPROXY.host}:${HAPROXY.port}\n  server one ${leader}:2881\n`,
  )
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  children.push(child)
  return child
}

function fill(to, accounts) {
  const rows = Array.from({ length: ROWS }, (_none, at) => `(${at + 1}, '${'c'.repeat(119)}')`)
  query(to, accounts, 'CREATE TABLE points (id INT PRIMARY KEY, c VARCHAR(120))')
  query(to, accounts, `INSERT INTO points VALUES ${rows.join(',')}`)
}

/** The OBServer that the proxy sends statements on the table to, by their counters. */
async function leaderOf(control, through, accounts) {
  for (let asked = 0; asked < 20; asked++)
    query(through, accounts, 'SELECT c FROM points WHERE id = 1')
  const { fronts } = await (await fetch(`${control}/counters`)).json()
  const timesAsked = ({ byText }) =>
    Object.entries(byText).reduce(
      (sum, [text, times]) => sum + (/points/i.test(text) ? times : 0),
      0,
    )
  const [first] = fronts.sort((left, right) => timesAsked(right) - timesAsked(left))
  return first.host
}

export function query({ host, port, user }, { password, database }, sql) {
  const args = ['--skip-ssl', '-h', host, '-P', `${port}`, '-u', user, '-N', database, '-e', sql]
  return execFileSync('mariadb', args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, MYSQL_PWD: password },
  })
}

/** @param load `connections` of each of eight threads, which has one statement under way. */
export function sysbench({ host, port, user }, { password, database }, load) {
  const { seconds, from, connections = 1 } = load
  return execFileSync(
    'sysbench',
    [
      join(import.meta.dirname, 'point-select.lua'),
      '--db-driver=mysql',
      `--mysql-host=${host}`,
      `--mysql-port=${port}`,
      `--mysql-user=${user}`,
      `--mysql-password=${password}`,
      `--mysql-db=${database}`,
      '--mysql-ssl=off',
      '--threads=8',
      `--from=${from}`,
      `--connections=${connections}`,
      `--time=${seconds}`,
      '--percentile=99',
      'run',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  ).toString()
}
