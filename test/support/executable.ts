/** The built `dist/obproxy` as processes of their own, in a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const EXECUTABLE = resolve(import.meta.dirname, '../../dist/obproxy')
const DEADLINE_MS = 15_000

export type Node = {
  readonly child: ChildProcess
  readonly workdir: string
  readonly host: string
  readonly workers: () => number[]
  readonly stop: () => Promise<void>
}

/** Runs the executable to its end: exit code and what it printed. */
export function runToEnd(
  args: readonly string[],
  workdir: string,
): Promise<{ code: number; out: string }> {
  const child = spawn(EXECUTABLE, args, { cwd: workdir, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      out += bytes.toString()
    })
  return new Promise(done => child.once('exit', code => done({ code: code ?? -1, out })))
}

export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'obfleet-node-'))
}

/** Pids whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => parentOf(name) === pid)
    .map(Number)
}

function parentOf(pid: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1])
  } catch {
    return -1
  }
}

/** Starts a proxy on `host` (IPv6 in brackets), ports 2883 and 2884, and waits until `/health` answers and a worker listens. */
export async function startNode(
  host: string,
  options: string,
  workdir = scratch(),
  env: Record<string, string> = {},
): Promise<Node> {
  const child = spawn(
    EXECUTABLE,
    ['-N', '-p', '2883', '-l', '2884', '-n', 'suite', '-o', `${boundTo(host)},${options}`],
    { cwd: workdir, stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, ...env } },
  )
  const pid = child.pid ?? 0
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const text = await metrics(host)
    if (/^odp_workers\{.*\} [1-9]/m.test(text)) break
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`obproxy did not start: exit ${child.exitCode}`)
    await new Promise(done => setTimeout(done, 20))
  }
  return {
    child,
    workdir,
    host,
    workers: () => childrenOf(pid),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise(done => child.once('exit', done))
        child.kill('SIGTERM')
        await ended
      }
      rmSync(workdir, { recursive: true, force: true })
    },
  }
}

function boundTo(host: string): string {
  const six = /^\[(.*)\]$/.exec(host)?.[1]
  return six === undefined
    ? `local_bound_ip=${host}`
    : `ip_listen_mode=2,local_bound_ipv6_ip=${six}`
}

export async function metrics(host: string, path = '/metrics'): Promise<string> {
  const answer = await fetch(`http://${host}:2884${path}`).catch(() => undefined)
  return answer === undefined ? '' : await answer.text()
}
