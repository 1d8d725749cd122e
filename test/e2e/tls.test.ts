/** The built executable with TLS: drivers, certificates that change under it, IPv6. */
import { execFile } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Certificate, startAuthority } from '../support/certificates.ts'
import { metrics, type Node, startNode } from '../support/executable.ts'
import { type FakeServer, startFakeServer } from '../support/fake-server.ts'
import { RawClient } from '../support/raw-client.ts'

const HOST = '127.16.7.1'
const authority = startAuthority()
const names = [`IP:${HOST}`, 'IP:::1']
const first = authority.issue('first', names)
const second = authority.issue('second', names, 60)
const certFile = join(authority.folder, 'live.pem')
const keyFile = join(authority.folder, 'live.key')

const put = (certificate: Certificate) => {
  copyFileSync(certificate.certFile, certFile)
  copyFileSync(certificate.keyFile, keyFile)
}
const ssl = { ca: authority.cert, rejectUnauthorized: true }
const as = (user: string, host = HOST) => ({ host, port: 2883, user, password: '' })
const root = as('root@proxysys')

let server: FakeServer
let node: Node
let closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

beforeAll(async () => {
  put(first)
  server = await startFakeServer({ extraOk: false, tls: first })
  node = await startNode(HOST, options(server))
})

afterAll(async () => {
  await node?.stop()
  await server?.stop()
  authority.stop()
})

function options({ host, port }: FakeServer): string {
  return [
    `server_routing_mode=mysql,test_server_addr=${host}:${port},work_thread_num=2`,
    `enable_client_ssl=true,ssl_certificate_file=${certFile},ssl_private_key_file=${keyFile}`,
    'enable_server_ssl=true,ssl_certificate_check_interval=100ms',
  ].join(',')
}

async function admin(statement: string): Promise<RowDataPacket[]> {
  const connection = await createConnection({ ...root, ssl })
  const [rows] = await connection.query<RowDataPacket[]>(statement)
  connection.destroy()
  return rows
}

const info = async () =>
  Object.fromEntries((await admin('SHOW PROXYINFO SSL')).map(row => [row['name'], row['info']]))

/** The column of all sessions. */
async function usingSsl(connection: Connection): Promise<unknown[]> {
  const [rows] = await connection.query<RowDataPacket[]>('SHOW PROXYSESSION')
  return rows.map(row => row['using_ssl'])
}

/** Common name of the certificate that a new client is shown. */
async function shown(): Promise<unknown> {
  const client = new RawClient(2883, HOST)
  await client.next()
  const secure = await client.secure()
  const { subject } = secure.getPeerCertificate()
  client.socket.destroy()
  return subject.CN
}

async function gauge(name: string): Promise<number[]> {
  const lines = (await metrics(HOST)).split('\n').filter(line => line.startsWith(`${name}{`))
  return lines.map(line => Number(line.slice(line.lastIndexOf(' '))))
}

describe('clients', () => {
  test('mysql2 logs in by ssl, checks the certificate, and is seen to use TLS', async () => {
    const connection = await createConnection({ ...root, ssl })
    await expect.poll(() => usingSsl(connection)).toEqual([1])
    const user = await createConnection({ ...as('u'), ssl })
    const [answer] = await user.query<RowDataPacket[]>('SELECT 1')

    expect(answer).toEqual([{ port: String(server.port) }])
    expect(server.connections.at(-1)?.sslRequest).toHaveLength(36)
    connection.destroy()
    user.destroy()
  })

  test('mysql2 without ssl still works, and is seen to use none', async () => {
    const connection = await createConnection(root)

    await expect.poll(() => usingSsl(connection)).toEqual([0])
    connection.destroy()
  })

  test.each(['root@proxysys', 'u'])('the mariadb client logs in by --ssl as %s', async user => {
    const { stdout } = await promisify(execFile)('mariadb', [
      ...['--no-defaults', '--ssl', `--ssl-ca=${authority.certFile}`, '--ssl-verify-server-cert'],
      ...['-h', HOST, '-P', '2883', '-u', user, '-e', user === 'u' ? 'SELECT 1' : '\\s'],
    ])

    expect(stdout).toMatch(user === 'u' ? /^port/ : /SSL:\s+Cipher in use is \w+/)
  })

  test('are refused without TLS once it is demanded, the node itself is not', async () => {
    await admin(`ALTER PROXYCONFIG SET ssl_attributes = '{"using_ssl":"ENABLE_FORCE"}'`)

    await expect.poll(() => createConnection(as('u')).catch(({ errno }) => errno)).toBe(3159)
    ;(await createConnection({ ...as('u'), ssl })).destroy()
    ;(await createConnection(root)).destroy()
    await admin("ALTER PROXYCONFIG SET ssl_attributes = ''")
  })
})

