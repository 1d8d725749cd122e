/**
 * Processes that keep the proxy of one home running: shells that run the script of that home. An editor
 * or a pager that has it open, and the script of another home, are none. Source: management.md §2.2.
 */
import { readdirSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { argumentsOf, linkOf, readOr } from './foreign-processes.ts'
import { homeOf } from './home.ts'
import { isInHome, WATCHDOG } from './home-files.ts'
import type { Paths } from './paths.ts'

const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'ash', 'ksh', 'mksh', 'zsh'])
/** The next argument is theirs. */
const WITH_VALUE: ReadonlySet<string> = new Set(['-o', '+o', '-O', '+O', '--rcfile', '--init-file'])

/** Their pids; one with its subshells is several. */
export function watchdogs(paths: Paths, home: string): readonly number[] {
  const { folder } = homeOf(paths, { home })
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      const script = scriptOf(argumentsOf(pid))
      if (script === undefined || basename(script) !== basename(WATCHDOG)) return false
      return placesOf(script, pid).some(path => isInHome(path, WATCHDOG, folder))
    })
}

/** The file that a shell was started with; undefined of another program, or of a command given to it. */
export function scriptOf([first = '', ...rest]: readonly string[]): string | undefined {
  if (!SHELLS.has(basename(first).replace(/^-/, ''))) return undefined
  for (let at = 0; at < rest.length; at++) {
    const argument = rest[at] ?? ''
    if (WITH_VALUE.has(argument)) at++
    else if (argument === '--') return rest[at + 1]
    else if (/^-\w*[cs]/.test(argument)) return undefined
    else if (!/^[-+]/.test(argument)) return argument
  }
  return undefined
}

/** A script may have left the folder that it was started in: its environment names it, or it went up to its home. */
function placesOf(script: string, pid: number): readonly string[] {
  if (isAbsolute(script)) return [script]
  const before = /(?:^|\0)PWD=([^\0]*)/.exec(readOr(`/proc/${pid}/environ`) ?? '')?.[1]
  const now = linkOf(pid, 'cwd')
  const inside = now === undefined ? undefined : join(now, dirname(WATCHDOG))
  return [before, now, inside].flatMap(folder =>
    folder === undefined ? [] : [join(folder, script)],
  )
}
