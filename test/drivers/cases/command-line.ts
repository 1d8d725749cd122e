/** The `mariadb` command line client (Connector/C): scripts, files, Ctrl-C, metadata, completion. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { type Address, type Case, holdsInTime, statementOf, TWICE } from './outcome.ts'

/** Output above this is shown by its length and checksum. */
const SHOWN_BYTES = 20_000

type Asked = {
  readonly args?: readonly string[]
  /** Statements, from its standard input. */
  readonly input?: string | Buffer
  readonly login?: Partial<Address>
  /** File of the authority that signed the server's certificate: the login is over TLS. */
  readonly caFile?: string
  /** Called when it runs. */
  readonly meanwhile?: (interrupt: () => void) => Promise<void>
}

type Ended = { readonly code: number | null; readonly out: string; readonly err: readonly string[] }

/** Why the client cannot be had, or undefined. */
export function commandLineMissing(): string | undefined {
  const found = spawnSync('mariadb', ['--version'])
  return found.status === 0 ? undefined : 'the mariadb command line client is not installed'
}

async function run(at: Address, asked: Asked): Promise<Ended> {
  const { args = [], input = '', login = {}, caFile } = asked
  const tls =
    caFile === undefined ? ['--skip-ssl'] : [`--ssl-ca=${caFile}`, '--ssl-verify-server-cert']
  const { host, port, user, password, database } = { ...at, ...login }
  const child = spawn(
    'mariadb',
    ['--no-defaults', `-h${host}`, `-P${port}`, `-u${user}`, ...tls, ...args, database],
    { env: { ...process.env, MYSQL_PWD: password, LC_ALL: 'C.UTF-8' } },
  )
  const hash = createHash('sha1')
  const shown: Buffer[] = []
  let bytes = 0
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    bytes += chunk.length
    if (bytes <= SHOWN_BYTES) shown.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  // It can end, by an error, before it has read everything.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  await asked.meanwhile?.(() => child.kill('SIGINT'))
  const code = await ended
  const out =
    bytes <= SHOWN_BYTES
      ? Buffer.concat(shown).toString('latin1')
      : `${bytes} bytes, ${hash.digest('hex').slice(0, 8)}`
  const err = Buffer.concat(errors).toString().trim().split('\n')
  // The words of a refused login name the account as the client wrote it.
  return { code, out, err: err.map(line => line.replace(/^(ERROR 1045 \(\w+\)).*/, '$1')) }
}

async function logins(at: Address): Promise<unknown> {
  const who = { args: ['-Ne', 'SELECT CURRENT_USER(), DATABASE()'] }
  const auth = (plugin: string) => ({ args: [...who.args, `--default-auth=${plugin}`] })
  return {
    native: await run(at, auth('mysql_native_password')),
    mysql8: await run(at, auth('caching_sha2_password')),
    second: await run(at, { ...who, login: at.second }),
    wrongPassword: await run(at, { ...who, login: { password: 'wrong' } }),
    noPassword: await run(at, { ...who, login: { password: '' } }),
    unknownDatabase: await run(at, { ...who, login: { database: 'nowhere' } }),
  }
}

async function metadata(at: Address): Promise<unknown> {
  const input = `DROP TABLE IF EXISTS kinds;
    CREATE TABLE kinds (id INT PRIMARY KEY AUTO_INCREMENT, u BIGINT UNSIGNED, d DECIMAL(40,9), f DOUBLE,
      s VARCHAR(99), b BLOB, at DATETIME(6), span TIME(3), y YEAR, bits BIT(12), en ENUM('a','b'));
    INSERT INTO kinds VALUES (NULL, 18446744073709551615, 1.5, 1e300, 'é中😀''', x'00ff27', '2026-02-28 01:02:03.4',
      '-837:01:00.5', 2026, b'101', 'b'), (NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL);
    SELECT * FROM kinds ORDER BY id;
    SELECT id + 1, UPPER(s), COUNT(*) FROM kinds GROUP BY id, s ORDER BY id;
    DESCRIBE kinds; SHOW CREATE TABLE kinds;`
  const args = ['--column-type-info', '--binary-as-hex', '--default-character-set=utf8mb4', '-t']
  return await run(at, { args, input })
}

