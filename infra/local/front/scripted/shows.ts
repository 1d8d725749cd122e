/** SHOW in the forms that the scripted engine knows. */
import type { Cell } from '../codec.ts'
import { isLike } from './evaluate.ts'
import { PROTOCOL_TYPE, type Result } from './select.ts'
import type { Session } from './session.ts'
import type { Statement } from './statement.ts'

type What = Extract<Statement, { kind: 'show' }>['what']

export function show(session: Session, what: What): Result {
  if (what === 'warnings') return table(['Level', 'Code', 'Message'], session.warnings)
  if (what === 'processlist') return processList(session)
  const { database: stored } = session.world
  if (what === 'databases')
    return table(
      ['Database'],
      stored.names.map(name => [name]),
    )
  const { database } = session.qualified({ database: undefined, table: '' })
  return table(
    [`Tables_in_${database}`],
    stored.tables(database).map(name => [name]),
  )
}

export function processList(session: Session): Result {
  const columns = ['Id', 'User', 'db', 'Command', 'Info']
  const rows = session.world
    .list()
    .map(each => [
      each.id,
      each.user,
      each.database ?? null,
      each.text === undefined ? 'Sleep' : 'Query',
      each.text ?? null,
    ])
  return table(columns, rows)
}

export function showVariables(session: Session, pattern: string | undefined): Result {
  const names = session.variables.names.filter(name => isLike(name, pattern ?? '%'))
  const rows = names.map(name => [name, session.variables.shown(name)])
  return table(['Variable_name', 'Value'], rows)
}

/** Branches that are prepared, as XA RECOVER tells of them. */
export function showBranches(session: Session): Result {
  const rows = [...session.world.branches.keys()].map(xid => [1, xid.length, 0, xid])
  return table(['formatID', 'gtrid_length', 'bqual_length', 'data'], rows)
}

const WHOLE = ['Id', 'formatID', 'gtrid_length', 'bqual_length', 'Code']

function table(names: readonly string[], rows: readonly (readonly Cell[])[]): Result {
  const columns = names.map(name => ({
    name,
    type: PROTOCOL_TYPE[WHOLE.includes(name) ? 'integer' : 'text'],
  }))
  return { columns, rows }
}
