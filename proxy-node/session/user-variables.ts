/**
 * The user variables of one session, as OKs told them: what each has, since when, and which values are
 * guesses that their server has to be asked about before another one is told. What a value is and how it
 * is made anew is the matter of `user-values.ts`.
 */
import { ANSWER_VARIABLE, type UserValue } from './user-values.ts'
import { changedSince, type Versioned } from './versioned.ts'

/** User variables that servers make up to tell the proxy something (§4.3). */
const FEEDBACK: ReadonlySet<string> = new Set([
  'ob_client_reroute_info',
  'ob_client_feedback',
  '_min_cluster_version',
  ANSWER_VARIABLE,
])

/** It is no variable of the client's. */
export function isFeedback(name: string): boolean {
  return FEEDBACK.has(name)
}

/** Names are in lower case, as OKs give them. */
export class UserVariables {
  private readonly values = new Map<string, Versioned<UserValue>>()
  /** How many have a value of which type and collation are a guess. */
  private guesses = 0

  value(name: string): UserValue | undefined {
    return this.values.get(name)?.value
  }

  /** Of one that holds a text. */
  text(name: string): string | undefined {
    const bytes = this.value(name)?.bytes
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
  }

  /** Those that changed after `version`. */
  since(version: number): [string, UserValue][] {
    return changedSince(this.values, version)
  }

  /** How many bytes more are kept once `name` has this value; below zero: fewer. */
  bytesMore(name: string, value: UserValue): number {
    const before = this.value(name)
    return sizeOf(value) - (before === undefined ? -name.length : sizeOf(before))
  }

  set(name: string, value: UserValue, version: number): void {
    this.guesses += Number(value.isGuess) - Number(this.value(name)?.isGuess === true)
    this.values.set(name, { value, version })
  }

  get hasGuesses(): boolean {
    return this.guesses > 0
  }

  /** Those that are to be asked about. */
  guessed(): [string, UserValue][] {
    return this.since(0).filter(([, { isGuess }]) => isGuess)
  }

  /** What their server said of them; nothing: there is nobody left to ask. */
  noMoreGuesses(values: readonly (readonly [string, UserValue])[]): void {
    for (const [name, value] of values) {
      const entry = this.values.get(name)
      if (entry !== undefined) entry.value = value
    }
    for (const entry of this.values.values())
      if (entry.value.isGuess) entry.value = { ...entry.value, isGuess: false }
    this.guesses = 0
  }
}

function sizeOf({ given, bytes }: UserValue): number {
  return given.length + (bytes?.length ?? 0)
}
