/** Where the logs of a node are, by what is in them, rotated ones included. Source: proxy-admin.md §5.4. */
import { execFile } from 'node:child_process'
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

/** Files with something of the period, the oldest first. */
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
    .sort((left, right) => left.changedAt - right.changedAt)
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

/** What systemd kept of the units, unit by unit; empty where the units are not its. */
export async function journals(
  { root }: Paths,
  { types, from, to }: Pick<LogFilter, 'types' | 'from' | 'to'>,
): Promise<readonly { readonly name: string; readonly text: string }[]> {
  if (root !== '' || !types.includes('unit')) return []
  const texts = await Promise.all(UNITS.map(unit => journal(unit, from, to)))
  return UNITS.map((unit, at) => ({ name: `unit/${unit}.log`, text: texts[at] ?? '' }))
}

function journal(unit: string, from: number, to: number): Promise<string> {
  const seconds = (ms: number) => `@${Math.floor(ms / 1000)}`
  const args = ['--unit', unit, '--since', seconds(from), '--until', seconds(to)]
  const bounds = { timeout: JOURNAL_MS, maxBuffer: JOURNAL_BYTES }
  return new Promise(resolve =>
    execFile('journalctl', ['--no-pager', '--output=short-iso', ...args], bounds, (_error, out) =>
      resolve(out),
    ),
  )
}
