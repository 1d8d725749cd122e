import { describe, expect, test } from 'vitest'
import { Lobby, Visit } from '../../../../proxy-node/session/lobby.ts'

const at = (address: string) => ({ isLocated: true, address })
const hidden = { isLocated: false, address: '127.0.0.1' }

function lobbyOf(maxLogins: number, maxLoginsPerAddress: number) {
  const limits = { maxLogins, maxLoginsPerAddress }
  const lobby = new Lobby(() => limits)
  return { lobby, limits, visit: () => new Visit(lobby) }
}

describe('clients that log in', () => {
  test('are counted once, however often they are seen', () => {
    const { lobby, visit } = lobbyOf(2, 1)
    const one = visit()

    expect([one.take(hidden), one.take(hidden), one.take(at('a')), one.take(at('a'))]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect(lobby.size).toBe(1)
  })

  test('that are one too many are refused and not counted', () => {
    const { lobby, visit } = lobbyOf(1, 0)
    const one = visit()
    one.take(at('a'))
    const two = visit()

    expect(two.take(at('b'))?.code).toBe('login.too-many-logins')
    two.leave()
    expect(lobby.size).toBe(1)
    one.leave()
    one.leave()
    expect(lobby.size).toBe(0)
    expect(visit().take(at('b'))).toBeUndefined()
  })

  test('count by address when it is known, and for as long as they log in', () => {
    const { visit } = lobbyOf(0, 1)
    const [one, two, three] = [visit(), visit(), visit()]
    one.take(hidden)
    one.take(at('a'))
    two.take(hidden)

    expect(two.take(at('a'))?.code).toBe('login.too-many-of-address')
    expect(three.take(at('b'))).toBeUndefined()
    one.leave()
    expect(visit().take(at('a'))).toBeUndefined()
  })

  test('without limits are never refused; a limit that comes later holds for who comes later', () => {
    const { lobby, limits, visit } = lobbyOf(0, 0)
    for (let count = 0; count < 1000; count++) expect(visit().take(at('a'))).toBeUndefined()
    Object.assign(limits, { maxLogins: 1000 })

    expect(visit().take(at('a'))?.facts).toEqual({ most: 1000 })
    expect(lobby.size).toBe(1000)
  })
})
