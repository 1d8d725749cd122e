import { describe, expect, test } from 'vitest'
import {
  type Connection,
  type UserValue,
  userValue,
} from '../../../../proxy-node/session/user-values.ts'
import { isFeedback, UserVariables } from '../../../../proxy-node/session/user-variables.ts'

const CONNECTION: Connection = {
  client: 'utf8mb4',
  charset: 'utf8mb4',
  collation: 'utf8mb4_general_ci',
  mode: 0,
}

function value(literal: string, isPlain: boolean): UserValue {
  return userValue(Buffer.from(literal), CONNECTION, isPlain)
}

describe('the user variables of a session', () => {
  test('are told from a version on', () => {
    const variables = new UserVariables()
    variables.set('a', value('1', true), 2)
    variables.set('b', value("'two'", true), 3)

    expect(variables.since(2)).toEqual([['b', value("'two'", true)]])
    expect(variables.text('b')).toBe('two')
    expect(variables.text('a')).toBeUndefined()
  })

  test('have guesses until they are asked about, or set by a literal', () => {
    const variables = new UserVariables()
    variables.set('a', value('1', false), 2)
    variables.set('b', value('2', false), 3)

    variables.set('a', value('1', true), 4)

    expect(variables.guessed().map(([name]) => name)).toEqual(['b'])
    expect(variables.hasGuesses).toBe(true)

    variables.noMoreGuesses([['b', value('3', true)]])

    expect(variables.hasGuesses).toBe(false)
    expect(variables.value('b')).toEqual(value('3', true))
  })

  test('whose server is gone are told as they are guessed', () => {
    const variables = new UserVariables()
    variables.set('a', value("'x'", false), 2)

    variables.noMoreGuesses([])

    expect(variables.guessed()).toEqual([])
    expect(variables.text('a')).toBe('x')
  })

  test('cost their name once, and the difference of their values', () => {
    const variables = new UserVariables()

    expect(variables.bytesMore('name', value('12', true))).toBe(6)

    variables.set('name', value('12', true), 2)

    expect(variables.bytesMore('name', value('1', true))).toBe(-1)
  })

  test('are not what servers tell the proxy by them', () => {
    expect(isFeedback('ob_client_reroute_info')).toBe(true)
    expect(isFeedback('a')).toBe(false)
  })
})