/** Counts and messages of statements, warnings and errors with their line numbers. */
async function scripts(at: Address): Promise<unknown> {
  const input = `DROP TABLE IF EXISTS scripted;
    CREATE TABLE scripted (id INT PRIMARY KEY, n INT NOT NULL);
    INSERT INTO scripted VALUES (1, 1), (2, 2), (3, 3);
    UPDATE scripted SET n = 5 WHERE id > 1;
    UPDATE scripted SET n = 5;
    SELECT CAST('7x' AS SIGNED);
    INSERT INTO scripted VALUES (1, 1);
    SELEKT 1;
    SELECT * FROM nosuch;
    USE nowhere
    USE oceanbase
    SELECT DATABASE();
    USE ${at.database}
    START TRANSACTION; DELETE FROM scripted; SELECT COUNT(*) FROM scripted; ROLLBACK;
    SELECT COUNT(*) FROM scripted;
    SET @kept = 'kept'; SELECT @kept;
    DELETE FROM scripted WHERE id = 3;`
  return await run(at, { args: ['-vvv', '--force', '--show-warnings'], input }).then(withoutTimes)
}

/** The client tells how long each statement took. */
function withoutTimes({ code, out, err }: Ended): Ended {
  return { code, out: out.replaceAll(/ \(\d+(\.\d+)? sec\)|(\d+ min )?\d+\.\d+ sec/g, ''), err }
}

async function procedures(at: Address): Promise<unknown> {
  const input = `DROP PROCEDURE IF EXISTS twice;\nDELIMITER //\n${TWICE} //\nDELIMITER ;\nCALL twice(7);\nSELECT 1;\n`
  return await run(at, { args: ['-t'], input })
}

