/**
 * A proxy that lives on through hot restarts: started from `<home>/bin/obproxy` over a scripted
 * server in MySQL mode, found again by its pid file whatever process it is by now.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { childrenOf, metrics, scratch } from './executable.ts'
import { type FakeConnection, type FakeServer, startFakeServer } from './fake-server.ts'
import { type Patience, until } from './until.ts'

const BUILT = resolve(import.meta.dirname, '../../dist/obproxy')
/** Of the home; it is started by this relative path. */
const OWN_PATH = 'bin/obproxy'
const DEADLINE_MS = 90_000
/** Processes start, and clients may take their time to leave. */
export const NODE_PATIENCE: Patience = { deadlineMs: DEADLINE_MS, everyMs: 10 }
const IN_TRANSACTION = 0x0003
const OUTSIDE = 0x0002

/** Takes BEGIN, COMMIT and ROLLBACK; anything else is one row. */
export function startTransactionServer(): Promise<FakeServer> {
  const open = new WeakSet<FakeConnection>()
  return startFakeServer({
    extraOk: false,
    onCommand: (connection, command, server) => {
      if (command[0] !== 0x03) return false
      const sql = command.subarray(1).toString().toUpperCase()
      if (sql === 'HANG') return true
      if (sql === 'BEGIN') open.add(connection)
      if (sql === 'COMMIT' || sql === 'ROLLBACK') open.delete(connection)
      const status = open.has(connection) ? IN_TRANSACTION : OUTSIDE
      if (/^(BEGIN|COMMIT|ROLLBACK|SET)/.test(sql)) connection.ok(status)
      else connection.rows({ columns: ['port'], rows: [[server.port]] }, status)
      return true
    },
  })
}

export type RunningNode = {
  readonly host: string
  readonly home: string
  readonly executable: string
  readonly server: FakeServer
  /** The process that is the proxy now. */
  readonly pid: () => number
  readonly workers: () => number[]
  readonly admin: () => Promise<Connection>
  /** One statement on a connection of its own. */
  readonly ask: (sql: string) => Promise<RowDataPacket[]>
  /** SHOW PROXYINFO UPGRADE, name → value. */
  readonly upgrade: () => Promise<ReadonlyMap<string, string>>
  readonly restart: () => Promise<void>
  /** A file put in place of the executable, as an upgrade does. */
  readonly replace: (from: string) => void
  readonly stop: () => Promise<void>
}

export async function startRunningNode(
  host: string,
  options = '',
  mode: '-N' | 'in background' = '-N',
): Promise<RunningNode> {
  const home = scratch()
  const server = await startTransactionServer()
  mkdirSync(join(home, 'bin'))
  const executable = join(home, OWN_PATH)
  copyFileSync(BUILT, executable)
  const child = launch(home, mode, [
    `local_bound_ip=${host}`,
    'server_routing_mode=mysql',
    `test_server_addr=${server.host}:${server.port}`,
    'automatic_match_work_thread=false',
    'work_thread_num=2',
    'proxy_hot_upgrade_check_interval=1s',
    ...(options === '' ? [] : [options]),
  ])
  await serving(host, home, child)
  const pid = () => Number(readFileSync(join(home, 'run/obproxy.pid'), 'utf8'))
  const admin = () =>
    createConnection({ host, port: 2883, user: 'root@proxysys', connectTimeout: DEADLINE_MS })
  const ask = async (sql: string) => {
    const connection = await admin()
    try {
      return (await connection.query<RowDataPacket[]>(sql))[0]
    } finally {
      connection.destroy()
    }
  }
  return {
    host,
    home,
    executable,
    server,
    pid,
    workers: () => childrenOf(pid()),
    admin,
    ask,
    upgrade: async () => pairs(await ask('SHOW PROXYINFO UPGRADE')),
    restart: async () => void (await ask('ALTER PROXYCONFIG SET proxy_local_cmd = 2')),
    replace: from => {
      copyFileSync(from, `${executable}.new`)
      renameSync(`${executable}.new`, executable)
    },
    stop: async () => {
      await ended(pid)
      await server.stop()
      child.kill('SIGKILL')
      rmSync(home, { recursive: true, force: true })
    },
  }
}

function launch(home: string, mode: string, options: readonly string[]): ChildProcess {
  return spawn(
    `./${OWN_PATH}`,
    [
      ...(mode === '-N' ? [mode] : []),
      '-p',
      '2883',
      '-l',
      '2884',
      '-n',
      'suite',
      '-o',
      options.join(','),
    ],
    { cwd: home, stdio: 'ignore' },
  )
}

async function serving(host: string, home: string, child: ChildProcess): Promise<void> {
  await until(
    'the proxy serves',
    async () => {
      if (child.exitCode !== null && child.exitCode !== 0)
        throw new Error(`obproxy did not start: exit ${child.exitCode}`)
      return (
        existsSync(join(home, 'run/obproxy.pid')) &&
        /^odp_workers\{.*\} 2/m.test(await metrics(host))
      )
    },
    NODE_PATIENCE,
  )
}

function pairs(rows: readonly RowDataPacket[]): ReadonlyMap<string, string> {
  return new Map(
    rows.map(row => {
      const [name = '', ...value] = String(row['info']).split(':')
      return [name, value.join(':')]
    }),
  )
}

async function ended(pidOf: () => number): Promise<void> {
  let pid: number
  try {
    pid = pidOf()
  } catch {
    return
  }
  const workers = childrenOf(pid)
  signal(pid, 'SIGTERM')
  await until('the proxy ends', () => ![pid, ...workers].some(isAlive), NODE_PATIENCE).catch(() => {
    for (const left of [pid, ...workers]) signal(left, 'SIGKILL')
  })
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It is gone.
  }
}

/** A zombie is dead: its parent has not looked yet. */
export function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z'
  } catch {
    return false
  }
}

/** Which file `pid` runs: equal for equal files, also after it was replaced. */
export function runningFile(pid: number): string {
  return fileId(`/proc/${pid}/exe`)
}

export function fileId(path: string): string {
  const { dev, ino } = statSync(path)
  return `${dev}:${ino}`
}
