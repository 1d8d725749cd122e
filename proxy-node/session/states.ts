/**
 * The life of a client session, and of its search for a server, as data. Each row is a state, each
 * cell the state an event leads to; an absent cell is an event that must not happen there.
 */
import { invariant } from '../base/invariant.ts'

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>
type EventOf<T extends Table> = { [S in keyof T]: Extract<keyof T[S], string> }[keyof T]

export const SESSION_TABLE = {
  greeting: { greeted: 'login', peerLost: 'closed', gaveUp: 'closing' },
  login: { credentialsRead: 'authenticating', peerLost: 'closed', gaveUp: 'closing' },
  authenticating: { accepted: 'idle', peerLost: 'closed', gaveUp: 'closing' },
  idle: { commandRead: 'routing', peerLost: 'closed', gaveUp: 'closing' },
  routing: {
    commandSent: 'working',
    clientAsked: 'asked',
    userChanged: 'authenticating',
    peerLost: 'closed',
    gaveUp: 'closing',
  },
  asked: { clientAnswered: 'routing', peerLost: 'closed', gaveUp: 'closing' },
  working: { resultEnded: 'idle', retried: 'routing', peerLost: 'closed', gaveUp: 'closing' },
  closing: { peerLost: 'closed' },
  closed: {},
} as const satisfies Table

export type SessionState = keyof typeof SESSION_TABLE
export type SessionEvent = EventOf<typeof SESSION_TABLE>

/** Of the server sessions of one client: `using` is the only state in which commands are sent. */
export const SERVERS_TABLE = {
  none: { login: 'entering', go: 'going', released: 'closed' },
  entering: { usable: 'using', unreachable: 'none', released: 'closed' },
  using: { go: 'going', login: 'entering', lost: 'none', released: 'closed' },
  going: { usable: 'using', unreachable: 'none', released: 'closed' },
  closed: {},
} as const satisfies Table

export type ServersState = keyof typeof SERVERS_TABLE
export type ServersEvent = EventOf<typeof SERVERS_TABLE>

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

export function nextServersState(state: ServersState, event: ServersEvent): ServersState {
  const row: Partial<Record<ServersEvent, ServersState>> = SERVERS_TABLE[state]
  const next = row[event]
  if (next === undefined) invariant(false, `server sessions: ${event} while ${state}`)
  return next as ServersState
}
