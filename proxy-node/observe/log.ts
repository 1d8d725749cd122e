/**
 * The node's own log: lines with a level, into one file that is rotated by size. Bounded in every
 * direction (line, file, number of files, bytes a second), never an error to its caller, and never a
 * secret. Source: proxy-admin.md §5.4.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** From the most to the least important, as OBProxy orders them. */
const LEVELS = ['ERROR', 'USER_ERR', 'WARN', 'INFO', 'EDIAG', 'WDIAG', 'TRACE', 'DEBUG'] as const

export type LogLevel = (typeof LEVELS)[number]

export type LogSettings = {
  readonly folder: string
  readonly now: () => number
  /** Value of `syslog_level`; of module syntax the first level counts. */
  readonly level: () => string
  readonly maxFileBytes: () => number
  /** 0: no bound. */
  readonly maxBytesPerSec: () => number
  /** Also gets each line, without its end; for a foreground start. */
  readonly echo?: (line: string) => void
}

const FILE_NAME = 'obproxy.log'
const ROTATED = /^obproxy\.log\.\d{17}$/
const MAX_ROTATED_FILES = 10
const MAX_LINE_CHARS = 4096
const SECRETS =
  /((?:password|passwd|pwd|secret|token)\w*["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)/gi

export class Log {
  private readonly settings: LogSettings
  private descriptor: number | undefined
  private fileBytes = 0
  private second = 0
  private secondBytes = 0
  private dropped = 0
  readonly lines = { error: 0, warn: 0 }

  constructor(settings: LogSettings) {
    this.settings = settings
  }

  error(text: string): void {
    this.write('ERROR', text)
  }

  warn(text: string): void {
    this.write('WARN', text)
  }

  inform(text: string): void {
    this.write('INFO', text)
  }

  debug(text: string): void {
    this.write('DEBUG', text)
  }

  /** Whether a line of this level is kept; ask before building costly text. */
  takes(level: LogLevel): boolean {
    const wanted = /^(?:\w+:)?(\w+)/.exec(this.settings.level())?.[1]?.toUpperCase()
    const least = LEVELS.indexOf(wanted as LogLevel)
    return LEVELS.indexOf(level) <= (least < 0 ? LEVELS.indexOf('INFO') : least)
  }

  /** Can be called again; a later line opens the file anew. */
  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor)
    this.descriptor = undefined
  }

  private write(level: LogLevel, text: string): void {
    if (level === 'ERROR') this.lines.error += 1
    if (level === 'WARN') this.lines.warn += 1
    if (!this.takes(level)) return
    const now = this.settings.now()
    const line = `[${new Date(now).toISOString()}] ${level} [PROXY] ${harmless(text)}`
    this.settings.echo?.(line)
    if (this.isTooMuch(now, line.length)) return
    this.append(now, `${line}\n`)
  }

  /** Counts into the current second; lines beyond its bound are dropped, and that is said later. */
  private isTooMuch(now: number, bytes: number): boolean {
    const second = Math.floor(now / 1000)
    if (second !== this.second) {
      const { dropped } = this
      this.second = second
      this.secondBytes = 0
      this.dropped = 0
      if (dropped > 0)
        this.append(now, `[${new Date(now).toISOString()}] WARN [PROXY] ${dropped} lines dropped\n`)
    }
    this.secondBytes += bytes
    const most = this.settings.maxBytesPerSec()
    if (most === 0 || this.secondBytes <= most) return false
    this.dropped += 1
    return true
  }

  /** A full or missing disk loses lines, not the proxy. */
  private append(now: number, line: string): void {
    try {
      this.open(now)
      if (this.descriptor !== undefined) this.fileBytes += writeSync(this.descriptor, line)
    } catch {
      this.dropped += 1
      this.close()
    }
  }

  private open(now: number): void {
    const { folder } = this.settings
    const file = join(folder, FILE_NAME)
    if (this.descriptor !== undefined && this.fileBytes >= this.settings.maxFileBytes()) {
      this.close()
      renameSync(file, `${file}.${new Date(now).toISOString().replace(/\D/g, '')}`)
      prune(folder)
    }
    if (this.descriptor !== undefined) return
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.descriptor = openSync(file, 'a', 0o600)
    this.fileBytes = statSync(file).size
  }
}

/** Only files that rotation named are removed, the oldest first. */
function prune(folder: string): void {
  const rotated = readdirSync(folder).filter(name => ROTATED.test(name))
  for (const name of rotated.sort().slice(0, -MAX_ROTATED_FILES)) rmSync(join(folder, name))
}

/** One line, of bounded length, without what looks like a secret's value. */
function harmless(text: string): string {
  return text
    .slice(0, MAX_LINE_CHARS)
    .replace(SECRETS, '$1******')
    .replace(/[\r\n]+/g, '\\n')
}
