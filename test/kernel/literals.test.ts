/** What a server says of a session's variables, replayed in another session of it, is the same. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { installKernel, type Kernel, startKernel } from '../../infra/local/kernel.ts'
import { setStatements } from '../../proxy-node/session/literals.ts'
import { followsSchema, isReplayable, isText } from '../../proxy-node/session/system-variables.ts'
import {
  ANSWER_VARIABLE,
  answeredValues,
  type Connection,
  questionOf,
  setUserStatements,
  type UserValue,
  userValue,
} from '../../proxy-node/session/user-values.ts'
import { LEXER_MODE } from '../../proxy-node/sql/lexer.ts'
import { lexerMode } from '../../proxy-node/sql/lexer-mode.ts'
import { prepareText, textPrepared } from '../../proxy-node/sql/text-prepare.ts'
import { type OkPacket, parseError, parseOk } from '../../proxy-node/wire/ok.ts'
import { type Answered, FrontClient, rowsOf } from '../support/front-client.ts'

const SEEN = (name: string) =>
  `SELECT md5(hex(${name})), length(${name}), charset(${name}), collation(${name}), coercibility(${name}), left(hex(${name}), 60)`

let kernel: Kernel
let folder = ''
const clients: FrontClient[] = []

beforeAll(async () => {
  const python = await installKernel(resolve('.obfleet/kernel'), () => {})
  folder = mkdtempSync(join(tmpdir(), 'obfleet-literals-'))
  kernel = await startKernel(python, folder)
})

afterEach(() => {
  for (const client of clients.splice(0)) client.raw.socket.destroy()
})

afterAll(async () => {
  await kernel.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** A session as a proxy has it, with what its OKs have told of it. */
class Session {
  private readonly client: FrontClient
  readonly login: OkPacket
  private sqlMode = ''
  private connection: Connection
  readonly users = new Map<string, UserValue>()
  readonly changes = new Map<string, string>()

  constructor(client: FrontClient, login: OkPacket) {
    this.client = client
    this.login = login
    this.connection = this.connectionOf(login, { client: '', charset: '', collation: '', mode: 0 })
  }

  static async open(): Promise<Session> {
    const client = new FrontClient({ host: '127.0.0.1', port: kernel.port }, true)
    clients.push(client)
    const { user, password, database } = kernel.accounts
    const [answer] = await client.logIn({ user: `${user}@sys`, password, database })
    return new Session(client, parseOk(answer?.payload ?? Buffer.alloc(0)))
  }

  async query(sql: string | Uint8Array): Promise<Answered> {
    this.client.raw.command(0x03, Buffer.from(sql))
    const answered = await this.client.answer()
    const ok = parseOk(answered.last)
    this.connection = this.connectionOf(ok, this.connection)
    for (const [name, literal] of ok.userVariables)
      if (name !== ANSWER_VARIABLE) this.users.set(name, userValue(literal, this.connection, false))
    for (const [name, value] of ok.systemVariables)
      if (isReplayable(name)) this.changes.set(name, value)
    return answered
  }

  async run(sql: string | Uint8Array): Promise<void> {
    const { first } = await this.query(sql)
    if (first[0] === 0xff) throw new Error(`${parseError(first).message}: ${sql.slice(0, 200)}`)
  }

  /** Brings everything that `source` has to this session. */
  async follow(source: Session): Promise<void> {
    for (const sql of setStatements(source.changes)) await this.run(sql)
    for (const sql of setUserStatements(await source.values(), source.connection))
      await this.run(sql)
  }

  /** What this session's user variables are, asked as the proxy asks. */
  private async values(): Promise<readonly (readonly [string, UserValue])[]> {
    const values = [...this.users].filter(([, { isGuess }]) => isGuess)
    const others = [...this.users].filter(([, { isGuess }]) => !isGuess)
    if (values.length === 0) return others
    const { last } = await this.query(questionOf(values))
    const known = answeredValues(values, parseOk(last).userVariables.get(ANSWER_VARIABLE))
    if (known === undefined) throw new Error('not told what the values are')
    return [...others, ...known]
  }

  async row(sql: string): Promise<(string | null)[] | undefined> {
    return rowsOf(await this.query(sql))[0]
  }

  private connectionOf(ok: OkPacket, before: Connection): Connection {
    const client = ok.systemVariables.get('character_set_client') ?? before.client
    this.sqlMode = ok.systemVariables.get('sql_mode') ?? this.sqlMode
    return {
      client,
      mode: lexerMode(this.sqlMode, client),
      charset: ok.systemVariables.get('character_set_connection') ?? before.charset,
      collation: ok.systemVariables.get('collation_connection') ?? before.collation,
    }
  }
}

