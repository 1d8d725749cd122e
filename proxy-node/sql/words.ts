/**
 * Which words mean what to the scan of a statement. Source: proxy-routing.md §5.1, §5.2, §5.5;
 * proxy-protocol.md §5.3.
 */
import { WordTable } from './lexer.ts'

export type Verb =
  | 'select'
  | 'insert'
  | 'update'
  | 'delete'
  | 'replace'
  | 'merge'
  | 'load'
  | 'begin'
  | 'xaStart'
  | 'commit'
  | 'rollback'
  /** SAVEPOINT, ROLLBACK TO, RELEASE SAVEPOINT. */
  | 'savepoint'
  | 'set'
  | 'use'
  | 'show'
  | 'ddl'
  | 'prepare'
  | 'execute'
  | 'deallocate'
  | 'call'
  | 'kill'
  | 'lock'
  | 'unlock'
  /** Expressions and queries that begin with another word: WITH, DO, VALUES, TABLE, HELP. */
  | 'query'
  | 'other'

/** A verb, or a word that needs the next one to be one. */
export type Head = Verb | 'explain' | 'start' | 'xa' | 'drop' | 'release' | 'get'

export const VERBS = new WordTable<Head>({
  select: 'select',
  insert: 'insert',
  update: 'update',
  delete: 'delete',
  replace: 'replace',
  merge: 'merge',
  load: 'load',
  begin: 'begin',
  start: 'start',
  xa: 'xa',
  commit: 'commit',
  rollback: 'rollback',
  savepoint: 'savepoint',
  release: 'release',
  set: 'set',
  use: 'use',
  show: 'show',
  create: 'ddl',
  alter: 'ddl',
  drop: 'drop',
  truncate: 'ddl',
  rename: 'ddl',
  grant: 'ddl',
  revoke: 'ddl',
  prepare: 'prepare',
  execute: 'execute',
  deallocate: 'deallocate',
  call: 'call',
  kill: 'kill',
  lock: 'lock',
  unlock: 'unlock',
  explain: 'explain',
  desc: 'explain',
  describe: 'explain',
  get: 'get',
  with: 'query',
  do: 'query',
  values: 'query',
  table: 'query',
  help: 'query',
})

/** Bits of `Statement.flags`. */
export const FLAG = {
  /** Its result depends on the statement that ran before it in the same server session. */
  leans: 0x1,
  /** It takes, gives back or asks for locks that belong to a server session. */
  locks: 0x2,
  /** It makes or drops a temporary table. */
  temporary: 0x4,
  /** START TRANSACTION … WITH CONSISTENT SNAPSHOT. */
  snapshot: 0x8,
  /** Executing it can end a transaction with its changes kept. */
  mayCommit: 0x10,
  /** One of several statements leaves state that is learned from single statements only. */
  untracked: 0x20,
  /** SELECT … FOR UPDATE, FOR SHARE or LOCK IN SHARE MODE. */
  locking: 0x40,
  /** More than one statement. */
  multiple: 0x80,
  /** It has an `@`: a variable, or a table behind a link. */
  variables: 0x100,
  /** LAST_INSERT_ID(), @@last_insert_id or @@identity. */
  insertId: 0x200,
  /** FOUND_ROWS(): of the last query, whatever ran after it. */
  foundRows: 0x400,
  /** One of its statements is EXECUTE. */
  executes: 0x800,
  /** One of its statements is CALL. */
  calls: 0x1000,
  /** It draws the next value of a sequence. */
  nextValue: 0x2000,
  /** It asks for the value of a sequence that this session drew last. */
  currentValue: 0x4000,
  /** Its first table is behind a link to another database. */
  link: 0x8000,
  /** It is about binary logs, which a service of their own has. */
  binlog: 0x1_0000,
  /** EXPLAIN ROUTE of another statement. */
  explainsRoute: 0x2_0000,
} as const

/** Functions that tie a statement to a session: what calling one sets. */
export const FUNCTIONS = new WordTable<number>({
  found_rows: FLAG.foundRows,
  row_count: FLAG.leans,
  sys_context: FLAG.leans,
  last_trace_id: FLAG.leans,
  display_cursor: FLAG.leans,
  last_insert_id: FLAG.insertId,
  get_lock: FLAG.locks,
  release_lock: FLAG.locks,
  release_all_locks: FLAG.locks,
  is_free_lock: FLAG.locks,
  is_used_lock: FLAG.locks,
})

/** What may stand behind the name of a sequence and a dot. */
export const SEQUENCES = new WordTable<number>({
  nextval: FLAG.nextValue,
  currval: FLAG.currentValue,
})

/** System variables that do, or that the service of binary logs has. */
export const VARIABLES = new WordTable<number>({
  warning_count: FLAG.leans,
  error_count: FLAG.leans,
  last_insert_id: FLAG.insertId,
  identity: FLAG.insertId,
  log_bin: FLAG.binlog,
  binlog_checksum: FLAG.binlog,
  binlog_format: FLAG.binlog,
  binlog_row_image: FLAG.binlog,
  gtid_mode: FLAG.binlog,
  gtid_executed: FLAG.binlog,
  gtid_purged: FLAG.binlog,
})

/** What SHOW tells of the statement before. */
export const LEANING_SHOWS = new WordTable<true>({
  warnings: true,
  errors: true,
  trace: true,
  profile: true,
  profiles: true,
})

/** Words between CREATE or DROP and TEMPORARY, and between GET and DIAGNOSTICS. */
export const HEAD_FILLERS = new WordTable<true>({
  or: true,
  replace: true,
  global: true,
  private: true,
  current: true,
  stacked: true,
})

/** Whether a verb can end a transaction so that its changes are kept. A verb not here can. */
const NEVER_COMMITS: Readonly<Partial<Record<Verb, true>>> = {
  select: true,
  insert: true,
  update: true,
  delete: true,
  replace: true,
  merge: true,
  show: true,
  use: true,
  savepoint: true,
  rollback: true,
  deallocate: true,
  query: true,
}

export function mayCommit(verb: Verb): boolean {
  return NEVER_COMMITS[verb] !== true
}

/** What a statement does with rows. */
export type StatementKind = 'read' | 'write' | 'other'

export function kindOf(verb: Verb): StatementKind {
  if (verb === 'select') return 'read'
  const writes =
    verb === 'insert' ||
    verb === 'update' ||
    verb === 'delete' ||
    verb === 'replace' ||
    verb === 'merge' ||
    verb === 'load'
  return writes ? 'write' : 'other'
}

/** Words between the verb and the table of INSERT, REPLACE and UPDATE. */
export const FILLERS = new WordTable<true>({
  low_priority: true,
  delayed: true,
  high_priority: true,
  quick: true,
  ignore: true,
  overwrite: true,
  into: true,
})

/** Oracle's INSERT ALL and INSERT WHEN have several targets. */
export const MANY_TARGETS = new WordTable<true>({ all: true, first: true, when: true })

/** What SHOW reads of one table, by the word before FROM or IN. */
export const TABLE_SHOWS = new WordTable<true>({
  columns: true,
  fields: true,
  index: true,
  indexes: true,
  keys: true,
})

export const DML = new WordTable<Verb>({
  select: 'select',
  insert: 'insert',
  update: 'update',
  delete: 'delete',
  replace: 'replace',
  merge: 'merge',
})
