/**
 * What starts a found proxy at a boot besides us: lines of rc.local and of crontabs, links of run
 * levels, units, where their command starts the proxy of that home. Switched off by files and the service
 * manager, and on again as it was; both may be done twice. A line without which the rest of its script would
 * be none, and one that may or may not start it, are left to people. Source: management.md §6 (A8).
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from './durable-file.ts'
import type { AutoStart, Found } from './found.ts'
import type { Host } from './host.ts'
import { FOUND_UNIT, NODE_UNIT, type Paths, PROXY_UNIT, REPORT_UNIT, rooted } from './paths.ts'
import { withoutSecrets } from './redaction.ts'
import { type ShellLine, shellLines } from './shell-lines.ts'
import { Commands, most, type Starts } from './start-commands.ts'

const SCRIPTS = ['/etc/rc.local', '/etc/rc.d/rc.local'] as const
const FOLDERS_OF_TABLES = ['/etc/cron.d', '/var/spool/cron', '/var/spool/cron/crontabs'] as const
/** Their lines name a user before the command. */
const OF_THE_SYSTEM = /^\/etc\/cron/
/** When, in a table of cron. */
const WHEN = /^\s*(?:@\w+|(?:[\d*][^\s]*\s+){3}[^\s]+\s+[^\s]+)\s+/
const FOLDERS_OF_LINKS = ['/etc/rc.d', '/etc'] as const
const FOLDERS_OF_UNITS = [
  '/etc/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
] as const
const OURS: readonly string[] = [PROXY_UNIT, NODE_UNIT, REPORT_UNIT, FOUND_UNIT]

const START_LINK = /^S\d+/
const UNIT_START = /^Exec(?:Start|StartPre|StartPost)=[@:+!|-]*(.*)$/gm
const MAX_LINE_CHARS = 80
/** Before a line that is switched off. */
const OFF = '#obfleet# '

export type AutoStarts = {
  readonly all: readonly AutoStart[]
  /** As people read them: each line, link or unit that will be switched off, without secrets. */
  readonly shown: readonly string[]
  /** What people have to take away themselves, `file:line` or a unit. */
  readonly byHand: readonly string[]
}

/** Of the proxy of `home`. @throws node.init-failed */
export async function autoStartsOf(home: string, host: Host): Promise<AutoStarts> {
  const { paths } = host.settings
  const lines = filesOfLines(paths).flatMap(file => startLines(file, home, paths))
  const links = linksOf(home, paths)
  const units = await runningUnits(home, host)
  const clear = lines.filter(({ isByHand }) => !isByHand)
  const files = [...new Set(clear.map(({ file }) => file))]
  return {
    all: [...files.map(file => ({ kind: 'lines' as const, file })), ...links.all, ...units.all],
    shown: [
      ...clear.map(({ file, number, text }) => `${file}:${number} ${shownLine(text)}`),
      ...[...links.all, ...units.all].map(nameOf),
    ],
    byHand: [
      ...lines.filter(({ isByHand }) => isByHand).map(({ file, number }) => `${file}:${number}`),
      ...links.byHand,
      ...units.byHand,
    ],
  }
}

function shownLine(text: string): string {
  const words = text.trim().split(/\s+/).map(withoutSecrets)
  return words.join(' ').slice(0, MAX_LINE_CHARS)
}

/** As it is told: file or unit. */
export function nameOf(each: AutoStart): string {
  return each.kind === 'unit' ? each.name : each.file
}

type Starting = Pick<Found, 'autoStart' | 'home'>

/** A unit that runs the proxy goes on with it, and is stopped with it. @throws node.not-written, node.init-failed */
export async function switchOff({ autoStart, home }: Starting, { settings, init }: Host) {
  for (const each of autoStart) {
    const file = each.kind === 'unit' ? '' : rooted(settings.paths, each.file)
    if (each.kind === 'lines') {
      const starts = startLines(each.file, home, settings.paths)
      const own = new Set(starts.flatMap(({ number, isByHand }) => (isByHand ? [] : [number])))
      rewrite(file, (line, number) => (own.has(number) ? OFF + line : line))
    }
    if (each.kind === 'link') rmSync(file, { force: true })
    if (each.kind === 'unit' && each.isEnabled) await init.act('disable', each.name)
  }
}

/** @throws node.not-written, node.init-failed */
export async function switchOn(all: readonly AutoStart[], { settings, init }: Host) {
  for (const each of all) {
    const file = each.kind === 'unit' ? '' : rooted(settings.paths, each.file)
    if (each.kind === 'lines')
      rewrite(file, line => (line.startsWith(OFF) ? line.slice(OFF.length) : line))
    if (each.kind === 'link' && lstatSync(file, { throwIfNoEntry: false }) === undefined)
      symlinkSync(each.target, file)
    if (each.kind === 'unit' && each.isEnabled) await init.act('enable', each.name)
  }
}

/** Units that ran the proxy, as their main process or not. */
export function activeUnits(all: readonly AutoStart[]): readonly string[] {
  return all.flatMap(each => (each.kind === 'unit' && each.isActive ? [each.name] : []))
}

