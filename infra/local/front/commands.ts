/** What a front sees in the beginning of a command: its kind, first word and first table. */

export const COMMAND = { initDb: 0x02, query: 0x03, changeUser: 0x11, prepare: 0x16, execute: 0x17 }

export const COMMAND_NAMES: Readonly<Record<number, string>> = {
  1: 'quit',
  2: 'init-db',
  3: 'query',
  4: 'field-list',
  9: 'statistics',
  14: 'ping',
  17: 'change-user',
  22: 'prepare',
  23: 'execute',
  24: 'long-data',
  25: 'close-statement',
  26: 'reset-statement',
  27: 'set-option',
  28: 'fetch',
  31: 'reset-connection',
}

export type Command = {
  readonly code: number
  /** Of a text: its first word; otherwise the command's name. */
  readonly word: string
  readonly table: string | undefined
  /** Statement text as far as it was seen; empty for other commands. */
  readonly sql: string
  /** Of the whole command when it is short, else of what was there when it was looked at. */
  readonly bytes: number
  readonly text: (bytes: number) => string
}

/** Comments in front of a statement are no word of it. */
const FIRST_WORD = /^(?:\s|\/\*[\s\S]*?\*\/|--\s[^\n]*\n|#[^\n]*\n)*(\w+)/
const FIRST_TABLE = /\b(?:from|into|update)\s+`?([\w$.]+)/i

export function readCommand(seen: Buffer, bytes: number): Command {
  const code = seen[0] ?? 0
  const isText = code === COMMAND.query || code === COMMAND.prepare
  const sql = isText ? seen.subarray(1).toString() : ''
  const named = COMMAND_NAMES[code] ?? 'other'
  return {
    code,
    word: isText ? (FIRST_WORD.exec(sql)?.[1]?.toLowerCase() ?? '') : named,
    table: FIRST_TABLE.exec(sql)?.[1]?.toLowerCase(),
    sql,
    bytes,
    text: limit => textOf(seen, isText, limit),
  }
}

function textOf(seen: Buffer, isText: boolean, limit: number): string {
  if (isText) return seen.subarray(1, 1 + limit).toString()
  const hasStatement = [0x17, 0x18, 0x19, 0x1a, 0x1c].includes(seen[0] ?? 0) && seen.length >= 5
  const id = hasStatement ? `#${seen.readUInt32LE(1)} ` : ''
  const readable = seen.subarray(hasStatement ? 5 : 1, limit).toString('latin1')
  return id + readable.replace(/[^\x20-\x7e]/g, '.')
}

/** A COM_CHANGE_USER with another user; undefined when it is not wholly there. */
export function withUser(whole: Buffer, change: (user: string) => string): Buffer | undefined {
  const end = whole.indexOf(0, 1)
  if (end < 0) return undefined
  const user = change(whole.subarray(1, end).toString())
  return Buffer.concat([whole.subarray(0, 1), Buffer.from(user), whole.subarray(end)])
}

const JUDGED = ['select', 'insert', 'replace', 'update', 'delete']
const DEFINITIONS = ['create', 'drop', 'alter', 'truncate', 'rename']

/** Whether a statement reads or writes rows of a table. */
export function isOfRows({ code, word, table }: Command): boolean {
  return code === COMMAND.query && table !== undefined && JUDGED.includes(word)
}

export function isDefinition({ code, word }: Command): boolean {
  return code === COMMAND.query && DEFINITIONS.includes(word)
}

const USE = /^\s*use\s+`?([\w$]+)`?\s*;?\s*$/i

/** The database that a command changes to. */
export function databaseIn({ code, sql, text }: Command): string | undefined {
  if (code === COMMAND.initDb) return text(MAX_NAME_BYTES).slice(0, MAX_NAME_BYTES)
  return code === COMMAND.query ? USE.exec(sql)?.[1] : undefined
}

const MAX_NAME_BYTES = 512

/** Whether a statement ends a transaction with its changes. */
export function isCommit({ code, sql }: Command): boolean {
  return code === COMMAND.query && COMMIT.test(sql)
}

const COMMIT = /^(?:\s|\/\*[\s\S]*?\*\/|--\s[^\n]*\n|#[^\n]*\n)*(?:xa\s+)?commit\b/i
