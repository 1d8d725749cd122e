/**
 * Which lines of a shell script stand by themselves, so that one of them can be made a comment and the rest
 * still is a script: none inside a compound statement, a text of several lines, or a command that goes on.
 * Reads as much of the grammar as that needs; where it is misled it says no. Pure.
 */
export type ShellLine = {
  /** From 1. */
  readonly number: number
  readonly text: string
  readonly isWhole: boolean
}

const TOKEN =
  /\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|#[^\n]*|\$\{[^}\n]*\}|\$[#@*?!$-]|<<-?\s*['"\\]?(\w+)['"]?|&&|\|\||[;&|()\n]|[^\s;&|()'"\\$<]+|[^\s]/g

const OPENS: ReadonlyMap<string, string> = new Map([
  ['if', 'fi'],
  ['case', 'esac'],
  ['for', 'done'],
  ['select', 'done'],
  ['while', 'done'],
  ['until', 'done'],
  ['{', '}'],
  ['(', ')'],
])
/** Not only where a command begins: functions have a name before them. */
const ANYWHERE: ReadonlySet<string> = new Set(['(', ')', '{'])
/** After these comes a command, as after a separator. */
const BEFORE_COMMANDS: ReadonlySet<string> = new Set([
  ...['then', 'do', 'else', 'elif', 'if', 'while', 'until', '{', '!'],
  ...['&&', '||', ';', '&', '|', '(', ')', '\n'],
])
const GOES_ON: ReadonlySet<string> = new Set(['&&', '||', '|'])

/** Lines of texts within the script (`<<`) are left out: they are no commands. */
export function shellLines(script: string): readonly ShellLine[] {
  const reading = new Reading(script)
  reading.run()
  const whole = (number: number) => !reading.parts.has(number)
  return script
    .split('\n')
    .map((text, index) => ({ number: index + 1, text, isWhole: whole(index + 1) }))
    .filter(({ number }) => !reading.texts.has(number))
}

class Reading {
  /** Numbers of lines that are a part of something. */
  readonly parts = new Set<number>()
  readonly texts = new Set<number>()
  private readonly script: string
  private readonly closers: string[] = []
  private line = 1
  private isCommandNext = true
  private last = ''
  /** What ends the text that begins with the next line. */
  private delimiter: string | undefined

  constructor(script: string) {
    this.script = script
  }

  run(): void {
    const pattern = new RegExp(TOKEN)
    for (let match = pattern.exec(this.script); match !== null; match = pattern.exec(this.script)) {
      const [token, delimiter] = match
      if (delimiter !== undefined) this.delimiter = delimiter
      this.take(token)
      if (token === '\n' && this.delimiter !== undefined)
        pattern.lastIndex = this.skipText(pattern.lastIndex, this.delimiter)
    }
  }

  private take(token: string): void {
    if (token.startsWith('#')) return
    if (token === '\n') this.endLine()
    else for (const _end of token.matchAll(/\n/g)) this.goOn()
    if (token === '\\\n') return
    this.nest(token)
    const isSign = !/\w|!/.test(token)
    this.isCommandNext = BEFORE_COMMANDS.has(token) && (this.isCommandNext || isSign)
    this.last = token
  }

  private nest(token: string): void {
    const top = this.closers.at(-1)
    const isRead = this.isCommandNext || ANYWHERE.has(token)
    const closer = OPENS.get(token)
    if (isRead && token === top) this.closers.pop()
    else if (isRead && closer !== undefined) this.closers.push(closer)
  }

  private endLine(): void {
    const isPart = GOES_ON.has(this.last) || this.closers.length > 0 || this.delimiter !== undefined
    if (isPart) this.goOn()
    else this.line++
  }

  /** What the line has begun, the next one ends. */
  private goOn(): void {
    this.parts.add(this.line)
    this.line++
    this.parts.add(this.line)
  }

  /** To behind the line that ends it. */
  private skipText(from: number, delimiter: string): number {
    this.delimiter = undefined
    let at = from
    while (at < this.script.length) {
      const end = this.script.indexOf('\n', at)
      const next = end < 0 ? this.script.length : end + 1
      const text = this.script.slice(at, end < 0 ? undefined : end)
      this.texts.add(this.line)
      this.line++
      at = next
      if (text.trim() === delimiter) break
    }
    return at
  }
}
