/** Unit files as systemd.unit(5) has them, as far as the units of a node use them. Pure. */

export type Restart = 'no' | 'on-failure' | 'always'

/** Who is told at a stop, and who is killed when that does not help: see systemd.kill(5). */
const KILL_MODES = ['control-group', 'mixed', 'process', 'none'] as const

export type KillMode = (typeof KILL_MODES)[number]

export type ServiceUnit = {
  readonly kind: 'service'
  readonly type: 'simple' | 'oneshot'
  readonly execStart: readonly (readonly string[])[]
  readonly execStop: readonly (readonly string[])[]
  readonly restart: Restart
  readonly restartMs: number
  readonly startLimit: { readonly burst: number; readonly intervalMs: number }
  readonly remainsAfterExit: boolean
  readonly killMode: KillMode
  readonly stopTimeoutMs: number
  readonly environment: Readonly<Record<string, string>>
  /** Paths; one with a leading `-` may be missing. */
  readonly environmentFiles: readonly string[]
  readonly workingDirectory: string | undefined
  /** Where a process that takes over from the main one says so. */
  readonly pidFile: string | undefined
  readonly wantedBy: readonly string[]
}

export type TimerUnit = {
  readonly kind: 'timer'
  readonly onBootMs: number | undefined
  readonly onActiveMs: number | undefined
  /** Undefined: the service of the same name. */
  readonly unit: string | undefined
  readonly wantedBy: readonly string[]
}

type Sections = ReadonlyMap<string, readonly string[]>

/** The unit in `text`, whose kind its file name's end says. @throws Error in one line. */
export function parseUnit(name: string, text: string): ServiceUnit | TimerUnit {
  const entries = entriesOf(name, text)
  const wantedBy = (entries.get('Install.WantedBy') ?? []).flatMap(words)
  return name.endsWith('.timer')
    ? timerUnit(entries, wantedBy)
    : serviceUnit(name, entries, wantedBy)
}

function timerUnit(entries: Sections, wantedBy: readonly string[]): TimerUnit {
  const last = (key: string) => entries.get(key)?.at(-1)
  return {
    kind: 'timer',
    onBootMs: optionalSpan(last('Timer.OnBootSec')),
    onActiveMs: optionalSpan(last('Timer.OnUnitActiveSec')),
    unit: last('Timer.Unit'),
    wantedBy,
  }
}

function serviceUnit(name: string, entries: Sections, wantedBy: readonly string[]): ServiceUnit {
  const last = (key: string) => entries.get(key)?.at(-1)
  const type = last('Service.Type') ?? 'simple'
  if (type !== 'simple' && type !== 'exec' && type !== 'oneshot')
    throw new Error(`${name}: Type=${type} is not known here`)
  const execStart = (entries.get('Service.ExecStart') ?? []).map(words)
  if (execStart.length === 0) throw new Error(`${name}: ExecStart is missing`)
  return {
    kind: 'service',
    type: type === 'oneshot' ? 'oneshot' : 'simple',
    execStart,
    execStop: (entries.get('Service.ExecStop') ?? []).map(words),
    restart: restartOf(name, last('Service.Restart')),
    restartMs: optionalSpan(last('Service.RestartSec')) ?? 100,
    startLimit: {
      burst: Number(last('Unit.StartLimitBurst') ?? '5'),
      intervalMs: optionalSpan(last('Unit.StartLimitIntervalSec')) ?? 10_000,
    },
    remainsAfterExit: isYes(last('Service.RemainAfterExit')),
    killMode: killModeOf(name, last('Service.KillMode')),
    stopTimeoutMs: optionalSpan(last('Service.TimeoutStopSec')) ?? 90_000,
    environment: Object.fromEntries(
      (entries.get('Service.Environment') ?? []).flatMap(words).map(assignment),
    ),
    environmentFiles: entries.get('Service.EnvironmentFile') ?? [],
    workingDirectory: last('Service.WorkingDirectory'),
    pidFile: last('Service.PIDFile'),
    wantedBy,
  }
}

/** Lines of an environment file: `NAME=value`, quotes around the value removed. */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const lines = text.split('\n').map(line => line.trim())
  return Object.fromEntries(
    lines
      .filter(line => line !== '' && !line.startsWith('#') && line.includes('='))
      .map(line => {
        const [name, value] = assignment(line)
        return [name, /^(["'])(.*)\1$/.exec(value)?.[2] ?? value] as const
      }),
  )
}

/** `${NAME}` anywhere in a word, `$NAME` as a word of its own; unknown ones become empty. */
export function expanded(word: string, env: Readonly<Record<string, string>>): string {
  if (/^\$[A-Za-z_]\w*$/.test(word)) return env[word.slice(1)] ?? ''
  return word.replace(/\$\{([A-Za-z_]\w*)\}/g, (_whole, name: string) => env[name] ?? '')
}

/** A span as systemd.time(7): `5`, `1min 30s`, `200ms`, `infinity`. In milliseconds. */
export function spanMs(text: string): number {
  if (text.trim() === 'infinity') return Number.POSITIVE_INFINITY
  const units: Record<string, number> = { ms: 1, s: 1000, sec: 1000, min: 60_000, h: 3_600_000 }
  let total = 0
  for (const part of text.trim().split(/\s+/)) {
    const [, value = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|sec|min|h)?$/.exec(part) ?? []
    if (value === '') throw new Error(`"${text}" is no time span`)
    total += Number(value) * (units[unit] ?? 1000)
  }
  return total
}

function entriesOf(name: string, text: string): Sections {
  const entries = new Map<string, string[]>()
  let section = ''
  for (const line of text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map(each => each.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const head = /^\[(\w+)\]$/.exec(line)?.[1]
    if (head !== undefined) {
      section = head
      continue
    }
    const at = line.indexOf('=')
    if (at < 1 || section === '') throw new Error(`${name}: "${line}" is no assignment`)
    const key = `${section}.${line.slice(0, at).trim()}`
    const value = line.slice(at + 1).trim()
    // An empty assignment takes back those before it.
    if (value === '') entries.delete(key)
    else entries.set(key, [...(entries.get(key) ?? []), value])
  }
  return entries
}

/** Words of a line; quotes keep blanks together. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']+|"(?:\\.|[^"\\])*"|'[^']*')+/g)].map(([word]) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'/g, (_all, double?: string, single?: string) =>
      single === undefined ? (double ?? '').replace(/\\(.)/g, '$1') : single,
    ),
  )
}

function assignment(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}

function restartOf(name: string, text = 'no'): Restart {
  if (text === 'no' || text === 'on-failure' || text === 'always') return text
  throw new Error(`${name}: Restart=${text} is not known here`)
}

function killModeOf(name: string, text = 'control-group'): KillMode {
  const mode = KILL_MODES.find(each => each === text)
  if (mode === undefined) throw new Error(`${name}: KillMode=${text} is not known here`)
  return mode
}

function optionalSpan(text: string | undefined): number | undefined {
  return text === undefined ? undefined : spanMs(text)
}

function isYes(text: string | undefined): boolean {
  return text !== undefined && /^(yes|true|on|1)$/i.test(text)
}
