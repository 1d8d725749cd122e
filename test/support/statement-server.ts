/**
 * A scripted server that knows prepared statements: ids of its own from 100 on, parameter counts by the
 * question marks, and every EXECUTE answered by what it was sent. A statement id it never gave is an error.
 */
import type { FakeConnection, FakeScript } from './fake-server.ts'

type Kept = { readonly sql: string; hasTypes: boolean; longData: string }

const kept = new WeakMap<FakeConnection, Map<number, Kept>>()
let nextId = 100

function statementsOf(connection: FakeConnection): Map<number, Kept> {
  const found = kept.get(connection) ?? new Map<number, Kept>()
  kept.set(connection, found)
  return found
}

/** What an EXECUTE was, as its answer says it: text, whether types came, bytes of long data. */
export type Executed = { readonly sql: string; readonly types: string; readonly longData: string }

export function executedOf(payload: Buffer | undefined): Executed {
  const text = payload?.subarray(1).toString() ?? ''
  const [sql = '', types = '', longData = ''] = text.split('|')
  return { sql, types, longData }
}

/** Handles PREPARE, EXECUTE, LONG_DATA, RESET, CLOSE and FETCH; `next` gets everything else. */
export function statementScript(next?: FakeScript['onCommand']): FakeScript {
  return {
    onCommand: (connection, command, server) => {
      const code = command[0]
      if (code === 0x16) prepare(connection, command)
      else if (code === 0x17) execute(connection, command)
      else if (code === 0x18) longData(connection, command)
      else if (code === 0x19) statementsOf(connection).delete(command.readUInt32LE(1))
      else if (code === 0x1a || code === 0x1c) known(connection, command, () => connection.ok())
      else return next?.(connection, command, server) ?? false
      return true
    },
  }
}

/** SQL of the statements that a connection has at this moment. */
export function preparedOn(connection: FakeConnection | undefined): string[] {
  return connection === undefined
    ? []
    : [...statementsOf(connection).values()].map(({ sql }) => sql)
}

function prepare(connection: FakeConnection, command: Buffer): void {
  const sql = command.subarray(1).toString()
  if (sql.startsWith('SYNTAX')) {
    connection.error(1064, 'no such grammar')
    return
  }
  const id = nextId++
  const parameters = sql.split('?').length - 1
  statementsOf(connection).set(id, { sql, hasTypes: false, longData: '' })
  const head = Buffer.alloc(12)
  head.writeUInt32LE(id, 1)
  head.writeUInt16LE(parameters, 7)
  const eof = Buffer.from([0xfe, 0, 0, 2, 0])
  const definitions = Array.from({ length: parameters }, () => Buffer.from('definition'))
  const answer = parameters === 0 ? [head] : [head, ...definitions, eof]
  connection.send(...answer, Buffer.from([0, 0, 0, 0x22, 0, 0, 0]))
}

function execute(connection: FakeConnection, command: Buffer): void {
  known(connection, command, statement => {
    const parameters = statement.sql.split('?').length - 1
    const flag = 10 + ((parameters + 7) >> 3)
    const brings = parameters > 0 && command[flag] === 1
    if (parameters > 0 && !brings && !statement.hasTypes) {
      connection.error(5023, 'types were never sent')
      return
    }
    statement.hasTypes ||= brings
    const cursor = command[5] !== 0
    const types = brings
      ? command.subarray(flag + 1, flag + 1 + parameters * 2).toString('hex')
      : ''
    const cell = `${statement.sql}|${types}|${statement.longData}`
    statement.longData = ''
    const status = cursor ? 0x62 : 0x22
    const eof = Buffer.from([0xfe, 0, 0, status, 0])
    const ok = Buffer.from([0, 0, 0, 0x22, 0, 0, 0])
    const columns = [Buffer.from([1]), Buffer.from('column'), eof]
    if (cursor) connection.send(...columns, ok)
    else connection.send(...columns, row(cell), eof, ok)
  })
}

function row(text: string): Buffer {
  return Buffer.concat([Buffer.from([0]), Buffer.from(text)])
}

function longData(connection: FakeConnection, command: Buffer): void {
  const statement = statementsOf(connection).get(command.readUInt32LE(1))
  if (statement !== undefined) statement.longData += command.subarray(7).toString()
}

function known(connection: FakeConnection, command: Buffer, act: (statement: Kept) => void): void {
  const statement = statementsOf(connection).get(command.readUInt32LE(1))
  if (statement === undefined) connection.error(1243, 'a server id that this server never gave')
  else act(statement)
}
