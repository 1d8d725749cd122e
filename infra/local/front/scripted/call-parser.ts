/** Statements that run others: text PREPARE and EXECUTE, procedures and CALL. */
import { readExpression } from './expression-parser.ts'
import type { Expression, Statement } from './statement.ts'
import type { TokensReader } from './tokens-reader.ts'

type Read = (reader: TokensReader) => Statement

export const CALL_WORDS: Readonly<Record<string, Read>> = {
  prepare: reader => {
    const name = reader.needName().toLowerCase()
    reader.needWords('from')
    return { kind: 'prepare', name, from: readExpression(reader) }
  },
  execute: readExecute,
  deallocate: reader => {
    reader.needWords('prepare')
    return { kind: 'deallocate', name: reader.needName().toLowerCase() }
  },
  call: readCall,
}

function readExecute(reader: TokensReader): Statement {
  const name = reader.needName().toLowerCase()
  const using: readonly Expression[] = reader.takeWords('using')
    ? reader.list(() => readExpression(reader))
    : []
  return { kind: 'execute', name, using }
}

function readCall(reader: TokensReader): Statement {
  const name = needProcedure(reader)
  const args: Expression[] = []
  if (reader.takeSign('(') && !reader.takeSign(')')) {
    args.push(...reader.list(() => readExpression(reader)))
    reader.needSign(')')
  }
  return { kind: 'call', name, args }
}

/** `p`, `d.p`, in small letters. */
export function needProcedure(reader: TokensReader): string {
  const { database, table } = reader.needTable()
  return (database === undefined ? table : `${database}.${table}`).toLowerCase()
}

/** Behind CREATE PROCEDURE: parameters that go in, statements between BEGIN and END. */
export function readProcedure(reader: TokensReader): Statement {
  const name = needProcedure(reader)
  reader.needSign('(')
  const parameters = reader.takeSign(')') ? [] : readParameters(reader)
  reader.needWords('begin')
  const body: string[] = []
  while (!reader.takeWords('end')) {
    const { at } = reader.next
    while (!reader.takeSign(';')) {
      if (reader.next.kind === 'end') throw reader.fail()
      reader.take()
    }
    body.push(reader.textSince(at).replace(/;\s*$/, ''))
  }
  return { kind: 'create-procedure', name, parameters, body }
}

function readParameters(reader: TokensReader): string[] {
  const names = reader.list(() => {
    reader.takeWords('in')
    const name = reader.needName().toLowerCase()
    reader.needName()
    if (reader.takeSign('(')) {
      reader.needWhole()
      reader.needSign(')')
    }
    return name
  })
  reader.needSign(')')
  return names
}
