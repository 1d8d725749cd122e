/**
 * Where sequences play: two databases for the direct client and two for the one behind the proxy, with
 * names of one length, so that an answer differs by the name alone. Making a table takes a third of a
 * second, so a ground is made once and swept between sequences.
 */
import { type Connection, createConnection } from 'mysql2/promise'
import type { Kernel } from '../../infra/local/kernel.ts'
import type { Names } from './speaker.ts'
import type { Sequence } from './steps.ts'

export const SIDES = ['direct', 'proxied'] as const
export type Side = (typeof SIDES)[number]

export const SECOND_USER = 'demo2'
/** The name of either side's database, whoever says it. */
const NAME = /dfr_([ab]\d\d)[dp]/g

const TABLES = [
  'CREATE TABLE t1 (id INT PRIMARY KEY AUTO_INCREMENT, a INT, s VARCHAR(200) CHARACTER SET utf8mb4)',
  'CREATE TABLE t2 (id INT PRIMARY KEY, d DECIMAL(10,3), v VARCHAR(20) UNIQUE, b VARBINARY(100))',
]

/** Wide integers only: how wide one was is lost when a user variable is replayed. */
const ROUTINES = [
  'CREATE PROCEDURE p_sets(x BIGINT) BEGIN SELECT x AS x; SELECT @a AS a, @b AS b; SELECT id, v FROM t2 ORDER BY id; END',
  'CREATE PROCEDURE p_out(IN x BIGINT, OUT y BIGINT, INOUT z VARCHAR(50)) BEGIN SET y = x + 1; SET z = CONCAT(z, x); END',
  "CREATE PROCEDURE p_side(x VARCHAR(50)) BEGIN SET @a = x, @b = CHAR_LENGTH(x); SET SESSION time_zone = '+05:00'; INSERT INTO t1 (s) VALUES (x); END",
  'CREATE PROCEDURE p_fails() BEGIN SET @c = 1; SELECT 1; INSERT INTO t2 (id) VALUES (1); SELECT 2; END',
  "CREATE PROCEDURE p_prepares(x BIGINT) BEGIN PREPARE st1 FROM 'SELECT 71'; PREPARE inner1 FROM 'SELECT 72'; SELECT x AS x; END",
  'CREATE PROCEDURE p_executes() BEGIN EXECUTE st1; END',
  'CREATE PROCEDURE p_drops() BEGIN DEALLOCATE PREPARE st1; END',
  'CREATE FUNCTION f_sets(x BIGINT) RETURNS BIGINT BEGIN SET @a = x; RETURN x + 1; END',
]

/** Tables that sequences may make themselves. */
export const OWN_TABLES = ['n1', 'n2'] as const

export class Ground {
  private readonly kernel: Kernel
  private readonly number: string
  private admin: Connection | undefined

  constructor(kernel: Kernel, number: number) {
    this.kernel = kernel
    this.number = String(number).padStart(2, '0')
  }

  names(side: Side): Names {
    const { user, password } = this.kernel.accounts
    const ending = side === 'direct' ? 'd' : 'p'
    const tenant = side === 'direct' ? '' : '@app#obcluster'
    return {
      a: `dfr_a${this.number}${ending}`,
      b: `dfr_b${this.number}${ending}`,
      first: `${user}${tenant}`,
      second: `${SECOND_USER}${tenant}`,
      password,
    }
  }

  /** Of the other client on a side's databases: it is always with the kernel itself. */
  rivalNames(side: Side): Names {
    const { first, second } = this.names('direct')
    return { ...this.names(side), first, second }
  }

  async make(): Promise<void> {
    const { user, password } = this.kernel.accounts
    this.admin = await createConnection({
      host: '127.0.0.1',
      port: this.kernel.port,
      user,
      password,
      multipleStatements: true,
    })
    // A client that left in a transaction holds its rows until the kernel has noticed.
    await this.run('SET ob_query_timeout = 60000000, ob_trx_timeout = 60000000')
    for (const side of SIDES) {
      const { a, b } = this.names(side)
      if (await this.exists(a)) {
        await this.run(`TRUNCATE TABLE ${a}.t1`)
        continue
      }
      for (const name of [b, a]) await this.run(`CREATE DATABASE ${name}`)
      await this.run(`USE ${b}; CREATE TABLE t1 (id INT PRIMARY KEY, a INT)`)
      await this.run(`USE ${a}`)
      for (const sql of [...TABLES, ...ROUTINES]) await this.run(sql)
    }
  }

  /** As if made anew, but for the counters of automatic ids, which both sides have advanced alike. */
  async sweep(last: Sequence | undefined): Promise<void> {
    const madeOwn =
      last === undefined || last.steps.some(step => /\bn[12]\b/.test(JSON.stringify(step)))
    for (const side of SIDES) {
      const { a, b } = this.names(side)
      await this.run(
        `USE ${a}; DELETE FROM t1; DELETE FROM t2; DELETE FROM ${b}.t1; INSERT INTO ${b}.t1 VALUES (1, 11);
         INSERT INTO t2 VALUES (1, 1.5, 'one', 'o'), (2, 2.25, 'two', X'00ff'), (3, NULL, NULL, NULL)`,
      )
      if (madeOwn) for (const table of OWN_TABLES) await this.run(`DROP TABLE IF EXISTS ${table}`)
    }
  }

  /** After a difference the counters may differ, too. */
  async level(): Promise<void> {
    for (const side of SIDES) await this.run(`TRUNCATE TABLE ${this.names(side).a}.t1`)
  }

  async leave(): Promise<void> {
    await this.admin?.end()
  }

  private async exists(database: string): Promise<boolean> {
    const [rows] = (await this.admin?.query(`SHOW DATABASES LIKE '${database}'`)) ?? [[]]
    return (rows as unknown[]).length > 0
  }

  private async run(sql: string): Promise<void> {
    await this.admin?.query(sql)
  }
}

/** An answer's bytes without whose database they name. */
export function sideless(payload: Buffer): string {
  return payload.toString('latin1').replaceAll(NAME, 'dfr_$1x')
}
