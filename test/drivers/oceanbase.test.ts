/**
 * Five drivers in OceanBase mode: the same cases against the kernel directly, through the proxy, and
 * through
 * proxies that send each statement that may move to some of three servers, with OB 2.0 and without. What a case
 * sees must be the same on all three, and its `sees` a part of it. Differences that must be are few:
 * the database of each path and the account's suffix, session tracking (`cases/outcome.ts`), the words
 * of refused logins; connection ids, times and versions are not told by the cases.
 */
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tlsContext } from '../../proxy-node/net/tls.ts'
import { type Authority, startAuthority } from '../support/certificates.ts'
import { installPythonDrivers, runScript } from '../support/python-drivers.ts'
import {
  AT_RANDOM,
  directoryOf,
  type ProxyUnderTest,
  type Stack,
  startProxy,
  startStack,
} from '../support/stack.ts'
import { COMMAND_LINE_CASES, commandLineMissing, commandLineOverTls } from './cases/command-line.ts'
import { CONNECTOR_CASES, CONNECTOR_PURE_CASES } from './cases/connector.ts'
import { MARIADB_CASES, mariadbOverTls } from './cases/mariadb.ts'
import { MYSQL2_CASES, mysql2OverTls } from './cases/mysql2.ts'
import { type Address, type Case, cutTo, plain, type ScriptCase } from './cases/outcome.ts'
import { PYMYSQL_CASES } from './cases/pymysql.ts'

/** Names of one length: tables of the command line are as wide. `legacy`: at random, without OB 2.0. */
const PATHS = ['direct', 'routed', 'random', 'legacy'] as const
type Path = (typeof PATHS)[number]

const SECOND = { user: 'second', password: 'second pass' }
/** A busy machine is no time-out of a statement. */
const QUERY_TIMEOUT_US = 100_000_000
const SCRIPT_TIMEOUT_MS = 170_000
const SEED = 20_260_228

let stack: Stack
let random: ProxyUnderTest
let legacy: ProxyUnderTest
let python: string

/** Numbers in [0, 1) that are the same each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function addressOf(path: Path): Address {
  const { kernel, proxy } = stack
  const { user, password } = kernel.accounts
  const suffix = path === 'direct' ? '' : '@app#obcluster'
  const ports = {
    direct: kernel.port,
    routed: proxy.port,
    random: random.port,
    legacy: legacy.port,
  }
  return {
    host: '127.0.0.1',
    port: ports[path],
    user: user + suffix,
    password,
    database: `case_${path}`,
    second: { user: SECOND.user + suffix, password: SECOND.password },
  }
}

function startRandom(usesOb20: boolean): Promise<ProxyUnderTest> {
  return startProxy(directoryOf(stack.clusters), {
    settings: { usesOb20, routing: AT_RANDOM },
    random: seeded(SEED),
  })
}

async function prepare(): Promise<void> {
  const { port, accounts } = stack.kernel
  const root = await createConnection({
    host: '127.0.0.1',
    port,
    user: 'root',
    password: accounts.root,
  })
  for (const path of PATHS) await root.query(`CREATE DATABASE case_${path}`)
  await root.query(`CREATE USER ${SECOND.user} IDENTIFIED BY '${SECOND.password}'`)
  await root.query(`GRANT ALL PRIVILEGES ON *.* TO ${SECOND.user}`)
  await root.query(`SET GLOBAL ob_query_timeout = ${QUERY_TIMEOUT_US}`)
  await root.end()
}

type Seen = Partial<Record<Path, unknown>>

/** What was seen on each path, names of databases made equal. */
async function onAll(paths: readonly Path[], see: (path: Path) => Promise<unknown>): Promise<Seen> {
  const seen = await Promise.all(
    paths.map(async path => {
      const json = JSON.stringify((await see(path)) ?? null)
      return [path, JSON.parse(json.replaceAll(`case_${path}`, 'case_path'))] as const
    }),
  )
  return Object.fromEntries(seen)
}

function pathsOf({ isHeavy }: { readonly isHeavy?: true }): readonly Path[] {
  return isHeavy === true ? ['direct', 'random'] : PATHS
}

/** `through`: what proxies answer where they must answer another thing. */
function isSame({ direct, ...others }: Seen, sees: unknown, through?: unknown): void {
  expect(cutTo(sees, direct)).toEqual(sees)
  const wanted = through ?? direct
  expect(others).toEqual(Object.fromEntries(Object.keys(others).map(path => [path, wanted])))
}