async function replayed(...statements: (string | Uint8Array)[]): Promise<[Session, Session]> {
  const source = await Session.open()
  for (const sql of statements) await source.run(sql)
  const target = await Session.open()
  await target.follow(source)
  return [source, target]
}

async function expectSame(name: string, [source, target]: [Session, Session]): Promise<void> {
  const there = await source.row(SEEN(name))

  expect(await target.row(SEEN(name))).toEqual(there)
}

const CONTENTS: readonly (readonly [string, number[] | string])[] = [
  ['nothing', ''],
  ['plain', 'abc'],
  ['quotes and backslashes', `it's "a" \\ \\' \\n %\\% \\_ \``],
  ['every ASCII byte', Array.from({ length: 128 }, (_, byte) => byte)],
  ['what looks like SQL', `', @x = 1; -- /* */ #`],
  ['100 KB', "long 'text' \\ \n".repeat(7000)],
]

const BEYOND: readonly (readonly [string, number[]])[] = [
  ['utf8mb4', [...Buffer.from("é中🙂'\\\n")]],
  ['utf8mb4', [0xff, 0xfe, 0x27, 0x5c]],
  ['latin1', Array.from({ length: 128 }, (_, index) => 0x80 + index)],
  ['gbk', [0xd6, 0xd0, 0x61, 0xd6, 0x5c, 0x62, 0x81, 0x60]],
  ['gb18030', [0xd6, 0xd0, 0x81, 0x30, 0x81, 0x30, 0xd6, 0x5c]],
  ['binary', Array.from({ length: 256 }, (_, byte) => byte)],
]

/** SET @v to these bytes as a client of that character set writes them. */
function setting(charset: string, bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return charset === 'binary'
    ? `SET @v = X'${hex}'`
    : `SET @v = CAST(X'${hex}' AS CHAR CHARACTER SET ${charset})`
}

