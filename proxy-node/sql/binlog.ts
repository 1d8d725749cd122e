/** Statements about binary logs. Source: proxy-routing.md §5.1. */
import { keyword, type Lexer, WordTable } from './lexer.ts'

const LOGS = keyword('logs')
const STATUS = keyword('status')
const EVENTS = keyword('events')

/** What a verb may be about: the word behind it, and which ones may follow that, any for an empty list. */
type Topics = WordTable<readonly Uint8Array[]>

export const BINLOG_TOPICS = new WordTable<Topics>({
  show: new WordTable<readonly Uint8Array[]>({
    master: [STATUS, LOGS],
    binary: [LOGS],
    binlog: [EVENTS],
    slave: [STATUS],
    replica: [STATUS],
  }),
  purge: new WordTable<readonly Uint8Array[]>({ binary: [LOGS], master: [LOGS] }),
  flush: new WordTable<readonly Uint8Array[]>({ binary: [LOGS] }),
  reset: new WordTable<readonly Uint8Array[]>({ master: [] }),
})

/** Whether one of `topics` begins at the current token; the token behind it may become the current one. */
export function isBinlogTopic(lexer: Lexer, topics: Topics): boolean {
  const seconds = topics.lookup(lexer)
  if (seconds === undefined) return false
  if (seconds.length === 0) return true
  lexer.next()
  for (const second of seconds) if (lexer.is(second)) return true
  return false
}
