/**
 * The service manager of one instance: starts, watches and stops the units under its root, as
 * systemd would (systemd.service(5), systemd.timer(5)), with root and environment put in.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { gone, isAlive, marked, signal } from './processes.ts'
import {
  expanded,
  parseEnvironmentFile,
  parseUnit,
  type ServiceUnit,
  type TimerUnit,
} from './unit-file.ts'

const UNIT_NAME = /^[A-Za-z0-9@:_.-]{1,200}\.(service|timer)$/
const UNIT_VARIABLE = 'OBFLEET_UNIT'
const MAX_LOG_BYTES = 5_000_000
const KILL_DEADLINE_MS = 5_000
/** How soon the end of a main process is noticed that is nobody's child here. */
const WATCH_MS = 50

export type UnitStatus = {
  readonly active: boolean
  readonly pid: number | null
  readonly enabled: boolean
}

type Running = {
  readonly name: string
  readonly unit: ServiceUnit | TimerUnit
  state: 'active' | 'stopping' | 'dead' | 'failed'
  child: ChildProcess | undefined
  /** The process that took over from `child`. */
  heir: number | undefined
  readonly starts: number[]
  timer: NodeJS.Timeout | undefined
}

export class Units {
  private readonly root: string
  private readonly env: Readonly<Record<string, string>>
  private readonly running = new Map<string, Running>()

  /** `env` is the instance's environment, which every process of it gets. */
  constructor(root: string, env: Readonly<Record<string, string>>) {
    this.root = root
    this.env = env
  }

  /** Starts what is enabled; a unit that fails does not keep the others from starting. */
  async boot(note: (line: string) => void): Promise<void> {
    for (const target of ['multi-user.target', 'timers.target']) {
      const folder = join(this.folder, `${target}.wants`)
      const names = existsSync(folder) ? readdirSync(folder).sort() : []
      for (const name of names)
        await this.start(name).catch((error: Error) => note(`${name}: ${error.message}`))
    }
  }

  /** A oneshot is waited for. @throws Error when the unit is unknown or does not start. */
  async start(name: string): Promise<UnitStatus> {
    const before = this.running.get(name)
    if (before?.state === 'active') return this.status(name)
    const unit = this.read(name)
    const entry: Running = {
      name,
      unit,
      state: 'active',
      child: undefined,
      heir: undefined,
      starts: [],
      timer: undefined,
    }
    this.running.set(name, entry)
    if (unit.kind === 'timer') this.arm(entry, unit.onBootMs ?? unit.onActiveMs ?? 0)
    else if (unit.type === 'oneshot') await this.runOnce(entry, unit)
    else this.launch(entry, unit)
    return this.status(name)
  }

  async stop(name: string): Promise<UnitStatus> {
    const entry = this.running.get(name)
    if (entry === undefined) {
      this.read(name)
      return this.status(name)
    }
    clearTimeout(entry.timer)
    const { unit } = entry
    entry.state = 'stopping'
    if (unit.kind === 'service') await this.end(entry, unit)
    entry.state = 'dead'
    return this.status(name)
  }

  async restart(name: string): Promise<UnitStatus> {
    await this.stop(name)
    return await this.start(name)
  }

  status(name: string): UnitStatus {
    const entry = this.running.get(name)
    const pid = entry === undefined ? undefined : this.mainPid(entry)
    const isActive = entry?.state === 'active'
    return {
      active: isActive,
      pid: isActive && pid !== undefined && isAlive(pid) ? pid : null,
      enabled: this.links(name).some(existsSync),
    }
  }

  enable(name: string): UnitStatus {
    const { wantedBy } = this.read(name)
    if (wantedBy.length === 0) throw new Error(`${name} has no WantedBy`)
    for (const target of wantedBy) {
      const folder = join(this.folder, `${basename(target)}.wants`)
      mkdirSync(folder, { recursive: true, mode: 0o755 })
      rmSync(join(folder, name), { force: true })
      symlinkSync(`../${name}`, join(folder, name))
    }
    return this.status(name)
  }

