/** The built executable: exit codes, admin SQL, what happens when its processes are killed. */
import { rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { metrics, type Node, runToEnd, scratch, startNode } from '../support/executable.ts'

const HOST = '127.16.1.1'
/** Nobody listens there: the proxy itself must not need an OBServer to be managed. */
const ALONE =
  'rootservice_list=127.16.2.1:2881,rootservice_cluster_name=obcluster,work_thread_num=2'

const admin = (password = '', host = HOST) =>
  createConnection({ host, port: 2883, user: 'root@proxysys', password })

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

let node: Node
let sql: Connection

beforeAll(async () => {
  node = await startNode(HOST, ALONE)
  sql = await admin()
})

afterAll(async () => {
  sql?.destroy()
  await node?.stop()
})

describe('the command line', () => {
  test('prints the version as managers parse it', async () => {
    const { code, out } = await runToEnd(['-V'], node.workdir)

    expect(code).toBe(0)
    expect(out).toMatch(/^obproxy \(OceanBase \d+\.\d+\.\d+\.\d+ \d+\)\n/)
  })

  test.each([
    ['an unknown option', ['-x'], 2, /unknown option -x/],
    ['an unknown parameter', ['-N', '-o', 'nosuch=1'], 3, /System config unknown: 'nosuch'/],
    ['a value out of range', ['-N', '-p', '80'], 3, /Invalid config: 'listen_port'/],
    [
      'no OB cluster to reach',
      ['-N'],
      3,
      /rootservice_list, obproxy_config_server_url: none is set/,
    ],
    [
      'a port in use',
      ['-N', '-p', '2883', '-o', `local_bound_ip=${HOST},${ALONE}`],
      4,
      /is in use/,
    ],
  ])('%s ends with one line and its code', async (_name, args, code, line) => {
    const workdir = scratch()

    const ended = await runToEnd(args, workdir)

    expect(ended.code).toBe(code)
    expect(ended.out.trim().split('\n')).toHaveLength(1)
    expect(ended.out).toMatch(line)
    rmSync(workdir, { recursive: true })
  })

  test('a second proxy in the same directory is refused', async () => {
    const ended = await runToEnd(['-N', '-p', '2899', '-o', ALONE], node.workdir)

    expect(ended).toEqual({ code: 5, out: `obproxy: another obproxy runs in ${node.workdir}\n` })
  })
})

describe('tenant proxysys', () => {
  test.each([
    'SET NAMES utf8mb4',
    'set autocommit=1',
    'BEGIN',
    'COMMIT',
    'ping proxy',
    '/* ping */ SELECT 1',
    'SELECT @@session.tx_isolation, @@max_allowed_packet AS m',
    "SHOW VARIABLES LIKE 'sql_mode'",
    'show warnings',
    'SELECT proxy_version();',
    'SHOW PROXYINFO BINARY',
  ])('answers %s', async statement => {
    await expect(sql.query(statement)).resolves.toBeDefined()
  })

  test('lists the whole catalogue and filters it case-sensitively', async () => {
    const [all] = await sql.query<RowDataPacket[]>('SHOW PROXYCONFIG')
    const [some] = await sql.query<RowDataPacket[]>("show proxyconfig like '%listen_port'")
    const [none] = await sql.query<RowDataPacket[]>("show proxyconfig like 'LISTEN%'")

    // OBProxy's 299 parameters, twelve of our own, and the seven virtual rows of the config server.
    expect(all).toHaveLength(318)
    expect(some.map(row => row['name'])).toEqual([
      'listen_port',
      'prometheus_listen_port',
      'rpc_listen_port',
    ])
    expect(none).toEqual([])
  })

  test.each([
    ['alter proxyconfig set nosuch = 1', 5099, '42000'],
    ['alter proxyconfig set client_max_connections = many', 4147, 'HY000'],
    ["alter proxyconfig set app_name = 'x'", 1235, '0A000'],
    ['select * from t', 5010, '21000'],
    ['show tables', 5010, '21000'],
  ])('refuses %s', async (statement, errno, sqlState) => {
    await expect(sql.query(statement)).rejects.toMatchObject({ errno, sqlState })
  })

  test('lists its own session', async () => {
    const [rows] = await sql.query<RowDataPacket[]>('SHOW PROCESSLIST')

    expect(rows).toEqual([
      expect.objectContaining({ Id: sql.threadId, Tenant: 'proxysys', User: 'root' }),
    ])
  })

  test('takes a password at once, keeps it over a restart and shows it nowhere', async () => {
    const own = await startNode('127.16.1.2', ALONE)
    const first = await admin('', '127.16.1.2')
    await first.query("alter proxyconfig set obproxy_sys_password = 'secret'")
    const [shown] = await first.query<RowDataPacket[]>(
      "show proxyconfig like 'obproxy_sys_password'",
    )
    expect(shown[0]?.['value']).toBe('******')
    first.destroy()
    const gone = new Promise(done => own.child.once('exit', done))
    own.child.kill('SIGKILL')
    await gone

    const again = await startNode('127.16.1.2', ALONE, own.workdir)

    await expect(admin('', '127.16.1.2')).rejects.toMatchObject({ errno: 1045 })
    ;(await admin('secret', '127.16.1.2')).destroy()
    expect(statSync(join(own.workdir, 'etc/proxyconfig_v1.db')).mode & 0o777).toBe(0o600)
    await again.stop()
  })
})

describe('a login that cannot succeed', () => {
  test('is told that no server is there', async () => {
    const login = createConnection({
      host: HOST,
      port: 2883,
      user: 'u@app#obcluster',
      password: 'x',
    })

    await expect(login).rejects.toMatchObject({ errno: 10013 })
  })

  test.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['an oversized login', Buffer.from([0xff, 0xff, 0x0f, 1, 0, 0])],
    ['a truncated login', Buffer.from([3, 0, 0, 1, 1, 2, 3])],
  ])('%s gets an error packet and a close', async (_name, bytes) => {
    const socket = connect(2883, HOST)
    const received: Buffer[] = []
    socket.on('data', chunk => received.push(chunk as Buffer))
    await new Promise(done => socket.once('data', done))
    socket.write(bytes)
    await new Promise(done => socket.once('close', done))

    const answer = Buffer.concat(received)
    expect(answer.includes(Buffer.from('#HY000Malformed communication packet'))).toBe(true)
  })

  test('leaves the node ready for the next one', async () => {
    expect(await metrics(HOST, '/health')).toBe('alive\n')
    expect((await sql.query<RowDataPacket[]>('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })
})

describe('kill -9', () => {
  test('of a worker: another one is there within two seconds, the node goes on', async () => {
    const [victim] = node.workers()
    const before = Date.now()
    process.kill(victim ?? 0, 'SIGKILL')

    await expect
      .poll(() => node.workers().filter(pid => pid !== victim).length, {
        timeout: 5_000,
        interval: 20,
      })
      .toBe(2)

    expect(Date.now() - before).toBeLessThan(2_000)
    const next = await admin()
    expect((await next.query<RowDataPacket[]>('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
    next.destroy()
  })

  test('of the supervisor: its workers end, and a new start takes the place', async () => {
    const own = await startNode('127.16.1.3', `${ALONE},hot_upgrade_exit_timeout=1000000`)
    const workers = own.workers()
    expect(workers).toHaveLength(2)
    const gone = new Promise(done => own.child.once('exit', done))
    own.child.kill('SIGKILL')
    await gone

    const again = await startNode('127.16.1.3', ALONE, own.workdir)

    ;(await admin('', '127.16.1.3')).destroy()
    await expect.poll(() => workers.filter(isAlive), { timeout: 10_000 }).toEqual([])
    await again.stop()
  })

  test('TERM ends everything', async () => {
    const own = await startNode('127.16.1.4', ALONE)
    const workers = own.workers()

    await own.stop()

    expect(workers.filter(isAlive)).toEqual([])
    expect(own.child.exitCode).toBe(0)
  })
})
