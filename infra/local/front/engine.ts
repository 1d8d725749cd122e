/** What stands behind a front: a server session for each of its clients, as a stream of bytes. */
import type { Duplex } from 'node:stream'
import type { RoutineEntry, TableEntry, Tablet } from './picture.ts'
import type { Description } from './schema-tables.ts'

/** What a statement that is about to be carried out needs of one table. */
export type Touched = {
  /** `database.table`. */
  readonly table: string
  readonly tablets: readonly Tablet[]
  /** Reads what any replica holds. */
  readonly isWeak: boolean
}

/** What the front says to it. */
export type Verdict = {
  /** Not all of it lies on one other server (proxy-routing.md §4.8). */
  readonly isHit: boolean
  /** `_ob_proxy_weakread_feedback` of a weak read: 0 for all followers, else 1 to 3. */
  readonly feedback: number
  /** Another server leads it, and this one must not execute it for that one. */
  readonly isRefused: boolean
}

/** The front in front of a session. */
export type Seat = {
  /** The session turns to its next command. */
  readonly next: () => void
  readonly judge: (touched: Touched) => Verdict
}

export type Engine = {
  readonly kind: 'kernel' | 'scripted'
  /** A new server session: the stream begins with its greeting and ends with the session. */
  readonly connect: (seat: Seat) => Duplex
  /** The engine's own entry of a table, undefined when there is none. */
  readonly tableEntry: (database: string, table: string) => Promise<TableEntry | undefined>
  /** Of an engine that cannot be asked for them by SQL: insides of tables by id, and routines. */
  readonly insides: EngineInsides | undefined
  /** Of an engine that does not tell its seat: what a statement will need. */
  readonly foresight: Foresight | undefined
}

export type Foresight = {
  /** Undefined when it needs nothing, or it cannot be told. */
  readonly touched: (database: string, sql: string, table: string) => Promise<Touched | undefined>
  /** Definitions have changed. */
  readonly forget: () => void
}

export type EngineInsides = {
  readonly description: (tableId: number) => Description | undefined
  readonly routine: (database: string, name: string) => RoutineEntry | undefined
}