beforeAll(async () => {
  python = await installPythonDrivers()
  stack = await startStack('127.17.2')
  random = await startRandom(true)
  legacy = await startRandom(false)
  await prepare()
})

afterAll(async () => {
  random?.stop()
  legacy?.stop()
  await stack?.stop()
})

describe.each<[string, readonly Case[]]>([
  ['mysql2', MYSQL2_CASES],
  ['mariadb', MARIADB_CASES],
])('%s through the proxy as directly', (_driver, cases) => {
  test.each(cases)('$name', async each => {
    const seen = await onAll(pathsOf(each), async path => plain(await each.act(addressOf(path))))
    isSame(seen, each.sees)
  })
})

const missing = commandLineMissing()
const isSkipped = missing !== undefined && process.env['CI'] !== 'true'

const reason = isSkipped ? ` (${missing})` : ''

/** The kernel itself offers no TLS, so there is nothing to compare with. */
describe('over TLS, the certificate of the proxy verified,', () => {
  let authority: Authority
  let secure: ProxyUnderTest
  const at = () => ({ ...addressOf('routed'), port: secure.port })
  const inPython = async (script: string, more: object) => {
    const args = [JSON.stringify({ ...at(), ca: authority.certFile, ...more }), 'over_tls']
    return (await runScript(python, script, args, SCRIPT_TIMEOUT_MS))[0]
  }

  beforeAll(async () => {
    authority = startAuthority()
    const { cert, key } = authority.issue('proxy', ['IP:127.0.0.1', 'DNS:localhost'])
    const context = tlsContext({ cert, key, minVersion: 'TLSv1.2' })
    secure = await startProxy(directoryOf(stack.clusters), {
      settings: { isTlsForced: true },
      entry: {
        tls: () => context,
        mayBringHeader: () => false,
        mayNameClient: () => false,
      },
    })
  })

  afterAll(() => {
    secure?.stop()
    authority?.stop()
  })

  test('mysql2', async () => {
    const b = 'b'.repeat(100_000)
    expect(await mysql2OverTls(at(), authority.cert)).toEqual([true, [{ a: 1, b }]])
  })

  test('mariadb', async () => {
    const seen = await mariadbOverTls(at(), authority.cert)
    expect(plain(seen)).toMatchObject([
      { a: expect.anything(), b: expect.stringMatching(/^100000/) },
    ])
  })

  test.skipIf(isSkipped)('the mariadb command line', async () => {
    const seen = await commandLineOverTls(at(), authority.certFile)
    expect(seen).toEqual({ code: 0, out: '7', err: [''], isSecure: true })
  })

  test.each([
    ['PyMySQL', 'cases/pymysql_cases.py', {}],
    ['the MySQL 8.4 client library', 'cases/connector_cases.py', {}],
    ['its Python protocol', 'cases/connector_cases.py', { pure: true }],
  ])('%s', async (_driver, script, more) => {
    const seen = await inPython(script, more)
    expect(cutTo(['over_tls', [true, [[1]]]], seen)).toEqual(['over_tls', [true, [[1]]]])
  })
})

describe.skipIf(isSkipped)(
  `the mariadb command line through the proxy as directly${reason}`,
  () => {
    test.each(COMMAND_LINE_CASES)('$name', async each => {
      isSame(await onAll(pathsOf(each), path => each.act(addressOf(path))), each.sees)
    })
  },
)

describe.each<[string, string, object, readonly ScriptCase[]]>([
  ['PyMySQL', 'cases/pymysql_cases.py', {}, PYMYSQL_CASES],
  ['the MySQL 8.4 client library', 'cases/connector_cases.py', {}, CONNECTOR_CASES],
  ['its Python protocol', 'cases/connector_cases.py', { pure: true }, CONNECTOR_PURE_CASES],
])('%s through the proxy as directly', (_driver, script, more, cases) => {
  let seen: Record<Path, Record<string, unknown>>

  beforeAll(async () => {
    seen = (await onAll(PATHS, async path => {
      const names = cases.filter(each => pathsOf(each).includes(path)).map(({ name }) => name)
      const args = [JSON.stringify({ ...addressOf(path), ...more }), ...names]
      const lines = await runScript(python, script, args, SCRIPT_TIMEOUT_MS)
      return Object.fromEntries(lines as [string, unknown][])
    })) as typeof seen
  })

  test.each(cases)('$name', each => {
    const found = pathsOf(each).map(path => [path, seen[path][each.name]])
    isSame(Object.fromEntries(found) as Seen, each.sees, each.through)
  })
})
