/** Processes and listening sockets of this machine, from /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const LISTEN = '0A'
const LOOPBACK = '127.0.0.1'
/** Ticks of /proc/<pid>/stat a second: fixed at 100 in what Linux shows to programs. */
const TICKS_PER_SEC = 100

export type FoundProcess = { readonly pid: number; readonly path: string }

/** Processes whose executable is called obproxy, under `root`, this one's left out. */
export function proxyProcesses(root: string): readonly FoundProcess[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap(name => {
      const path = executableOf(name)
      return path?.startsWith(`${root}/`) && path.endsWith('/obproxy')
        ? [{ pid: Number(name), path }]
        : []
    })
}

/** Epoch milliseconds of the start of `pid`; null when it is gone. */
export function startedAt(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    const bootSec = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1])
    const at = Math.round((bootSec + ticks / TICKS_PER_SEC) * 1000)
    return Number.isSafeInteger(at) ? at : null
  } catch {
    return null
  }
}

/** Whether somebody listens on `port` of `address`, or of all addresses; undefined asks for any. */
export function isListening(address: string | undefined, port: number): boolean {
  return ['/proc/net/tcp', '/proc/net/tcp6'].some(table =>
    listeners(textOf(table)).some(
      found =>
        found.port === port &&
        (address === undefined || found.address === address || isWildcard(found.address)),
    ),
  )
}

/**
 * Where somebody who listens on `port` can be reached: `address` if that is listened on, without one
 * the loopback address, else an IPv4 address of the listener's own; undefined when nobody listens.
 */
export function listeningAddress(address: string | undefined, port: number): string | undefined {
  if (isListening(address ?? LOOPBACK, port)) return address ?? LOOPBACK
  if (address !== undefined) return undefined
  return listeners(textOf('/proc/net/tcp')).find(found => found.port === port)?.address
}

/** Listening sockets of a table as the kernel prints it: IPv4 dotted, IPv6 as hex digits. */
export function listeners(
  table: string,
): readonly { readonly address: string; readonly port: number }[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap(line => {
      const [, local = '', , state] = line.trim().split(/\s+/)
      const [address = '', port = ''] = local.split(':')
      return state === LISTEN ? [{ address: dotted(address), port: Number.parseInt(port, 16) }] : []
    })
}

function dotted(hex: string): string {
  if (hex.length !== 8) return hex
  return [...Buffer.from(hex, 'hex')].reverse().join('.')
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || /^0{32}$/.test(address)
}

/** The file that `pid` runs, also when another one lies there by now; undefined when it has ended. */
export function executableOf(pid: number | string): string | undefined {
  try {
    // The kernel marks a file that was replaced since.
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '')
  } catch {
    return undefined
  }
}

/** Empty when it is not there, or ended while it was read. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
