/**
 * The stack on one machine: an OB cluster (a real kernel behind three fronts) and a proxy node in
 * front of it, each a process of its own. Ends at a ready screen; Ctrl-C stops all of it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { installKernel, type KernelAccounts } from './kernel.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const NODE = { host: '127.10.1.1', sqlPort: 2883, exporterPort: 2884 }
const OBSERVERS = '127.10.2'
const READY_DEADLINE_MS = 90_000

type Stack = { readonly children: ChildProcess[]; stopping: boolean }

/** Runs until it is stopped; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter(arg => arg !== '--reset' && arg !== '--json')
  if (unknown.length > 0)
    return complain(`unknown option ${unknown[0]}; known are --reset and --json`)
  const asJson = args.includes('--json')
  const home = join(ROOT, '.obfleet')
  const stack: Stack = { children: [], stopping: false }
  const note = (line: string) => {
    if (!asJson) process.stdout.write(`  ${line}\n`)
  }
  const stopped = new Promise<number>(done => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => void stop(stack).then(() => done(0)))
  })
  try {
    if (args.includes('--reset')) reset(home)
    mkdirSync(home, { recursive: true, mode: 0o700 })
    const ready = await start(stack, home, note)
    process.stdout.write(asJson ? `${JSON.stringify(ready)}\n` : screen(ready))
    const lost = lostChild(stack)
    return await Promise.race([stopped, lost])
  } catch (error) {
    await stop(stack)
    return complain((error as Error).message)
  }
}

/** Forgets the data and the nodes, keeps what was downloaded. */
function reset(home: string): void {
  for (const part of ['kernel/data', 'kernel/accounts.json', 'nodes', 'dev.json'])
    rmSync(join(home, part), { recursive: true, force: true })
}

type Ready = ReturnType<typeof describe>

async function start(stack: Stack, home: string, note: (line: string) => void): Promise<Ready> {
  note('building the node executable')
  execFileSync(process.execPath, [join(ROOT, 'infra/build-node.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await installKernel(join(home, 'kernel'), note)
  note('starting the OceanBase kernel and its three fronts')
  await startObservers(stack, join(home, 'kernel'))
  const accounts = JSON.parse(
    readFileSync(join(home, 'kernel/accounts.json'), 'utf8'),
  ) as KernelAccounts
  note('starting the proxy node')
  startNode(stack, join(home, 'nodes/node1'), accounts)
  await until(isReady, 'the proxy node is not ready', stack)
  const ready = describe(accounts)
  writePrivately(join(home, 'dev.json'), ready)
  return ready
}

function startObservers(stack: Stack, folder: string): Promise<void> {
  const script = join(import.meta.dirname, 'observers.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', script, folder, OBSERVERS], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  stack.children.push(child)
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(-2000)
  })
  return new Promise((done, reject) => {
    child.stdout.once('data', () => done())
    child.once('exit', () => reject(new Error(`OB cluster: ${complaint.trim()}`)))
  })
}

function startNode(stack: Stack, workdir: string, accounts: KernelAccounts): void {
  mkdirSync(workdir, { recursive: true, mode: 0o700 })
  const servers = [1, 2, 3].map(index => `${OBSERVERS}.${index}:2881`).join(';')
  const child = spawn(
    join(ROOT, 'dist/obproxy'),
    [
      '-N',
      '-p',
      `${NODE.sqlPort}`,
      '-l',
      `${NODE.exporterPort}`,
      '-n',
      'demo',
      '-c',
      'obcluster',
      '-r',
      servers,
      '-o',
      `local_bound_ip=${NODE.host},proxy_id=1,client_session_id_version=2,mysql_version=5.7.25`,
    ],
    {
      cwd: workdir,
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
      env: {
        ...process.env,
        OBPROXY_ROOT: workdir,
        observer_sys_password: createHash('sha1').update(accounts.proxyro).digest('hex'),
      },
    },
  )
  stack.children.push(child)
}

async function isReady(): Promise<boolean> {
  const answer = await fetch(`http://${NODE.host}:${NODE.exporterPort}/ready`).catch(
    () => undefined,
  )
  return answer?.ok === true
}

async function until(
  holds: () => Promise<boolean>,
  otherwise: string,
  stack: Stack,
): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS
  while (!(await holds())) {
    const dead = stack.children.find(child => child.exitCode !== null)
    if (dead !== undefined || Date.now() > deadline) throw new Error(otherwise)
    await new Promise(done => setTimeout(done, 50))
  }
}

function describe(accounts: KernelAccounts) {
  return {
    nodes: [{ id: 'node1', name: 'node1', ...NODE }],
    obClusters: [
      {
        name: 'obcluster',
        rootservice: `${OBSERVERS}.1:2881`,
        real: true,
        user: accounts.user,
        tenant: 'app',
        password: accounts.password,
        database: accounts.database,
      },
    ],
  }
}

function screen({ nodes, obClusters }: Ready): string {
  const [node] = nodes
  const [cluster] = obClusters
  if (node === undefined || cluster === undefined) return ''
  const secret = `node -p "require('./.obfleet/dev.json').obClusters[0].password"`
  return `
  ready

  OB cluster   ${cluster.name}: a real OceanBase kernel behind three fronts ${OBSERVERS}.1-3:2881
  proxy node   ${node.host}:${node.sqlPort}, metrics on http://${node.host}:${node.exporterPort}/metrics

  MYSQL_PWD="$(${secret})" \\
    mysql -h ${node.host} -P ${node.sqlPort} -u ${cluster.user}@${cluster.tenant}#${cluster.name} ${cluster.database}
  mysql -h ${node.host} -P ${node.sqlPort} -u root@proxysys -e "SHOW PROCESSLIST"

  Ctrl-C stops everything; started again, the data is as it was.
`
}

/** A part that ends by itself ends the stack, with a line that says which. */
function lostChild(stack: Stack): Promise<number> {
  return new Promise(done => {
    for (const child of stack.children)
      child.once('exit', () => {
        if (stack.stopping) return
        void stop(stack).then(() => done(complain(`${child.spawnfile} ended unexpectedly`)))
      })
  })
}

async function stop(stack: Stack): Promise<void> {
  stack.stopping = true
  const ends = stack.children
    .filter(child => child.exitCode === null && child.signalCode === null)
    .reverse()
    .map(
      child =>
        new Promise<void>(done => {
          child.once('exit', () => done())
          child.kill('SIGTERM')
        }),
    )
  await Promise.all(ends)
}

function writePrivately(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  chmodSync(`${file}.new`, 0o600)
  renameSync(`${file}.new`, file)
}

function complain(line: string): number {
  process.stderr.write(`obfleet: ${line}\n`)
  return 1
}
