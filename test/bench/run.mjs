#!/usr/bin/env node
/**
 * `npm run bench`: MariaDB direct, through HAProxy (TCP, one thread), through a forwarder that only
 * moves bytes on the proxy's runtime, and through our proxy (one worker, MySQL mode), alternating in one run. Queries a second, latency, and the proxy's own CPU a
 * query from /proc, supervisor included; then the same in OceanBase mode over scripted OBServers.
 * `--json FILE` writes the same, `--seconds N` a round's length, `--parts text,idle` only those.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { measureOceanBase } from './oceanbase.mjs'
import { measureRouting } from './routing.mjs'
import {
  childrenOf,
  fail,
  has,
  measureRound,
  ROUNDS,
  summary,
  until,
  WARM_SECONDS,
} from './tools.mjs'

const ROOT = resolve(import.meta.dirname, '../..')
const SERVER = { host: '127.19.2.1', port: 3306 }
const HAPROXY = { host: '127.19.3.1', port: 3306 }
const OURS = { host: '127.19.1.1', port: 2883 }
const FORWARDER = { host: '127.19.4.1', port: 3306 }

const PARTS = ['text', 'prepared', 'large', 'oceanbase', 'routing', 'code', 'idle', 'locations']

const options = readOptions(process.argv.slice(2))
const folder = mkdtempSync(join(tmpdir(), 'obfleet-bench-'))
const children = []
const missing = [
  ['mariadbd', 'mariadb-server'],
  ['haproxy', 'haproxy'],
  ['sysbench', 'sysbench'],
].filter(([command]) => !has(command))
if (missing.length > 0) {
  fail(`missing: install the packages ${missing.map(([, name]) => name).join(', ')}`)
}
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))

await startServer()
startHaproxy()
const forwarder = startForwarder()
const ours = startOurs()
await until(() => query(OURS, 'SELECT 1'), 'the proxy answers')
await until(() => query(HAPROXY, 'SELECT 1'), 'HAProxy answers')
await until(() => query(FORWARDER, 'SELECT 1'), 'the forwarder answers')
sysbench(SERVER, 'prepare', [])

const paths = [
  { name: 'direct', address: SERVER, pids: () => [] },
  { name: 'HAProxy', address: HAPROXY, pids: () => [haproxyPid()] },
  { name: 'bare Bun', address: FORWARDER, pids: () => [forwarder.pid] },
  { name: 'obfleet', address: OURS, pids: () => [ours.pid, ...childrenOf(ours.pid)] },
]
const workloads = [
  { part: 'text', name: 'text point select', args: ['--db-ps-mode=disable'] },
  { part: 'prepared', name: 'prepared point select', args: ['--db-ps-mode=auto'] },
]
const { parts, seconds } = options
const report = { rounds: ROUNDS, secondsARound: seconds, workloads: [] }
for (const workload of workloads)
  if (parts.includes(workload.part)) report.workloads.push(measure(workload))
report.large = parts.includes('large') ? measureLarge() : []
if (parts.includes('oceanbase') || parts.includes('idle')) {
  const { workload, idle } = await measureOceanBase({ folder, children, seconds, parts })
  if (workload !== undefined) report.workloads.push(workload)
  report.idle = idle
}
if (parts.includes('routing')) report.routing = await measureRouting({ folder, children, seconds })
if (parts.includes('code')) report.code = measureCode()
if (parts.includes('locations')) report.locations = measureLocations()
print(report)
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
process.exit(0)

function readOptions(args) {
  const read = { seconds: 6, json: undefined, parts: PARTS }
  for (let at = 0; at < args.length; at += 2) {
    if (args[at] === '--json') read.json = args[at + 1]
    else if (args[at] === '--seconds') read.seconds = Number(args[at + 1])
    else if (args[at] === '--parts') read.parts = args[at + 1].split(',')
    else fail(`unknown option ${args[at]}; known are --json FILE, --seconds N, --parts ${PARTS}`)
  }
  return read
}

async function startServer() {
  const data = join(folder, 'mariadb')
  execFileSync(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--user=root',
    ],
    { stdio: 'ignore' },
  )
  const socket = join(folder, 'mariadb.sock')
  children.push(
    spawn(
      'mariadbd',
      [
        '--no-defaults',
        '--user=root',
        `--datadir=${data}`,
        `--socket=${socket}`,
        `--bind-address=${SERVER.host}`,
        `--port=${SERVER.port}`,
        '--max-connections=200',
        '--max-allowed-packet=256M',
        '--skip-name-resolve',
      ],
      { stdio: 'ignore' },
    ),
  )
  await until(
    () =>
      execFileSync(
        'mariadb',
        [
          `--socket=${socket}`,
          '-uroot',
          '-e',
          "CREATE DATABASE IF NOT EXISTS sbtest; CREATE USER IF NOT EXISTS bench IDENTIFIED BY 'bench'; GRANT ALL ON *.* TO bench",
        ],
        { stdio: 'ignore' },
      ),
    'MariaDB answers',
  )
}

function startHaproxy() {
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    `global\n  nbthread 1\n  maxconn 500\n  pidfile ${folder}/haproxy.pid\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\nlisten sql\n  bind ${HAPROXY.host}:${HAPROXY.port}\n  server one ${SERVER.host}:${SERVER.port}\n`,
  )
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  children.push(child)
  startHaproxy.pid = child.pid
}

function haproxyPid() {
  return startHaproxy.pid
}

function startForwarder() {
  const places = [FORWARDER, SERVER].map(({ host, port }) => `${host}:${port}`)
  const bun = join(ROOT, 'node_modules/.bin/bun')
  const script = join(import.meta.dirname, 'forwarder.ts')
  const child = spawn(bun, [script, ...places], { stdio: 'ignore' })
  children.push(child)
  return child
}

function startOurs() {
  execFileSync(process.execPath, [join(ROOT, 'infra/build-node.mjs')], { stdio: 'ignore' })
  const child = spawn(
    join(ROOT, 'dist/obproxy'),
    [
      '-N',
      '-p',
      `${OURS.port}`,
      '-l',
      '2884',
      '-n',
      'bench',
      '-o',
      `local_bound_ip=${OURS.host},server_routing_mode=mysql,test_server_addr=${SERVER.host}:${SERVER.port},work_thread_num=1`,
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  children.push(child)
  return child
}

function query({ host, port }, sql) {
  return execFileSync(
    'mariadb',
    ['--skip-ssl', '-h', host, '-P', `${port}`, '-ubench', '-pbench', '-N', '-e', sql],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
}

function sysbench({ host, port }, action, args, seconds = options.seconds) {
  return execFileSync(
    'sysbench',
    [
      'oltp_point_select',
      `--mysql-host=${host}`,
      `--mysql-port=${port}`,
      '--mysql-user=bench',
      '--mysql-password=bench',
      '--mysql-db=sbtest',
      '--mysql-ssl=off',
      '--tables=1',
      '--table-size=10000',
      '--threads=8',
      `--time=${seconds}`,
      '--percentile=99',
      ...args,
      action,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  ).toString()
}

function measure({ name, args }) {
  const results = paths.map(path => ({ path: path.name, rounds: [] }))
  for (const { address } of paths) sysbench(address, 'run', args, WARM_SECONDS)
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, { address, pids }] of paths.entries())
      results[index].rounds.push(measureRound(pids(), () => sysbench(address, 'run', args)))
  return { name, results: results.map(({ path, rounds }) => ({ path, ...summary(rounds) })) }
}

/** 100 MB in one result set: rate, and the peak resident memory of the proxy meanwhile. */
function measureLarge() {
  const sql = "SELECT REPEAT('x', 10000) FROM seq_1_to_10000"
  return paths
    .filter(({ name }) => name !== 'bare Bun')
    .map(({ name, address, pids }) => {
      const started = performance.now()
      execFileSync('sh', [
        '-c',
        `mariadb --skip-ssl --quick -N -h ${address.host} -P ${address.port} -ubench -pbench sbtest -e "${sql}" > /dev/null`,
      ])
      const seconds = (performance.now() - started) / 1000
      const peakMb = pids().reduce(
        (sum, pid) =>
          sum +
          Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) /
            1024,
        0,
      )
      return { path: name, megabytesPerSec: 100 / seconds, peakMb }
    })
}

