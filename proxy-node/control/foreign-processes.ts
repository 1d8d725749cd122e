/**
 * Proxies of this host that another installer started: looked at from outside, by /proc. Command lines are shown without their secrets.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { proxyProcesses } from './processes.ts'
import { withoutSecrets } from './redaction.ts'

/** Our own verbs, which are the same executable. */
const VERBS_FOLDER = '/opt/obfleet/'
/** First argument of a worker of our proxy: a part of one, not another one. */
const WORKER_FLAG = '--worker'

export type ForeignProxy = {
  readonly pid: number
  /** Its number where the host has no name for it. */
  readonly user: string
  /** As the host sees it. */
  readonly executable: string
  /** The same on this machine. */
  readonly path: string
  /** What lies at its path is not what runs. */
  readonly isReplaced: boolean
  readonly workDir: string | null
  readonly command: string
}

/** In the order of their pids. */
export function foreignProxies(root: string): readonly ForeignProxy[] {
  return proxyProcesses(root)
    .filter(({ path }) => !path.startsWith(`${root}${VERBS_FOLDER}`))
    .map(({ pid, path }) => ({ pid, path, args: argumentsOf(pid) }))
    .filter(({ args }) => args[1] !== WORKER_FLAG)
    .sort((one, other) => one.pid - other.pid)
    .map(({ pid, path, args }) => ({
      pid,
      user: userOf(pid, root),
      executable: path.slice(root.length),
      path,
      isReplaced: isReplaced(pid, path),
      workDir: linkOf(pid, 'cwd')?.slice(root.length) ?? null,
      command: args.map(withoutSecrets).join(' ').replaceAll(`${root}/`, '/'),
    }))
}

export function argumentsOf(pid: number): readonly string[] {
  return (readOr(`/proc/${pid}/cmdline`) ?? '').split('\0').filter(argument => argument !== '')
}

function isReplaced(pid: number, path: string): boolean {
  try {
    const [there, running] = [path, `/proc/${pid}/exe`].map(file => statSync(file))
    return there?.ino !== running?.ino || there?.dev !== running?.dev
  } catch {
    return true
  }
}

export function linkOf(pid: number, name: 'cwd'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${name}`)
  } catch {
    return undefined
  }
}

function userOf(pid: number, root: string): string {
  const uid = /^Uid:\s+(\d+)/m.exec(readOr(`/proc/${pid}/status`) ?? '')?.[1] ?? '?'
  const users = readOr(join(root, '/etc/passwd')) ?? readOr('/etc/passwd') ?? ''
  return nameOf(uid, users) ?? uid
}

/** Name of a user by lines as /etc/passwd has them. */
function nameOf(uid: string, users: string): string | undefined {
  return users
    .split('\n')
    .map(line => line.split(':'))
    .find(([, , id]) => id === uid)?.[0]
}

export function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
