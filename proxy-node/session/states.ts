/**
 * The life of a client session, as data. Each row is a state, each cell the state an event leads
 * to; an absent cell is an event that must not happen there.
 */
import { invariant } from '../base/invariant.ts'

export const SESSION_TABLE = {
  greeting: { greeted: 'login', peerLost: 'closed', gaveUp: 'closing' },
  login: { credentialsRead: 'authenticating', peerLost: 'closed', gaveUp: 'closing' },
  authenticating: { accepted: 'idle', peerLost: 'closed', gaveUp: 'closing' },
  idle: {
    commandRead: 'routing',
    peerLost: 'closed',
    gaveUp: 'closing',
  },
  routing: {
    commandSent: 'working',
    answeredLocally: 'idle',
    peerLost: 'closed',
    gaveUp: 'closing',
  },
  working: { resultEnded: 'idle', peerLost: 'closed', gaveUp: 'closing' },
  closing: { peerLost: 'closed' },
  closed: {},
} as const satisfies Record<string, Record<string, string>>

export type SessionState = keyof typeof SESSION_TABLE
export type SessionEvent = {
  [S in SessionState]: Extract<keyof (typeof SESSION_TABLE)[S], string>
}[SessionState]

/**
 * The state that `event` leads to from `state`; an event the table does not allow is a bug. Hot path:
 * the message is built only for that bug.
 */
export function nextSessionState(state: SessionState, event: SessionEvent): SessionState {
  const row: Partial<Record<SessionEvent, SessionState>> = SESSION_TABLE[state]
  const next = row[event]
  if (next === undefined) invariant(false, `session: ${event} while ${state}`)
  return next as SessionState
}
