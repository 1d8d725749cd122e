import { describe, expect, test } from 'vitest'
import {
  nextServersState,
  nextSessionState,
  SERVERS_TABLE,
  SESSION_TABLE,
  type ServersState,
  type SessionEvent,
  type SessionState,
} from '../../../../proxy-node/session/states.ts'

const STATES = Object.keys(SESSION_TABLE) as SessionState[]
const ROWS = Object.entries(SESSION_TABLE) as [
  SessionState,
  Partial<Record<SessionEvent, SessionState>>,
][]

function reachableFrom(state: SessionState): Set<SessionState> {
  const seen = new Set<SessionState>([state])
  for (const next of seen) for (const to of Object.values(SESSION_TABLE[next])) seen.add(to)
  return seen
}

describe('the table of session states', () => {
  test('reaches every state from the first', () => {
    expect([...reachableFrom('greeting')].sort()).toEqual([...STATES].sort())
  })

  test.each(STATES)('%s can reach the end', state => {
    expect(reachableFrom(state)).toContain('closed')
  })

  test('leaves the end by nothing, and every other state when the peer is lost', () => {
    expect(SESSION_TABLE.closed).toEqual({})
    for (const [state, row] of ROWS) if (state !== 'closed') expect(row.peerLost).toBe('closed')
  })

  test('refuses an event that must not happen', () => {
    expect(() => nextSessionState('idle', 'accepted')).toThrow('session: accepted while idle')
  })
})

describe('the table of the server sessions of a client', () => {
  const states = Object.keys(SERVERS_TABLE) as ServersState[]
  const reachable = (from: ServersState) => {
    const seen = new Set<string>([from])
    for (const state of seen)
      for (const to of Object.values(SERVERS_TABLE[state as ServersState])) seen.add(to)
    return seen
  }

  test('reaches every state from the first, and the end from every state', () => {
    expect([...reachable('none')].sort()).toEqual([...states].sort())
    for (const state of states) expect(reachable(state)).toContain('closed')
  })

  test('sends commands in one state only, which a loss ends', () => {
    expect(SERVERS_TABLE.using.lost).toBe('none')
    for (const [state, row] of Object.entries(SERVERS_TABLE))
      if (state !== 'using') expect(row).not.toHaveProperty('lost')
  })

  test('refuses an event that must not happen', () => {
    expect(() => nextServersState('none', 'usable')).toThrow('server sessions: usable while none')
  })
})
