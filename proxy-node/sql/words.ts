/**
 * Which words mean what to the scan of a statement. Source: proxy-routing.md §5.1, §5.2, §5.5.
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
  | 'other'

export const VERBS = new WordTable<Verb | 'explain' | 'start' | 'xa' | 'drop'>({
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
  explain: 'explain',
  desc: 'explain',
  describe: 'explain',
})

export const MARK = { dependent: 1, pins: 2 } as const

/** Words whose presence ties a statement to a server session (§5.5; §5.3 of the protocol page). */
export const MARKS = new WordTable<number>({
  found_rows: MARK.dependent,
  row_count: MARK.dependent,
  last_insert_id: MARK.dependent,
  connection_id: MARK.dependent,
  sys_context: MARK.dependent,
  get_lock: MARK.dependent | MARK.pins,
  release_lock: MARK.dependent,
  release_all_locks: MARK.dependent,
  is_free_lock: MARK.dependent,
  is_used_lock: MARK.dependent,
})

/** Of those behind a semicolon, verbs that leave state. */
export const PINNING_WORDS = new WordTable<true>({ prepare: true, temporary: true, lock: true })

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
