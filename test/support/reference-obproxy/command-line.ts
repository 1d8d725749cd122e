/** The command line of the executable (proxy-admin.md §1.1). Pure. */
import type { Assignment } from './settings.ts'

export type CommandLine =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'release' }
  | { readonly kind: 'dump' }
  | { readonly kind: 'wrong'; readonly reason: string }
  | {
      readonly kind: 'start'
      readonly isForeground: boolean
      readonly assignments: readonly Assignment[]
    }

const LONG: Readonly<Record<string, string>> = {
  help: 'h',
  version: 'V',
  releaseid: 'R',
  listen_port: 'p',
  prometheus_listen_port: 'l',
  rpc_listen_port: 's',
  appname: 'n',
  rs_list: 'r',
  cluster_name: 'c',
  optstr: 'o',
  nodaemon: 'N',
  upgrade_ver: 'u',
  execute_config_sql: 'e',
  dump_config_sql: 'd',
  regression_test: 't',
}

/** Options with a value, and the parameter that it is. */
const PARAMETER_OF: Readonly<Record<string, string>> = {
  p: 'listen_port',
  l: 'prometheus_listen_port',
  s: 'rpc_listen_port',
  n: 'app_name',
  r: 'rootservice_list',
  c: 'rootservice_cluster_name',
}

const WITH_VALUE = [...Object.keys(PARAMETER_OF), 'o', 'u', 't']
const ALONE = ['h', 'V', 'R', 'd'] as const
const KIND_ALONE = { h: 'help', V: 'version', R: 'release', d: 'dump' } as const

export function commandLine(args: readonly string[]): CommandLine {
  const options: (readonly [letter: string, value: string])[] = []
  const rest = [...args]
  for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
    const [letter, attached] = split(next)
    if (letter === undefined) return { kind: 'wrong', reason: `${next} is no option` }
    if (!WITH_VALUE.includes(letter)) options.push([letter, ''])
    else {
      const value = attached ?? rest.shift()
      if (value === undefined) return { kind: 'wrong', reason: `${next} needs a value` }
      options.push([letter, value])
    }
  }
  const alone = ALONE.find(one => options.some(([letter]) => letter === one))
  if (alone !== undefined) return { kind: KIND_ALONE[alone] }
  return started(options)
}

/** `-p2883`, `-p`, `--listen_port`, `--listen_port=2883`. */
function split(text: string): readonly [letter: string | undefined, value: string | undefined] {
  const long = /^--([^=]+)(?:=(.*))?$/s.exec(text)
  if (long !== null) return [LONG[long[1] ?? ''], long[2]]
  const [, letter, value] = /^-([a-zA-Z])(.*)$/s.exec(text) ?? []
  const isKnown = letter !== undefined && Object.values(LONG).includes(letter)
  return [isKnown ? letter : undefined, value === '' ? undefined : value]
}

function started(options: readonly (readonly [string, string])[]): CommandLine {
  const assignments: Assignment[] = []
  for (const [letter, value] of options) {
    const name = PARAMETER_OF[letter]
    if (name !== undefined) {
      if (/^[pls]$/.test(letter) && !isPort(value))
        return { kind: 'wrong', reason: `-${letter} ${value} is no port from 1025 to 65535` }
      assignments.push([name, value])
    } else if (letter === 'o') assignments.push(...assignmentsOf(value))
  }
  return {
    kind: 'start',
    isForeground: options.some(([letter]) => letter === 'N'),
    assignments,
  }
}

function isPort(text: string): boolean {
  return /^\d{4,5}$/.test(text) && Number(text) > 1024 && Number(text) <= 65_535
}

/** Commas and newlines part them, so a value has none; `target_db_server` may, and is left out. */
export function assignmentsOf(text: string): Assignment[] {
  return text
    .split(/[,\n]/)
    .map(part => part.trim())
    .filter(part => part.includes('='))
    .map((part): Assignment => {
      const at = part.indexOf('=')
      return [part.slice(0, at).trim(), part.slice(at + 1).replace(/^'(.*)'$/s, '$1')]
    })
    .filter(([name]) => name !== 'target_db_server')
}

/** The same words with the values of passwords left out, for the log. */
export function masked(args: readonly string[]): string {
  return args.join(' ').replace(/(\w*password\w*=)[^,\s]*/g, '$1******')
}
