/**
 * A host with the stand-in on it as the RPM leaves it: executable and watchdog script under
 * `opt/taobao/install/obproxy-<version>`, logs under `home/admin/logs`, an `rpm` that knows the package.
 * Everything lies under one root, and only processes of that root are ever ended.
 */
import { execFile } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { ARCHITECTURE, CURRENT, executableOf, place, type Version } from './executable.ts'

const RUN_TIMEOUT_MS = 30_000
const GONE_TIMEOUT_MS = 10_000
const POLL_MS = 20

export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

export class Installation {
  readonly root: string
  /** `/opt/taobao/install/obproxy-4.3.1.0`, as the host itself sees it. */
  readonly path: string
  /** The same on this machine. */
  readonly home: string
  readonly version: Version

  constructor(root: string, version: Version) {
    this.root = root
    this.version = version
    this.path = `/opt/taobao/install/obproxy-${version.version}`
    this.home = join(root, this.path)
  }

  get executable(): string {
    return join(this.home, 'bin/obproxy')
  }

  /** Runs `./bin/obproxy` in its home until that returns: a proxy then runs as a daemon, if it can. */
  obproxy(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return this.run('./bin/obproxy', args, env)
  }

  /** Runs the watchdog script: `start` returns when the watchdog runs. Its first check comes at once. */
  obproxyd(
    verb: 'start' | 'stop' | 'status' | 'checkalive',
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    const all = { OBPROXYD_FIRST_WAIT_SEC: '0', ...env }
    return this.run('./bin/obproxyd.sh', ['-c', verb, ...args], all)
  }

  /** Pids of proxies of this host, in the order of their start. */
  proxies(): number[] {
    return this.processes('obproxy')
  }

  watchdogs(): number[] {
    return this.processes('obproxyd.sh')
  }

  /** Puts another executable where the running one was started from. */
  replaceExecutable(file: string): void {
    place(file, this.executable)
  }

  log(name = 'obproxy.log'): string {
    return readFileSync(join(this.home, 'log', name), 'utf8')
  }

  /** Ends every process of this host. @throws Error when one stays */
  async stop(): Promise<void> {
    const deadline = Date.now() + GONE_TIMEOUT_MS
    for (;;) {
      // A bad successor may be called anything, and keeps the socket.
      const left = this.processes()
      if (left.length === 0) return
      if (Date.now() > deadline) throw new Error(`processes ${left} of ${this.root} stay`)
      for (const pid of left) killIfThere(pid)
      await new Promise(done => setTimeout(done, POLL_MS))
    }
  }

  private run(
    file: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Outcome> {
    const options = { cwd: this.home, env: { ...process.env, ...env }, timeout: RUN_TIMEOUT_MS }
    return new Promise(resolve => {
      execFile(file, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code ?? -1)
        resolve({ code, stdout, stderr })
      })
    })
  }

  private processes(name?: string): number[] {
    return readdirSync('/proc')
      .filter(entry => /^\d+$/.test(entry))
      .filter(pid => name === undefined || nameOf(pid) === name)
      .filter(pid => folderOf(pid).startsWith(`${this.root}/`))
      .map(Number)
      .sort((one, other) => one - other)
  }
}

/** Lays out a host under `root`, which is made when it is not there; nothing runs yet. */
export function installRpm(root: string, version: Version = CURRENT): Installation {
  const installation = new Installation(root, version)
  const { home, path } = installation
  for (const folder of ['bin', 'minidump']) mkdirSync(join(home, folder), { recursive: true })
  place(executableOf(version), installation.executable)
  place(join(import.meta.dirname, 'obproxyd.sh'), join(home, 'bin/obproxyd.sh'))
  const logs = join(root, 'home/admin/logs/obproxy/log')
  mkdirSync(logs, { recursive: true })
  symlinkSync(logs, join(home, 'log'))
  registerRpm(root, `obproxy-${version.version}-${version.build}.el7.${ARCHITECTURE} ${path}`)
  return installation
}

/** One more package in the host's database: `NAME-VERSION-RELEASE.ARCH FOLDER`. */
export function registerRpm(root: string, line: string): void {
  mkdirSync(join(root, 'var/lib/rpm'), { recursive: true })
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  appendFileSync(join(root, 'var/lib/rpm/packages'), `${line}\n`)
  const program = join(root, 'usr/bin/rpm')
  copyFileSync(join(import.meta.dirname, 'rpm.sh'), program)
  chmodSync(program, 0o755)
}

function nameOf(pid: string): string {
  return readOr('', () => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
}

function folderOf(pid: string): string {
  return readOr('', () => readlinkSync(`/proc/${pid}/cwd`))
}

/** A process may be gone before it is looked at. */
function readOr(otherwise: string, read: () => string): string {
  try {
    return read()
  } catch {
    return otherwise
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
