/** Statements that begin, end and describe transactions, XA ones among them. */
import type { Statement, Xa } from './statement.ts'
import type { TokensReader } from './tokens-reader.ts'

type Read = (reader: TokensReader) => Statement

export const TRANSACTION_WORDS: Readonly<Record<string, Read>> = {
  begin: reader => {
    reader.takeWords('work')
    return { kind: 'begin', isReadOnly: false }
  },
  start: readStart,
  commit: reader => {
    reader.takeWords('work')
    return { kind: 'commit' }
  },
  rollback: readRollback,
  savepoint: reader => ({ kind: 'savepoint', name: reader.needName() }),
  release: reader => {
    reader.needWords('savepoint')
    return { kind: 'release', name: reader.needName() }
  },
  xa: readXa,
}

function readStart(reader: TokensReader): Statement {
  reader.needWords('transaction')
  if (reader.takeWords('read', 'only')) return { kind: 'begin', isReadOnly: true }
  if (reader.takeWords('with')) reader.needWords('consistent', 'snapshot')
  else reader.takeWords('read', 'write')
  return { kind: 'begin', isReadOnly: false }
}

function readRollback(reader: TokensReader): Statement {
  reader.takeWords('work')
  if (!reader.takeWords('to')) return { kind: 'rollback' }
  reader.takeWords('savepoint')
  return { kind: 'rollback-to', name: reader.needName() }
}

const VERBS = ['start', 'end', 'prepare', 'commit', 'rollback', 'recover'] as const

function readXa(reader: TokensReader): Xa {
  const begin = reader.takeWords('begin') ? 'start' : undefined
  const verb = begin ?? VERBS.find(each => reader.takeWords(each))
  if (verb === undefined) throw reader.fail()
  if (verb === 'recover') return { kind: 'xa', verb, xid: '', isOnePhase: false }
  const xid = [reader.needText()]
  if (reader.takeSign(',')) xid.push(reader.needText())
  const isOnePhase = verb === 'commit' && reader.takeWords('one', 'phase')
  return { kind: 'xa', verb, xid: xid.join(','), isOnePhase }
}

const LEVELS = [
  ['read', 'uncommitted'],
  ['read', 'committed'],
  ['repeatable', 'read'],
  ['serializable'],
]

/** What stands behind SET TRANSACTION. */
export function readCharacteristics(reader: TokensReader, isOfSession: boolean): Statement {
  let isReadOnly: boolean | undefined
  let isolation: string | undefined
  reader.list(() => {
    if (reader.takeWords('read', 'only')) isReadOnly = true
    else if (reader.takeWords('read', 'write')) isReadOnly = false
    else {
      reader.needWords('isolation', 'level')
      const level = LEVELS.find(words => reader.takeWords(...words))
      if (level === undefined) throw reader.fail()
      isolation = level.join('-').toUpperCase()
    }
  })
  return { kind: 'set-transaction', isOfSession, isReadOnly, isolation }
}