/** What routing costs without sockets, µs of CPU a statement. */
function measureCode() {
  const bun = join(ROOT, 'node_modules/.bin/bun')
  return JSON.parse(execFileSync(bun, [join(import.meta.dirname, 'code.ts')]).toString())
}

/** A million location entries: resident memory of a supervisor and of one worker, MB, idle ones taken off. */
function measureLocations() {
  const bun = join(ROOT, 'node_modules/.bin/bun')
  const script = join(import.meta.dirname, 'locations.ts')
  return ['supervisor', 'worker'].map(part => ({
    part,
    ...JSON.parse(execFileSync(bun, [script, part, '1000000']).toString()),
  }))
}

function printRouting(line, routing) {
  const [relayed] = routing
  process.stdout.write(`\npoint select over 6 scripted OBServers, median of ${ROUNDS} rounds\n\n`)
  line(['path', 'queries/s', 'CPU µs a query (least–most)', 'µs more than relayed'])
  line(['---', '---', '---', '---'])
  for (const { path, queriesPerSec, cpuUsPerQuery: cpu } of routing)
    line([
      path,
      queriesPerSec.median.toFixed(0),
      `${cpu.median.toFixed(1)} (${cpu.least.toFixed(1)}–${cpu.most.toFixed(1)})`,
      (cpu.median - relayed.cpuUsPerQuery.median).toFixed(1),
    ])
}