describe('handshakes', () => {
  /** done and failed with clients, done and failed with servers. */
  const counted = () => gauge('odp_tls_handshake_total')

  test('are counted by side and result', async () => {
    const before = await counted()
    const user = await createConnection({ ...as('u'), ssl })
    const refused = createConnection({ ...as('u'), ssl: { ...ssl, ca: 'none' } })
    await expect(refused).rejects.toThrow()
    user.destroy()

    await expect
      .poll(async () => (await counted()).map((count, at) => count - (before[at] ?? 0)))
      .toEqual([1, 1, 1, 0])
  })
})

describe('certificates', () => {
  test('show until when they are good', async () => {
    const [expiry = 0] = await gauge('odp_certificate_expiry_timestamp_seconds')

    expect(Math.round((expiry - Date.now() / 1000) / 86_400)).toBe(30)
    expect(await info()).toMatchObject({
      'client ssl': 'optional',
      'client certificate': 'CN=first',
      'client days left': expect.stringMatching(/^(29|30)$/),
      failure: '',
    })
  })

  test('change without a restart; clients that are there stay', async () => {
    const before = await createConnection({ ...as('u'), ssl })
    put(second)

    await expect.poll(shown, { timeout: 10_000 }).toBe('second')
    expect((await before.query('SELECT 1'))[0]).toBeDefined()
    before.destroy()
    expect(await info()).toMatchObject({ 'client certificate': 'CN=second' })
  })

  test('that are broken do not replace those that serve, and are seen', async () => {
    copyFileSync(first.keyFile, keyFile)
    await expect.poll(() => gauge('odp_certificate_broken'), { timeout: 10_000 }).toEqual([1])

    expect(await shown()).toBe('second')
    expect((await info())['failure']).toMatch(/is not of the certificate in/)
    const again = `ALTER PROXYCONFIG SET ssl_certificate_file = '${certFile}', ssl_private_key_file = '${keyFile}'`
    await expect(admin(again)).rejects.toMatchObject({ errno: 4147 })

    put(first)
    await admin(again)
    await expect.poll(shown, { timeout: 10_000 }).toBe('first')
    expect(await gauge('odp_certificate_broken')).toEqual([0])
  })

  test('that do not exist are refused by name, and the old setting stays', async () => {
    const set = "ALTER PROXYCONFIG SET ssl_certificate_file = '/nowhere/x.pem'"

    await expect(admin(set)).rejects.toMatchObject({
      errno: 4147,
      message: expect.stringMatching(/ssl_certificate_file.*\/nowhere\/x\.pem.*ENOENT/),
    })
    expect(await shown()).toBe('first')
    const [row] = await admin("SHOW PROXYCONFIG LIKE 'ssl_certificate_file'")
    expect(row?.['value']).toBe(certFile)
  })
})

describe('IPv6', () => {
  test('the node listens on ::1, with TLS, in front of a server on ::1', async () => {
    const six = await startFakeServer({ host: '::1', extraOk: false })
    closers.push(six.stop)
    const own = await startNode('[::1]', options({ ...six, host: '[::1]' }))
    closers.push(own.stop)
    const connection = await createConnection({ ...as('u', '::1'), ssl })
    closers.push(() => connection.destroy())
    const [answer] = await connection.query<RowDataPacket[]>('SELECT 1')
    const manager = await createConnection(as('root@proxysys', '::1'))
    closers.push(() => manager.destroy())
    const [rows] = await manager.query<RowDataPacket[]>('SHOW PROCESSLIST')

    expect(answer).toEqual([{ port: String(six.port) }])
    expect(rows.map(row => row['Host'])).toEqual([
      expect.stringMatching(/^\[::1\]:\d+$/),
      expect.stringMatching(/^\[::1\]:\d+$/),
    ])
  })
})