describe("a user variable's value", () => {
  test.each(CONTENTS)('of %s is the same elsewhere', async (_name, content) => {
    const bytes = typeof content === 'string' ? Buffer.from(content) : Uint8Array.from(content)

    await expectSame('@v', await replayed(setting('utf8mb4', bytes)))
    await expectSame(
      '@v',
      await replayed("SET sql_mode = 'NO_BACKSLASH_ESCAPES'", setting('utf8mb4', bytes)),
    )
  })

  test.each(BEYOND)('in %s of bytes beyond ASCII is the same elsewhere', async (charset, bytes) => {
    const set = setting(charset, Uint8Array.from(bytes))

    await expectSame('@v', await replayed(`SET NAMES ${charset}`, set))
    await expectSame('@v', await replayed(`SET NAMES ${charset}`, set, 'SET NAMES latin1'))
    await expectSame(
      '@v',
      await replayed(`SET NAMES ${charset}`, set, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'"),
    )
  })

  test.each([
    '12',
    '-1.50',
    '18446744073709551615',
    '1e300',
    '1.5e0',
    'NULL',
    "X'00ff'",
    "UNHEX('3635')",
    'true',
    '1/3',
    "_latin1 X'e9'",
    "_gbk X'd6d0'",
    "CONVERT(_utf8mb4 X'e4b8ad' USING gbk)",
    "'x' COLLATE utf8mb4_bin",
    'DATABASE()',
    '@@sql_mode',
    "CAST('2020-01-01' AS DATE)",
    `CAST('{"k": 1}' AS JSON)`,
  ])('%s is the same elsewhere', async sql => {
    await expectSame('@v', await replayed(`SET @v = ${sql}`))
  })

  test.each([
    "date'2020-01-01'",
    "cast('2020-01-01 10:00:00.5' as datetime(1))",
    "time'10:00:00'",
    '\'{"a": "b\\\\"c"}\'',
  ])('%s has the same bytes elsewhere', async sql => {
    await expectSame('@v', await replayed(`SET @v = ${sql}`))
  })

  test('keeps the collation of the connection it was set on', async () => {
    const sessions = await replayed(
      'SET collation_connection = utf8mb4_unicode_ci, @x = 1',
      "SET @v = 'a', @w = 'é'",
      'SET NAMES gbk',
    )

    await expectSame('@v', sessions)
    const seen = 'SELECT HEX(@w), COLLATION(@w)'
    expect(await sessions[1].row(seen)).toEqual(await sessions[0].row(seen))
    expect(
      await sessions[1].row('SELECT @@character_set_connection, @@collation_connection'),
    ).toEqual(['gbk', 'gbk_chinese_ci'])
  })

  test.each(['@`a``b`', '@`A.b`', "@'q''q'", '@"x""y"', "@'a`b'", '@é', '@$x', '@a.b$c'])(
    'is found by its name %s',
    async name => {
      const [, target] = await replayed(`SET ${name} = 5`)

      expect(await target.row(`SELECT ${name}`)).toEqual(['5'])
    },
  )
})

describe("a system variable's value", () => {
  test('of the login can be set again, for each that a session can change', async () => {
    const session = await Session.open()
    const { systemVariables } = session.login
    const catalogue = rowsOf(
      await session.query(
        'SELECT name FROM oceanbase.__all_virtual_proxy_sys_variable WHERE flags & 2 AND NOT flags & 4',
      ),
    ).map(([name]) => name ?? '')
    const names = catalogue.filter(name => systemVariables.has(name) && isReplayable(name))

    const refused: string[] = []
    for (const name of names)
      for (const sql of setStatements([[name, systemVariables.get(name) ?? '']]))
        if ((await session.query(sql)).first[0] === 0xff) refused.push(name)

    expect(names.length).toBeGreaterThan(250)
    expect(refused).toEqual([])
  })

  test('is no text in the catalogue that is not known as one', async () => {
    const session = await Session.open()
    const texts = rowsOf(
      await session.query(
        `SELECT name FROM oceanbase.__all_virtual_proxy_sys_variable
         WHERE data_type = 22 AND flags & 2 AND NOT flags & 4`,
      ),
    ).map(([name]) => name ?? '')

    const unknown = texts.filter(name => isReplayable(name) && !isText(name))

    expect(unknown).toEqual([])
  })

  test.each([
    ["ob_trace_info = '123'", '@@ob_trace_info'],
    ["ob_trace_info = 'it''s a \\\\ \\\"b\\\"'", '@@ob_trace_info'],
    ["ob_trace_info = 'é中'", '@@ob_trace_info'],
    ["sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'", '@@sql_mode'],
    ["time_zone = '+03:00'", '@@time_zone'],
    ['timestamp = 100', 'now()'],
    ['autocommit = 0', '@@autocommit'],
    ['character_set_results = NULL', 'coalesce(@@character_set_results, 5)'],
    ['transaction_isolation = serializable', '@@tx_isolation'],
    ['ob_query_timeout = 12345678', '@@ob_query_timeout'],
    ['last_insert_id = 77', 'last_insert_id()'],
  ])('SET %s is the same elsewhere', async (assignment, expression) => {
    const [source, target] = await replayed(`SET ${assignment}`)

    const there = await source.row(`SELECT hex(${expression})`)

    expect(await target.row(`SELECT hex(${expression})`)).toEqual(there)
  })

  test('follows the database where it is said to', async () => {
    const session = await Session.open()

    const { last } = await session.query('USE oceanbase')

    const ok = parseOk(last)
    expect([...ok.systemVariables.keys()].filter(followsSchema).length).toBeGreaterThan(0)
    expect(ok.schema).toBe('oceanbase')
  })
})

describe('a statement prepared by text', () => {
  test.each([
    [`PREPARE \`S\`\`1\` FROM 'select ''a'', \\'b\\\\\\\\c\\', \\"d\\"'`, '', LEXER_MODE.plain],
    [
      `prepare \`s\`\`1\` from 'select ''a\\''''b''' ', 5'`,
      'NO_BACKSLASH_ESCAPES',
      LEXER_MODE.noBackslashEscapes,
    ],
    [`prepare \`s\`\`1\` from 'select 1 as "a\`b"'`, 'ANSI_QUOTES', LEXER_MODE.ansiQuotes],
  ])('%s is prepared alike elsewhere', async (sql, sqlMode, mode) => {
    const [source, target] = await replayed(`SET sql_mode = '${sqlMode}'`)
    const bytes = Buffer.from(sql)
    const prepared = textPrepared(bytes, 0, bytes.length, mode)
    if (prepared?.verb !== 'prepare' || prepared.source.kind !== 'literal')
      throw new Error('not understood')

    await source.run(sql)
    await target.run(prepareText(prepared.name, prepared.source.bytes, mode))

    const there = await source.row('EXECUTE `s``1`')
    expect(there).toBeDefined()
    expect(await target.row('EXECUTE `s``1`')).toEqual(there)
  })
})
