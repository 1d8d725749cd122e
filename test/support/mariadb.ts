/** A MariaDB server of a suite's own, from the distribution's package. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'

const DEADLINE_MS = 60_000

export type MariaDb = { readonly stop: () => Promise<void> }

/** Whether the package is installed; an error instead when `CI=true`. */
export function hasMariaDb(): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v mariadbd && command -v mariadb-install-db'], {
      stdio: 'ignore',
    })
    return true
  } catch {
    if (process.env['CI'] === 'true') throw new Error('install the package mariadb-server')
    return false
  }
}

/** Serves on `host`:3306 with the account given, which may do everything. */
export async function startMariaDb(
  host: string,
  { user, password, database }: { user: string; password: string; database: string },
): Promise<MariaDb> {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-mariadb-'))
  const data = join(folder, 'data')
  const socket = join(folder, 'socket')
  const options = ['--no-defaults', '--user=root', `--datadir=${data}`]
  const install = ['--auth-root-authentication-method=normal', '--skip-test-db']
  execFileSync('mariadb-install-db', [...options, ...install], { stdio: 'ignore' })
  const server = spawn(
    'mariadbd',
    [
      ...options,
      `--socket=${socket}`,
      `--bind-address=${host}`,
      '--port=3306',
      '--max-allowed-packet=64M',
      '--skip-name-resolve',
    ],
    { stdio: 'ignore' },
  )
  try {
    const root = await connected(socket, server)
    await root.query(`CREATE DATABASE ${database}`)
    await root.query(`CREATE USER ${user} IDENTIFIED BY '${password}'`)
    await root.query(`GRANT ALL ON *.* TO ${user}`)
    await root.end()
  } catch (error) {
    server.kill('SIGKILL')
    throw error
  }
  return {
    stop: async () => {
      const ended = new Promise(done => server.once('exit', done))
      server.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function connected(socketPath: string, server: ChildProcess) {
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    try {
      return await createConnection({ socketPath, user: 'root' })
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadline)
        throw new Error(`MariaDB does not start: ${(error as Error).message}`)
      await new Promise(done => setTimeout(done, 100))
    }
  }
}
