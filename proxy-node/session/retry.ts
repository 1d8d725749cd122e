/**
 * Errors of a server after which the same statement may run on another one: the server says that it
 * has not executed it. Everything else is the client's to judge. Source: proxy-protocol.md §7.5.
 */
import type { Address } from '../net/transport.ts'
import { unescaped } from '../sql/texts.ts'
import { parseReroute } from '../wire/reroute.ts'

export type Reaction = {
  /** What the code says of the world. */
  readonly says: 'server-unfit' | 'location-stale' | 'rerouted'
}

const REACTIONS: ReadonlyMap<number, Reaction> = new Map([
  // SERVER_IS_INIT, SERVER_IS_STOPPING.
  [8001, { says: 'server-unfit' }],
  [8002, { says: 'server-unfit' }],
  // SERVER_READ_ONLY: the zone has changed its type.
  [5081, { says: 'location-stale' }],
  // TENANT_NOT_IN_SERVER, CONNECT_ERROR (no leader elected).
  [5150, { says: 'location-stale' }],
  [4124, { says: 'location-stale' }],
])

/** Undefined: the error is the client's. */
export function reactionTo(errno: number): Reaction | undefined {
  return REACTIONS.get(errno)
}

/** ERR_REROUTE: the OK behind it names a better server in this user variable (§4.4). */
export const REROUTE = 5727
const REROUTE_VARIABLE = 'ob_client_reroute_info'
export const REROUTED: Reaction = { says: 'rerouted' }
/** KILL_CLIENT_SESSION, and what a busy victim of KILL gets (tried A15): the client is closed. */
export const CLOSES_CLIENT: ReadonlySet<number> = new Set([4401, 5066, 603])
/** Not the leader: forwarded, but the location is refreshed. */
export const NOT_MASTER = 4038

const QUOTE = 0x27

/** The server that another one names in the user variables of its OK; undefined when it names none. */
export function betterServer(
  variables: ReadonlyMap<string, Uint8Array> | undefined,
): Address | undefined {
  const given = variables?.get(REROUTE_VARIABLE)
  if (given === undefined) return undefined
  const quoted = { start: 1, end: given.length - 1, quote: QUOTE }
  try {
    return parseReroute(given[0] === QUOTE ? unescaped(given, quoted) : given)
  } catch {
    return undefined
  }
}
