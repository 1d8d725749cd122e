/** What a statement leaves with. */
import type { Changed } from './changes.ts'
import type { Result } from './select.ts'
import type { Load } from './statement.ts'

export type Answer =
  | { readonly kind: 'rows'; readonly result: Result }
  | ({ readonly kind: 'ok' } & Changed)
  /** CALL: any number of results, then an OK of its own. */
  | { readonly kind: 'results'; readonly results: AsyncIterable<Result> }
  /** The client has to send a file. */
  | { readonly kind: 'file'; readonly load: Load }

export const DONE: Answer = { kind: 'ok', affectedRows: 0, lastInsertId: 0 }