function filesOfLines(paths: Paths): readonly string[] {
  const tables = FOLDERS_OF_TABLES.flatMap(folder =>
    namesIn(rooted(paths, folder)).map(name => join(folder, name)),
  )
  const seen = new Set<string>()
  return [...SCRIPTS, '/etc/crontab', ...tables].filter(file => {
    const path = rooted(paths, file)
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
    // One name of rc.local is a link to the other.
    const isNew = !seen.has(realpathSync(path))
    seen.add(realpathSync(path))
    return isNew
  })
}

type StartLine = {
  readonly file: string
  readonly number: number
  readonly text: string
  readonly isByHand: boolean
}

/** Lines of a script or a table that start the proxy of `home`, or may. */
function startLines(file: string, home: string, paths: Paths): readonly StartLine[] {
  const text = readFileSync(rooted(paths, file), 'utf8')
  const isScript = SCRIPTS.some(each => each === file)
  const script = new Commands(paths, home)
  const lines = isScript ? shellLines(text) : tableLines(text)
  return lines.flatMap(({ number, text: line, isWhole }) => {
    const found = isScript
      ? script.read(line)
      : new Commands(paths, home).read(scheduled(line, file))
    return found === 'no'
      ? []
      : [{ file, number, text: line, isByHand: found !== 'yes' || !isWhole }]
  })
}

function tableLines(text: string): readonly ShellLine[] {
  return text.split('\n').map((line, index) => ({ number: index + 1, text: line, isWhole: true }))
}

/** The command of a line of cron; empty of others. */
function scheduled(line: string, file: string): string {
  const when = WHEN.exec(line)?.[0]
  if (when === undefined) return ''
  const rest = line.slice(when.length)
  return OF_THE_SYSTEM.test(file) ? rest.replace(/^\S+\s+/, '') : rest
}

type Switches = { readonly all: readonly AutoStart[]; readonly byHand: readonly string[] }

function linksOf(home: string, paths: Paths): Switches {
  const levels = ['0', '1', '2', '3', '4', '5', '6'].map(level => `rc${level}.d`)
  const seen = new Set<string>()
  const found = FOLDERS_OF_LINKS.flatMap(base => levels.map(level => join(base, level))).flatMap(
    folder => {
      const path = rooted(paths, folder)
      const names = namesIn(path).filter(name => START_LINK.test(name))
      return names.flatMap(name => {
        const [link, file] = [join(path, name), join(folder, name)]
        const real = join(realpathSync(path), name)
        if (seen.has(real) || !lstatSync(link).isSymbolicLink()) return []
        seen.add(real)
        return [{ file, target: readlinkSync(link), starts: scriptStarts(link, home, paths) }]
      })
    },
  )
  return {
    all: found.flatMap(({ file, target, starts }) =>
      starts === 'yes' ? [{ kind: 'link' as const, file, target }] : [],
    ),
    byHand: found.flatMap(({ file, starts }) => (starts === 'unclear' ? [file] : [])),
  }
}

/** Of a script as a whole; one that is not there starts nothing. */
function scriptStarts(path: string, home: string, paths: Paths): Starts {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return 'no'
  const commands = new Commands(paths, home)
  return most(shellLines(readFileSync(path, 'utf8')).map(({ text }) => commands.read(text)))
}

async function runningUnits(home: string, { settings: { paths }, init }: Host): Promise<Switches> {
  const all: AutoStart[] = []
  const byHand: string[] = []
  for (const [name, starts] of unitsOf(home, paths)) {
    const { enabled: isEnabled, active: isActive } = await init.status(name)
    if (!isEnabled && !isActive) continue
    if (starts === 'yes') all.push({ kind: 'unit', name, isEnabled, isActive })
    else byHand.push(name)
  }
  return { all, byHand }
}

/** Those that may start it, by name. */
function unitsOf(home: string, paths: Paths): ReadonlyMap<string, Starts> {
  const found = new Map<string, Starts>()
  for (const folder of FOLDERS_OF_UNITS) {
    const path = rooted(paths, folder)
    const names = namesIn(path).filter(name => name.endsWith('.service') && !OURS.includes(name))
    for (const name of names) {
      const file = join(path, name)
      // The folders are in the order in which the service manager goes by them.
      if (found.has(name) || statSync(file, { throwIfNoEntry: false })?.isFile() !== true) continue
      found.set(name, unitStarts(readFileSync(file, 'utf8'), home, paths))
    }
  }
  return new Map([...found].filter(([, starts]) => starts !== 'no').sort())
}

function unitStarts(unit: string, home: string, paths: Paths): Starts {
  const text = unit.replace(/\\\n/g, ' ')
  const cwd = /^WorkingDirectory=-?(.*)$/m.exec(text)?.[1]?.trim()
  return most(
    [...text.matchAll(UNIT_START)].map(([, command = '']) =>
      new Commands(paths, home, cwd).read(command),
    ),
  )
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder).sort() : []
}

/** Line by line, owner and mode as they were. */
function rewrite(path: string, change: (line: string, number: number) => string): void {
  if (!existsSync(path)) return
  const file = realpathSync(path)
  const before = readFileSync(file, 'utf8')
  const lines = before.split('\n').map((line, index) => change(line, index + 1))
  const after = lines.join('\n')
  if (after === before) return
  const { uid, gid, mode } = statSync(file)
  writeDurably(file, after, mode & 0o777)
  chmodSync(file, mode & 0o777)
  if (process.getuid?.() === 0) chownSync(file, uid, gid)
}
