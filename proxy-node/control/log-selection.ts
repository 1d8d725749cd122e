/**
 * Which lines are taken: by time, level, words and a pattern; a line without a time belongs to the one
 * before it. What is taken is redacted. Pure.
 */
import { LOG_LEVELS, type LogFilter } from '#contract/log-filter'
import { type LogPattern, logPattern } from '#contract/log-pattern'
import { lineLevel, lineTime } from './log-lines.ts'
import { redacted } from './redaction.ts'

const MAX_LINE_CHARS = 8_192

export type Selection = {
  /** The line as it may leave the node; undefined: it is not asked for. */
  readonly take: (line: string) => string | undefined
}

/** Of one file: it remembers the time of the line before. @throws BadPattern */
export function selectionOf(filter: LogFilter): Selection {
  const pattern = filter.pattern === undefined ? undefined : logPattern(filter.pattern)
  let at: number | undefined
  return {
    take: line => {
      at = lineTime(line) ?? at
      // Before the first time of a file nobody knows: better too much than what is looked for left out.
      if (at !== undefined && (at < filter.from || at > filter.to)) return undefined
      // Before it is searched: what is found or not would tell a secret sign by sign.
      const shown = redacted(line.slice(0, MAX_LINE_CHARS))
      return isAsked(shown, filter, pattern) ? shown : undefined
    },
  }
}

function isAsked(
  line: string,
  { level, keywords, exclude }: LogFilter,
  pattern: LogPattern | undefined,
): boolean {
  const own = level === undefined ? undefined : lineLevel(line)
  if (level !== undefined && own !== undefined)
    if (LOG_LEVELS.indexOf(own) > LOG_LEVELS.indexOf(level)) return false
  if (!keywords.every(word => line.includes(word))) return false
  if (exclude.some(word => line.includes(word))) return false
  return pattern?.isIn(line) ?? true
}