  disable(name: string): UnitStatus {
    for (const link of this.links(name)) rmSync(link, { force: true })
    return this.status(name)
  }

  /** Stops all, the last started first. */
  async stopAll(): Promise<void> {
    for (const name of [...this.running.keys()].reverse()) await this.stop(name)
    this.running.clear()
  }

  /** Forgets all without a word to them: their processes are killed by who calls this. */
  abandon(): void {
    for (const entry of this.running.values()) {
      clearTimeout(entry.timer)
      entry.state = 'dead'
    }
    this.running.clear()
  }

  private get folder(): string {
    return join(this.root, 'etc/systemd/system')
  }

  private read(name: string): ServiceUnit | TimerUnit {
    if (!UNIT_NAME.test(name)) throw new Error(`"${name}" is no unit name`)
    const file = join(this.folder, name)
    if (!existsSync(file)) throw new Error(`Unit ${name} not found.`)
    return parseUnit(name, readFileSync(file, 'utf8'))
  }

  private links(name: string): readonly string[] {
    if (!existsSync(this.folder)) return []
    return readdirSync(this.folder)
      .filter(entry => entry.endsWith('.wants'))
      .map(entry => join(this.folder, entry, name))
      .filter(link => lstatExists(link))
  }

  private launch(entry: Running, unit: ServiceUnit): void {
    const [command] = unit.execStart
    const child = this.spawn(entry.name, unit, command ?? [])
    entry.child = child
    entry.heir = undefined
    entry.starts.push(Date.now())
    let isOver = false
    const over = (code: number | null) => {
      if (isOver) return
      isOver = true
      this.mainEnded(entry, unit, code)
    }
    child.once('error', () => over(203))
    child.once('exit', code => over(code))
  }

  /** As systemd: one that has written its successor's pid before its end has handed over. */
  private mainEnded(entry: Running, unit: ServiceUnit, code: number | null): void {
    const heir = entry.state === 'active' ? this.heirOf(entry) : undefined
    entry.heir = heir
    if (heir === undefined) this.ended(entry, unit, code)
    else this.watch(entry, unit, heir)
  }

  private watch(entry: Running, unit: ServiceUnit, heir: number): void {
    entry.timer = setTimeout(() => {
      if (entry.state !== 'active') return
      if (isAlive(heir)) this.watch(entry, unit, heir)
      else this.mainEnded(entry, unit, null)
    }, WATCH_MS)
  }

  /** The living process of the unit that its pid file names, unless it is the one started here. */
  private heirOf(entry: Running): number | undefined {
    const { unit } = entry
    if (unit.kind !== 'service' || unit.pidFile === undefined) return undefined
    try {
      const pid = Number(readFileSync(this.rooted(unit.pidFile), 'utf8'))
      const isHeir = pid !== entry.child?.pid && isAlive(pid) && this.pidsOf(entry).includes(pid)
      return isHeir ? pid : undefined
    } catch {
      return undefined
    }
  }

  private mainPid(entry: Running): number | undefined {
    return this.heirOf(entry) ?? entry.heir ?? entry.child?.pid
  }

  /** The main process is gone: start it again, if the unit says so and it is not hopeless. */
  private ended(entry: Running, unit: ServiceUnit, code: number | null): void {
    if (entry.state !== 'active') return
    const wants = unit.restart === 'always' || (unit.restart === 'on-failure' && code !== 0)
    const { burst, intervalMs } = unit.startLimit
    const recent = entry.starts.filter(at => Date.now() - at < intervalMs).length
    if (!wants || (burst > 0 && intervalMs > 0 && recent >= burst)) {
      entry.state = wants || code !== 0 ? 'failed' : 'dead'
      return
    }
    entry.timer = setTimeout(() => {
      if (entry.state === 'active') this.launch(entry, unit)
    }, unit.restartMs)
  }

