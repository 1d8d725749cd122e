/**
 * Errors of a server after which the same statement may run on another one: the server says that it
 * has not executed it. Everything else is the client's to judge. Source: proxy-protocol.md §7.5.
 */
import { unescaped } from '../sql/texts.ts'
import type { FailureKind } from '../topology/failures.ts'
import { parseReroute, type Reroute } from '../wire/reroute.ts'

/** What the code says of the world, and so where the statement goes next. */
export type Reaction =
  /** The server is no good now: the next one. */
  | { readonly says: 'server-unfit'; readonly counts: FailureKind }
  /** The server cannot do it, another may: the next one. */
  | { readonly says: 'elsewhere' }
  /** The location is old: it is asked for anew, and the statement goes by that. */
  | { readonly says: 'location-stale' }
  | { readonly says: 'rerouted' }

const REACTIONS: ReadonlyMap<number, Reaction> = new Map<number, Reaction>([
  // SERVER_IS_INIT, SERVER_IS_STOPPING.
  [8001, { says: 'server-unfit', counts: 'server-initialising' }],
  [8002, { says: 'server-unfit', counts: 'server-stopping' }],
  // SERVER_READ_ONLY: the zone has changed its type.
  [5081, { says: 'elsewhere' }],
  // TENANT_NOT_IN_SERVER, CONNECT_ERROR (no leader elected).
  [5150, { says: 'location-stale' }],
  [4124, { says: 'location-stale' }],
])

const LOOK_AGAIN: Reaction = { says: 'location-stale' }

/** Undefined: the error is the client's. `mayLookAgain`: not being the leader has not been told before. */
export function reactionTo(errno: number, mayLookAgain: boolean): Reaction | undefined {
  return errno === NOT_MASTER && mayLookAgain ? LOOK_AGAIN : REACTIONS.get(errno)
}

/** Errors that say something of the server although they are the client's to read (§9.4). */
export const COUNTED: ReadonlyMap<number, FailureKind> = new Map([
  [8003, 'checksum'],
  [4013, 'no-memory'],
])

/** ERR_REROUTE: the OK behind it names a better server in this user variable (§4.4). */
export const REROUTE = 5727
const REROUTE_VARIABLE = 'ob_client_reroute_info'
export const REROUTED: Reaction = { says: 'rerouted' }
/** KILL_CLIENT_SESSION, and what a busy victim of KILL gets (tried A15): the client is closed. */
export const CLOSES_CLIENT: ReadonlySet<number> = new Set([4401, 5066, 603])
/** Not the leader: tried once more by a location that is asked for anew, then forwarded. */
export const NOT_MASTER = 4038

const QUOTE = 0x27

/** The server that another one names in the user variables of its OK; undefined when it names none. */
export function betterServer(
  variables: ReadonlyMap<string, Uint8Array> | undefined,
): Reroute | undefined {
  const given = variables?.get(REROUTE_VARIABLE)
  if (given === undefined) return undefined
  const quoted = { start: 1, end: given.length - 1, quote: QUOTE }
  try {
    return parseReroute(given[0] === QUOTE ? unescaped(given, quoted) : given)
  } catch {
    return undefined
  }
}
