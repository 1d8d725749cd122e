/**
 * What starts a found proxy at a boot besides us: lines of rc.local and of crontabs, links of run
 * levels, units. Switched off by files and the service manager, and on again as it was; both may be
 * done twice. Source: management.md §6 (A8).
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
import { basename, join } from 'node:path'
import { writeDurably } from './durable-file.ts'
import type { AutoStart } from './found.ts'
import type { Host } from './host.ts'
import { FOUND_UNIT, NODE_UNIT, type Paths, PROXY_UNIT, REPORT_UNIT, rooted } from './paths.ts'

const SCRIPTS = ['/etc/rc.local', '/etc/rc.d/rc.local', '/etc/crontab'] as const
const FOLDERS_OF_TABLES = ['/etc/cron.d', '/var/spool/cron', '/var/spool/cron/crontabs'] as const
const FOLDERS_OF_LINKS = ['/etc/rc.d', '/etc'] as const
const FOLDERS_OF_UNITS = [
  '/etc/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
] as const
const OURS: readonly string[] = [PROXY_UNIT, NODE_UNIT, REPORT_UNIT, FOUND_UNIT]

const NAMED = /obproxy/
const START_LINK = /^S\d+.*obproxy/
const UNIT_START = /^Exec(?:Start|StartPre|StartPost|Reload)=.*obproxy/m
/** Before a line that is switched off. */
const OFF = '#obfleet# '

/** @throws node.init-failed */
export async function autoStartsOf({ settings: { paths }, init }: Host): Promise<AutoStart[]> {
  const found: AutoStart[] = [...linesOf(paths), ...linksOf(paths)]
  for (const name of unitsOf(paths)) {
    const { enabled: isEnabled, active: isActive } = await init.status(name)
    if (isEnabled || isActive) found.push({ kind: 'unit', name, isEnabled, isActive })
  }
  return found
}

/** As it is told: file or unit. */
export function nameOf(each: AutoStart): string {
  return each.kind === 'unit' ? each.name : each.file
}

/** A unit that runs the proxy goes on with it, and is stopped with it. @throws node.not-written, node.init-failed */
export async function switchOff(all: readonly AutoStart[], { settings, init }: Host) {
  for (const each of all) {
    const file = each.kind === 'unit' ? '' : rooted(settings.paths, each.file)
    if (each.kind === 'lines') rewrite(file, line => (isOn(line) ? OFF + line : line))
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

function linesOf(paths: Paths): readonly AutoStart[] {
  const tables = FOLDERS_OF_TABLES.flatMap(folder =>
    namesIn(rooted(paths, folder)).map(name => join(folder, name)),
  )
  const seen = new Set<string>()
  return [...SCRIPTS, ...tables].flatMap((file): AutoStart[] => {
    const path = rooted(paths, file)
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return []
    // One name of rc.local is a link to the other.
    if (seen.has(realpathSync(path))) return []
    seen.add(realpathSync(path))
    return readFileSync(path, 'utf8').split('\n').some(isOn) ? [{ kind: 'lines', file }] : []
  })
}

function isOn(line: string): boolean {
  return NAMED.test(line) && !line.trimStart().startsWith('#')
}

function linksOf(paths: Paths): readonly AutoStart[] {
  const levels = ['0', '1', '2', '3', '4', '5', '6'].map(level => `rc${level}.d`)
  const seen = new Set<string>()
  return FOLDERS_OF_LINKS.flatMap(base => levels.map(level => join(base, level))).flatMap(
    folder => {
      const path = rooted(paths, folder)
      const names = namesIn(path).filter(name => START_LINK.test(name))
      return names.flatMap((name): AutoStart[] => {
        const [link, file] = [join(path, name), join(folder, name)]
        const real = join(realpathSync(path), name)
        if (seen.has(real) || !lstatSync(link).isSymbolicLink()) return []
        seen.add(real)
        return [{ kind: 'link', file, target: readlinkSync(link) }]
      })
    },
  )
}

function unitsOf(paths: Paths): readonly string[] {
  const files = FOLDERS_OF_UNITS.flatMap(folder => {
    const path = rooted(paths, folder)
    return namesIn(path)
      .filter(name => name.endsWith('.service') && !OURS.includes(name))
      .map(name => join(path, name))
      .filter(file => statSync(file, { throwIfNoEntry: false })?.isFile())
  })
  return [
    ...new Set(
      files.filter(file => UNIT_START.test(readFileSync(file, 'utf8'))).map(file => basename(file)),
    ),
  ].sort()
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder).sort() : []
}

/** Line by line, owner and mode as they were. */
function rewrite(path: string, change: (line: string) => string): void {
  if (!existsSync(path)) return
  const file = realpathSync(path)
  const before = readFileSync(file, 'utf8')
  const after = before.split('\n').map(change).join('\n')
  if (after === before) return
  const { uid, gid, mode } = statSync(file)
  writeDurably(file, after, mode & 0o777)
  chmodSync(file, mode & 0o777)
  if (process.getuid?.() === 0) chownSync(file, uid, gid)
}
