/**
 * The real OceanBase kernel (kernel.md): a Python package in a virtual environment of its own,
 * started as one process. It listens on every address and has a root without a password, so the
 * first statement gives it a random one, before any front opens (L5).
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { TableEntry, Tablet } from './front/picture.ts'

const PACKAGE = 'pylibseekdb==1.3.0'
const READY_DEADLINE_MS = 60_000
const RUN = promisify(execFile)

/** Names and passwords of the accounts that the kernel is given. */
export type KernelAccounts = {
  readonly root: string
  readonly proxyro: string
  readonly user: string
  readonly password: string
  readonly database: string
}

export type Kernel = {
  readonly port: number
  readonly accounts: KernelAccounts
  readonly tableEntry: (database: string, table: string) => Promise<TableEntry | undefined>
  /** Rows of a statement, as root in a database. */
  readonly ask: (database: string, sql: string) => Promise<readonly RowDataPacket[]>
  readonly pid: number
  readonly stop: () => Promise<void>
}

/** Why the kernel cannot be had on this machine, in one line for the user. */
export class KernelUnavailable extends Error {}

/** The kernel is there, but does not come up. */
class KernelFailed extends Error {
  readonly code = 'KERNEL_FAILED'
}

/**
 * Puts the package in place under `folder/venv`, once; a half-made environment is made anew.
 * `OBFLEET_KERNEL_VENV` names one that exists. @throws KernelUnavailable
 */
export async function installKernel(folder: string, note: (line: string) => void): Promise<string> {
  const given = process.env['OBFLEET_KERNEL_VENV']
  const venv = given ?? join(folder, 'venv')
  const python = join(venv, 'bin/python')
  const done = join(venv, '.complete')
  if (given !== undefined) return await imports(python)
  if (existsSync(done)) return python
  await RUN('python3', ['--version']).catch(() => {
    throw new KernelUnavailable('python3 is not installed')
  })
  note(`installing ${PACKAGE} (160 MB, once)`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  rmSync(venv, { recursive: true, force: true })
  try {
    await RUN('python3', ['-m', 'venv', venv])
    await RUN(join(venv, 'bin/pip'), ['install', '--quiet', PACKAGE], { timeout: 900_000 })
  } catch (error) {
    throw new KernelUnavailable(`${PACKAGE} cannot be installed: ${lastLine(error)}`)
  }
  await imports(python)
  writeFileSync(done, `${PACKAGE}\n`)
  return python
}

async function imports(python: string): Promise<string> {
  await RUN(python, ['-c', 'import pylibseekdb']).catch(error => {
    throw new KernelUnavailable(`${PACKAGE} cannot be used: ${lastLine(error)}`)
  })
  return python
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { readonly stderr?: string; readonly message?: string }
  return ((stderr ?? '').trim() || String(message)).trim().split('\n').at(-1) ?? ''
}

/**
 * Opens the kernel and stays. It dies with whoever started it, however that one ends: a second kernel
 * on the same data could not start. Linux prctl(2), PR_SET_PDEATHSIG = 1.
 */
const KERNEL_SCRIPT = `
import ctypes, os, pylibseekdb, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[3]): sys.exit('the process that started the kernel has ended')
pylibseekdb.open_with_service(sys.argv[1], int(sys.argv[2]))
signal.pause()
`

/** Starts the kernel on its data under `folder` and waits until it answers. @throws KernelFailed */
export async function startKernel(python: string, folder: string): Promise<Kernel> {
  const begun = beginData(folder)
  const port = await freePort()
  const args = ['-c', KERNEL_SCRIPT, join(folder, 'data'), String(port), String(process.pid)]
  const child = spawn(python, args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(-2000)
  })
  child.on('error', error => {
    complaint = error.message
  })
  const accounts = readAccounts(folder)
  const connection = await ready(child, port, accounts, () => complaint)
  await prepare(connection, accounts)
  rmSync(begun, { force: true })
  return {
    port,
    accounts,
    pid: child.pid ?? 0,
    tableEntry: (database, table) => tableEntry(connection, database, table),
    ask: (database, sql) => askIn(connection, database, sql),
    stop: () => stop(child, connection),
  }
}

/**
 * The data directory, and the mark that is there until its first start has come to its end: what a
 * kernel that was killed before that leaves never starts again, and holds nothing of anybody.
 */
function beginData(folder: string): string {
  const data = join(folder, 'data')
  const begun = join(folder, 'data.begun')
  if (existsSync(begun)) rmSync(data, { recursive: true, force: true })
  if (!existsSync(data)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(begun, '', { mode: 0o600 })
    mkdirSync(data, { mode: 0o700 })
  }
  return begun
}

