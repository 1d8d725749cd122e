import { describe, expect, test } from 'vitest'
import {
  nextSessionState,
  SESSION_TABLE,
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