  private async runOnce(entry: Running, unit: ServiceUnit): Promise<void> {
    for (const command of unit.execStart) {
      const child = this.spawn(entry.name, unit, command)
      entry.child = child
      const code = await new Promise<number | null>(resolve => {
        child.once('error', () => resolve(203))
        child.once('exit', resolve)
      })
      if (code !== 0 && command[0]?.startsWith('-') !== true) {
        entry.state = 'failed'
        throw new Error(`${entry.name} failed with exit code ${code}`)
      }
    }
    if (!unit.remainsAfterExit) entry.state = 'dead'
  }

  private async end(entry: Running, unit: ServiceUnit): Promise<void> {
    for (const command of unit.execStop) {
      const child = this.spawn(entry.name, unit, command)
      await new Promise(resolve => {
        child.once('error', resolve)
        child.once('exit', resolve)
      })
    }
    const { killMode } = this.asOnDisk(entry.name, unit)
    if (killMode === 'none') return
    const mainPid = this.mainPid(entry)
    const main = () => this.pidsOf(entry).filter(pid => pid === mainPid)
    const pids = killMode === 'process' ? main : () => this.pidsOf(entry)
    for (const pid of killMode === 'control-group' ? pids() : main()) signal(pid, 'SIGTERM')
    if (await gone(pids, Math.min(unit.stopTimeoutMs, 600_000))) return
    for (const pid of pids()) signal(pid, 'SIGKILL')
    await gone(pids, KILL_DEADLINE_MS)
  }

  /** What is read again by daemon-reload holds for a unit that runs as well. */
  private asOnDisk(name: string, before: ServiceUnit): ServiceUnit {
    try {
      const unit = this.read(name)
      return unit.kind === 'service' ? unit : before
    } catch {
      return before
    }
  }

  /** All processes of the unit, also those that left the group. */
  private pidsOf(entry: Running): readonly number[] {
    const mine = new Set(marked('OBFLEET_ROOT', this.root))
    return marked(UNIT_VARIABLE, entry.name).filter(pid => mine.has(pid))
  }

  private spawn(name: string, unit: ServiceUnit, command: readonly string[]): ChildProcess {
    const env = {
      ...this.env,
      ...unit.environment,
      ...this.fromFiles(unit),
      [UNIT_VARIABLE]: name,
    }
    const [first = '', ...rest] = command.map(word => expanded(word, env))
    const log = this.openLog(name)
    try {
      return spawn(this.rooted(first.replace(/^[-@:+!]+/, '')), rest, {
        cwd: this.rooted(unit.workingDirectory ?? '/'),
        env,
        detached: true,
        stdio: ['ignore', log, log],
      })
    } finally {
      closeSync(log)
    }
  }

  private fromFiles(unit: ServiceUnit): Record<string, string> {
    return Object.assign(
      {},
      ...unit.environmentFiles.map(given => {
        const file = this.rooted(given.replace(/^-/, ''))
        if (given.startsWith('-') && !existsSync(file)) return {}
        return parseEnvironmentFile(readFileSync(file, 'utf8'))
      }),
    )
  }

  /** A path of the instance, or of the machine when the instance has none such (`/bin/sh`). */
  private rooted(path: string): string {
    if (!path.startsWith('/')) return path
    const inside = join(this.root, path)
    return existsSync(inside) ? inside : path
  }

  private openLog(name: string): number {
    const folder = join(this.root, 'var/log/journal')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const file = join(folder, `${name}.log`)
    if (existsSync(file) && statSync(file).size > MAX_LOG_BYTES) renameSync(file, `${file}.1`)
    return openSync(file, 'a', 0o600)
  }

  private arm(entry: Running, afterMs: number): void {
    const { unit } = entry
    if (unit.kind !== 'timer') return
    const target = unit.unit ?? entry.name.replace(/\.timer$/, '.service')
    entry.timer = setTimeout(() => {
      this.start(target)
        .catch(() => undefined)
        .finally(() => {
          if (entry.state === 'active' && unit.onActiveMs !== undefined)
            this.arm(entry, unit.onActiveMs)
        })
    }, afterMs)
  }
}

function lstatExists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false
  }
}
