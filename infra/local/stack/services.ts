/**
 * The processes of one stack. Each is started, waited for, started again when it dies (as its
 * counterpart in the cloud would be), and ended with the stack; what a killed stack left running is
 * found by its pid file and ended before the next start.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readJson, writePrivately } from '../files.ts'
import { signal } from '../instance/processes.ts'

const READY_DEADLINE_MS = 90_000
const STOP_DEADLINE_MS = 15_000
/** What a killed process gets to be gone. */
const KILL_DEADLINE_MS = 5_000
const RESTART_MS = 300
/** Deaths within a minute after which a service is given up. */
const MAX_DEATHS = 5
const DEATHS_MS = 60_000
const FROM_OUTSIDE: ReadonlySet<NodeJS.Signals> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT'])

export type ServicePlan = {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Resolves when the service can be used; without it the first line on stdout says so. */
  readonly isReady?: () => Promise<boolean>
}

type Running = {
  readonly plan: ServicePlan
  child: ChildProcess
  /** The child at hand has been ready. */
  wasReady: boolean
  /** When it came to its end by itself lately. */
  deaths: readonly number[]
}

/** As the event has it: one of the two is there. */
type End = readonly [code: number | null, signal: NodeJS.Signals | null]

export class Services {
  private readonly folder: string
  private readonly running = new Map<string, Running>()
  private readonly note: (line: string) => void
  private isStopping = false
  /** Resolves with a line when a service is given up. */
  readonly givenUp: Promise<string>
  private giveUp: (line: string) => void = () => {}

  /** `folder` keeps logs and pid files. */
  constructor(folder: string, note: (line: string) => void) {
    this.folder = folder
    this.note = note
    this.givenUp = new Promise(resolve => {
      this.giveUp = resolve
    })
    for (const part of ['log', 'run'])
      mkdirSync(join(folder, part), { recursive: true, mode: 0o700 })
  }

  /** Starts a service and waits until it is ready; its first line on stdout. @throws Error saying why not. */
  async start(plan: ServicePlan): Promise<string> {
    if (this.isStopping) throw new Error(`${plan.name} is not started: the stack stops`)
    const child = this.spawn(plan)
    const service: Running = { plan, child, wasReady: false, deaths: [] }
    this.running.set(plan.name, service)
    const line = await this.whenReady(plan, child)
    service.wasReady = true
    this.watch(plan.name)
    return line
  }

  pidOf(name: string): number | undefined {
    return this.running.get(name)?.child.pid
  }

  /** Ends all services, the last started first. */
  async stop(): Promise<void> {
    this.isStopping = true
    for (const { plan, child } of [...this.running.values()].reverse()) {
      await endChild(child)
      rmSync(this.pidFile(plan.name), { force: true })
    }
    this.running.clear()
  }

  private spawn(plan: ServicePlan): ChildProcess {
    const log = openSync(join(this.folder, 'log', `${plan.name}.log`), 'a', 0o600)
    // A group of its own, so that Ctrl-C reaches the stack alone; an open stdin says that it lives.
    const child = spawn(plan.command, plan.args, {
      stdio: ['pipe', 'pipe', log],
      detached: true,
      env: { ...process.env, AWS_EC2_METADATA_DISABLED: 'true', ...plan.env },
    })
    closeSync(log)
    child.stdin?.on('error', () => {})
    if (child.pid !== undefined)
      writePrivately(this.pidFile(plan.name), { pid: child.pid, started: startOf(child.pid) })
    return child
  }

