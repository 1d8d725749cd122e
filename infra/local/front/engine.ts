/** What stands behind a front: a server session for each of its clients, as a stream of bytes. */
import type { Duplex } from 'node:stream'
import type { TableEntry } from './picture.ts'

export type Engine = {
  readonly kind: 'kernel' | 'scripted'
  /** A new server session: the stream begins with its greeting and ends with the session. */
  readonly connect: () => Duplex
  /** The engine's own entry of a table, undefined when there is none. */
  readonly tableEntry: (database: string, table: string) => Promise<TableEntry | undefined>
}