function printCode(line, code) {
  const [relayed] = code
  process.stdout.write('\nthe same without sockets: what the code itself costs\n\n')
  line(['path', 'CPU µs a statement, median (least)', 'µs more than relayed'])
  line(['---', '---', '---'])
  for (const { path, median, least } of code)
    line([path, `${median.toFixed(2)} (${least.toFixed(2)})`, (median - relayed.median).toFixed(2)])
}

function print({ workloads: measured, large, idle, routing, code, locations }) {
  const line = cells => process.stdout.write(`| ${cells.join(' | ')} |\n`)
  for (const workload of measured) printWorkload(line, workload)
  if (idle !== undefined)
    process.stdout.write(
      `\n${idle.connections} idle connections in OceanBase mode: ${(idle.bytesEach / 1024).toFixed(1)} KiB each\n`,
    )
  if (routing !== undefined) printRouting(line, routing)
  if (code !== undefined) printCode(line, code)
  for (const { part, entries, before, after } of locations ?? [])
    process.stdout.write(
      `\n${part} with ${entries} of 1,000,000 locations: ${after.toFixed(0)} MB resident, ${before.toFixed(0)} before\n`,
    )
  if (large.length > 0) printLarge(line, large)
}

function printWorkload(line, { name, results }) {
  const reference = results.find(({ path }) => path === 'HAProxy').cpuUsPerQuery.median
  process.stdout.write(`\n${name}, 8 threads, median of ${ROUNDS} rounds\n\n`)
  line(['path', 'queries/s', 'average ms', 'p99 ms', 'CPU µs a query (least–most)', '× HAProxy'])
  line(['---', '---', '---', '---', '---', '---'])
  for (const { path, queriesPerSec, averageMs, p99Ms, cpuUsPerQuery: cpu } of results)
    line([
      path,
      queriesPerSec.median.toFixed(0),
      averageMs.median.toFixed(2),
      p99Ms.median.toFixed(2),
      path === 'direct'
        ? '–'
        : `${cpu.median.toFixed(1)} (${cpu.least.toFixed(1)}–${cpu.most.toFixed(1)})`,
      path === 'direct' ? '–' : (cpu.median / reference).toFixed(2),
    ])
}

function printLarge(line, large) {
  process.stdout.write('\none result of 100 MB\n\n')
  line(['path', 'MB/s', 'peak memory of the proxy, MB'])
  line(['---', '---', '---'])
  for (const { path, megabytesPerSec, peakMb } of large)
    line([path, megabytesPerSec.toFixed(0), path === 'direct' ? '–' : peakMb.toFixed(0)])
}
