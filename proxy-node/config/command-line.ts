/** OBProxy's own command line, as deployers build it. Source: proxy-admin.md §1.1. */

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

/** Options that take a value, and the parameter it sets. */
const VALUES: Readonly<Record<string, string>> = {
  '-p': 'listen_port',
  '--listen_port': 'listen_port',
  '-l': 'prometheus_listen_port',
  '--prometheus_listen_port': 'prometheus_listen_port',
  '-s': 'rpc_listen_port',
  '--rpc_listen_port': 'rpc_listen_port',
  '-n': 'app_name',
  '--appname': 'app_name',
  '-r': 'rootservice_list',
  '--rs_list': 'rootservice_list',
  '-c': 'rootservice_cluster_name',
  '--cluster_name': 'rootservice_cluster_name',
}

const ASKS: Readonly<Record<string, 'help' | 'version' | 'release'>> = {
  '-h': 'help',
  '--help': 'help',
  '-V': 'version',
  '--version': 'version',
  '-R': 'release',
  '--releaseid': 'release',
}

export const USAGE = `usage: obproxy [OPTIONS]
  -p,--listen_port PORT             SQL port
  -l,--prometheus_listen_port PORT  exporter port
  -s,--rpc_listen_port PORT         RPC port
  -n,--appname NAME                 name of the proxy cluster
  -r,--rs_list IP:PORT;IP:PORT      root services of one OB cluster
  -c,--cluster_name NAME            name of that OB cluster
  -o,--optstr K=V,K=V               any parameters
  -N,--nodaemon                     stay in the foreground
  -R,--releaseid                    print the release id
  -V,--version                      print the version
  -h,--help                         print this
`

/** Parses what follows the program's name; values of parameters are not yet validated. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const overrides = new Map<string, string>()
  let inForeground = false
  const rest = args.flatMap(splitLong)
  for (let option = rest.shift(); option !== undefined; option = rest.shift()) {
    const ask = ASKS[option]
    if (ask !== undefined) return { kind: ask }
    if (option === '-N' || option === '--nodaemon') {
      inForeground = true
      continue
    }
    const value = rest.shift()
    const wrong = take(option, value, overrides)
    if (wrong !== undefined) return { kind: 'wrong', line: wrong }
  }
  return { kind: 'start', inForeground, overrides }
}

function splitLong(argument: string): string[] {
  const equals = argument.indexOf('=')
  if (!argument.startsWith('--') || equals < 0) return [argument]
  return [argument.slice(0, equals), argument.slice(equals + 1)]
}

/** Takes one option with its value; the line to show when it cannot. */
function take(option: string, value: string | undefined, overrides: Map<string, string>) {
  const name = VALUES[option]
  if (name === undefined && option !== '-o' && option !== '--optstr')
    return `unknown option ${option}`
  if (value === undefined) return `option ${option} wants a value`
  if (name !== undefined) {
    overrides.set(name, unquoted(value))
    return undefined
  }
  for (const item of value.split(/[,\n]/)) {
    if (item.trim() === '') continue
    const equals = item.indexOf('=')
    if (equals < 1) return `'${item.trim()}' in ${option} is no name=value`
    overrides.set(item.slice(0, equals).trim(), unquoted(item.slice(equals + 1).trim()))
  }
  return undefined
}

/** Some deployers send quotes meant for a shell. */
function unquoted(text: string): string {
  const found = /^'(.*)'$/s.exec(text)
  return found?.[1] ?? text
}
