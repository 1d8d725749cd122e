/** What a way of commands (`way.ts`) is told, and what it needs of the rest of its session. */
import type { ServerSession } from '../backend/server-session.ts'
import type { Trace } from '../routing/view.ts'
import type { Statement } from '../sql/classify.ts'
import type { KnownText } from '../sql/known-texts.ts'
import type { KnownTable, Place } from '../topology/location-view.ts'
import type { PruneAccount } from '../topology/partition/account.ts'
import type { CourseHost } from './course.ts'
import type { CourseParts } from './oceanbase-course.ts'
import type { TextUse } from './placement.ts'
import type { Servers } from './servers.ts'
import type { Prepared } from './statements.ts'

/**
 * Where the text of what is routed is: in the command itself, in what was prepared, or out of reach
 * (the text behind an EXECUTE by name).
 */
export type Source = 'head' | Prepared | undefined

/** Hears what is found on the way; for EXPLAIN ROUTE. */
export type WayTrace = Trace & {
  readonly lookedUp: (routedBy: Statement, known: KnownTable | undefined, isCached: boolean) => void
  readonly pruned: (account: PruneAccount) => void
  readonly placed: (place: Place | undefined, isGuess: boolean) => void
}

/** What a way asks of the pipeline, and of the other parts of its session. */
export type WayHost = Pick<
  CourseHost,
  'state' | 'command' | 'isIncomplete' | 'answerFault' | 'goOn' | 'giveUp'
>
export type WayParts = Pick<CourseParts, 'deps' | 'memory'> & {
  readonly servers: Pick<Servers, 'current' | 'goTo' | 'use'>
  readonly identity: Pick<CourseParts['identity'], 'tenant' | 'outlook' | 'traffic' | 'settings'>
}

/** Who carries the command. */
export type WayOwner = {
  /** Absent: a statement is on its way. Otherwise it is only explained, and nothing learns of it. */
  readonly trace: WayTrace | undefined
  /** What is known of the text of the command under way, while it is the one that was looked for last. */
  readonly known: KnownText<TextUse> | undefined
  /** The copy of the command under way, if one was made. */
  readonly request: Uint8Array | undefined
  readonly keep: (head: Uint8Array) => void
  readonly deliver: (server: ServerSession, head: Uint8Array) => void
}
