/** One host with the stand-in running on an address of its own, and clients of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { vi } from 'vitest'
import { type Installation, installRpm } from '../../support/reference-obproxy/installation.ts'

export const DEADLINE = { timeout: 20_000, interval: 20 }

export type Scene = {
  readonly installation: Installation
  readonly host: string
  readonly stop: () => Promise<void>
}

/** A host that has never been started. */
export function newHost(host: string): Scene {
  const root = mkdtempSync(join(tmpdir(), 'obfleet-reference-'))
  const installation = installRpm(root)
  return {
    installation,
    host,
    stop: async () => {
      await installation.stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** A host whose proxy serves; it answers clients itself unless `args` say otherwise. */
export async function running(
  host: string,
  options = 'server_routing_mode=mock',
  args: readonly string[] = [],
): Promise<Scene> {
  const scene = newHost(host)
  try {
    await start(scene, options, args)
    return scene
  } catch (error) {
    await scene.stop()
    throw error
  }
}

export async function start(
  { installation, host }: Scene,
  options: string,
  args: readonly string[] = [],
): Promise<void> {
  const all = ['-p', '2883', '-l', '2884', '-n', 'shop', '-o', `local_bound_ip=${host},${options}`]
  await installation.obproxy([...all, ...args])
  await serving(host)
}

/** Waits until root@proxysys gets in. */
export async function serving(host: string, password = 'proxysys'): Promise<void> {
  await vi.waitFor(async () => {
    const admin = await adminOf(host, password)
    await admin.end()
  }, DEADLINE)
}

export function connect(host: string, user: string, password = ''): Promise<Connection> {
  return createConnection({ host, port: 2883, user, password, supportBigNumbers: true })
}

export function adminOf(host: string, password = 'proxysys'): Promise<Connection> {
  return connect(host, 'root@proxysys', password)
}

export async function rowsOf(connection: Connection, sql: string): Promise<RowDataPacket[]> {
  const [rows] = await connection.query<RowDataPacket[]>(sql)
  return rows
}

export async function parameterOf(
  connection: Connection,
  name: string,
): Promise<string | undefined> {
  const [row] = await rowsOf(connection, `SHOW PROXYCONFIG LIKE '${name}'`)
  return row?.['value']
}

/** Number of the error that `sql` is answered with. */
export async function errorOf(connection: Connection, sql: string): Promise<number | undefined> {
  try {
    await connection.query(sql)
    return undefined
  } catch (error) {
    return (error as { errno?: number }).errno
  }
}

/** Pid of the process that takes new connections. */
export async function pidOf(host: string, password = 'proxysys'): Promise<number> {
  const admin = await adminOf(host, password)
  try {
    const [own] = await rowsOf(admin, 'SHOW PROCESSLIST')
    return Number(own?.['pid'])
  } finally {
    admin.destroy()
  }
}

/** Resolves when the proxy ends the connection. */
export function closed(connection: Connection): Promise<void> {
  // A pooled error of the driver comes before the end.
  connection.on('error', () => {})
  return new Promise(done => connection.on('end', done))
}
