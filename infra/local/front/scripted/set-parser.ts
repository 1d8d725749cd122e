/** SET in all its forms: variables, characters, characteristics of transactions. */
import type { Cell } from '../codec.ts'
import { readExpression } from './expression-parser.ts'
import type { Assignment, Expression, Statement } from './statement.ts'
import type { TokensReader } from './tokens-reader.ts'
import { readCharacteristics } from './transaction-parser.ts'

export function readSet(reader: TokensReader): Statement {
  if (reader.takeWords('names')) return readNames(reader)
  if (reader.takeWords('character', 'set')) return readNames(reader)
  const isOfSession = reader.takeWords('session', 'transaction')
  if (isOfSession || reader.takeWords('transaction'))
    return readCharacteristics(reader, isOfSession)
  return { kind: 'set', assignments: reader.list(() => readAssignment(reader)) }
}

function readAssignment(reader: TokensReader): Assignment {
  const isUser = reader.next.kind === 'user-variable'
  if (!isUser && reader.next.kind !== 'variable') {
    const scoped = ['session', 'local'].some(scope => reader.takeWords(scope))
    if (!scoped && reader.next.kind === 'word' && /^global$/i.test(reader.next.text))
      throw reader.fail()
  }
  const token = reader.take()
  if (token.text.startsWith('global.')) throw reader.fail()
  const name = token.text.toLowerCase().replace(/^(?:session|local)\./, '')
  if (!reader.takeSign('=')) reader.needSign(':=')
  if (isUser) return { kind: 'user', name, value: readExpression(reader) }
  return {
    kind: 'system',
    name,
    value: reader.takeWords('default') ? undefined : readSetting(reader),
  }
}

/** `SET autocommit = ON`, `SET character_set_results = utf8mb4`: a bare word is text. */
function readSetting(reader: TokensReader): Expression {
  const isBare = reader.next.kind === 'word' && !/^(?:null|true|false)$/i.test(reader.next.text)
  if (!isBare) return readExpression(reader)
  const before = readExpression(reader)
  return before.kind === 'column' ? value(before.name) : before
}

function value(cell: Cell): Expression {
  return { kind: 'value', value: cell }
}

const CHARACTER_SETS = ['character_set_client', 'character_set_connection', 'character_set_results']

function readNames(reader: TokensReader): Statement {
  const { next } = reader
  const name = next.kind === 'string' ? reader.take().text : reader.needName()
  const isDefault = name.toLowerCase() === 'default'
  const charset = isDefault ? 'utf8mb4' : name.toLowerCase()
  const collation = reader.takeWords('collate') ? reader.take().text : `${charset}_general_ci`
  return {
    kind: 'set',
    assignments: [
      ...CHARACTER_SETS.map(variable => ({
        kind: 'system' as const,
        name: variable,
        value: value(charset),
      })),
      { kind: 'system', name: 'collation_connection', value: value(collation) },
    ],
  }
}
