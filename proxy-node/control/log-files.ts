/** Where the logs of a node are, by what is in them, rotated ones included. Source: proxy-admin.md §5.4. */
import { type ExecFileException, execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { LogFilter, LogType } from '#contract/log-filter'
import { namesIn } from './host-facts.ts'
import { NODE_UNIT, type Paths, PROXY_UNIT, REPORT_UNIT } from './paths.ts'

const UNITS = [PROXY_UNIT, NODE_UNIT, REPORT_UNIT]
const JOURNAL_MS = 20_000
const JOURNAL_BYTES = 8 * 1024 * 1024

/** Names in the proxy's folder; what follows is the time of a rotation, or `.wf`. */
const PROXY_FILES: Readonly<Partial<Record<LogType, string>>> = {
  proxy: 'obproxy',
  error: 'obproxy_error',
  slow: 'obproxy_slow',
  digest: 'obproxy_digest',
  stat: 'obproxy_stat',
  limit: 'obproxy_limit',
  diagnosis: 'obproxy_diagnosis',
  trace: 'obproxy_trace',
  xflush: 'obproxy_xflush',
  config: 'obproxy_config',
}

export type LogFile = {
  readonly type: LogType
  /** In the bundle. */
  readonly name: string
  readonly path: string
  readonly changedAt: number
  /** Packed by the proxy in a way that is not read here. */
  readonly isPacked: boolean
}

/** Files with something of the period, the newest first. */
export function logFiles(
  { proxyLogs, paths }: { readonly proxyLogs: string; readonly paths: Paths },
  { types, from }: Pick<LogFilter, 'types' | 'from'>,
): readonly LogFile[] {
  const journal = join(paths.root, 'var/log/journal')
  return types
    .flatMap(type => {
      if (type === 'unit') return found(type, journal, /^obfleet-[\w.-]+\.log$/)
      if (type === 'node') return found(type, paths.state, /^node\.log(?:\.\d)?$/)
      const stem = PROXY_FILES[type] ?? ''
      return found(type, proxyLogs, new RegExp(`^${stem}\\.log(?:\\.[\\w.-]+)?$`))
    })
    .filter(({ changedAt }) => changedAt >= from)
    .sort((left, right) => right.changedAt - left.changedAt)
}

function found(type: LogType, folder: string, form: RegExp): readonly LogFile[] {
  return namesIn(folder)
    .filter(name => form.test(name))
    .flatMap(name => {
      const path = join(folder, name)
      const seen = statSync(path, { throwIfNoEntry: false })
      if (seen?.isFile() !== true) return []
      const isPacked = /\.(?:zst|gz)$/.test(name)
      return [{ type, name: `${type}/${name}`, path, changedAt: seen.mtimeMs, isPacked }]
    })
}

export type Journal = {
  /** In the bundle. */
  readonly name: string
  readonly text: string
  /** Why it is not all of it; empty where it is. */
  readonly note: string
}

/** What systemd kept of the units, unit by unit; empty where the units are not its. */
export async function journals(
  { root }: Pick<Paths, 'root'>,
  { types, from, to }: Pick<LogFilter, 'types' | 'from' | 'to'>,
): Promise<readonly Journal[]> {
  if (root !== '' || !types.includes('unit')) return []
  return Promise.all(UNITS.map(unit => journal(unit, from, to)))
}

function journal(unit: string, from: number, to: number): Promise<Journal> {
  const seconds = (ms: number) => `@${Math.floor(ms / 1000)}`
  const period = ['--since', seconds(from), '--until', seconds(to)]
  // The newest first, so that those are there where it is too much; they are turned around here.
  const form = ['--no-pager', '--quiet', '--reverse', '--output=short-iso']
  const bounds = { timeout: JOURNAL_MS, maxBuffer: JOURNAL_BYTES }
  return new Promise(resolve =>
    execFile('journalctl', [...form, '--unit', unit, ...period], bounds, (error, out) =>
      resolve({ name: `unit/${unit}.log`, text: turned(out), note: whyNotAll(error) }),
    ),
  )
}

/** Entries in the order of their times: lines that go on with one begin with a blank. */
function turned(text: string): string {
  return text
    .trimEnd()
    .split(/\n(?!\s)/)
    .reverse()
    .join('\n')
}

function whyNotAll(error: ExecFileException | null): string {
  if (error === null) return ''
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return `it is more than ${JOURNAL_BYTES >> 20} MB: the oldest lines were left out`
  return error.killed === true
    ? `journalctl took longer than ${JOURNAL_MS / 1000} s`
    : `journalctl failed: ${error.code ?? error.signal ?? 'no reason'}`
}
