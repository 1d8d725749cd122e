/**
 * What the table keeps of an operation's way: who drives it, its steps, and the waves of commands that carry
 * them to nodes. Whoever goes on with it goes by these.
 */
import type { Verb } from '#contract/command'
import type { ProblemView, Step } from './model.ts'
import type { StepName } from './plan.ts'
import type { Stored } from './record.ts'

/** Exists while an operation is open: who drives it now, and when the sweeper looks at the latest. */
export type WorkRecord = Stored & {
  readonly operationId: string
  /** Saves double work, no more: what counts is the version of each item (PL1). */
  readonly lease: { readonly owner: string; readonly until: number } | null
  readonly nextAt: number
}

export type StepRecord = Stored & {
  readonly operationId: string
  readonly n: number
  readonly name: StepName
  readonly phase: Step['phase']
  readonly attempt: number
  /** Times this attempt was handed to Run Command and got lost, or the node was asked again. */
  readonly sends: number
  readonly deadlineAt: number | null
  readonly notBefore: number | null
  /** The wave that carries it now. */
  readonly wave: number | null
  /** When the node was asked for the last time, after the deadline. */
  readonly lookedAt: number | null
  readonly commandId: string | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  /** Bounded summary of the node's answer. */
  readonly output: string | null
  readonly error: ProblemView | null
}

export type WaveEntry = {
  readonly operationId: string
  readonly n: number
  readonly attempt: number
  readonly hostId: string
}

/** One SendCommand: the intent is stored first, with the whole order (PL3). */
export type WaveRecord = Stored & {
  readonly operationId: string
  readonly n: number
  readonly verb: Verb
  readonly entries: readonly WaveEntry[]
  readonly order: string
  /** Unique; how a lost response is settled. */
  readonly comment: string
  readonly commandId: string | null
  readonly intentAt: number
  readonly sentAt: number | null
}

/** Which operation a command belongs to, for status events. */
export type CommandRecord = Stored & {
  readonly commandId: string
  readonly operationId: string
  readonly expiresAt: number
}