async function files(at: Address): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-files-'))
  const path = join(folder, 'file')
  const load = `LOAD DATA LOCAL INFILE '${path}' INTO TABLE loaded FIELDS TERMINATED BY ',';`
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => `${from + n},name of ${from + n}\n`).join('')
  const seen: unknown[] = []
  try {
    const table = 'CREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(20));'
    seen.push(await run(at, { input: `DROP TABLE IF EXISTS loaded; ${table}` }))
    for (const content of [lines(1, 4), '', lines(1000, 4000)]) {
      writeFileSync(path, content)
      const args = ['--local-infile=1', '-vvv']
      const input = `${load} SELECT COUNT(*), MIN(name) FROM loaded;`
      seen.push(withoutTimes(await run(at, { args, input })))
    }
    seen.push(await run(at, { args: ['--local-infile=0'], input: load }))
    rmSync(path)
    seen.push(await run(at, { args: ['--local-infile=1', '--force'], input: `${load} SELECT 1;` }))
    return JSON.parse(JSON.stringify(seen).replaceAll(folder, ''))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function bigStatements(at: Address): Promise<unknown> {
  const seen: unknown[] = []
  const args = ['--max-allowed-packet=64M', '--force', '-N']
  for (const bytes of [1 << 20, (1 << 24) - 1, 1 << 24, 17 << 20]) {
    const ended = await run(at, { args, input: `${statementOf(bytes)};\nSELECT 1;\n` })
    seen.push(ended)
  }
  return seen
}

/** `--quick`: rows are written as they come. */
async function largeResult(at: Address): Promise<unknown> {
  const input = `DROP TABLE IF EXISTS digits; CREATE TABLE digits (d INT PRIMARY KEY);
    INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
    SELECT a.d + 10 * b.d + 100 * c.d AS n, REPEAT('z', 65536) FROM digits a, digits b, digits c ORDER BY n;
    SELECT 1;`
  return await run(at, { args: ['--quick'], input })
}

/** Ctrl-C: the client logs in a second time and sends KILL QUERY with the id of its first. */
async function interrupts(at: Address): Promise<unknown> {
  const { host, port, user, password, database } = at
  const other = await createConnection({ host, port, user, password, database })
  const marker = `/* ${database} */`
  const isRunning = async () => {
    const [rows] = await other.query('SHOW FULL PROCESSLIST')
    return (rows as { Info: string | null }[]).some(
      ({ Info }) => Info?.includes(marker) === true && !Info.includes('SHOW'),
    )
  }
  let wasSeen = false
  try {
    const { code, err } = await run(at, {
      args: ['--force', '--comments'],
      input: `SELECT SLEEP(20) ${marker};`,
      meanwhile: async interrupt => {
        wasSeen = await holdsInTime(isRunning)
        interrupt()
      },
    })
    return { wasSeen, code, err, isGone: await holdsInTime(async () => !(await isRunning())) }
  } finally {
    other.destroy()
  }
}

async function characterSets(at: Address): Promise<unknown> {
  const seen: unknown[] = []
  const ask = (text: Buffer) =>
    Buffer.concat([
      Buffer.from('SELECT HEX('),
      text,
      Buffer.from('), @@character_set_client, '),
      text,
      Buffer.from(';'),
    ])
  for (const [charset, hex] of [
    ['utf8mb4', '27c3a9f09f988027'],
    ['latin1', '27e9fc27'],
    ['gbk', '27d6d0cec427'],
  ] as const) {
    const args = [`--default-character-set=${charset}`, '-N']
    seen.push(await run(at, { args, input: ask(Buffer.from(hex, 'hex')) }))
  }
  return seen
}

/** `status` asks by STATISTICS, `rehash` by FIELD_LIST, `connect` logs in anew. */
async function ownCommands(at: Address): Promise<unknown> {
  const input = `rehash\nSELECT 1;\nconnect oceanbase\nSELECT DATABASE();\nSELECT CONNECTION_ID();\nstatus\n`
  const { code, out, err } = await run(at, { args: ['-N'], input })
  const shown = /Connection id:\s+(\d+)/.exec(out)?.[1]
  const isSame = shown !== undefined && out.split('\n').includes(shown)
  const kept = /^(Current database|Current user|SSL|Protocol version|Server characterset|\d$|\w+$)/
  const lines = out.split('\n').filter(line => kept.test(line) && line !== shown)
  return { code, err: err.filter(line => !line.startsWith('Connection id')), isSame, lines }
}

async function compression(at: Address): Promise<unknown> {
  return await run(at, { args: ['--compress', '-Ne', "SELECT LENGTH(REPEAT('c', 100000))"] })
}

/** Over TLS, the certificate verified: whether it says that a cipher is in use. */
export async function commandLineOverTls(at: Address, caFile: string): Promise<unknown> {
  const { code, out, err } = await run(at, { caFile, args: ['-N'], input: 'SELECT 7;\nstatus\n' })
  return { code, out: out.split('\n')[0], err, isSecure: /^SSL:\s+Cipher in use is/m.test(out) }
}

export const COMMAND_LINE_CASES: readonly Case[] = [
  {
    name: 'logins that succeed and fail',
    act: logins,
    sees: { native: { code: 0 }, mysql8: { code: 0 }, wrongPassword: { code: 1 } },
  },
  { name: 'values and metadata', act: metadata, sees: { code: 0, err: [''] } },
  { name: 'scripts with counts, warnings and errors', act: scripts, sees: { code: 0 } },
  { name: 'procedures', act: procedures, sees: { code: 0 } },
  { name: 'local files', act: files, sees: [{ code: 0 }, { code: 0 }, { code: 0 }, { code: 0 }] },
  {
    name: 'statements of 1, 16 and 17 MB',
    act: bigStatements,
    isHeavy: true,
    sees: [{ out: '1048553\n1\n' }],
  },
  { name: 'a result of 64 MB row by row', act: largeResult, isHeavy: true, sees: { code: 0 } },
  { name: 'Ctrl-C', act: interrupts, sees: { wasSeen: true, isGone: true } },
  { name: 'character sets', act: characterSets, sees: [{ code: 0 }, { code: 0 }, { code: 0 }] },
  { name: 'rehash, connect and status', act: ownCommands, sees: { code: 0, isSame: true } },
  { name: 'compression that is asked for', act: compression, sees: { code: 0, out: '100000\n' } },
]