  private async whenReady(plan: ServicePlan, child: ChildProcess): Promise<string> {
    const died = new Promise<never>((_resolve, reject) => {
      child.once('error', error => reject(new Error(`${plan.name}: ${error.message}`)))
      child.once('exit', (...end) => reject(new Error(this.whyDied(plan.name, end))))
    })
    died.catch(() => {})
    const settled = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${plan.name} is not ready after ${READY_DEADLINE_MS / 1000} s`)),
        READY_DEADLINE_MS,
      )
    })
    try {
      const line = await Promise.race([
        died,
        late,
        plan.isReady ? poll(plan.isReady, settled.signal) : firstLine(child),
      ])
      child.stdout?.resume()
      return line
    } finally {
      clearTimeout(timer)
      settled.abort()
    }
  }

  /** Its last line, unless that is a record for machines or it had no time to write one. */
  private whyDied(name: string, end: End): string {
    const log = readFileSync(join(this.folder, 'log', `${name}.log`), 'utf8').trim()
    const last = log.split('\n').findLast(line => line.trim() !== '')
    const isSaid = end[1] === null && last !== undefined && !last.startsWith('{')
    return `${name}: ${isSaid ? last : `ended with ${endText(end)}`}`
  }

  /** Starts a dead service again, unless it dies again and again. */
  private watch(name: string): void {
    const service = this.running.get(name)
    if (service === undefined) return
    service.child.once('exit', (...end) => {
      if (this.isStopping) return
      const { wasReady } = service
      service.deaths = deathsWith(service.deaths, { wasReady, now: Date.now(), end })
      const recent = service.deaths.length
      if (recent >= MAX_DEATHS)
        return this.giveUp(
          `${name} ended ${recent} times within a minute (${endText(end)}); see log/${name}.log`,
        )
      this.note(`${name} ended; starting it again`)
      setTimeout(() => void this.restart(service), RESTART_MS * Math.max(1, recent))
    })
  }

  private async restart(service: Running): Promise<void> {
    if (this.isStopping) return
    const child = this.spawn(service.plan)
    service.child = child
    service.wasReady = false
    this.watch(service.plan.name)
    try {
      await this.whenReady(service.plan, child)
      if (service.child === child) service.wasReady = true
    } catch (error) {
      if (!this.isStopping) this.note((error as Error).message)
    }
  }

  private pidFile(name: string): string {
    return join(this.folder, 'run', `${name}.json`)
  }
}

/** Ends what an earlier stack under `folder` left running; the names of what it had to end. */
export async function endLeftovers(folder: string): Promise<readonly string[]> {
  const run = join(folder, 'run')
  let names: string[] = []
  try {
    names = readdirSync(run).filter(name => name.endsWith('.json'))
  } catch {
    return []
  }
  const ended: string[] = []
  for (const name of names) {
    const file = join(run, name)
    const { pid, started } = readJson(file) as { pid: number; started?: string }
    // Without a beginning it had ended before it was looked at.
    if (started !== undefined && startOf(pid) === started) {
      await endProcess(pid, started)
      ended.push(name.slice(0, -'.json'.length))
    }
    rmSync(file, { force: true })
  }
  return ended
}

/** When the process began, as /proc has it: a pid that was given to another one is not meant. */
export function startOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]
  } catch {
    return undefined
  }
}

async function endProcess(pid: number, started: string): Promise<void> {
  signal(pid, 'SIGTERM')
  const deadline = Date.now() + STOP_DEADLINE_MS
  while (startOf(pid) === started) {
    if (Date.now() > deadline) signal(pid, 'SIGKILL')
    if (Date.now() > deadline + KILL_DEADLINE_MS) throw new Error(`process ${pid} does not end`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = new Promise(resolve => child.once('exit', resolve))
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  child.kill('SIGTERM')
  await ended
  clearTimeout(timer)
}

/**
 * Those of the last minute, and this one if it was its own; epoch milliseconds. Who was ready and is
 * killed from outside, however soon, has not failed: it is started again as often as that happens.
 */
export function deathsWith(
  deaths: readonly number[],
  life: { readonly wasReady: boolean; readonly now: number; readonly end: End },
): readonly number[] {
  const { wasReady, now, end } = life
  const [code, signal] = end
  const isFailure = signal === null ? code !== 0 : !FROM_OUTSIDE.has(signal)
  const recent = deaths.filter(at => now - at < DEATHS_MS)
  return isFailure || !wasReady ? [...recent, now] : recent
}

function endText([code, signal]: End): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    let text = ''
    child.stdout?.on('data', (bytes: Buffer) => {
      if (text.includes('\n')) return
      text += bytes.toString()
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
  })
}

/** Asks until it is ready, or `settled` says that nobody waits any more. */
async function poll(isReady: () => Promise<boolean>, settled: AbortSignal): Promise<string> {
  while (!settled.aborted && !(await isReady().catch(() => false)))
    await new Promise(resolve => setTimeout(resolve, 30))
  return ''
}
