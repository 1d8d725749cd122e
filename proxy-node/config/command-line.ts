/**
 * OBProxy's own command line, as deployers build it: parsed as getopt would, every mistake told in
 * one line. Values of parameters are validated by the configuration. Source: proxy-admin.md §1.1.
 */
import { Fault } from '#contract/fault'
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'

/** 0 is success, also of -h, -V and -R. */
export const EXIT = {
  usage: 2,
  configuration: 3,
  portInUse: 4,
  stateDirectory: 5,
  internal: 6,
} as const

export type CommandLine =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'release' }
  | { readonly kind: 'wrong'; readonly line: string }
  | {
      readonly kind: 'start'
      readonly inForeground: boolean
      readonly overrides: ReadonlyMap<string, string>
    }

type Option =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'release' }
  | { readonly kind: 'foreground' }
  | { readonly kind: 'parameters' }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'refused'; readonly why: string }

const CENTRAL = 'belongs to the metadata database, which this proxy does not use'
const INTERNAL = 'is not for use by hand'

/** Short and long spelling of each option. */
const OPTIONS: readonly (readonly [short: string, long: string, option: Option])[] = [
  ['-h', '--help', { kind: 'help' }],
  ['-V', '--version', { kind: 'version' }],
  ['-R', '--releaseid', { kind: 'release' }],
  ['-N', '--nodaemon', { kind: 'foreground' }],
  ['-p', '--listen_port', { kind: 'parameter', name: 'listen_port' }],
  ['-l', '--prometheus_listen_port', { kind: 'parameter', name: 'prometheus_listen_port' }],
  ['-s', '--rpc_listen_port', { kind: 'parameter', name: 'rpc_listen_port' }],
  ['-n', '--appname', { kind: 'parameter', name: 'app_name' }],
  ['-r', '--rs_list', { kind: 'parameter', name: 'rootservice_list' }],
  ['-c', '--cluster_name', { kind: 'parameter', name: 'rootservice_cluster_name' }],
  ['-o', '--optstr', { kind: 'parameters' }],
  ['-u', '--upgrade_ver', { kind: 'refused', why: INTERNAL }],
  ['-e', '--execute_config_sql', { kind: 'refused', why: CENTRAL }],
  ['-d', '--dump_config_sql', { kind: 'refused', why: CENTRAL }],
  ['-t', '--regression_test', { kind: 'refused', why: INTERNAL }],
  ['-P', '--test_mysql_port', { kind: 'refused', why: INTERNAL }],
  ['-H', '--test_mysql_ip', { kind: 'refused', why: INTERNAL }],
]

export const USAGE = `usage: obproxy [OPTIONS]
  -p,--listen_port PORT             SQL port
  -l,--prometheus_listen_port PORT  exporter port
  -s,--rpc_listen_port PORT         RPC port
  -n,--appname NAME                 name of the proxy cluster
  -r,--rs_list IP:PORT;IP:PORT      root services of one OB cluster
  -c,--cluster_name NAME            name of that OB cluster
  -o,--optstr K=V,K=V               any parameters; passwords as their SHA1
  -N,--nodaemon                     stay in the foreground
  -R,--releaseid                    print the release id
  -V,--version                      print the version
  -h,--help                         print this
With no option it starts again with what it was last started with, from etc/ of OBPROXY_ROOT or of
the current directory. Exit codes: 2 usage, 3 configuration, 4 port in use, 5 state directory,
6 internal.
`

/** What -V prints, on stderr; managers parse the first line before anything else. */
export const VERSION_TEXT = `obproxy (OceanBase ${PROXY_VERSION} ${BUILD_NUMBER})
REVISION: ${BUILD_NUMBER}
BUILD_FLAGS: ${process.platform} ${process.arch}
`

/** The exit code of a start that ended with `error`. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Fault)) return EXIT.internal
  const isDisk = error.code === 'config.damaged' || error.code === 'config.not-written'
  return isDisk ? EXIT.stateDirectory : EXIT.configuration
}

/** The line to show for it: what is wrong, then what to do. */
export function lineOf(error: unknown): string {
  if (error instanceof Fault) return `${error.message}; ${error.entry.remedy}`
  return error instanceof Error ? error.message : String(error)
}

/** Parses what follows the program's name. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const start: Start = { kind: 'start', inForeground: false, overrides: new Map() }
  const rest = [...args]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const ended = take(word, rest, start)
    if (ended !== undefined) return ended
  }
  return start
}

type Start = { readonly kind: 'start'; inForeground: boolean; overrides: Map<string, string> }

/** Takes one option, with its value from `rest`; an answer ends the parsing. */
function take(word: string, rest: string[], start: Start): CommandLine | undefined {
  const { spelling, attached } = split(word)
  const option = OPTIONS.find(([short, long]) => spelling === short || spelling === long)?.[2]
  if (option === undefined) return wrong(`unknown option ${spelling}; see obproxy -h`)
  if (option.kind === 'refused') return wrong(`option ${spelling} ${option.why}`)
  if (option.kind === 'foreground') {
    start.inForeground = true
    // Flags may stand together, as in -Np 2883.
    if (attached !== undefined) rest.unshift(`-${attached}`)
    return undefined
  }
  if (option.kind !== 'parameter' && option.kind !== 'parameters') return { kind: option.kind }
  const value = attached ?? rest.shift()
  if (value === undefined) return wrong(`option ${spelling} wants a value`)
  if (option.kind === 'parameters') return takeParameters(spelling, value, start)
  start.overrides.set(option.name, unquoted(value))
  return undefined
}

/** `--name=value` and `-pvalue` carry their value with them. */
function split(word: string): { readonly spelling: string; readonly attached?: string } {
  const equals = word.indexOf('=')
  if (word.startsWith('--'))
    return equals < 0
      ? { spelling: word }
      : { spelling: word.slice(0, equals), attached: word.slice(equals + 1) }
  return word.startsWith('-') && word.length > 2
    ? { spelling: word.slice(0, 2), attached: word.slice(2) }
    : { spelling: word }
}

function wrong(line: string): CommandLine {
  return { kind: 'wrong', line }
}

/** Splits at commas and newlines, then at the first `=`: a value cannot hold a comma. */
function takeParameters(spelling: string, text: string, start: Start): CommandLine | undefined {
  for (const [index, item] of text.split(/[,\n]/).entries()) {
    if (item.trim() === '') continue
    const equals = item.indexOf('=')
    // The item itself is not shown: it may be a part of a password.
    if (equals < 1) return wrong(`item ${index + 1} of ${spelling} is no name=value`)
    start.overrides.set(item.slice(0, equals).trim(), unquoted(item.slice(equals + 1).trim()))
  }
  return undefined
}

/** Some deployers send quotes meant for a shell. */
function unquoted(text: string): string {
  return /^'(.*)'$/s.exec(text)?.[1] ?? text
}
