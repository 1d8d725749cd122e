/**
 * One managed instance between power-on and power-off (L1): boots, reboots, crashes; owns its
 * service manager and its agent, and every process that bears its mark.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent } from './agent.ts'
import { runBootScripts } from './boot-scripts.ts'
import { gone, marked, signal } from './processes.ts'
import { type UnitStatus, Units } from './units.ts'

const KILL_DEADLINE_MS = 5_000
const TERM_DEADLINE_MS = 3_000

export type MachineSettings = {
  readonly root: string
  /** The instance's environment as `/etc/obfleet/node.env` has it. */
  readonly env: Readonly<Record<string, string>>
  readonly note: (line: string) => void
}

type Life = {
  readonly bootId: string
  readonly units: Units
  readonly agent: Agent
}

export class Machine {
  private readonly settings: MachineSettings
  private life: Life | undefined
  /** Boots and ends one after another. */
  private turn: Promise<void> = Promise.resolve()

  constructor(settings: MachineSettings) {
    this.settings = settings
  }

  get bootId(): string | undefined {
    return this.life?.bootId
  }

  boot(): Promise<void> {
    return this.inTurn(async () => {
      // What a killed init left would be a second proxy on the same ports.
      await this.killAll()
      await this.begin()
    })
  }

  /** Orderly: units are stopped as they want to be, then everything starts anew. */
  reboot(): Promise<void> {
    return this.inTurn(async () => {
      await this.end()
      await this.begin()
    })
  }

  /** The power is cut and comes back. */
  crash(): Promise<void> {
    return this.inTurn(async () => {
      const { life } = this
      this.life = undefined
      life?.units.abandon()
      const silenced = life?.agent.stop()
      await this.killAll()
      await silenced
      await this.begin()
    })
  }

  powerOff(): Promise<void> {
    return this.inTurn(() => this.end())
  }

  /** @throws Error in one line: unknown unit, start failed. */
  async unit(op: string, name: string): Promise<UnitStatus> {
    const units = this.life?.units
    if (units === undefined) throw new Error('the instance is down')
    if (op === 'start') return await units.start(name)
    if (op === 'stop') return await units.stop(name)
    if (op === 'restart') return await units.restart(name)
    if (op === 'enable') return units.enable(name)
    if (op === 'disable') return units.disable(name)
    if (op === 'status') return units.status(name)
    throw new Error(`unknown operation "${op}"`)
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(work, work)
    return this.turn
  }

  private async begin(): Promise<void> {
    const { root, note } = this.settings
    const bootId = randomUUID()
    const env: Record<string, string> = { ...this.settings.env, OBFLEET_BOOT_ID: bootId }
    mkdirSync(join(root, 'run'), { recursive: true, mode: 0o700 })
    writeFileSync(join(root, 'run/boot-id'), `${bootId}\n`)
    const units = new Units(root, env)
    const agent = new Agent({
      instanceId: env['OBFLEET_INSTANCE_ID'] ?? '',
      identity: {
        endpoint: env['AWS_ENDPOINT_URL_SSM'] ?? '',
        region: env['AWS_REGION'] ?? '',
        accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      },
      folder: join(root, 'var/lib/amazon/ssm'),
      env,
      reboot: () => void this.reboot(),
      note,
    })
    const life = { bootId, units, agent }
    this.life = life
    await units.boot(note)
    // Nobody waits for them, and what they start is beside what units have begun.
    void runBootScripts({ root, env, isOver: () => this.life !== life }).catch((error: Error) =>
      note(`boot scripts: ${error.message}`),
    )
    agent.start()
  }

  private async end(): Promise<void> {
    const { life } = this
    this.life = undefined
    await life?.agent.stop()
    await life?.units.stopAll()
    for (const pid of this.pids()) signal(pid, 'SIGTERM')
    await gone(() => this.pids(), TERM_DEADLINE_MS)
    await this.killAll()
  }

  private async killAll(): Promise<void> {
    for (const pid of this.pids()) signal(pid, 'SIGKILL')
    if (!(await gone(() => this.pids(), KILL_DEADLINE_MS)))
      this.settings.note('some processes do not end')
  }

  private pids(): readonly number[] {
    return marked('OBFLEET_ROOT', this.settings.root)
  }
}
