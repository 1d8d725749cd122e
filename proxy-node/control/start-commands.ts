/**
 * Whether a command of a script, of a table of cron or of a unit starts the proxy of one home: it runs that
 * home's executable or its watchdog script, by itself, by a shell, as another user. A command that only
 * names the home, or another home's, does not. Source: management.md §2.2, §6 (A8).
 */
import { basename, isAbsolute, join } from 'node:path'
import { homeOf } from './home.ts'
import { EXECUTABLE, isInHome, WATCHDOG } from './home-files.ts'
import { type Paths, rooted } from './paths.ts'

/** `unclear`: it runs a file of that name, and whose cannot be told. */
export type Starts = 'yes' | 'no' | 'unclear'

/** How the command of a program that runs another one is found: what stands before it. */
type Launcher = { readonly valued?: readonly string[]; readonly before?: number }

const PLAIN: Launcher = {}
const LAUNCHERS: ReadonlyMap<string, Launcher> = new Map([
  ...[
    'sh',
    'bash',
    'dash',
    'ksh',
    'zsh',
    'source',
    '.',
    'nohup',
    'setsid',
    'time',
    'numactl',
    'daemon',
  ].map(name => [name, PLAIN] as const),
  ['exec', { valued: ['-a'] }],
  ['env', { valued: ['-u', '-C'] }],
  ['nice', { valued: ['-n'] }],
  ['ionice', { valued: ['-c', '-n'] }],
  ['sudo', { valued: ['-u', '-g', '-h', '-p', '-C', '-D', '-r', '-t'] }],
  ['stdbuf', { valued: ['-i', '-o', '-e'] }],
  ['systemd-run', { valued: ['-p', '-u'] }],
  ['timeout', { valued: ['-k', '-s'], before: 1 }],
  ['flock', { valued: ['-w', '-E'], before: 1 }],
  ['taskset', { before: 1 }],
  ['chrt', { before: 1 }],
])
/** What they run stands behind one of these. */
const BEHIND: ReadonlyMap<string, readonly string[]> = new Map([
  ['su', ['-c', '--command']],
  ['runuser', ['-c', '--command', '--']],
  ['start-stop-daemon', ['--exec', '-x', '--startas', '-a']],
])
const KEYWORDS: ReadonlySet<string> = new Set([
  ...['if', 'then', 'elif', 'else', 'do', 'while', 'until', '!', '{'],
])
const NAMES: ReadonlySet<string> = new Set([EXECUTABLE, WATCHDOG].map(each => basename(each)))
/** With one of these it starts nothing. */
const OTHERWISE: ReadonlySet<string> = new Set([
  ...['stop', 'status', 'checkalive', '-V', '--version', '-h', '--help'],
])
const ASSIGNMENT = /^([A-Za-z_]\w*)=(.*)$/

/** Reads commands in their order: a folder that is changed to, and variables, count for those after them. */
export class Commands {
  private readonly paths: Paths
  private readonly folder: string
  private readonly variables = new Map<string, string>()
  /** As the host sees it; undefined: nobody knows. */
  private cwd: string | undefined

  constructor(paths: Paths, home: string, cwd?: string) {
    this.paths = paths
    this.folder = homeOf(paths, { home }).folder
    this.cwd = cwd
  }

  /** What the commands of one line do together. */
  read(line: string): Starts {
    const text = this.expanded(line.replace(/(^|\s)#.*$/, '').replace(/['"]/g, ''))
    const all = text.split(/[;&|()`]+/).map(part => this.one(part.split(/\s+/).filter(Boolean)))
    return most(all)
  }

  private expanded(text: string): string {
    return text.replace(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (whole, long, short) => this.variables.get(long ?? short) ?? whole,
    )
  }

  private one(words: readonly string[]): Starts {
    const at = words.findIndex(word => !KEYWORDS.has(word) && word !== 'export')
    const rest = at < 0 ? [] : words.slice(at)
    const assigned = rest.flatMap(word => [ASSIGNMENT.exec(word) ?? []])
    if (assigned.every(({ length }) => length > 0))
      for (const [, name = '', value = ''] of assigned) this.variables.set(name, value)
    return this.started(rest)
  }

  private within(path: string): string | undefined {
    if (isAbsolute(path)) return path
    return this.cwd === undefined || path === '' ? undefined : join(this.cwd, path)
  }

  private started(words: readonly string[]): Starts {
    const at = words.findIndex(word => !ASSIGNMENT.test(word))
    const [first = '', ...rest] = at < 0 ? [] : words.slice(at)
    const name = basename(first)
    if (name === 'cd') this.cwd = this.within(rest[0] ?? '')
    if (NAMES.has(name)) return rest.some(word => OTHERWISE.has(word)) ? 'no' : this.isOurs(first)
    const behind = BEHIND.get(name)
    if (behind !== undefined) {
      const found = rest.findIndex(word => behind.includes(word))
      return found < 0 ? 'no' : this.started(rest.slice(found + 1))
    }
    const launcher = LAUNCHERS.get(name)
    return launcher === undefined ? 'no' : this.started(launchedBy(launcher, rest))
  }

  private isOurs(file: string): Starts {
    // Without a folder it is looked for, nobody here knows where.
    const path = file.includes('/') ? this.within(file) : undefined
    if (path === undefined || /[$~*?]/.test(path)) return 'unclear'
    const part = basename(file) === basename(WATCHDOG) ? WATCHDOG : EXECUTABLE
    return isInHome(rooted(this.paths, path), part, this.folder) ? 'yes' : 'no'
  }
}

/** What several do together. */
export function most(all: readonly Starts[]): Starts {
  return all.find(each => each === 'yes') ?? all.find(each => each === 'unclear') ?? 'no'
}

function launchedBy(
  { valued = [], before = 0 }: Launcher,
  words: readonly string[],
): readonly string[] {
  let at = 0
  while ((words[at] ?? '').startsWith('-')) at += valued.includes(words[at] ?? '') ? 2 : 1
  return words.slice(at + before)
}
