/** What a case of a driver saw, as plain values that can be compared and read. */
import { createHash } from 'node:crypto'

/** Longer values are shown by length and checksum. */
const SHOWN = 256

/**
 * Allowed difference: servers tell direct clients by session tracking what the proxy learns of them, and
 * the proxy does not pass it on (§2.6). mysql2 shows it as a list and as a bit of the status.
 */
const TRACKED = 'stateChanges'
const STATUS = 'serverStatus'
const SESSION_STATE_CHANGED = 0x4000

export type Address = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Another account that may do everything. */
  readonly second: { readonly user: string; readonly password: string }
}

/** One row of a driver's table. */
export type Case = {
  readonly name: string
  readonly act: (at: Address) => Promise<unknown>
  /** A part of what the server itself answers: without it two equal failures would pass. */
  readonly sees: unknown
  /** Moves many megabytes: run directly and through one proxy only. */
  readonly isHeavy?: true
}

/** Of what a case saw as much as `part` speaks of, to be compared with it: lists by their beginning. */
export function cutTo(part: unknown, whole: unknown): unknown {
  if (Array.isArray(part) && Array.isArray(whole))
    return part.map((each, index) => cutTo(each, whole[index]))
  if (!isRecord(part) || !isRecord(whole)) return whole
  return Object.fromEntries(
    Object.entries(part).map(([key, each]) => [key, cutTo(each, whole[key])]),
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One case of a script in Python, by its name there. */
export type ScriptCase = {
  readonly name: string
  readonly sees: unknown
  /** What the proxy answers instead, where it must be another thing. */
  readonly through?: unknown
  readonly isHeavy?: true
}

export function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `bigint ${value}`
  if (value instanceof Date) return `date ${value.toISOString()}`
  if (value instanceof Uint8Array) return shown(`0x${Buffer.from(value).toString('hex')}`)
  if (typeof value === 'string') return shown(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key, each]) => typeof each !== 'function' && key !== TRACKED)
        .map(([key, each]) => [key, key === STATUS ? untracked(each) : plain(each)]),
    )
  return value ?? null
}

function untracked(status: unknown): unknown {
  return typeof status === 'number' ? status & ~SESSION_STATE_CHANGED : status
}

function shown(text: string): string {
  if (text.length <= SHOWN) return text
  return `${text.length} characters, ${createHash('sha1').update(text).digest('hex').slice(0, 8)}`
}

/** What drivers tell of a server's error; undefined when there was none. */
export async function failure(asked: Promise<unknown>): Promise<unknown> {
  try {
    await asked
    return undefined
  } catch (error) {
    const { errno, sqlState, code, sqlMessage } = error as Record<string, unknown>
    return { errno, sqlState, code, sqlMessage }
  }
}

/** The same without its words, which name hosts and accounts. */
export async function codeOf(asked: Promise<unknown>): Promise<unknown> {
  const failed = (await failure(asked)) as { errno: number; sqlState: string } | undefined
  return failed === undefined ? undefined : [failed.errno, failed.sqlState]
}

/** Whether it holds before the time is over. */
export async function holdsInTime(
  holds: () => Promise<boolean>,
  options: { readonly forMs: number } = { forMs: 10_000 },
): Promise<boolean> {
  const end = performance.now() + options.forMs
  for (;;) {
    if (await holds()) return true
    if (performance.now() > end) return false
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** A statement whose packet's payload, command byte included, has `bytes` bytes. */
export function statementOf(bytes: number): string {
  const [head, tail] = ["SELECT LENGTH('", "') AS n"]
  return head + 'x'.repeat(bytes - 1 - head.length - tail.length) + tail
}

export const KINDS = `CREATE TABLE kinds (id INT PRIMARY KEY AUTO_INCREMENT, i BIGINT, u BIGINT UNSIGNED,
  d DECIMAL(40,9), f DOUBLE, n INT, e VARCHAR(9), s VARCHAR(99), b BLOB, t TINYINT(1), day DATE,
  at DATETIME(6), span TIME(3), y YEAR, bits BIT(12), en ENUM('a','b'), se SET('x','y'))`

export const ERRORS: readonly string[] = [
  'SELECT * FROM nosuch',
  'SELEKT 1',
  'SELECT nosuch FROM once',
  'INSERT INTO once VALUES (1, 2)',
  'INSERT INTO once VALUES (2, NULL)',
  'USE nowhere',
  'DROP TABLE nosuch',
  'SET nosuch = 1',
  'CALL nosuch()',
  'KILL 4000000000',
  'SELECT COUNT(*) FROM once',
]

export const TWICE = `CREATE PROCEDURE twice(IN a INT) BEGIN SELECT a AS first;
  SELECT a + 1 AS second, 'x' AS word; END`

/** A state that a reset and another login must take away. */
export const SPOIL: readonly string[] = [
  "SET @mine = 7, time_zone = '+05:00', sql_mode = 'ANSI_QUOTES'",
  'SET autocommit = 0',
]
export const STATE =
  'SELECT CURRENT_USER() who, DATABASE() db, @mine mine, @@time_zone zone, @@autocommit auto, @@sql_mode mode'