/** The accounts under `folder`, made with random passwords the first time, 0600. */
export function readAccounts(folder: string): KernelAccounts {
  const file = join(folder, 'accounts.json')
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as KernelAccounts
  const secret = () => randomBytes(18).toString('base64url')
  const accounts = {
    root: secret(),
    proxyro: secret(),
    user: 'demo',
    password: secret(),
    database: 'demo',
  }
  writeFileSync(`${file}.new`, JSON.stringify(accounts), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return accounts
}

async function ready(
  child: ChildProcess,
  port: number,
  accounts: KernelAccounts,
  complaint: () => string,
): Promise<Connection> {
  const deadline = Date.now() + READY_DEADLINE_MS
  for (;;) {
    if (child.exitCode !== null || child.pid === undefined)
      throw new KernelFailed(`the kernel ended at start: ${complaint().trim().split('\n').at(-1)}`)
    for (const password of [accounts.root, '']) {
      const open = await createConnection({
        host: '127.0.0.1',
        port,
        user: 'root',
        password,
      }).catch(() => undefined)
      if (open === undefined) continue
      if (password === '') await open.query(`ALTER USER root IDENTIFIED BY '${accounts.root}'`)
      return open
    }
    if (Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new KernelFailed(`the kernel did not answer within ${READY_DEADLINE_MS / 1000} s`)
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

async function prepare(connection: Connection, accounts: KernelAccounts): Promise<void> {
  const { user, password, proxyro, database } = accounts
  const statements = [
    `CREATE USER IF NOT EXISTS proxyro IDENTIFIED BY '${proxyro}'`,
    'GRANT SELECT ON oceanbase.* TO proxyro',
    `CREATE DATABASE IF NOT EXISTS ${database}`,
    `CREATE USER IF NOT EXISTS ${user} IDENTIFIED BY '${password}'`,
    `GRANT ALL PRIVILEGES ON *.* TO ${user}`,
  ]
  for (const statement of statements) await connection.query(statement)
}

/** Statements of a connection are carried out in the order in which they were asked. */
async function askIn(connection: Connection, database: string, sql: string) {
  const used = connection.query(`USE \`${database.replaceAll('`', '``')}\``)
  const asked = connection.query<RowDataPacket[]>(sql)
  const [, [rows]] = await Promise.all([used, asked])
  return rows
}

async function tableEntry(
  connection: Connection,
  database: string,
  table: string,
): Promise<TableEntry | undefined> {
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT table_id, table_type, part_num, schema_version, tablet_id
     FROM oceanbase.__all_virtual_proxy_schema
     WHERE tenant_name = 'sys' AND database_name = ? AND table_name = ?`,
    [database, table],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const tableId = Number(row['table_id'])
  const tablets =
    Number(row['part_num']) > 1
      ? await partitionsOf(connection, tableId)
      : tabletOf(tableId, Number(row['tablet_id']), Number(row['table_type']))
  return {
    tableId,
    tableType: Number(row['table_type']),
    schemaVersion: Number(row['schema_version']),
    tablets,
  }
}

/** OceanBase's numbers of system views, virtual tables and views: they lie nowhere. */
const NOWHERE = [1, 2, 4]

function tabletOf(tableId: number, tabletId: number, tableType: number): readonly Tablet[] {
  if (NOWHERE.includes(tableType)) return []
  return [{ tabletId: tabletId === 0 ? tableId : tabletId, partitionId: '0', name: '' }]
}

/** Leaves in the order in which the kernel tells of them. */
async function partitionsOf(connection: Connection, tableId: number): Promise<readonly Tablet[]> {
  const ask = async (table: string) => {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT part_id, part_name, tablet_id FROM oceanbase.${table}
       WHERE tenant_name = 'sys' AND table_id = ?`,
      [tableId],
    )
    return rows
  }
  const first = await ask('__all_virtual_proxy_partition')
  const second = first.some(row => Number(row['tablet_id']) !== 0)
    ? first
    : await ask('__all_virtual_proxy_sub_partition')
  return second.map(row => ({
    tabletId: Number(row['tablet_id']),
    partitionId: String(row['part_id']),
    name: String(row['part_name']),
  }))
}

async function stop(child: ChildProcess, connection: Connection): Promise<void> {
  connection.destroy()
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise(resolve => child.once('exit', resolve))
  // It has no orderly end of its own; committed rows survive (kernel.md §1).
  child.kill('SIGKILL')
  await ended
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}
